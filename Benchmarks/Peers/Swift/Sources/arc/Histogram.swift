// Durations in nanoseconds, counted in buckets of logarithmic width: 128 to a power of two, so that a duration is known to within
// 1/128. Of fixed size; recording allocates nothing.

struct Histogram: Sendable {
  private static let subBucketBits = 7
  private static let subBuckets = 1 << subBucketBits

  private var counts = [UInt64](repeating: 0, count: (64 - subBucketBits + 1) * subBuckets)
  private(set) var total: UInt64 = 0
  /// The largest, exact.
  private(set) var max: UInt64 = 0

  mutating func record(_ nanoseconds: UInt64) {
    counts[Self.bucket(of: nanoseconds)] += 1
    total += 1
    max = Swift.max(max, nanoseconds)
  }

  /// Counts here what another one has counted.
  mutating func add(_ other: Histogram) {
    for bucket in counts.indices { counts[bucket] += other.counts[bucket] }
    total += other.total
    max = Swift.max(max, other.max)
  }

  /// The upper end of the bucket that this fraction of all durations reaches, at most the largest; 0 where there are none.
  func at(_ fraction: Double) -> UInt64 {
    let rank = fraction * Double(total)
    var seen: UInt64 = 0
    for (bucket, count) in counts.enumerated() {
      seen += count
      if count > 0 && Double(seen) >= rank { return min(Self.upperEnd(of: bucket), max) }
    }
    return 0
  }

  /// Values below `subBuckets` have a bucket each; every later power of two is cut into `subBuckets`.
  private static func bucket(of value: UInt64) -> Int {
    let shift = Swift.max(64 - value.leadingZeroBitCount - subBucketBits - 1, 0)
    return shift << subBucketBits + Int(value >> UInt64(shift))
  }

  private static func upperEnd(of bucket: Int) -> UInt64 {
    if bucket < 2 * subBuckets { return UInt64(bucket) }
    let shift = bucket >> subBucketBits - 1
    return UInt64(bucket - shift << subBucketBits + 1) << UInt64(shift) &- 1
  }
}
