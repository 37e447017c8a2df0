// The heaps that random programs over collections run on, and elements that show whether their memory was taken from them.

import Testing
import Tricolor

/// How a heap collects beside a random program.
enum Collecting: String, CaseIterable, Sendable, CustomTestStringConvertible {
  /// A whole cycle at every poll and every allocation.
  case atEveryPoll
  /// The same, young cycles where they may be.
  case youngAtEveryPoll
  /// As growth from a quarter of a mebibyte on has it.
  case asItGrows

  var testDescription: String { rawValue }

  var heap: Heap {
    get throws {
      var configuration = Heap.Configuration()
      configuration.debug.clobberFree = true
      configuration.debug.gcStress = self != .asItGrows
      configuration.minimumHeap = 256 << 10
      if self == .youngAtEveryPoll { configuration.youngCycles = .always }
      return try Heap(configuration: configuration)
    }
  }

  /// So many operations that the test takes about a second.
  func operations(_ atBest: Int) -> Int { self == .asItGrows ? atBest : atBest / 20 }
}

/// Numbers as elements of every kind that a collection can hold.
protocol Numbered: ManagedElement {
  static func make(_ number: Int, _ mutator: Mutator) throws -> Self
  var number: Int { get }
}

extension Int: Numbered {
  static func make(_ number: Int, _ mutator: Mutator) -> Int { number }
  var number: Int { self }
}

extension UInt8: Numbered {
  static func make(_ number: Int, _ mutator: Mutator) -> UInt8 { UInt8(truncatingIfNeeded: number) }
  var number: Int { Int(self) }
}

/// Sixteen bytes with an alignment of sixteen.
struct Wide: Numbered, Hashable, BitwiseCopyable {
  var value: UInt128
  static func make(_ number: Int, _ mutator: Mutator) -> Wide { Wide(value: UInt128(number) << 64 | UInt128(number)) }
  var number: Int { value >> 64 == value & UInt128(UInt64.max) ? Int(value >> 64) : -1 }
}

extension Reference<Link>: Numbered {
  static func make(_ number: Int, _ mutator: Mutator) throws -> Reference<Link> {
    try mutator.make(Link(key: number, left: nil, right: nil))
  }
  var number: Int { key }
}

extension ManagedString: Numbered {
  static func make(_ number: Int, _ mutator: Mutator) throws -> ManagedString {
    try ManagedString("n\(number)", mutator)
  }
  var number: Int { Int(description.dropFirst()) ?? -1 }
}

/// Optionals: every seventh is nil.
extension Reference<Link>?: Numbered {
  static func make(_ number: Int, _ mutator: Mutator) throws -> Reference<Link>? {
    number % 7 == 0 ? nil : try Reference<Link>.make(number, mutator)
  }
  var number: Int { self?.key ?? 0 }
}

/// SplitMix64.
struct SeededRandom: RandomNumberGenerator {
  private var state: UInt64
  init(seed: UInt64) { state = seed }

  mutating func next() -> UInt64 {
    state &+= 0x9e37_79b9_7f4a_7c15
    var mixed = state
    mixed = (mixed ^ mixed >> 30) &* 0xbf58_476d_1ce4_e5b9
    mixed = (mixed ^ mixed >> 27) &* 0x94d0_49bb_1331_11eb
    return mixed ^ mixed >> 31
  }

  mutating func below(_ bound: Int) -> Int { Int(next() % UInt64(bound)) }
}
