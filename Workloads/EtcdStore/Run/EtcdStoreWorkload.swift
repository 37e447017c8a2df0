// The workload: an etcd-like store under a Kubernetes-like load, checked key by key at the end.

import Harness
import Tricolor
import TricolorPlatform

/// `tricolor run etcd`.
public struct EtcdStoreWorkload: Workload {
  public static let name = "etcd"
  public static let summary =
    "a key store in the manner of etcd: puts, lists, leases, watches and compaction, or a real dump"
  public static var options: [any AnyWorkloadOption] { EtcdStoreOptions.table }
  public static var kinds: [String] { WorkKind.allCases.filter { $0 != .watchDelivery }.map(\.name) }
  public static let mostThreads = Partition.count
  public static let defaultExtent = Extent.nanoseconds(30_000_000_000)

  let settings: EtcdStoreOptions

  public init(options: OptionValues) throws(UsageError) { settings = try EtcdStoreOptions(options) }

  public init(_ settings: EtcdStoreOptions) { self.settings = settings }

  /// Loads, works, drains the watches, and compares the store with its shadow.
  ///
  /// - Throws: `UsageError` for a dump that cannot be used; `OutOfMemory` when a hard limit has no room for the dump.
  public func run(_ context: RunContext) throws -> WorkloadResult {
    let began = Clock.monotonic()
    let driver = try prepare(context)
    let observation = try driver.shedding.observe(context.heap)
    defer { observation.cancel() }
    let sender = try driver.startSender()
    do {
      try driver.load(context.extent, since: began)
      try driver.repeatPhases(context.extent, since: began)
    } catch {
      driver.stopSender(sender)
      throw error
    }
    driver.stopSender(sender)
    context.endMeasuring()
    return context.heap.withMutator { m in
      driver.drain(m)
      return driver.result(m)
    }
  }

  private func prepare(_ context: RunContext) throws -> WorkDriver {
    context.phase(WorkPhase.load.name)
    do {
      return try WorkDriver.prepare(context, settings)
    } catch let error as DumpError {
      throw UsageError("--load: \(error)")
    }
  }
}

extension WorkDriver {
  /// What the run did and whether its data is right. Nothing else uses the store any more.
  func result(_ m: Mutator) -> WorkloadResult {
    let check = store.verify(against: partitions, m)
    let watches = checkWatches(m)
    let wrongAnswers = partitions.reduce(0) { $0 + $1.wrongAnswers }
    let verified = check.holds && watches == 0 && sender.misordered == 0 && wrongAnswers == 0
    let worked = WorkPhase.repeated.reduce(0) { $0 + operations[$1.rawValue] }
    return WorkloadResult(
      operations: worked, verified: verified,
      figures: figures(check, undelivered: watches, wrongAnswers: wrongAnswers, m))
  }

  /// How many watchers have not been sent exactly what was written in their range since they began.
  private func checkWatches(_ m: Mutator) -> Int {
    let hub = store.state(m).watches
    var wrong = 0
    for id in 0..<hub.watcherCount {
      let watcher = hub.watcher(id)
      if watcher.range.unsafelyUnwrapped.eventCount - watcher.base != watcher.delivered { wrong += 1 }
    }
    return wrong
  }

  private func figures(
    _ check: Verification, undelivered: Int, wrongAnswers: Int, _ m: Mutator
  ) -> JSONValue {
    let state = store.state(m)
    let hub = state.watches
    return .object([
      .init("keys", .integer(check.keys)),
      .init("revisions", .integer(state.revision)),
      .init("liveValueBytes", .integer(check.valueBytes)),
      .init("checksum", .string(String(check.checksum, radix: 16))),
      .init("historyBytes", .integer(state.historyBytes)),
      .init("compactions", .integer(state.compactions)),
      .init("compactedRevision", .integer(state.compacted)),
      .init("raftEntries", .integer(state.entries.retainedCount)),
      .init("batches", .integer(state.batch.batches)),
      .init("leasesExpired", .integer(state.expiredLeases)),
      .init("leases", .integer(state.leases.leaseCount)),
      .init("watchers", .integer(hub.watcherCount)),
      .init("watchEventsDelivered", .integer(sender.deliveredEvents)),
      .init("watchBytesSent", .integer(sender.marshalledBytes)),
      .init("watchVictims", .integer(hub.victims)),
      .init("watchCancellations", .integer(hub.cancellations)),
      .init("listsFinished", .integer(partitions.reduce(0) { $0 + $1.list.finishedLists })),
      .init("listRestarts", .integer(partitions.reduce(0) { $0 + $1.list.restarts })),
      .init("shed", .integer(partitions.reduce(0) { $0 + $1.shedOperations })),
      .init("logCuts", .integer(shedding.cuts)),
      .init("pressure", shedding.figures),
      .init("slowRequests", .integer(state.slowRequests)),
      .init("rounds", .integer(rounds)),
      .init("check", checkFigures(check, undelivered: undelivered, wrongAnswers: wrongAnswers)),
      .init("phaseLatencies", .array(WorkPhase.allCases.map(phaseFigures))),
    ])
  }

  private func checkFigures(_ check: Verification, undelivered: Int, wrongAnswers: Int) -> JSONValue {
    .object([
      .init("wrongValues", .integer(check.wrongValues)),
      .init("wrongVersions", .integer(check.wrongVersions)),
      .init("wrongRevisions", .integer(check.wrongRevisions)),
      .init("missing", .integer(check.missing)),
      .init("extra", .integer(check.extra)),
      .init("misplaced", .integer(check.misplaced)),
      .init("miscounted", .integer(check.miscounted)),
      .init("wrongAnswers", .integer(wrongAnswers)),
      .init("watchersWithWrongCount", .integer(undelivered)),
      .init("misorderedEvents", .integer(sender.misordered)),
    ])
  }

  private func phaseFigures(_ phase: WorkPhase) -> JSONValue {
    let table = latencies[phase.rawValue]
    table.add(deliveries[phase.rawValue])
    return .object([
      .init("name", .string(phase.name)),
      .init("seconds", .float(seconds[phase.rawValue])),
      .init("operations", .integer(operations[phase.rawValue])),
      .init("nanoseconds", table.figures),
    ])
  }
}
