// The one random generator of the workloads: small, seedable, the same in every language the peers are written in.
//
// Steele, Lea and Flood, "Fast splittable pseudorandom number generators", OOPSLA 2014: the state is a counter, the output a
// mix of it.

/// Deterministic random numbers.
@frozen public struct SplitMix64: RandomNumberGenerator, Sendable {
  @usableFromInline var state: UInt64

  @inlinable public init(seed: UInt64) { state = seed }

  @inlinable @inline(__always)
  public mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var mixed = state
    mixed = (mixed ^ mixed >> 30) &* 0xBF58_476D_1CE4_E5B9
    mixed = (mixed ^ mixed >> 27) &* 0x94D0_49BB_1331_11EB
    return mixed ^ mixed >> 31
  }

  /// A number in 0 ..< `count`, which must be above 0 and below 2^32; uniform but for a bias of count / 2^32. No division.
  @inlinable @inline(__always)
  public mutating func below(_ count: Int) -> Int {
    Int(((next() >> 32) &* UInt64(count)) >> 32)
  }
}
