// What a workload runs with: heap, client threads, seed, when to stop; and where it says what it is doing.
//
// The workload drives; the context only counts. Time is watched by the reporter's thread, which sets a flag that clients
// read, so that asking "is it over?" in an inner loop costs a load.

import Histogram
import Synchronization
import Tricolor
import TricolorPlatform

/// A workload's world. Safe from any thread, except where said.
public final class RunContext: Sendable {
  public let heap: Heap
  /// Client threads, at least 1.
  public let threads: Int
  public let seed: UInt64
  public let extent: Extent
  let kinds: [String]
  let signals = RunSignals()
  let state: Mutex<RunState>

  public init(heap: Heap, threads: Int, seed: UInt64, extent: Extent, kinds: [String]) {
    self.heap = heap
    self.threads = threads
    self.seed = seed
    self.extent = extent
    self.kinds = kinds
    state = Mutex(RunState(kinds: kinds.count))
  }

  // MARK: Stopping

  /// Whether the user asked to end (SIGINT, SIGTERM).
  public var isInterrupted: Bool { Interrupt.wasReceived }

  /// Whether a workload without clients should end, having done `operations`. Cheap.
  @inline(__always) public func shouldStop(operations: Int) -> Bool {
    if case .operations(let most) = extent, operations >= most { return true }
    return signals.shouldEnd
  }

  /// Starts --duration anew: for a workload whose preparation should not count against it.
  public func restartDuration() {
    state.withLock { $0.deadlineStart = Clock.monotonic() }
    signals.restartTime()
  }

  // MARK: Phases

  /// The work enters another phase, for the progress display and the phase table.
  public func phase(_ name: String) {
    let now = PhaseMark(heap: heap, operations: operations)
    state.withLock { $0.enterPhase(name, now) }
  }

  /// The work is done: seconds, CPU and operations of the report end here. What follows is the check. Later calls change nothing.
  public func endMeasuring() {
    let now = PhaseMark(heap: heap, operations: operations)
    let cpu = Clock.processCPU()
    state.withLock { $0.endMeasuring(now, cpu: cpu) }
  }

  // MARK: Clients

  /// Counts operations of a workload that runs without clients.
  public func add(_ operations: Int) { state.withLock { $0.directOperations += operations } }

  /// Operations that clients and `add` have counted.
  public var operations: Int {
    state.withLock { state in state.directOperations + state.counters.reduce(0) { $0 + $1.value } }
  }

  /// Runs `body` on `count` (by default `threads`) threads, each inside `withMutator`, and waits for all of them.
  ///
  /// Latencies and operations that clients record are added to the run's. Call it outside `withMutator`, or inside `Mutator.blocking`.
  /// `extent` in operations is divided among the clients of each call.
  ///
  /// - Throws: the first error of a client; the others are told to stop.
  public func runClients(
    _ count: Int? = nil, _ body: @escaping @Sendable (Client, Mutator) throws -> Void
  ) throws {
    let count = count ?? threads
    let failures = FirstFailure()
    var running: [NativeThread] = []
    for index in 0..<count {
      let counter = OperationCounter()
      state.withLock { $0.counters.append(counter) }
      do {
        running.append(
          try NativeThread.start(name: "client-\(index)") {
            self.runClient(index, of: count, counter, failures, body)
          })
      } catch {
        failures.note(error)
        signals.endTime()
        break
      }
    }
    for thread in running { thread.join() }
    if let error = failures.first { throw error }
  }

  private func runClient(
    _ index: Int, of count: Int, _ counter: OperationCounter, _ failures: FirstFailure,
    _ body: @Sendable (Client, Mutator) throws -> Void
  ) {
    let quota = self.quota(index, of: count)
    do {
      let histograms = try heap.withMutator { mutator in
        let client = Client(
          index: index, seed: self.seed, quota: quota, kinds: self.kinds.count, signals: self.signals, counter: counter)
        try body(client, mutator)
        return client.histograms()
      }
      state.withLock { $0.merge(histograms) }
    } catch {
      failures.note(error)
      signals.endTime()
    }
  }

  private func quota(_ index: Int, of count: Int) -> Int {
    guard case .operations(let all) = extent else { return .max }
    return all / count + (index < all % count ? 1 : 0)
  }
}

/// The first error of several threads.
private final class FirstFailure: Sendable {
  private let error = Mutex<(any Error)?>(nil)

  var first: (any Error)? { error.withLock { $0 } }

  func note(_ new: any Error) {
    error.withLock { error in if error == nil { error = new } }
  }
}
