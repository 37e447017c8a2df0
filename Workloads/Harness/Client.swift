// A client thread of a workload: its number, its random numbers, its operation count and latencies.
//
// Nothing here takes a lock, allocates or is shared while it runs: the count is an atomic with a single writer, which the
// progress display reads, and the histograms are merged after the thread has ended.

import Histogram
import Synchronization
import Tricolor

/// What one client thread works with. Used only by its own thread.
public final class Client {
  /// 0 ..< the number of clients.
  public let index: Int
  /// Its own stream of random numbers, which follows from seed and index.
  public var random: SplitMix64
  private let quota: Int
  private let signals: RunSignals
  private let counter: OperationCounter
  private let latencies: UnsafeMutableBufferPointer<Histogram<UInt64>>

  private let live: LiveLatencies?
  private let meeting: Rendezvous
  private var hasMet = false

  init(
    index: Int, seed: UInt64, quota: Int, kinds: Int, signals: RunSignals, counter: OperationCounter,
    live: LiveLatencies?, meeting: Rendezvous
  ) {
    self.index = index
    self.quota = quota
    self.signals = signals
    self.counter = counter
    self.live = live
    self.meeting = meeting
    random = SplitMix64(seed: seed &+ UInt64(index) &* 0xD1B5_4A32_D192_ED03)
    latencies = .allocate(capacity: kinds)
    for kind in 0..<kinds { latencies.initializeElement(at: kind, to: Latencies.empty()) }
  }

  deinit {
    latencies.deinitialize()
    latencies.deallocate()
  }

  /// Operations this client has done.
  @inline(__always) public var operations: Int { counter.value }

  /// Whether to end: this client's share of the operations is done, time is up, or the user interrupts. A load and a compare.
  @inline(__always) public var shouldStop: Bool { counter.value >= quota || signals.shouldEnd }

  /// Counts operations.
  @inline(__always) public func add(_ operations: Int = 1) { counter.add(operations) }

  /// Counts one operation of `kind` that took `nanoseconds`. Some nanoseconds; never allocates.
  @inline(__always) public func record(kind: Int, nanoseconds: UInt64) {
    counter.add(1)
    latencies[kind].record(min(nanoseconds, Latencies.largest))
    live?.record(nanoseconds)
  }

  /// This client's work is done. Waits until all clients have come here or ended; then measuring ends, as by
  /// `RunContext.endMeasuring`. What follows is the check. At most once.
  public func endMeasuring(_ mutator: Mutator) {
    hasMet = true
    mutator.blocking { meeting.meet() }
  }

  /// Called when the client ends.
  func leaveMeeting() {
    if !hasMet { meeting.leave() }
  }

  /// The latencies recorded, by kind.
  func histograms() -> [Histogram<UInt64>] { Array(latencies) }
}

/// A count with one writer at a time, read by the progress display. Each on its own cache line.
final class OperationCounter: Sendable {
  // The object header takes 16 bytes; the padding keeps neighbours' counts off this line.
  private let padding: (UInt64, UInt64, UInt64, UInt64, UInt64, UInt64) = (0, 0, 0, 0, 0, 0)
  private let count = Atomic<Int>(0)
  private let after: (UInt64, UInt64, UInt64, UInt64, UInt64, UInt64, UInt64) = (0, 0, 0, 0, 0, 0, 0)

  @inline(__always) var value: Int { count.load(ordering: .relaxed) }
  @inline(__always) func add(_ operations: Int) {
    count.store(count.load(ordering: .relaxed) &+ operations, ordering: .relaxed)
  }
}

/// Histograms of nanoseconds up to 73 minutes, known to within one percent.
public enum Latencies {
  /// The largest that is told from larger ones.
  public static let largest: UInt64 = 1 << 42

  /// A histogram of nothing.
  public static func empty() -> Histogram<UInt64> {
    Histogram(highestTrackableValue: largest, numberOfSignificantValueDigits: .two)
  }
}
