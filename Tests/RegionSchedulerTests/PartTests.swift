// The region scheduler's parts by themselves: keys and tree, nodes and stores, logs and what they cost, operators, the ticks' barrier.

import Harness
import Synchronization
import Testing
@_spi(Simulation) import Tricolor
import TricolorPlatform

@testable import RegionScheduler

/// A heap on made-up nodes that collects often and overwrites what it frees.
func testHeap(nodes: Int = 4) throws -> Heap {
  var configuration = Heap.Configuration()
  configuration.settings.debug.clobberFree = true
  configuration.settings.minimumHeap = 256 << 10
  return try Heap(configuration: configuration, simulatedNodes: nodes)
}

@Suite("Parts of the region scheduler")
struct RegionPartTests {
  // MARK: Keys and tree

  @Test("keys are in the order of their numbers, and 24 to 40 bytes long")
  func keysAreOrdered() throws {
    var random = SplitMix64(seed: 3)
    try testHeap().withMutator { mutator in
      for _ in 0..<500 {
        let (first, second) = (random.next() >> UInt64(random.below(64)), random.next() >> UInt64(random.below(64)))
        let key = try RegionKey.make(first, onNode: 0, mutator)
        #expect((24...40).contains(key.count) && key.holds(first))
        RegionKey.with(second) { #expect(key.isAfter($0) == (first > second), "\(first) \(second)") }
      }
    }
  }

  /// A region that begins at `start`.
  private func region(_ start: UInt64, _ mutator: Mutator) throws(OutOfMemory) -> Reference<Region> {
    try mutator.make(
      Region(
        number: UInt32(start), epoch: 0, configuration: 0, term: 0, version: 0, sizeMiB: 0, flow: 0, keys: 0,
        interval: 0, startKey: try RegionKey.make(start, onNode: 0, mutator), endKey: nil, peers: nil, leader: nil))
  }

  @Test("a tree holds what was put in and not taken out, in order, and finds the region before a key")
  func treeKeepsOrder() throws {
    try testHeap().withMutator { mutator in
      let tree = try RegionTree.make(mutator)
      var random = SplitMix64(seed: 8)
      var expected: [UInt64] = []
      RegionKey.with(5) { #expect(tree.place(of: $0) == nil) }
      for step in 0..<6000 {
        let number = UInt64(random.below(5000))
        let place = RegionKey.with(number) { tree.place(of: $0) }
        let index = expected.firstIndex { $0 > number } ?? expected.count
        #expect(place.map { UInt64(tree[$0]!.number) } == (index > 0 ? expected[index - 1] : nil))
        if index > 0 && expected[index - 1] == number {
          tree.remove(place!)
          expected.remove(at: index - 1)
        } else if step < 4000 {
          let put = try tree.insert(try region(number, mutator), after: place, mutator)
          #expect(UInt64(tree[put]!.number) == number)
          expected.insert(number, at: index)
        }
      }
      var (found, place): ([UInt64], TreePlace?) = ([], TreePlace(page: 0, slot: 0))
      while let next = place {
        found.append(UInt64(tree[next]!.number))
        place = tree.next(next)
      }
      #expect(found == expected && tree.count == expected.count && expected.count > 1000)
    }
  }

  @Test("a tree that is filled in order has full pages, and one that is emptied has none")
  func pagesAreFull() throws {
    try testHeap().withMutator { mutator in
      let tree = try RegionTree.make(mutator)
      var last: TreePlace? = nil
      let count = 20 * RegionPage.capacity
      for number in 0..<count { last = try tree.insert(try region(UInt64(number), mutator), after: last, mutator) }
      #expect(tree.pages == 20 && tree.count == count)
      for _ in 0..<count { tree.remove(TreePlace(page: 0, slot: 0)) }
      #expect(tree.pages == 0 && tree.count == 0)
    }
  }

  // MARK: Nodes and stores

  @Test(
    "made-up nodes cost 1.4 to a neighbour and 2.1 across, and nodes without a processor or memory to use do not count")
  func nodesHavePenalties() throws {
    let four = NodeMap(simulated: 4)
    #expect(four.penalties == [[1, 1.4, 2.1, 1.4], [1.4, 1, 1.4, 2.1], [2.1, 1.4, 1, 1.4], [1.4, 2.1, 1.4, 1]])
    #expect(four.isSimulated && NodeMap(simulated: 2).penalties == [[1, 1.4], [1.4, 1]])
    let ring = Topology.ring(3, memoryBytes: 1 << 30)
    let real = NodeMap(ring, allowed: ProcessorSet([0, 2]))
    #expect(real.numbers == [0, 2] && !real.isSimulated && real.penalties == [[1, 2], [2, 1]])
    #expect(NodeMap.usable(Topology.ring(3, memoryBytes: 0), allowed: nil).isEmpty)
  }

  @Test("a store's score is its free bandwidth over the penalty, and without affinity the penalty counts for nothing")
  func scores() {
    let nodes = NodeMap(simulated: 4)
    var loads = StoreLoads(stores: 8)
    loads.addFlow(100, of: 0)
    for (placement, penalties) in [(LeaderPlacement.affinity, [1, 1.4, 2.1]), (.spread, [1, 1, 1])] {
      var stores = Stores(count: 8, nodes: nodes, placement: placement)
      stores.setCapacity(totalFlow: 800)
      stores.advance(to: 0, loads)
      // A store can carry twice its part: 200.
      #expect(stores.bandwidthRatio(0) == 0.5 && stores.bandwidthRatio(1) == 1)
      #expect(
        stores.score(4, leaderNode: 0) == 1 / penalties[0] && stores.score(0, leaderNode: 0) == 0.5 / penalties[0])
      #expect(stores.score(1, leaderNode: 0) == 1 / penalties[1] && stores.score(2, leaderNode: 0) == 1 / penalties[2])
    }
  }

  @Test("stores are down one after the other, and nothing is put on one that is")
  func outages() {
    var stores = Stores(count: 6, nodes: NodeMap(simulated: 2), placement: .spread)
    stores.setCapacity(totalFlow: 100)
    var down: [Int?] = []
    for tick in 0..<Stores.outageDistance * 3 {
      stores.advance(to: tick, StoreLoads(stores: 6))
      if down.last != stores.down { down.append(stores.down) }
      if stores.down != nil { #expect(stores.best(where: { $0 == stores.down }, by: { _ in 1 }) == nil) }
    }
    #expect(down == [nil, 0, nil, 1, nil, 2, nil], "\(down)")
    #expect(stores.best(where: { $0 > 1 }, by: { $0 == 4 ? 2 : 1 }) == 4)
    #expect(stores.best(where: { $0 > 1 }, by: { _ in 1 }) == 2, "the first of equals")
  }

  @Test("followers are drawn by score, never beside another peer or on a store that is down")
  func followersAreWeighted() throws {
    var options = RegionOptions()
    options.stores = 8
    try testHeap().withMutator { mutator in
      let nodes = NodeMap(simulated: 4)
      let driver = try PlacementDriver(home: 0, share: 0..<1000, nodes: nodes, settings: options, seed: 5, mutator)
      var stores = Stores(count: 8, nodes: nodes, placement: .affinity)
      stores.setCapacity(totalFlow: 800)
      stores.advance(to: Stores.outageDistance * 5 + Stores.outage.lowerBound, StoreLoads(stores: 8))
      #expect(stores.down == 5)
      var peers = PeerStores()
      peers.add(0)
      var drawn = Array(repeating: 0, count: 8)
      for _ in 0..<20_000 { drawn[try #require(driver.follower(beside: peers, leader: 0, stores))] += 1 }
      #expect(drawn[0] == 0 && drawn[5] == 0)
      // Store 4 is on the leader's node, 1 on its neighbour, 2 across.
      let (near, next, far) = (Double(drawn[4]), Double(drawn[1]), Double(drawn[2]))
      #expect(abs(near / next - 1.4) < 0.15 && abs(near / far - 2.1) < 0.25, "\(drawn)")
    }
  }

  // MARK: Logs

  @Test("an entry from another node is counted as remote with the penalty of its lines, and a damaged one is found")
  func logKnowsNodes() throws {
    try testHeap().withMutator { mutator in
      let nodes = NodeMap(simulated: 4)
      let log = try NodeLog(node: 2, nodes: nodes, lineNanoseconds: 5, mutator)
      var sum: UInt64 = 0
      // More than the ring of segments holds.
      for number in 0..<3000 {
        let entry = try LogEntry.make(region: number, seed: UInt64(number), onNode: number % 4, mutator)
        #expect(nodes.node(of: entry.payload!, mutator) == number % 4)
        sum &+= entry.checksum
        _ = try log.append(entry, mutator)
      }
      #expect(log.costs.count == 3000 && log.costs.remoteCount == 2250 && log.faults == 0 && log.sum == sum)
      // 64 lines of 5 ns: 0.4 of it from either neighbour, 1.1 from across.
      #expect(abs(log.costs.modelledNanoseconds - 750 * 320 * (0.4 + 0.4 + 1.1)) < 1e-3)
      let entry = try LogEntry.make(region: 1, seed: 1, onNode: 2, mutator)
      entry.payload![1000] ^= 1
      _ = try log.append(entry, mutator)
      #expect(log.faults == 1)
    }
  }

  @Test("the increase is over what appends would cost if all were local: of what was modelled, or of what was measured")
  func increaseIsOverLocal() throws {
    var costs = AppendCosts()
    #expect(costs.increase(isSimulated: true) == nil && costs.increase(isSimulated: false) == nil)
    for number in 0..<100 { costs.add(1000, isLocal: number % 4 == 0, modelled: number % 4 == 0 ? 0 : 400) }
    let modelled = try #require(costs.increase(isSimulated: true))
    #expect(abs(modelled - 0.3) < 0.005, "\(modelled)")
    var real = AppendCosts()
    for number in 0..<100 { real.add(number % 4 == 0 ? 1000 : 1400, isLocal: number % 4 == 0, modelled: 0) }
    let measured = try #require(real.increase(isSimulated: false))
    #expect(abs(measured - 0.3) < 0.02, "\(measured)")
    var local = AppendCosts()
    local.add(1000, isLocal: true, modelled: 0)
    #expect(local.increase(isSimulated: false) == 0)
  }

  // MARK: Operators and ticks

  @Test("operators come in the order they were added, and not before they are due")
  func operatorsAreOrdered() throws {
    try testHeap().withMutator { mutator in
      let queue = try mutator.make(OperatorQueue())
      for number in 0..<200 {
        let region = try region(UInt64(number), mutator)
        queue.add(try Operator.make([PlannedStep(kind: .addPeer, store: 3)], for: region, due: number, mutator))
      }
      for number in 0..<200 {
        #expect(queue.take(at: number - 1) == nil)
        let op = try #require(queue.take(at: number))
        #expect(Int(op.region) == number && op.steps!.count == 1 && op.steps![0]!.store == 3)
      }
      #expect(queue.count == 0 && queue.take(at: .max) == nil)
      queue.add(try Operator.make([PlannedStep(kind: .split)], for: try region(7, mutator), due: 0, mutator))
      #expect(queue.count == 1 && queue.take(at: 0)?.region == 7)
    }
  }

  @Test(
    "nobody goes on before all have come and the last has completed the round, and one that leaves is not waited for")
  func barrierHoldsAll() throws {
    let count = RoundCount()
    let barrier = TickBarrier(count: 3) { count.completed.wrappingAdd(1, ordering: .relaxed) }
    let heap = try testHeap()
    let threads = try (0..<3).map { index in
      try NativeThread.start(name: "round-\(index)") {
        heap.withMutator { mutator in
          // One leaves after a third of the rounds.
          let rounds = index == 0 ? 100 : 300
          for round in 0..<rounds {
            count.arrived.wrappingAdd(1, ordering: .relaxed)
            barrier.meet(mutator)
            let arrived = round < 100 ? 3 * (round + 1) : 300 + 2 * (round - 99)
            if count.arrived.load(ordering: .relaxed) < arrived { count.early.wrappingAdd(1, ordering: .relaxed) }
            if count.completed.load(ordering: .relaxed) <= round { count.early.wrappingAdd(1, ordering: .relaxed) }
          }
          barrier.leave()
        }
      }
    }
    for thread in threads { thread.join() }
    #expect(count.early.load(ordering: .relaxed) == 0)
    #expect(count.completed.load(ordering: .relaxed) == 300)
  }
}

private final class RoundCount: Sendable {
  let arrived = Atomic<Int>(0)
  let completed = Atomic<Int>(0)
  let early = Atomic<Int>(0)
}
