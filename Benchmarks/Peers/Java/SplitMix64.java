// The random numbers that every program of the comparison draws: SplitMix64 (Steele, Lea and Flood, "Fast splittable
// pseudorandom number generators", OOPSLA 2014), whose state is a counter and whose output is a mix of it. java.util.SplittableRandom
// mixes the same way, but does not promise it.

final class SplitMix64 {
  private long state;

  SplitMix64(long seed) {
    state = seed;
  }

  /** The generator of one client: its stream follows from seed and index. */
  static SplitMix64 forClient(long seed, int index) {
    return new SplitMix64(seed + index * 0xd1b5_4a32_d192_ed03L);
  }

  /** The first number of the generator with that seed: every bit of `seed` reaches every bit of it. */
  static long mix(long seed) {
    long mixed = seed + 0x9e37_79b9_7f4a_7c15L;
    mixed = (mixed ^ mixed >>> 30) * 0xbf58_476d_1ce4_e5b9L;
    mixed = (mixed ^ mixed >>> 27) * 0x94d0_49bb_1331_11ebL;
    return mixed ^ mixed >>> 31;
  }

  /** Any 64 bits. */
  long next() {
    long mixed = mix(state);
    state += 0x9e37_79b9_7f4a_7c15L;
    return mixed;
  }

  /** A number less than `count`, which is above 0 and below 2^31; uniform but for a bias of count / 2^32. */
  int below(int count) {
    return (int) ((next() >>> 32) * count >>> 32);
  }
}
