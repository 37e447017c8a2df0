// Random numbers that can be had again: the seed is in every failure's message and can be given in TRICOLOR_TEST_SEED.

import Foundation

struct SeededRandom: RandomNumberGenerator {
  let seed: UInt64
  private var state: UInt64

  init() {
    let given = ProcessInfo.processInfo.environment["TRICOLOR_TEST_SEED"].flatMap { UInt64($0) }
    seed = given ?? UInt64.random(in: 0...(.max))
    state = seed
  }

  /// SplitMix64 (Steele, Lea, Flood 2014).
  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var mixed = state
    mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
    mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
    return mixed ^ (mixed >> 31)
  }

  /// A size whose order of magnitude is as random as its digits.
  mutating func size() -> Int64 { Int64(next() >> UInt64.random(in: 1...63, using: &self)) }
}
