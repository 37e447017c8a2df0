// The random numbers that every program of the comparison draws: SplitMix64 (Steele, Lea and Flood, "Fast splittable pseudorandom
// number generators", OOPSLA 2014), whose state is a counter and whose output is a mix of it.

struct SplitMix64 {
  private var state: UInt64

  init(seed: UInt64) { state = seed }

  /// The generator of one client: its stream follows from seed and index.
  init(seed: UInt64, client: Int) { state = seed &+ UInt64(client) &* 0xD1B5_4A32_D192_ED03 }

  /// The first number of the generator with that seed: every bit of `seed` reaches every bit of it.
  static func mix(_ seed: UInt64) -> UInt64 {
    var generator = SplitMix64(seed: seed)
    return generator.next()
  }

  /// Any 64 bits.
  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var mixed = state
    mixed = (mixed ^ mixed >> 30) &* 0xBF58_476D_1CE4_E5B9
    mixed = (mixed ^ mixed >> 27) &* 0x94D0_49BB_1331_11EB
    return mixed ^ mixed >> 31
  }

  /// A number in 0 ..< `count`, which is above 0 and below 2^32; uniform but for a bias of count / 2^32.
  mutating func below(_ count: Int) -> Int { Int(((next() >> 32) &* UInt64(count)) >> 32) }
}
