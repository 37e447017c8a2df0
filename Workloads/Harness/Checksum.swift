// The hash that workloads tell data apart with: eight bytes a step, each step a bijection of the state, so that a change of any
// single word changes the result. Not for adversaries; SplitMix's finaliser mixes at the end.

/// 64-bit hashes of words and byte strings.
public enum Checksum {
  /// Every bit of `value` reaches every bit of the result.
  @inlinable @inline(__always)
  public static func mix(_ value: UInt64) -> UInt64 {
    var mixed = value
    mixed = (mixed ^ mixed >> 30) &* 0xBF58_476D_1CE4_E5B9
    mixed = (mixed ^ mixed >> 27) &* 0x94D0_49BB_1331_11EB
    return mixed ^ mixed >> 31
  }

  /// The hash of what `state` is the hash of, followed by `word`.
  @inlinable @inline(__always)
  public static func combine(_ state: UInt64, _ word: UInt64) -> UInt64 {
    let mixed = (state ^ word) &* 0x9FB2_1C65_1E98_DF25
    return mixed ^ mixed >> 32
  }

  /// The hash of `bytes`; their number counts too.
  @inlinable
  public static func hash(_ bytes: UnsafeRawBufferPointer) -> UInt64 {
    var state = UInt64(bytes.count) &* 0x9E37_79B9_7F4A_7C15
    var offset = 0
    while offset + 8 <= bytes.count {
      state = combine(state, bytes.loadUnaligned(fromByteOffset: offset, as: UInt64.self))
      offset += 8
    }
    var rest: UInt64 = 0
    while offset < bytes.count {
      rest = rest << 8 | UInt64(bytes[offset])
      offset += 1
    }
    return mix(combine(state, rest))
  }
}
