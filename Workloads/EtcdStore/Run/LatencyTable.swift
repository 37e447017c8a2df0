// Latencies by kind for one phase: a small histogram for each kind, so that a table for every phase and thread fits
// into a few pages. 16 steps a doubling: quantiles are at most 6 % too high, the largest value is exact.

import Harness

/// Latencies in nanoseconds, by kind. Written by one thread at a time.
final class LatencyTable: Sendable {
  private static let buckets = 640
  nonisolated(unsafe) private let counts: UnsafeMutablePointer<UInt32>
  nonisolated(unsafe) private let largest: UnsafeMutablePointer<UInt64>

  init() {
    counts = .allocate(capacity: LatencyTable.buckets * WorkKind.allCases.count)
    counts.initialize(repeating: 0, count: LatencyTable.buckets * WorkKind.allCases.count)
    largest = .allocate(capacity: WorkKind.allCases.count)
    largest.initialize(repeating: 0, count: WorkKind.allCases.count)
  }

  deinit {
    counts.deallocate()
    largest.deallocate()
  }

  func record(_ kind: WorkKind, _ nanoseconds: UInt64) {
    counts[kind.rawValue * LatencyTable.buckets + LatencyTable.bucket(nanoseconds)] &+= 1
    largest[kind.rawValue] = max(largest[kind.rawValue], nanoseconds)
  }

  func add(_ other: LatencyTable) {
    for place in 0..<LatencyTable.buckets * WorkKind.allCases.count { counts[place] &+= other.counts[place] }
    for kind in 0..<WorkKind.allCases.count { largest[kind] = max(largest[kind], other.largest[kind]) }
  }

  func count(_ kind: WorkKind) -> Int {
    (0..<LatencyTable.buckets).reduce(0) { $0 + Int(counts[kind.rawValue * LatencyTable.buckets + $1]) }
  }

  /// The latency that `fraction` of the operations did not exceed.
  func quantile(_ kind: WorkKind, _ fraction: Double) -> UInt64 {
    let rank = max(1, Int((Double(count(kind)) * fraction).rounded(.up)))
    var passed = 0
    for bucket in 0..<LatencyTable.buckets {
      passed += Int(counts[kind.rawValue * LatencyTable.buckets + bucket])
      if passed >= rank { return min(largest[kind.rawValue], LatencyTable.upperBound(bucket)) }
    }
    return largest[kind.rawValue]
  }

  /// Quantiles of every kind that occurred.
  var figures: JSONValue {
    .object(
      WorkKind.allCases.filter { count($0) > 0 }.map { kind in
        .init(
          kind.name,
          .object([
            .init("count", .integer(count(kind))),
            .init("p50", .unsigned(quantile(kind, 0.5))), .init("p99", .unsigned(quantile(kind, 0.99))),
            .init("p999", .unsigned(quantile(kind, 0.999))), .init("max", .unsigned(largest[kind.rawValue])),
          ]))
      })
  }

  /// Values below 32 have a bucket each; above, each doubling has sixteen.
  private static func bucket(_ value: UInt64) -> Int {
    if value < 32 { return Int(value) }
    let log = 63 - value.leadingZeroBitCount
    return min(buckets - 1, (log - 3) * 16 + Int(value >> UInt64(log - 4)) - 16)
  }

  private static func upperBound(_ bucket: Int) -> UInt64 {
    if bucket < 32 { return UInt64(bucket) }
    return (UInt64(bucket % 16 + 17) << UInt64(bucket / 16 - 1)) - 1
  }
}
