// The controller's own figures: how long the collector held it, what the fleet went through, and times beside those of the article.
//
// The article's figures: a stall of the collector below 1.2 ms at 10 000 nodes, discovery in 87 ms (p95), a policy on all nodes of all
// sites within 11.3 s, a lost site back within 28 s. Its network and machines are not here: times through the simulated network say how
// the controller queues, not how fast such a network is.

import Harness
import Tricolor

/// What a controller's run found.
struct ControllerFigures {
  private static let goalNanoseconds: UInt64 = 100_000
  private static let articleNanoseconds: UInt64 = 1_200_000
  private static let leastSeconds = 60.0
  private static let leastCycles = 50

  private let counts: SiteCounts
  private let checksum: UInt64
  private let ticks: Int
  private let settings: ControllerOptions
  private let witness: Witness
  private let statistics: HeapStatistics
  private let cycles: Int
  private let seconds: Double

  init(
    sites: [SiteController], settings: ControllerOptions, witness: Witness, context: RunContext, before: HeapStatistics
  ) {
    var counts = SiteCounts()
    var checksum: UInt64 = 0
    for site in sites {
      counts.add(site.counts)
      checksum = Checksum.combine(checksum, site.model.checksum)
    }
    self.counts = counts
    self.checksum = checksum
    ticks = sites.map(\.ticks).min() ?? 0
    self.settings = settings
    self.witness = witness
    statistics = context.measuredStatistics
    cycles = statistics.cycles - before.cycles
    seconds = Double(statistics.elapsedNanoseconds - before.elapsedNanoseconds) / 1e9
  }

  func json(faults: Int) -> JSONValue {
    .object([
      .init("sites", .integer(settings.sites)), .init("nodes", .integer(settings.nodes)),
      .init("pods", .integer(settings.pods)), .init("simulatedSeconds", .float(simulated(ticks))),
      .init("holds", holds), .init("witness", witness.json), .init("fleet", fleet),
      .init("checksum", .string(String(checksum, radix: 16))), .init("faults", .integer(faults)),
    ])
  }

  private func simulated(_ ticks: Int) -> Double { Double(ticks) * Double(Schedule.tickNanoseconds) / 1e9 }

  /// The measure of this workload. A run that is too short says so, and makes no claim.
  private var holds: JSONValue {
    let isLong = seconds >= Self.leastSeconds && cycles >= Self.leastCycles
    func within(_ value: UInt64, _ goal: UInt64) -> JSONValue { isLong ? .bool(value <= goal) : .null }
    let (longest, stall) = (statistics.holds.max, statistics.stalls.p999)
    return .object([
      .init("seconds", .float(seconds)), .init("cycles", .integer(cycles)), .init("isLongEnough", .bool(isLong)),
      .init("longestHoldNanoseconds", .unsigned(longest)),
      .init("longestHoldCPUNanoseconds", .unsigned(statistics.holdCPU.max)),
      .init("stallP999Nanoseconds", .unsigned(stall)),
      .init("longestStallNanoseconds", .unsigned(statistics.stalls.max)),
      .init("goalNanoseconds", .unsigned(Self.goalNanoseconds)),
      .init("holdIsWithinGoal", within(longest, Self.goalNanoseconds)),
      .init("stallP999IsWithinGoal", within(stall, Self.goalNanoseconds)),
      .init("articleNanoseconds", .unsigned(Self.articleNanoseconds)),
      .init("holdIsWithinArticle", within(longest, Self.articleNanoseconds)),
      .init("stallP999IsWithinArticle", within(stall, Self.articleNanoseconds)),
    ])
  }

  private var fleet: JSONValue {
    .object([
      .init("policyPushes", .integer(counts.policyPushes)), .init("policySyncs", .integer(counts.policySyncs)),
      .init("longestPolicySyncSimulatedSeconds", .float(simulated(counts.longestPolicySync))),
      .init("flaps", .integer(counts.flaps)), .init("relistBytes", .integer(counts.relistBytes)),
      .init("bursts", .integer(counts.bursts)), .init("burstsEnded", .integer(counts.burstsEnded)),
      .init("longestBurstSimulatedSeconds", .float(simulated(counts.longestBurst))),
      .init("retries", .integer(counts.retries)), .init("outboxWasFull", .integer(counts.fullOutbox)),
      .init("discoveryMatches", .integer(counts.matches)),
    ])
  }
}
