// Payloads with references in every place a struct can have them, and payloads the collector must refuse.

import Glibc
import Tricolor

struct Nested: Managed {
  struct Inner {
    var number: Int
    var link: Reference<Link>?
    var last: Reference<Link>?
  }
  static let slot = TypeSlot()
  var number: Int
  var first: Reference<Link>?
  var inner: Inner
  var pair: (Int, Reference<Link>?)
  var flag: Bool
  var end: Reference<Link>?
}

/// References from the first word to the last.
struct Row: Managed {
  static let slot = TypeSlot()
  var links: InlineArray<9, Reference<Link>?>
  var last: Reference<Link>?
}

struct Sparse: Managed {
  static let slot = TypeSlot()
  var first: Reference<Link>?
  var gap: InlineArray<99, Int>
  var last: Reference<Link>?
}

struct Crowd: Managed {
  static let slot = TypeSlot()
  var links: InlineArray<300, Reference<Link>?>
}

struct Vast: Managed {
  static let slot = TypeSlot()
  var first: Reference<Link>?
  var gap: InlineArray<9999, Int>
  var last: Reference<Link>?
}

struct Pairs: Managed {
  struct Pair {
    var number: Int
    var link: Reference<Link>?
  }
  static let slot = TypeSlot()
  var pairs: InlineArray<3, Pair>
}

struct Mandatory: Managed {
  static let slot = TypeSlot()
  var one: Reference<Link>
  var other: Reference<Bytes>
}

struct Plain: Managed {
  enum Colour { case red, green }
  enum Small {
    case none
    case some(UInt32)
  }
  struct Point {
    var x: Double
    var y: Float
  }
  static let slot = TypeSlot()
  var integer: Int
  var byte: UInt8
  var flag: Bool
  var point: Point
  var maybe: Int?
  var maybePoint: Point?
  var colour: Colour
  var small: Small
  var pointer: UnsafeRawPointer?
  var vector: SIMD2<Double>
  var words: InlineArray<5, UInt64>
  var pair: (Int, UInt16)
  var time: timespec
  var function: @convention(c) (Int) -> Int
  var type: Any.Type
  var unmanaged: Unmanaged<Counted>
  var wide: UInt128
  var range: Range<Int>
}

struct Fresh: Managed {
  static let slot = TypeSlot()
  var value: Int
  var next: Reference<Fresh>?
}

// MARK: Refused

final class Counted {}

struct WithClass: Managed {
  static let slot = TypeSlot()
  var number: Int
  var object: Counted
}

struct WithClosure: Managed {
  static let slot = TypeSlot()
  var body: () -> Void
}

struct WithString: Managed {
  static let slot = TypeSlot()
  var text: String
}

struct WithOptionalStruct: Managed {
  static let slot = TypeSlot()
  var first: Reference<Link>?
  var second: Pairs.Pair?
}

struct WithPayloadEnum: Managed {
  enum Either {
    case link(Reference<Link>)
    case number(Int)
  }
  static let slot = TypeSlot()
  var either: Either
}

struct WithDeepEnum: Managed {
  struct Outer {
    var number: Int
    var either: WithPayloadEnum.Either
  }
  static let slot = TypeSlot()
  var outer: Outer
}

/// A C union, into which reflection does not see.
struct WithUnion: Managed {
  static let slot = TypeSlot()
  var union: pthread_mutex_t
}
