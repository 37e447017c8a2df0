// Durations in nanoseconds, counted in buckets of logarithmic width: 128 to a power of two, so that a duration is known to within
// 1/128. Of fixed size; recording allocates nothing.

final class Histogram {
  private static final int SUB_BUCKET_BITS = 7;
  private static final int SUB_BUCKETS = 1 << SUB_BUCKET_BITS;

  private final long[] counts = new long[(64 - SUB_BUCKET_BITS + 1) * SUB_BUCKETS];
  private long total;
  private long max;

  void record(long nanoseconds) {
    counts[bucketOf(nanoseconds)]++;
    total++;
    max = Math.max(max, nanoseconds);
  }

  /** Counts here what another one has counted. */
  void add(Histogram other) {
    for (int bucket = 0; bucket < counts.length; bucket++) counts[bucket] += other.counts[bucket];
    total += other.total;
    max = Math.max(max, other.max);
  }

  long total() {
    return total;
  }

  /** The largest, exact. */
  long max() {
    return max;
  }

  /** The upper end of the bucket that this fraction of all durations reaches, at most the largest; 0 where there are none. */
  long at(double fraction) {
    double rank = fraction * total;
    long seen = 0;
    for (int bucket = 0; bucket < counts.length; bucket++) {
      seen += counts[bucket];
      if (counts[bucket] > 0 && seen >= rank) return Math.min(upperEnd(bucket), max);
    }
    return 0;
  }

  /** Values below SUB_BUCKETS have a bucket each; every later power of two is cut into SUB_BUCKETS. */
  private static int bucketOf(long value) {
    int width = 64 - Long.numberOfLeadingZeros(value);
    int shift = Math.max(width - SUB_BUCKET_BITS - 1, 0);
    return (shift << SUB_BUCKET_BITS) + (int) (value >>> shift);
  }

  private static long upperEnd(int bucket) {
    if (bucket < 2 * SUB_BUCKETS) return bucket;
    int shift = (bucket >> SUB_BUCKET_BITS) - 1;
    return ((long) (bucket - (shift << SUB_BUCKET_BITS) + 1) << shift) - 1;
  }
}
