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
  /// Of each client, by index; empty unless somebody looks at the run while it goes on.
  private let live: [LiveLatencies]
  let signals = RunSignals()
  /// Operations a second that the run is held to, 0 for as many as can be.
  private let rate: Atomic<Int>
  private let shed = Atomic<Int>(0)
  let state: Mutex<RunState>

  /// A context in which nothing has happened.
  ///
  /// - Parameters:
  ///   - rate: operations a second of all clients together, for workloads that hold to one; nil for as many as can be.
  ///   - isWatched: whether latencies are also kept so that `liveLatencies` can be read while clients run.
  public init(
    heap: Heap, threads: Int, seed: UInt64, extent: Extent, kinds: [String], rate: Int? = nil, isWatched: Bool = false
  ) {
    self.rate = Atomic(rate ?? 0)
    self.heap = heap
    self.threads = threads
    self.seed = seed
    self.extent = extent
    self.kinds = kinds
    live = isWatched ? (0..<threads).map { _ in LiveLatencies() } : []
    state = Mutex(RunState(kinds: kinds.count))
  }

  // MARK: Stopping

  /// Whether the user asked to end (SIGINT, SIGTERM).
  public var isInterrupted: Bool { Interrupt.wasReceived }

  /// Whether to end: the operations are done, time is up, or the user interrupts. Takes a lock: clients ask `Client.shouldStop`.
  public var shouldStop: Bool {
    if case .operations(let most) = extent, operations >= most { return true }
    return signals.shouldEnd
  }

  /// Starts --duration anew: for a workload whose preparation should not count against it.
  public func restartDuration() {
    state.withLock { $0.durationBegan = Clock.monotonic() }
    signals.restartTime()
  }

  /// When --duration began to count.
  var durationBegan: UInt64 { state.withLock { $0.durationBegan } }

  // MARK: Load

  /// Operations a second that all clients together do at most, nil for as many as they can; see `Throttle`. It can change at any time.
  public var operationsPerSecond: Int? {
    let rate = self.rate.load(ordering: .relaxed)
    return rate == 0 ? nil : rate
  }

  /// Changes the rate.
  func setRate(_ rate: Int?) { self.rate.store(rate ?? 0, ordering: .relaxed) }

  // MARK: Phases

  /// The work enters another phase, for the progress display and the phase table.
  public func phase(_ name: String) {
    let now = PhaseMark(heap: heap, operations: operations)
    state.withLock { $0.enterPhase(name, now) }
  }

  /// Notes how much memory is resident now, for the phase that runs. From any thread, as often as somebody likes to look.
  func noteResident(_ bytes: Int) { state.withLock { $0.noteResident(bytes) } }

  /// The phase that runs; empty before the first. From any thread.
  public var phaseName: String { state.withLock { $0.phaseName } }

  /// The work is done: seconds, CPU and operations of the report end here. What follows is the check. Later calls change nothing.
  public func endMeasuring() {
    let now = PhaseMark(heap: heap, operations: operations)
    let cpu = Clock.processCPU()
    state.withLock { $0.endMeasuring(now, cpu: cpu) }
  }

  /// The heap's counters where measuring ended; before that, as they are.
  public var measuredStatistics: HeapStatistics {
    state.withLock { $0.measured?.mark.statistics } ?? heap.statistics
  }

  // MARK: Clients

  /// Counts an operation that was turned away for want of memory.
  public func addShed() { shed.wrappingAdd(1, ordering: .relaxed) }

  /// Operations that `addShed` has counted.
  public var shedOperations: Int { shed.load(ordering: .relaxed) }

  /// Adds latencies that a workload without clients recorded, a histogram for each kind, to the run's and those of the phase that runs.
  public func add(_ latencies: [Histogram<UInt64>]) { state.withLock { $0.merge(latencies) } }

  /// Counts operations of a workload that runs without clients.
  public func add(_ operations: Int) { state.withLock { $0.directOperations += operations } }

  /// Operations that clients and `add` have counted.
  public var operations: Int {
    state.withLock { state in state.directOperations + state.counters.reduce(0) { $0 + $1.value } }
  }

  /// Durations of the operations that clients have recorded so far; none unless the run is watched.
  var liveLatencies: DurationCounts { LiveLatencies.read(live) }

  /// Runs `body` on `threads` threads, each inside `withMutator`, and waits for all of them.
  ///
  /// Latencies and operations that clients record are added to the run's. Call it outside `withMutator`, or inside
  /// `Mutator.blocking`. Where the extent is a number of operations, what is left of it is divided among the clients; clients that
  /// work together in groups, of neighbouring indices, each get the whole share of their group, since one of them counts for all.
  ///
  /// - Parameter size: clients in a group; the number of threads is a multiple of it.
  /// - Returns: what each client's `body` returned, by index.
  /// - Throws: the first error of a client; the others are told to stop.
  @discardableResult
  public func runClients<Part: Sendable>(
    groupsOf size: Int = 1, _ body: @escaping @Sendable (Client, Mutator) throws -> Part
  ) throws -> [Part] {
    let parts = Parts<Part>(count: threads)
    let quotas = self.quotas(groupsOf: size)
    let meeting = Rendezvous(count: threads) { [unowned self] in self.endMeasuring() }
    var running: [NativeThread] = []
    for index in 0..<threads {
      let counter = OperationCounter()
      state.withLock { $0.counters.append(counter) }
      do {
        running.append(
          try NativeThread.start(name: "client-\(index)") {
            self.runClient(index, quota: quotas[index], counter, meeting, parts, body)
          })
      } catch {
        parts.note(error)
        signals.fail()
        for _ in index..<threads { meeting.leave() }
        break
      }
    }
    for thread in running { thread.join() }
    return try parts.all()
  }

  private func runClient<Part: Sendable>(
    _ index: Int, quota: Int, _ counter: OperationCounter, _ meeting: Rendezvous, _ parts: Parts<Part>,
    _ body: @Sendable (Client, Mutator) throws -> Part
  ) {
    do {
      try heap.attachThread()
      let (part, histograms) = try heap.withMutator { mutator in
        let client = Client(
          index: index, seed: self.seed, quota: quota, kinds: self.kinds.count, signals: self.signals, counter: counter,
          live: self.live.isEmpty ? nil : self.live[index], meeting: meeting)
        defer { client.leaveMeeting() }
        return (try body(client, mutator), client.histograms())
      }
      state.withLock { $0.merge(histograms) }
      parts.set(index, part)
    } catch {
      parts.note(error)
      signals.fail()
    }
  }

  /// How many operations each client may do: an even division of what is left among the groups.
  private func quotas(groupsOf size: Int) -> [Int] {
    guard case .operations(let most) = extent else { return [Int](repeating: .max, count: threads) }
    let left = max(0, most - operations)
    let groups = threads / size
    return (0..<threads).map { left / groups + ($0 / size < left % groups ? 1 : 0) }
  }
}

/// What several threads returned, or the first error of any.
private final class Parts<Part: Sendable>: Sendable {
  private struct State {
    var parts: [Part?]
    var error: (any Error)?
  }
  private let state: Mutex<State>

  init(count: Int) { state = Mutex(State(parts: Array(repeating: nil, count: count), error: nil)) }

  func set(_ index: Int, _ part: Part) { state.withLock { $0.parts[index] = part } }

  func note(_ error: any Error) {
    state.withLock { if $0.error == nil { $0.error = error } }
  }

  func all() throws -> [Part] {
    let state = state.withLock { $0 }
    if let error = state.error { throw error }
    return state.parts.compactMap { $0 }
  }
}
