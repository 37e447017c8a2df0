// The stores that regions lie on: which node each is on, how much it carries, which one is down, and how good a place it is.
//
// A store's score is its free share of bandwidth over the penalty between its node and the leader's, after the article. Stores are down one
// after the other, on a fixed timetable; which one is, and what they carry, changes only between ticks, so that all placement drivers
// decide on the same facts whatever the threads.

/// What stores carry of some regions.
struct StoreLoads: Sendable {
  private(set) var leaders: [Int]
  /// KiB a second, of all peers.
  private(set) var flow: [Int]

  init(stores: Int) {
    leaders = Array(repeating: 0, count: stores)
    flow = leaders
  }

  mutating func addLeader(_ store: Int, _ sign: Int = 1) { leaders[store] += sign }
  mutating func addFlow(_ amount: Int, of store: Int) { flow[store] += amount }

  mutating func add(_ other: StoreLoads) {
    for store in leaders.indices {
      leaders[store] += other.leaders[store]
      flow[store] += other.flow[store]
    }
  }
}

/// All stores as they are in a tick.
struct Stores: Sendable {
  /// In every so many ticks one store, another each time, is down in these: a little longer than all regions need to be heard from.
  static let outageDistance = 1600
  static let outage = 200..<900
  private static let leastRatio = 0.05
  /// How much more than they carry at the start stores could carry.
  private static let headroom = 2.0

  let count: Int
  let nodes: NodeMap
  let placement: LeaderPlacement
  private(set) var loads: StoreLoads
  private(set) var down: Int? = nil
  private var capacity = 1.0

  init(count: Int, nodes: NodeMap, placement: LeaderPlacement) {
    self.count = count
    self.nodes = nodes
    self.placement = placement
    loads = StoreLoads(stores: count)
  }

  func node(of store: Int) -> Int { nodes.node(ofStore: store) }

  /// The most flow of a store, for so much in all.
  mutating func setCapacity(totalFlow: Int) { capacity = Stores.headroom * Double(max(1, totalFlow)) / Double(count) }

  /// Another tick, in which stores carry `loads`.
  mutating func advance(to tick: Int, _ loads: StoreLoads) {
    self.loads = loads
    down = Stores.outage.contains(tick % Stores.outageDistance) ? tick / Stores.outageDistance % count : nil
  }

  func bandwidthRatio(_ store: Int) -> Double {
    max(Stores.leastRatio, 1 - Double(loads.flow[store]) / capacity)
  }

  /// How good a place a store is for a peer of a region whose leader is on `node`.
  func score(_ store: Int, leaderNode node: Int) -> Double {
    placement == .spread ? bandwidthRatio(store) : bandwidthRatio(store) / nodes.penalties[node][self.node(of: store)]
  }

  /// The store with the highest value of those that are up and `isAllowed`, the first of equals; nil where there is none.
  func best(where isAllowed: (Int) -> Bool, by value: (Int) -> Double) -> Int? {
    var best: (store: Int, value: Double)?
    for store in 0..<count where store != down && isAllowed(store) {
      let value = value(store)
      if value > best?.value ?? -.infinity { best = (store, value) }
    }
    return best?.store
  }
}
