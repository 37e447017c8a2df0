// Sites and whole runs: whatever the threads, the fleet ends the same; lost sites come back; the check finds damage.

import Harness
import Testing
import Tricolor

@testable import Controller

@Suite("Runs of the controller", .serialized)
struct ControllerRunTests {
  private static func small(minutes: Int = 2) -> ControllerOptions {
    var options = ControllerOptions()
    options.sites = 3
    options.nodes = 60
    options.pods = 300
    options.sparePods = 10
    options.minutes = minutes
    return options
  }

  private func run(
    _ options: ControllerOptions = small(), threads: Int, seed: UInt64 = 7, extent: Extent = .natural
  ) throws -> WorkloadResult {
    let context = RunContext(
      heap: try testHeap(), threads: threads, seed: seed, extent: extent, kinds: ControllerWorkload.kinds)
    return try ControllerWorkload(options).run(context)
  }

  @Test("a seed and a simulated time end in one fleet, however many threads there are")
  func isDeterministic() throws {
    let one = try run(threads: 1)
    let three = try run(threads: 3)
    let other = try run(threads: 2, seed: 8)
    #expect(one.verified && three.verified && other.verified, "\(one.figures.text())")
    #expect(one.figures["checksum"] != nil && one.figures["checksum"] == three.figures["checksum"])
    #expect(one.figures["checksum"] != other.figures["checksum"])
    #expect(one.figures["simulatedSeconds"] == .float(120))
  }

  @Test("policies reach every node, sites are lost and listed, bursts add pods")
  func fleetHasHistory() throws {
    let figures = try run(Self.small(minutes: 20), threads: 2).figures
    guard case .object(let fleet)? = figures["fleet"] else {
      Issue.record("no fleet in \(figures.text())")
      return
    }
    for member in fleet where member.key != "outboxWasFull" {
      #expect(member.value != .integer(0) && member.value != .float(0), "\(member.key)")
    }
    #expect(figures["fleet"]?["policyPushes"] == .integer(3 * 20 * 3))
  }

  @Test("a run that is too short for the measure makes no claim")
  func shortRunsClaimNothing() throws {
    let holds = try #require(try run(threads: 1).figures["holds"])
    #expect(holds["isLongEnough"] == .bool(false))
    for key in ["holdIsWithinGoal", "stallP999IsWithinGoal", "holdIsWithinArticle", "stallP999IsWithinArticle"] {
      #expect(holds[key] == .null, "\(key)")
    }
    for key in ["longestHoldNanoseconds", "stallP999Nanoseconds", "cycles"] { #expect(holds[key] != nil, "\(key)") }
  }

  @Test("a speed holds simulated time back")
  func speedHoldsBack() throws {
    var options = Self.small(minutes: 1)
    options.speed = 200
    let began = ContinuousClock.now
    let result = try run(options, threads: 2)
    #expect(result.verified && result.figures["simulatedSeconds"] == .float(60))
    #expect(began.duration(to: .now) >= .milliseconds(300))
  }

  /// Runs a site for so many ticks, then `body` with it.
  private func withSite(ticks: Int, _ body: @escaping @Sendable (SiteController, Mutator) throws -> Void) throws {
    let context = RunContext(
      heap: try testHeap(), threads: 1, seed: 1, extent: .natural, kinds: ControllerWorkload.kinds)
    try context.runClients { client, mutator in
      let site = try SiteController(
        SiteModel(site: 0, nodes: 20, pods: 100, sparePods: 5), seed: 1, mutator)
      try site.relist(nil, mutator)
      for _ in 0..<ticks { try site.tick([site], client, mutator) }
      try body(site, mutator)
    }
  }

  @Test("while a site is lost its cache is empty, and afterwards it is whole")
  func lostSitesComeBack() throws {
    try withSite(ticks: Schedule.flapDistance + 1) { site, mutator in
      #expect(site.cache.get(mutator)!.nodes == 0 && site.counts.flaps == 1)
      let isDrained = try site.drain(mutator)
      #expect(isDrained)
      #expect(site.cache.get(mutator)!.nodes == 20 && site.countFaults(mutator) == 0)
    }
  }

  /// Each makes one thing of a site wrong.
  static let damage: [(String, @Sendable (SiteController, Reference<SiteCache>, Mutator) -> Void)] = [
    ("a node's label", { _, cache, _ in cache.pools![1]!.entries![0]!.node!.labels![5].value![3] ^= 1 }),
    ("a node's reason", { _, cache, _ in cache.pools![2]!.entries![1]!.node!.conditions![0].reason![0] ^= 1 }),
    (
      "a pod's version",
      { _, cache, _ in
        cache.pools![0]!.entries![0]!.state!.pods!.entries![0]!.pod!.version += 1
      }
    ),
    (
      "a missing pod",
      { _, cache, _ in
        let name = cache.pools![0]!.entries![0]!.state!.pods!.entries![0]!.name!
        _ = cache.removePod(UnsafeRawBufferPointer(name.bytes))
      }
    ),
    ("a window's sum", { _, cache, _ in cache.pools![3]!.entries![0]!.state!.sum += 1 }),
    (
      "an entry in no list",
      { _, cache, _ in
        let list = cache.pools![4]!
        list.remove(list.entries![0]!, .first)
      }
    ),
  ]

  @Test("the check finds damage of every kind", arguments: damage.indices)
  func checkFindsDamage(_ index: Int) throws {
    let (name, damage) = Self.damage[index]
    try withSite(ticks: 50) { site, mutator in
      let isDrained = try site.drain(mutator)
      #expect(isDrained)
      #expect(site.countFaults(mutator) == 0)
      damage(site, site.cache.get(mutator)!, mutator)
      #expect(site.countFaults(mutator) > 0, "\(name)")
    }
  }

  @Test("options out of bounds, or fewer nodes than sites, are refused with the option's name")
  func refuses() {
    for (arguments, name) in [
      (["--sites=0"], "--sites"), (["--nodes=5", "--sites=6"], "--nodes"), (["--pods=3"], "--pods"),
      (["--speed=-1"], "--speed"), (["--minutes=x"], "--minutes"),
    ] {
      let error = #expect(throws: UsageError.self) {
        try ControllerOptions(OptionValues(arguments, of: "controller", table: ControllerOptions.table))
      }
      #expect(error?.description.hasPrefix(name) == true, "\(String(describing: error))")
    }
  }
}
