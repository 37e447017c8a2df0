// Latencies of operations while the run goes on, for whoever looks at it: counters with one writer each, as `OperationCounter`.
//
// A client's own histograms are read once it has ended; these may be read at any time. They cost a client a load, a store and a bucket's
// arithmetic an operation, and are there only when somebody asked for a dashboard.

import Synchronization
import Tricolor

/// Counts one client's operations by their duration. `record` by one thread at a time, `read` by any.
final class LiveLatencies: Sendable {
  nonisolated(unsafe) private let counts: UnsafeMutablePointer<Atomic<Int>>
  private let total = Atomic<UInt64>(0)

  init() {
    counts = .allocate(capacity: DurationCounts.bucketCount)
    for bucket in 0..<DurationCounts.bucketCount { (counts + bucket).initialize(to: Atomic(0)) }
  }

  deinit { counts.deallocate() }

  func record(_ nanoseconds: UInt64) {
    let count = counts + DurationCounts.bucket(of: nanoseconds)
    count.pointee.store(count.pointee.load(ordering: .relaxed) &+ 1, ordering: .relaxed)
    total.store(total.load(ordering: .relaxed) &+ nanoseconds, ordering: .relaxed)
  }

  /// What all of `clients` have counted.
  static func read(_ clients: [LiveLatencies]) -> DurationCounts {
    DurationCounts(totalNanoseconds: clients.reduce(0) { $0 &+ $1.total.load(ordering: .relaxed) }) { bucket in
      clients.reduce(0) { $0 + $1.counts[bucket].load(ordering: .relaxed) }
    }
  }
}
