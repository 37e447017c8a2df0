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

struct LinkHandle: ManagedHandle {
  let asReference: Reference<Link>
  init(_ reference: Reference<Link>) { asReference = reference }
}

struct WithHandles: Managed {
  static let slot = TypeSlot()
  var number: Int
  var numbers: ManagedArray<Int>
  var names: ManagedDictionary<ManagedString, Int>?
  var name: ManagedString?
  var link: LinkHandle?
}

/// An enum whose payload may be a reference, which a function finds.
struct Tagged: Managed {
  enum Content {
    case number(Int)
    case link(Reference<Link>)
  }
  static let slot = TypeSlot()
  let content: Content
  var after: Reference<Link>?

  static var layoutByHand: Layout.Kind? { .custom(trace: traceTagged) }
}

private let traceTagged: TraceFunction = { object, _, visit, context in
  let tagged = object.assumingMemoryBound(to: Tagged.self).pointee
  if case .link(let link) = tagged.content { visit(context, UInt(bitPattern: link.address)) }
  if let after = tagged.after { visit(context, UInt(bitPattern: after.address)) }
}

/// An optional struct that is never nil, at offsets that its author knows.
struct Chosen: Managed {
  static let slot = TypeSlot()
  static let asked = Shared(0)
  var content: Pairs.Pair?
  var after: Reference<Link>?

  static var layoutByHand: Layout.Kind? {
    asked.withLock { $0 += 1 }
    return .fixed(bytes: MemoryLayout<Chosen>.size, references: [8, MemoryLayout<Chosen>.offset(of: \.after)!])
  }
}

// MARK: Refused

/// The layout of another type.
struct WrongSize: Managed {
  static let slot = TypeSlot()
  var number: Int
  static var layoutByHand: Layout.Kind? { .fixed(bytes: 24, references: [8]) }
}

struct WithDeepArray: Managed {
  struct Outer {
    var number: Int
    var names: [Int]
  }
  static let slot = TypeSlot()
  var outer: Outer
}

struct WithEnumArray: Managed {
  static let slot = TypeSlot()
  var row: InlineArray<3, WithPayloadEnum.Either>
}

struct WideHandle: ManagedHandle {
  let asReference: Reference<Link>
  var number = 0
  init(_ reference: Reference<Link>) { asReference = reference }
}

struct WithWideHandle: Managed {
  static let slot = TypeSlot()
  var handle: WideHandle
}

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
