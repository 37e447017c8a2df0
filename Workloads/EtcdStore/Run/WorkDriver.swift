// Runs the phases: client threads that share the 64 clients out among them, and one more thread that is the far end of
// all watches.

import Glibc
import Harness
import Synchronization
import Tricolor
import TricolorPlatform

/// A run in progress. Phases are driven by one thread; the client threads of a phase touch disjoint clients. The store is another one after a
/// restart, which happens while neither clients nor the sender run.
final class WorkDriver: Sendable {
  let context: RunContext
  let options: EtcdStoreOptions
  nonisolated(unsafe) var store: EtcdStore
  nonisolated(unsafe) let partitions: [Partition]
  /// Latencies by phase: of clients, merged when a phase is over, and of the sender.
  let latencies = WorkPhase.allCases.map { _ in LatencyTable() }
  let deliveries = WorkPhase.allCases.map { _ in LatencyTable() }
  nonisolated(unsafe) private(set) var seconds = [Double](repeating: 0, count: WorkPhase.allCases.count)
  nonisolated(unsafe) private(set) var operations = [Int](repeating: 0, count: WorkPhase.allCases.count)
  nonisolated(unsafe) private(set) var rounds = 0
  private let phase = Atomic<Int>(WorkPhase.load.rawValue)
  private let senderStops = Atomic<Bool>(false)
  let shedding: LoadShedding
  let limitShrink: LimitShrink
  let leak: Leak
  nonisolated(unsafe) private(set) var sender = WatchSender()
  nonisolated(unsafe) private var senderThread: NativeThread? = nil
  /// What the stores before the last restart had counted.
  nonisolated(unsafe) var past = StoreCounts()
  nonisolated(unsafe) var restarts: [RestartReport] = []
  let snapshots = Mutex<[SnapshotReport]>([])

  init(_ context: RunContext, _ options: EtcdStoreOptions, _ store: EtcdStore, _ partitions: [Partition]) {
    self.context = context
    self.options = options
    self.store = store
    self.partitions = partitions
    shedding = LoadShedding(isOn: options.sheds)
    limitShrink = LimitShrink(context.heap)
    leak = Leak(context.heap, shedding, bytesPerSecond: options.leakRate)
  }

  private static let retryMicroseconds: UInt32 = 10_000

  private static func now() -> UInt64 { Clock.monotonic() }

  // MARK: Phases

  /// Loads the made-up keys; a dump's are there already. Loading began at `began`. A run whose time is up before that
  /// has fewer keys.
  func load(_ extent: Extent, since began: UInt64) throws {
    var end = PhaseExtent.operations(.max)
    if case .nanoseconds(let length) = extent { end = .until(began + length) }
    if options.dumpPath == nil {
      let parts = try context.runClients { [end] client, m in
        let table = LatencyTable()
        for partition in self.partitions(of: client) { try self.load(partition, until: end, client, table, m) }
        return table
      }
      operations[WorkPhase.load.rawValue] = collect(parts, into: .load)
    }
    seconds[WorkPhase.load.rawValue] = Double(WorkDriver.now() - began) / 1e9
  }

  private func load(
    _ partition: Partition, until end: PhaseExtent, _ client: Client, _ table: LatencyTable, _ m: Mutator
  ) throws {
    let step = options.profile.keysPerLoad
    for start in stride(from: 0, to: partition.all.count, by: step) {
      let began = WorkDriver.now()
      if isOver || end.isOver(at: began) { return }
      try orShed { try partition.load(from: start, count: step, store, m) }
      note(.transaction, since: began, client, table)
    }
  }

  /// Repeats the phases until `extent` is used up or the user interrupts.
  func repeatPhases(_ extent: Extent, since began: UInt64) throws {
    let phases = options.phases
    if phases.isEmpty { return }
    var left = 0
    if case .operations(let count) = extent { left = count }
    while !isOver {
      let extents: [PhaseExtent]
      switch extent {
      case .operations:
        extents = RoundPlan.counts(of: phases, left: left)
        left -= extents.reduce(0) { $0 + $1.total }
      case .nanoseconds(let length):
        extents = RoundPlan.times(
          of: phases, from: WorkDriver.now(), end: began + length, round: options.roundNanoseconds)
      case .natural: extents = RoundPlan.counts(of: phases, left: RoundPlan.operations)
      }
      for (phase, part) in zip(phases, extents) where !isOver { try run(phase, part) }
      rounds += 1
      if isUsedUp(extent, left: left, since: began) { return }
    }
  }

  private func isUsedUp(_ extent: Extent, left: Int, since began: UInt64) -> Bool {
    guard case .nanoseconds(let length) = extent else { return left == 0 }
    return WorkDriver.now() >= began + length
  }

  private var isOver: Bool { context.isInterrupted }

  private func run(_ phase: WorkPhase, _ extent: PhaseExtent) throws {
    try measure(phase) {
      switch phase {
      case .limitShrink: return try limitShrink.during { try runClients(phase, extent) }
      case .leak: return try leak.during { try runClients(phase, extent) }
      case .restart:
        try restart()
        return try runClients(phase, extent)
      case .load, .steady, .listStorm, .compaction, .watchBurst, .snapshot: return try runClients(phase, extent)
      }
    }
  }

  /// Lets all clients do their part of a phase and answers how many operations they did.
  private func runClients(_ phase: WorkPhase, _ extent: PhaseExtent) throws -> Int {
    let parts = try context.runClients { client, m in
      let table = LatencyTable()
      if client.index == 0 { try self.begin(phase, client, table, m) }
      try self.work(phase, extent, client, table, m)
      return table
    }
    return collect(parts, into: phase)
  }

  /// What one client does before its operations.
  private func begin(_ phase: WorkPhase, _ client: Client, _ table: LatencyTable, _ m: Mutator) throws {
    switch phase {
    case .compaction: try compact(client, table, m) { try self.store.compactAll(m) }
    case .snapshot: try sendSnapshot(client, table, m)
    case .load, .steady, .listStorm, .watchBurst, .limitShrink, .leak, .restart: break
    }
  }

  /// Times a phase, with the sender running beside it.
  private func measure(_ phase: WorkPhase, _ body: () throws -> Int) throws {
    context.phase(phase.name)
    self.phase.store(phase.rawValue, ordering: .relaxed)
    let began = WorkDriver.now()
    operations[phase.rawValue] += try body()
    seconds[phase.rawValue] += Double(WorkDriver.now() - began) / 1e9
  }

  private func collect(_ parts: [LatencyTable], into phase: WorkPhase) -> Int {
    var count = 0
    for part in parts {
      latencies[phase.rawValue].add(part)
      count += WorkKind.allCases.reduce(0) { $0 + ($1.isOperation ? part.count($1) : 0) }
    }
    return count
  }

  // MARK: Clients

  private func partitions(of client: Client) -> [Partition] {
    partitions.filter { $0.id % context.threads == client.index }
  }

  /// Does this thread's share of a phase, its clients in turn.
  private func work(
    _ phase: WorkPhase, _ extent: PhaseExtent, _ client: Client, _ table: LatencyTable, _ m: Mutator
  ) throws {
    let own = partitions(of: client)
    var left = own.map { extent.operations(of: $0.id) }
    var throttle = Throttle(context, parts: context.threads)
    func takeTurns(_ m: Mutator) throws {
      for (place, partition) in own.enumerated() where left[place] > 0 {
        let lists = partition.list.finishedLists
        // A turn is sixteen operations, or a whole list.
        for done in 1... {
          let began = WorkDriver.now()
          if isOver || extent.isOver(at: began) { return }
          if let kind = try operation(phase, partition, m) { note(kind, since: began, client, table) }
          try compactIfDue(partition, client, table, m)
          left[place] -= 1
          throttle.count(1)
          if left[place] == 0 { break }
          if phase == .listStorm ? partition.list.finishedLists > lists : done == 16 { break }
        }
        while let wait = throttle.nanosecondsAhead(at: WorkDriver.now()), !isOver, !extent.isOver(at: WorkDriver.now())
        {
          m.blocking { _ = usleep(UInt32(wait / 1000)) }
        }
      }
    }
    while left.contains(where: { $0 > 0 }) && !isOver && !extent.isOver(at: WorkDriver.now()) {
      if options.relays { try onNewThread(m, takeTurns) } else { try takeTurns(m) }
    }
  }

  /// Runs `body` on a thread of its own while this one is parked.
  private func onNewThread(_ m: Mutator, _ body: (Mutator) throws -> Void) throws {
    try withoutActuallyEscaping(body) { body in
      // The two threads take turns: starting and joining one orders what they do.
      nonisolated(unsafe) let body = body
      nonisolated(unsafe) var outcome: Result<Void, any Error> = .success(())
      try m.blocking {
        try NativeThread.start(name: "relay") {
          outcome = Result { try self.context.heap.withMutator { m in try body(m) } }
        }.join()
      }
      try outcome.get()
    }
  }

  private func compactIfDue(
    _ partition: Partition, _ client: Client, _ table: LatencyTable, _ m: Mutator
  ) throws {
    guard partition.compactionIsDue else { return }
    partition.compactionIsDue = false
    try compact(client, table, m) { try self.store.compactHistory(m) }
  }

  /// One operation of the phase; nil when it was shed.
  private func operation(_ phase: WorkPhase, _ partition: Partition, _ m: Mutator) throws -> WorkKind? {
    var kind: WorkKind? = nil
    try orShed {
      switch phase {
      case .listStorm where shedding.refusesLists: kind = refuseList(partition, m)
      case .listStorm: kind = try list(partition, m)
      case .watchBurst: kind = try partition.burstOperation(store, m)
      case .load, .steady, .compaction, .snapshot, .limitShrink, .leak, .restart:
        kind = try partition.steadyOperation(store, m)
      }
    }
    return kind
  }

  /// A list, or a page of one; nil when it was shed.
  private func list(_ partition: Partition, _ m: Mutator) throws -> WorkKind? {
    switch options.lists {
    case .pages: return try partition.listPage(store, pinned: true, m)
    case .stream: return try partition.streamAll(store, m)
    case .unary:
      let bytes = store.listBytes(m)
      let isDone = try shedding.admitting(bytes, context.heap) { _ = try partition.listAll(store, m) }
      return isDone ? .list : refuseList(partition, m)
    }
  }

  /// Turns a list away; the client comes back after a while.
  private func refuseList(_ partition: Partition, _ m: Mutator) -> WorkKind? {
    context.addShed()
    partition.restartList()
    m.blocking { _ = usleep(WorkDriver.retryMicroseconds) }
    return nil
  }

  /// Under a hard limit memory may run out: then the operation has not happened, and is counted as shed.
  private func orShed(_ body: () throws -> Void) throws {
    do {
      try body()
    } catch is OutOfMemory {
      context.addShed()
    }
  }

  private func compact(
    _ client: Client, _ table: LatencyTable, _ m: Mutator, _ body: () throws -> CompactionReport?
  ) throws {
    let began = WorkDriver.now()
    do {
      if try body() != nil { note(.compaction, since: began, client, table) }
    } catch is OutOfMemory {
      context.addShed()
    }
  }

  private func sendSnapshot(_ client: Client, _ table: LatencyTable, _ m: Mutator) throws {
    let began = WorkDriver.now()
    do throws(OutOfMemory) {
      let report = try store.sendSnapshot(m)
      snapshots.withLock { $0.append(report) }
      note(.snapshot, since: began, client, table)
    } catch {
      context.addShed()
    }
  }

  private func note(_ kind: WorkKind, since began: UInt64, _ client: Client, _ table: LatencyTable) {
    let nanoseconds = WorkDriver.now() - began
    client.record(kind: kind.rawValue, nanoseconds: nanoseconds)
    table.record(kind, nanoseconds)
  }

  // MARK: The sender

  /// Starts the thread that delivers what watchers are sent.
  func startSender() throws(PlatformError) {
    senderStops.store(false, ordering: .relaxed)
    senderThread = try NativeThread.start(name: "watch-sender") {
      self.context.heap.withMutator { m in
        self.sender.run(self.store, m) {
          self.shedding.apply(to: self.store, m)
          return !self.senderStops.load(ordering: .acquiring)
        } latency: { nanoseconds in
          self.deliveries[self.phase.load(ordering: .relaxed)].record(.watchDelivery, nanoseconds)
        }
      }
    }
  }

  /// Ends the thread, if it runs.
  func stopSender() {
    guard let thread = senderThread else { return }
    senderThread = nil
    senderStops.store(true, ordering: .releasing)
    store.queues.announce()
    thread.join()
  }

  /// Delivers what is left. The sender has been stopped.
  func drain(_ m: Mutator) { sender.drain(store, m) }
}

extension PhaseExtent {
  /// Operations over all clients, 0 for an extent of time.
  var total: Int {
    guard case .operations(let count) = self else { return 0 }
    return count
  }
}
