// Drivers and whole runs: whatever the threads, the regions' history is the same; affinity brings leaders home; the check finds damage.

import Harness
import Testing
@_spi(Simulation) import Tricolor

@testable import RegionScheduler

@Suite("Runs of the region scheduler", .serialized)
struct RegionRunTests {
  private static func small(seconds: Int = 8, regions: Int = 240) -> RegionOptions {
    var options = RegionOptions()
    options.regions = regions
    options.stores = 16
    options.seconds = seconds
    options.simulatedNodes = 4
    return options
  }

  private func run(
    _ options: RegionOptions = small(), threads: Int, seed: UInt64 = 7, extent: Extent = .natural
  ) throws -> WorkloadResult {
    let heap = try testHeap(nodes: try #require(options.simulatedNodes))
    let context = RunContext(
      heap: heap, threads: threads, seed: seed, extent: extent, kinds: RegionWorkload.kinds)
    return try RegionWorkload(options).run(context)
  }

  private func number(_ value: JSONValue?, _ keys: String...) -> Double? {
    switch keys.reduce(value, { $0?[$1] }) {
    case .integer(let number)?: Double(number)
    case .float(let number)?: number
    default: nil
    }
  }

  @Test("a seed and a simulated time end in the same regions, however many threads there are")
  func isDeterministic() throws {
    let one = try run(threads: 1)
    let three = try run(threads: 3)
    let six = try run(threads: 6)
    let other = try run(threads: 2, seed: 8)
    for result in [one, three, six, other] { #expect(result.verified, "\(result.figures.text())") }
    for placement in LeaderPlacement.allCases {
      func figures(_ result: WorkloadResult) -> JSONValue? { result.figures[placement.rawValue] }
      let checksum = figures(one)?["checksum"]
      #expect(checksum != nil && figures(three)?["checksum"] == checksum && figures(six)?["checksum"] == checksum)
      #expect(figures(other)?["checksum"] != checksum)
      #expect(figures(one)?["done"] == figures(three)?["done"])
      #expect(number(figures(one), "simulatedSeconds") == 8)
    }
  }

  @Test(
    "leaders and the log's reads are at home with affinity and scattered without, over elections, splits and merges")
  func affinityBringsLeadersHome() throws {
    let result = try run(Self.small(seconds: 40, regions: 800), threads: 2)
    #expect(result.verified, "\(result.figures.text())")
    let (near, far) = (result.figures["affinity"], result.figures["spread"])
    let nearShare = try #require(number(near, "logAppend", "remoteShare"))
    let farShare = try #require(number(far, "logAppend", "remoteShare"))
    #expect(nearShare > 0 && nearShare < 0.05 && farShare > 0.6, "\(nearShare) \(farShare)")
    #expect(try #require(number(near, "leadersAtHome")) > 0.95)
    #expect(try #require(number(far, "leadersAtHome")) < 0.4)
    let (nearPenalty, farPenalty) = (
      try #require(number(near, "logAppend", "modelledPenaltyNanoseconds")),
      try #require(number(far, "logAppend", "modelledPenaltyNanoseconds"))
    )
    #expect(nearPenalty > 0 && nearPenalty < farPenalty / 10)
    for figures in [near, far] {
      for done in ["heartbeats", "elections", "operators", "leadersTransferred", "splits", "merges"] {
        #expect(try #require(number(figures, "done", done)) > 0, "\(done)")
      }
      #expect(try #require(number(figures, "heap", "allocationLocality")) <= 1)
      #expect(number(figures, "faults") == 0)
    }
  }

  @Test("the report says how many nodes are made up and with which penalties, and what did not run is null")
  func reportIsHonest() throws {
    var options = Self.small(seconds: 1)
    options.simulatedNodes = 2
    options.placement = .affinity
    let figures = try run(options, threads: 2).figures
    #expect(figures["simulatedNodes"] == .integer(2) && figures["nodes"] == .integer(2))
    #expect(figures["penalties"] == .array([.array([.float(1), .float(1.4)]), .array([.float(1.4), .float(1)])]))
    #expect(figures["spread"] == .null && figures["logAppendIncrease"]?["spread"] == .null)
    #expect(figures["logAppendIncrease"]?["affinityIsWithinGoal"] == .bool(true))
    #expect(try RegionWorkload(options).simulatedNodes == 2)
  }

  @Test("operations are divided between the placements")
  func operationsAreDivided() throws {
    let result = try run(Self.small(), threads: 2, extent: .operations(4000))
    let counts = try LeaderPlacement.allCases.map {
      try #require(number(result.figures[$0.rawValue], "done", "heartbeats"))
    }
    #expect(result.verified && counts.allSatisfy { $0 > 500 && $0 < 2000 }, "\(counts)")
  }

  @Test("a heap that places no memory is refused, by the variable's name")
  func refusesOff() throws {
    let heap = try testHeap()
    heap.configuration.numa = .off
    let context = RunContext(heap: heap, threads: 1, seed: 1, extent: .natural, kinds: RegionWorkload.kinds)
    let error = #expect(throws: UsageError.self) { try RegionWorkload(Self.small()).run(context) }
    #expect(error?.description.hasPrefix("TRICOLOR_NUMA") == true)
  }

  @Test("options out of bounds, or too few for the nodes, are refused with the option's name")
  func refuses() {
    for (arguments, name) in [
      (["--regions=7"], "--regions"), (["--stores=5"], "--stores"), (["--placement=near"], "--placement"),
      (["--seconds=0"], "--seconds"), (["--simulated-nodes=1"], "--simulated-nodes"),
      (["--simulated-nodes=9"], "--simulated-nodes"), (["--line-nanoseconds=-1"], "--line-nanoseconds"),
      (["--stores=11"], "--stores"), (["--regions=15", "--simulated-nodes=8", "--stores=24"], "--regions"),
    ] {
      let error = #expect(throws: UsageError.self) {
        let options = try RegionOptions(OptionValues(arguments, of: "regions", table: RegionOptions.table))
        try options.check(nodes: options.simulatedNodes ?? 4)
      }
      #expect(error?.description.hasPrefix(name) == true, "\(String(describing: error))")
    }
  }

  // MARK: The check

  /// Runs a driver alone for so many ticks, then `body` with it.
  private func withDriver(
    ticks: Int, _ body: @escaping @Sendable (PlacementDriver, Mutator) throws -> Void
  ) throws {
    let context = RunContext(
      heap: try testHeap(), threads: 1, seed: 1, extent: .natural, kinds: RegionWorkload.kinds)
    try context.runClients { client, mutator in
      let options = Self.small()
      let nodes = NodeMap(simulated: 4)
      var stores = Stores(count: options.stores, nodes: nodes, placement: .spread)
      let driver = try PlacementDriver(
        home: 0, share: 1000..<9_000_000, nodes: nodes, settings: options, seed: 3, mutator)
      try driver.load(stores, mutator) { false }
      stores.setCapacity(totalFlow: driver.model.loads.flow.reduce(0, +))
      for tick in 0..<ticks {
        stores.advance(to: tick, driver.model.loads)
        try driver.work(at: tick, stores, client, mutator)
        for list in driver.posts { while list.get(mutator)!.take() != nil {} }
      }
      try body(driver, mutator)
    }
  }

  /// Each makes one thing of a driver wrong.
  static let damage: [(String, @Sendable (PlacementDriver, Reference<RegionTree>, Mutator) throws -> Void)] = [
    ("nothing at all", { _, _, _ in }),
    ("a version", { _, tree, _ in tree.directory![0]!.regions[3]!.version += 1 }),
    ("a hole", { _, tree, _ in tree.remove(TreePlace(page: 0, slot: 4)) }),
    (
      "a hole at the end",
      { _, tree, _ in
        let page = tree.pages - 1
        tree.remove(TreePlace(page: page, slot: tree.directory![page]!.count - 1))
      }
    ),
    (
      "an overlap",
      { _, tree, _ in
        let page = tree.directory![0]!
        page.regions[2]!.endKey = page.regions[5]!.endKey
      }
    ),
    ("a byte of a key", { _, tree, _ in tree.directory![0]!.regions[1]!.startKey![20] ^= 1 }),
    ("no leader", { _, tree, _ in tree.directory![0]!.regions[6]!.leader!.isLeader = false }),
    (
      "two leaders",
      { _, tree, _ in
        let peers = tree.directory![0]!.regions[7]!.peers!
        for place in 0..<peers.count { peers[place]!.isLeader = true }
      }
    ),
    (
      "two peers on one store",
      { _, tree, _ in
        let peers = tree.directory![0]!.regions[8]!.peers!
        peers[0]!.store = peers[1]!.store
      }
    ),
    (
      "a leader that is another region's",
      { _, tree, _ in
        let page = tree.directory![0]!
        page.regions[9]!.leader = page.regions[10]!.leader
      }
    ),
    (
      "an older object under a number",
      { driver, tree, mutator in
        let region = tree.directory![0]!.regions[0]!
        driver.numbered.get(mutator)![Int(region.number)] = tree.directory![0]!.regions[1]
      }
    ),
    (
      "an entry that nobody appends",
      { driver, _, mutator in
        driver.posts[1].get(mutator)!.add(try LogEntry.make(region: 1, seed: 1, onNode: 0, mutator))
      }
    ),
    ("what stores carry", { driver, _, _ in driver.change { $0.lead(0, $0.facts[0].peers[1]) } }),
    ("an operator that is lost", { driver, _, mutator in driver.queue.get(mutator)!.count += 1 }),
  ]

  @Test("the check finds damage of every kind, and none where there is none", arguments: damage.indices)
  func checkFindsDamage(_ index: Int) throws {
    let (name, damage) = Self.damage[index]
    try withDriver(ticks: 400) { driver, mutator in
      #expect(driver.counts.heartbeats > 400 && driver.counts.elections > 0)
      #expect(driver.check(mutator).faults == 0)
      try damage(driver, driver.tree.get(mutator)!, mutator)
      #expect((driver.check(mutator).faults > 0) == (index > 0), "\(name)")
    }
  }

  @Test("a heartbeat that is older than what is known is seen")
  func staleHeartbeatsAreSeen() throws {
    try withDriver(ticks: 10) { driver, mutator in
      var stores = Stores(count: 16, nodes: driver.nodes, placement: .spread)
      stores.advance(to: 0, driver.model.loads)
      let tree = driver.tree.get(mutator)!
      let place = TreePlace(page: 0, slot: 2)
      tree[place]!.version += 10
      try driver.hear(from: Int(tree[place]!.number), at: place, stores, mutator)
      #expect(driver.faults == 1)
    }
  }
}
