// The region scheduler's own figures, for each placement and for both side by side, with what the article has: a raft log's synchronisation costs 37 %
// more where leader and placement driver are on different nodes. Affinity is to keep it within 5 %.

import Harness
import Histogram
import Tricolor

/// What a cluster's ticks came to.
struct PlacementFigures: Sendable {
  let placement: LeaderPlacement
  let ticks: Int
  let faults: Int
  private let checksum: UInt64
  private let shares: HeapShares?
  private let counts: DriverCounts
  private let regions: Int
  private let leadersAtHome: Int
  private let appends: AppendCosts
  private let isSimulated: Bool
  private let heartbeats: LatencyFigures
  private let schedules: LatencyFigures

  init(_ cluster: RegionCluster, faults: Int, checksum: UInt64) {
    placement = cluster.placement
    ticks = cluster.ticks
    self.faults = faults
    self.checksum = checksum
    shares = cluster.shares
    isSimulated = cluster.nodes.isSimulated
    var (counts, appends) = (DriverCounts(), AppendCosts())
    var (heartbeats, schedules) = (Latencies.empty(), Latencies.empty())
    var (regions, atHome) = (0, 0)
    for driver in cluster.drivers {
      counts.add(driver.counts)
      appends.add(driver.log.costs)
      heartbeats.add(driver.heartbeatLatencies)
      schedules.add(driver.scheduleLatencies)
      regions += driver.model.living
      atHome += driver.model.facts.count { $0.isAlive && cluster.nodes.node(ofStore: $0.leader) == driver.home }
    }
    (self.counts, self.appends, self.regions, leadersAtHome) = (counts, appends, regions, atHome)
    (self.heartbeats, self.schedules) = (LatencyFigures(heartbeats), LatencyFigures(schedules))
  }

  /// By how much an append cost more than if all entries had been local.
  var increase: Double? { appends.increase(isSimulated: isSimulated) }

  var json: JSONValue {
    .object([
      .init("simulatedSeconds", .float(Double(ticks) / Double(Timetable.ticksInSecond))),
      .init("heap", shares?.json ?? .null),
      .init("regions", .integer(regions)), .init("leadersAtHome", .ratio(Double(leadersAtHome), Double(regions))),
      .init("heartbeatNanoseconds", heartbeats.json), .init("scheduleTickNanoseconds", schedules.json),
      .init("logAppend", appendJSON), .init("done", done),
      .init("checksum", .string(String(checksum, radix: 16))), .init("faults", .integer(faults)),
    ])
  }

  private var appendJSON: JSONValue {
    let count = Double(appends.count)
    let passed = Double(appends.localNanoseconds + appends.remoteNanoseconds)
    return .object([
      .init("count", .integer(appends.count)), .init("remoteShare", .ratio(Double(appends.remoteCount), count)),
      .init("meanNanoseconds", .ratio(passed, count)),
      .init("modelledPenaltyNanoseconds", isSimulated ? .ratio(appends.modelledNanoseconds, count) : .null),
      .init("localNanoseconds", LatencyFigures(appends.local).json),
      .init("remoteNanoseconds", LatencyFigures(appends.remote).json),
      .init("increaseOverAllLocal", increase.map { .float($0) } ?? .null),
    ])
  }

  private var done: JSONValue {
    .object([
      .init("heartbeats", .integer(counts.heartbeats)), .init("elections", .integer(counts.elections)),
      .init("operators", .integer(counts.operators)), .init("operatorsDropped", .integer(counts.dropped)),
      .init("leadersTransferred", .integer(counts.transfers)), .init("peersAdded", .integer(counts.peersAdded)),
      .init("peersRemoved", .integer(counts.peersRemoved)), .init("splits", .integer(counts.splits)),
      .init("merges", .integer(counts.merges)),
    ])
  }
}

extension HeapShares {
  fileprivate var json: JSONValue {
    .object([
      .init("seconds", .float(seconds)), .init("cycles", .integer(cycles)),
      .init("allocatedBytes", .integer(allocatedBytes)),
      .init("allocationLocality", .ratio(Double(allocatedBytes - remoteAllocatedBytes), Double(allocatedBytes))),
      .init("remoteMarkShare", .ratio(Double(remoteMarkedBytes), Double(markedBytes))),
    ])
  }
}

/// All of a run.
struct RegionFigures {
  private static let goal = 0.05
  private static let article = 0.37

  let nodes: NodeMap
  let settings: RegionOptions
  let placements: [PlacementFigures]

  var faults: Int { placements.reduce(0) { $0 + $1.faults } }

  var json: JSONValue {
    .object(
      [
        .init("simulatedNodes", nodes.isSimulated ? .integer(nodes.count) : .null),
        .init("nodes", .integer(nodes.count)), .init("stores", .integer(settings.stores)),
        .init("penalties", .array(nodes.penalties.map { .array($0.map { .float($0) }) })),
        .init("modelledLineNanoseconds", nodes.isSimulated ? .float(settings.lineNanoseconds) : .null),
      ]
        + LeaderPlacement.allCases.map { placement in
          .init(placement.rawValue, placements.first { $0.placement == placement }?.json ?? .null)
        } + [.init("logAppendIncrease", increases), .init("faults", .integer(faults))])
  }

  /// Null for a placement that did not run.
  private var increases: JSONValue {
    func increase(_ placement: LeaderPlacement) -> Double? { placements.first { $0.placement == placement }?.increase }
    let affinity = increase(.affinity)
    return .object([
      .init("affinity", affinity.map { .float($0) } ?? .null),
      .init("spread", increase(.spread).map { .float($0) } ?? .null), .init("goal", .float(Self.goal)),
      .init("affinityIsWithinGoal", affinity.map { .bool($0 <= Self.goal) } ?? .null),
      .init("article", .float(Self.article)),
    ])
  }
}
