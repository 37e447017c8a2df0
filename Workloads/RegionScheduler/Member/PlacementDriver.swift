// A placement driver: it hears from all regions of its share of the key space, on its own node, keeps them as objects on the managed heap, and decides
// where leaders and followers should be. There is one for each node; a region's home is the node of the driver that hears from it.
//
// A driver is worked by one client thread in each stage of a tick: first heartbeats, operators and scheduling, then, when all have done that, the
// log of its node. Its history follows from the seed and the number of ticks alone.

import Harness
import Histogram
import Tricolor
import TricolorPlatform

/// What operations are timed, in the order of `RegionWorkload.kinds`.
enum RegionKind: Int, CaseIterable {
  case heartbeat, lookup, schedule, operatorStep, append, scan

  var name: String {
    switch self {
    case .heartbeat: "heartbeat"
    case .lookup: "lookup"
    case .schedule: "schedule tick"
    case .operatorStep: "operator step"
    case .append: "log append"
    case .scan: "hot scan"
    }
  }
}

/// Periods and bounds, in ticks of 10 ms of simulated time.
enum Timetable {
  static let ticksInSecond = 100
  /// Each region is heard from once in 6 seconds: ten times as often as by PD.
  static let heartbeat = 600
  static let scan = 1000
  static let heartbeatsPerLookup = 24
  static let operatorsPerTick = 8
  static let samplesPerTick = 2
  /// Operators are done after so many ticks, one to two seconds.
  static let leastDelay = 100
  static let step = 20
}

/// What a driver has done, beside latencies.
struct DriverCounts: Sendable {
  var heartbeats = 0
  var elections = 0
  var transfers = 0
  var peersAdded = 0
  var peersRemoved = 0
  var splits = 0
  var merges = 0
  var operators = 0
  var dropped = 0
  var entries = 0

  mutating func add(_ other: DriverCounts) {
    heartbeats += other.heartbeats
    elections += other.elections
    transfers += other.transfers
    peersAdded += other.peersAdded
    peersRemoved += other.peersRemoved
    splits += other.splits
    merges += other.merges
    operators += other.operators
    dropped += other.dropped
    entries += other.entries
  }
}

/// A driver with its share of the regions and the log of its node.
final class PlacementDriver: Sendable {
  private static let hotSlots = 256
  /// KiB a second from which a region may be hot.
  private static let hotFlow = 500

  /// Its node, by index.
  let home: Int
  /// How many it has at the start.
  private let regions: Int
  let nodes: NodeMap
  let tree: Root<RegionTree>
  let numbered: Root<ReferenceArray<Region>>
  let queue: Root<OperatorQueue>
  let log: NodeLog
  private let hot: Root<ReferenceArray<HotRegion>>
  /// Entries for each node's log.
  let posts: [Root<EntryList>]
  nonisolated(unsafe) private(set) var model: ShareModel
  nonisolated(unsafe) var counts = DriverCounts()
  nonisolated(unsafe) private(set) var random: SplitMix64
  /// Regions that a heartbeat found misplaced or of a size to be changed.
  nonisolated(unsafe) var suspects: [Int] = []
  /// By number: whether it is among the suspects or an operator is at work on it.
  nonisolated(unsafe) var isAwaited: [Bool] = []
  /// Sum of the checksums of all entries posted.
  nonisolated(unsafe) private(set) var postedSum: UInt64 = 0
  /// What was seen to be wrong at work.
  nonisolated(unsafe) var faults = 0
  nonisolated(unsafe) private(set) var heartbeatLatencies = Latencies.empty()
  nonisolated(unsafe) private(set) var scheduleLatencies = Latencies.empty()
  /// The key that the next heartbeat comes from.
  nonisolated(unsafe) private var cursor: UInt64

  init(
    home: Int, share: Range<UInt64>, nodes: NodeMap, settings: RegionOptions, seed: UInt64, _ mutator: Mutator
  ) throws(OutOfMemory) {
    self.home = home
    self.nodes = nodes
    regions = settings.regions * (home + 1) / nodes.count - settings.regions * home / nodes.count
    model = ShareModel(range: share, regions: regions, stores: settings.stores)
    random = SplitMix64(seed: Checksum.mix(seed &+ UInt64(home)))
    cursor = share.lowerBound
    tree = mutator.root(try RegionTree.make(mutator))
    numbered = mutator.root(try mutator.makeArray(of: Region.self, count: max(16, regions)))
    queue = mutator.root(try mutator.make(OperatorQueue()))
    hot = mutator.root(try mutator.makeArray(of: HotRegion.self, count: PlacementDriver.hotSlots))
    posts = try (0..<nodes.count).map { _ throws(OutOfMemory) in mutator.root(try mutator.make(EntryList())) }
    log = try NodeLog(node: home, nodes: nodes, lineNanoseconds: settings.lineNanoseconds, mutator)
  }

  /// Divides the share evenly among its regions, places their peers, and makes their objects. Ends early where `isOver` says so.
  ///
  /// - Parameter stores: empty ones.
  func load(_ stores: Stores, _ mutator: Mutator, isOver: () -> Bool) throws(OutOfMemory) {
    var stores = stores
    let flow = mutator.blocking { (0..<regions).reduce(0) { $0 + ShareModel.flow($1) } }
    stores.setCapacity(totalFlow: PeerStores.usual * flow)
    let tree = self.tree.get(mutator)!
    var last: TreePlace? = nil
    for number in 0..<regions where !isOver() {
      mutator.poll()
      place(number, stores)
      stores.advance(to: 0, model.loads)
      let region = try receive(number, mutator)
      last = try tree.insert(region, after: last, mutator)
      try enter(region, mutator)
    }
  }

  private func place(_ number: Int, _ stores: Stores) {
    let (start, width) = (model.range.lowerBound, model.range.upperBound - model.range.lowerBound)
    func bound(_ number: Int) -> UInt64 { start + width * UInt64(number) / UInt64(regions) }
    let leader = bestLeader(of: nil, stores)!
    var peers = PeerStores()
    peers.add(leader)
    while peers.count < PeerStores.usual { peers.add(follower(beside: peers, leader: leader, stores)!) }
    model.append(bound(number)..<bound(number + 1), leader: leader, peers: peers)
  }

  // MARK: A tick

  /// The first stage of a tick.
  func work(at now: Int, _ stores: Stores, _ client: Client, _ mutator: Mutator) throws(OutOfMemory) {
    while let op = queue.get(mutator)!.take(at: now) {
      try time(.operatorStep, client) { () throws(OutOfMemory) in try carryOut(op, at: now, stores, mutator) }
    }
    for _ in 0..<(model.living + Timetable.heartbeat - 1) / Timetable.heartbeat {
      let took = try time(.heartbeat, client) { () throws(OutOfMemory) in try hearFromNext(stores, mutator) }
      _ = heartbeatLatencies.record(took)
      if counts.heartbeats % Timetable.heartbeatsPerLookup == 0 {
        try time(.lookup, client) { () throws(OutOfMemory) in lookUp(mutator) }
      }
    }
    let took = try time(.schedule, client) { () throws(OutOfMemory) in try schedule(at: now, stores, mutator) }
    _ = scheduleLatencies.record(took)
    if now % Timetable.scan == Timetable.scan / nodes.count * home {
      try time(.scan, client) { () throws(OutOfMemory) in scan(mutator) }
    }
  }

  /// The second stage: appends what all drivers have posted for this node.
  func append(from drivers: [PlacementDriver], _ client: Client, _ mutator: Mutator) throws(OutOfMemory) {
    for driver in drivers {
      let list = driver.posts[home].get(mutator)!
      while let entry = list.take() {
        mutator.poll()
        client.record(kind: RegionKind.append.rawValue, nanoseconds: try log.append(entry, mutator))
      }
    }
  }

  /// Runs `body` as an operation; how long it took.
  @discardableResult @inline(__always)
  private func time(
    _ kind: RegionKind, _ client: Client, _ body: () throws(OutOfMemory) -> Void
  ) throws(OutOfMemory) -> UInt64 {
    let began = Clock.monotonic()
    try body()
    let took = min(Clock.monotonic() - began, Latencies.largest)
    client.record(kind: kind.rawValue, nanoseconds: took)
    return took
  }

  // MARK: Heartbeats

  /// The region after the last that was heard from.
  private func hearFromNext(_ stores: Stores, _ mutator: Mutator) throws(OutOfMemory) {
    let tree = self.tree.get(mutator)!
    let place = RegionKey.with(cursor) { tree.place(of: $0) }!
    let number = Int(tree[place]!.number)
    let end = model.facts[number].end
    cursor = end == model.range.upperBound ? model.range.lowerBound : end
    try hear(from: number, at: place, stores, mutator)
  }

  /// A heartbeat of a region arrives: new objects take the place of the old, and the leader has something to log.
  func hear(
    from number: Int, at place: TreePlace, _ stores: Stores, _ mutator: Mutator
  ) throws(OutOfMemory) {
    if model.facts[number].leader == stores.down { elect(number, stores) }
    model.beat(number)
    let region = try receive(number, mutator)
    let tree = self.tree.get(mutator)!
    let old = tree[place]!
    if old.number != region.number || old.version >= region.version { faults += 1 }
    tree[place] = region
    try enter(region, mutator)
    try noteFlow(of: region, mutator)
    noteSuspect(number, stores)
    try post(number, stores, mutator)
    counts.heartbeats += 1
  }

  /// A region that was split off is heard from for the first time.
  func introduce(_ number: Int, after place: TreePlace, _ mutator: Mutator) throws(OutOfMemory) {
    let region = try receive(number, mutator)
    try tree.get(mutator)!.insert(region, after: place, mutator)
    try enter(region, mutator)
  }

  /// The leader's store is down: another peer leads, whichever was first.
  private func elect(_ number: Int, _ stores: Stores) {
    let peers = model.facts[number].peers
    let start = random.below(peers.count)
    for turn in 0..<peers.count where peers[(start + turn) % peers.count] != stores.down {
      model.lead(number, peers[(start + turn) % peers.count])
      counts.elections += 1
      return
    }
  }

  /// A heartbeat's objects, decoded: the region on the node of its leader, where its log is, the flow where it arrives.
  private func receive(_ number: Int, _ mutator: Mutator) throws(OutOfMemory) -> Reference<Region> {
    let facts = model.facts[number]
    let node = nodes.numbers[nodes.node(ofStore: facts.leader)]
    let peers = try mutator.makeArray(of: Peer.self, count: facts.peers.count, onNode: node)
    var leader: Reference<Peer>? = nil
    for place in 0..<facts.peers.count {
      let store = facts.peers[place]
      let peer = try mutator.make(
        Peer(
          id: UInt64(number) << 16 | UInt64(store), store: Int32(store), isLeader: store == facts.leader,
          pendingBytes: 0, applied: facts.version, downSeconds: 0, term: Int(facts.term)), onNode: node)
      peers[place] = peer
      if peer.isLeader { leader = peer }
    }
    return try mutator.make(
      Region(
        number: UInt32(number), epoch: facts.epoch, configuration: facts.configuration, term: facts.term,
        version: facts.version, sizeMiB: Int(facts.sizeMiB), flow: try receiveFlow(number, mutator),
        keys: Int(facts.sizeMiB) << 12, interval: Timetable.heartbeat,
        startKey: try RegionKey.make(facts.start, onNode: node, mutator),
        endKey: try RegionKey.make(facts.end, onNode: node, mutator), peers: peers, leader: leader), onNode: node)
  }

  /// Decodes what a heartbeat says of a region's flow, and adds it up.
  private func receiveFlow(_ number: Int, _ mutator: Mutator) throws(OutOfMemory) -> Int {
    let (flow, peers) = (ShareModel.flow(number), model.facts[number].peers)
    var last: Reference<FlowReport>? = nil
    for part in 0..<FlowReport.reports {
      let bytes = flow * (part + 1) / FlowReport.reports - flow * part / FlowReport.reports
      last = try mutator.make(
        FlowReport(
          store: Int32(peers[part % peers.count]), kind: Int32(part / peers.count), bytes: bytes, keys: bytes << 3,
          queries: bytes, next: last))
    }
    var sum = 0
    while let report = last { (sum, last) = (sum + report.bytes, report.next) }
    return sum
  }

  /// Enters a region by number.
  private func enter(_ region: Reference<Region>, _ mutator: Mutator) throws(OutOfMemory) {
    var numbered = self.numbered.get(mutator)!
    let number = Int(region.number)
    if number >= numbered.count {
      let larger = try mutator.makeArray(of: Region.self, count: 2 * numbered.count)
      for place in 0..<numbered.count { larger[place] = numbered[place] }
      self.numbered.set(larger, mutator)
      numbered = larger
    }
    numbered[number] = region
    while isAwaited.count <= number { isAwaited.append(false) }
  }

  /// Keeps the region among the hot ones if it is hotter than the one in its slot, whose average falls.
  private func noteFlow(of region: Reference<Region>, _ mutator: Mutator) throws(OutOfMemory) {
    if region.flow < PlacementDriver.hotFlow { return }
    let hot = self.hot.get(mutator)!
    let slot = Int(region.number) % hot.count
    let old = hot[slot]
    if let old, old.number != region.number, old.average > region.flow {
      old.average -= old.average / 8
      return
    }
    let isSame = old?.number == region.number
    hot[slot] = try mutator.make(
      HotRegion(
        number: region.number, hits: isSame ? old!.hits + 1 : 1,
        average: isSame ? (old!.average * 7 + region.flow) / 8 : region.flow, region: region))
  }

  /// The region's leader logs something: allocated here, appended on the leader's node.
  private func post(_ number: Int, _ stores: Stores, _ mutator: Mutator) throws(OutOfMemory) {
    let facts = model.facts[number]
    let seed = Checksum.mix(UInt64(home) << 56 ^ UInt64(number) << 24 ^ facts.version)
    let entry = try LogEntry.make(region: number, seed: seed, onNode: nodes.numbers[home], mutator)
    postedSum &+= entry.checksum
    posts[stores.node(of: facts.leader)].get(mutator)!.add(entry)
    counts.entries += 1
  }

  // MARK: Reading

  private func lookUp(_ mutator: Mutator) {
    let width = model.range.upperBound - model.range.lowerBound
    let number = model.range.lowerBound + random.next() % width
    let tree = self.tree.get(mutator)!
    let isCovered = RegionKey.with(number) { key in
      tree.place(of: key).map { tree[$0]!.covers(key) } ?? false
    }
    if !isCovered { faults += 1 }
  }

  /// Walks all regions for the flow of each; their sizes must be what the stores say.
  private func scan(_ mutator: Mutator) {
    let tree = self.tree.get(mutator)!
    var (size, hot) = (0, 0)
    for page in 0..<tree.pages {
      mutator.poll()
      let regions = tree.directory![page]!
      for slot in 0..<regions.count {
        let region = regions.regions[slot]!
        size += region.sizeMiB
        if region.flow >= PlacementDriver.hotFlow { hot += 1 }
      }
    }
    // Long where there are millions, and without a poll: the collector answers for this thread meanwhile.
    let expected = mutator.blocking { model.sizeAndHot(from: PlacementDriver.hotFlow) }
    if (size, hot) != expected { faults += 1 }
  }

  // MARK: Changing the model

  /// Lets something happen to the stores' regions.
  func change<R>(_ body: (inout ShareModel) -> R) -> R { body(&model) }

  /// A random number below `count`.
  func draw(_ count: Int) -> Int { random.below(count) }
}
