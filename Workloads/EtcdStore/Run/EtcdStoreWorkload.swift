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
  public static let takesRate = true
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
    do {
      defer { driver.stopSender() }
      try driver.startSender()
      try driver.load(context.extent, since: began)
      try driver.repeatPhases(context.extent, since: began)
    }
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
    } catch let error as PlatformError {
      throw UsageError("--backing: \(error)")
    }
  }
}

extension WorkDriver {
  /// What the run did and whether its data is right. Nothing else uses the store any more.
  func result(_ m: Mutator) -> WorkloadResult {
    let check = store.verify(against: partitions, m)
    let watches = past.watchersWithWrongCount + wrongWatchers(m)
    let wrongAnswers = partitions.reduce(0) { $0 + $1.wrongAnswers }
    let misordered = sender.misordered + snapshots.withLock { $0.reduce(0) { $0 + $1.misordered } }
    let verified = check.holds && watches == 0 && misordered == 0 && wrongAnswers == 0
    let worked = WorkPhase.allCases.reduce(0) { $0 + ($1 == .load ? 0 : operations[$1.rawValue]) }
    return WorkloadResult(
      operations: worked, verified: verified,
      figures: figures(check, undelivered: watches, wrongAnswers: wrongAnswers, m))
  }

  /// How many watchers have not been sent exactly what was written in their range since they began.
  func wrongWatchers(_ m: Mutator) -> Int {
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
      .init("compactions", .integer(past.compactions + state.compactions)),
      .init("compactedRevision", .integer(state.compacted)),
      .init("raftEntries", .integer(state.entries.retainedCount)),
      .init("batches", .integer(past.batches + state.batch.batches)),
      .init("leasesExpired", .integer(past.expiredLeases + state.expiredLeases)),
      .init("leases", .integer(state.leases.leaseCount)),
      .init("watchers", .integer(hub.watcherCount)),
      .init("watchEventsDelivered", .integer(sender.deliveredEvents)),
      .init("watchBytesSent", .integer(sender.marshalledBytes)),
      .init("watchVictims", .integer(past.victims + hub.victims)),
      .init("watchCancellations", .integer(past.cancellations + hub.cancellations)),
      .init("listsFinished", .integer(partitions.reduce(0) { $0 + $1.list.finishedLists })),
      .init("listRestarts", .integer(partitions.reduce(0) { $0 + $1.list.restarts })),
      .init("shed", .integer(context.shedOperations)),
      .init("logCuts", .integer(shedding.cuts)),
      .init("pressure", shedding.figures),
      .init("slowRequests", .integer(past.slowRequests + state.slowRequests)),
      .init("rounds", .integer(rounds)),
      .init("profile", .string(options.profile.rawValue)),
      .init("snapshots", snapshotFigures),
      .init("limitShrink", limitShrink.figures?.json ?? .null),
      .init("leak", leak.figures?.json ?? .null),
      .init("restarts", .array(restarts.map(\.json))),
      .init("backing", backingFigures),
      .init("check", checkFigures(check, undelivered: undelivered, wrongAnswers: wrongAnswers)),
      .init("phaseLatencies", .array(([.load] + options.phases).map(phaseFigures))),
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

  /// The sum and the last of all snapshots, nil when none was sent.
  private var snapshotFigures: JSONValue {
    let all = snapshots.withLock { $0 }
    guard let last = all.last else { return .null }
    return [
      "times": .integer(all.count), "bytes": .integer(all.reduce(0) { $0 + $1.bytes }),
      "lastPairs": .integer(last.pairs), "lastRevision": .integer(last.revision),
      "lastChecksum": .string(String(last.checksum, radix: 16)),
    ]
  }

  private var backingFigures: JSONValue {
    guard let file = store.backing else { return .null }
    return ["fileBytes": .integer(file.fileBytes), "usedBytes": .integer(file.usedBytes)]
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
