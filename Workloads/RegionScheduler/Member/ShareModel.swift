// What the stores know of the regions in one placement driver's share of the key space: plain arrays outside the managed heap. Everything that happens
// to a region happens here first; a heartbeat then tells the placement driver, whose objects are compared with this at the end.
//
// Invariant: living regions, ordered by key, cover the share without a hole; each has a leader among its peers, which are on distinct stores.

import Harness

/// The stores of a region's peers: three, or four while one is being replaced.
struct PeerStores: Sendable, Equatable {
  static let usual = 3
  static let most = 4
  private var stores = SIMD4<Int16>(repeating: -1)
  private(set) var count = 0

  subscript(place: Int) -> Int { Int(stores[place]) }

  func contains(_ store: Int) -> Bool { (0..<count).contains { stores[$0] == store } }

  mutating func add(_ store: Int) {
    stores[count] = Int16(store)
    count += 1
  }

  mutating func remove(_ store: Int) {
    guard let place = (0..<count).first(where: { stores[$0] == store }) else { return }
    count -= 1
    stores[place] = stores[count]
    stores[count] = -1
  }
}

/// A region as its leader knows it.
struct RegionFacts: Sendable {
  var start: UInt64
  var end: UInt64
  /// Of everything that ever happened to the region of this number; it only grows.
  var version: UInt64
  /// Splits and merges.
  var epoch: UInt32
  /// Changes of peers.
  var configuration: UInt32
  /// Changes of the leader.
  var term: UInt32
  var sizeMiB: UInt32
  var leader: Int
  var peers: PeerStores
  var isAlive = true
}

/// The regions of a share.
struct ShareModel: Sendable {
  static let splitSize: UInt32 = 96
  static let mergeSize: UInt32 = 20
  private static let leastSize: UInt32 = 4
  /// One heartbeat in so many finds that most of the region was deleted.
  private static let deletions: UInt64 = 200
  private static let hotRegions: UInt64 = 100

  let range: Range<UInt64>
  private(set) var facts: [RegionFacts] = []
  private(set) var living = 0
  private(set) var loads: StoreLoads
  private var free: [Int] = []
  private let leastLiving: Int
  private let mostLiving: Int

  /// A share of no regions yet, of which there will be about `regions`.
  init(range: Range<UInt64>, regions: Int, stores: Int) {
    self.range = range
    loads = StoreLoads(stores: stores)
    leastLiving = regions - regions / 4
    mostLiving = regions + regions / 4
  }

  /// KiB a second that come to a region: some have fifty times as much.
  static func flow(_ number: Int) -> Int {
    let mixed = Checksum.mix(UInt64(number) ^ 0x5157)
    return (16 + Int(mixed % 48)) * (mixed >> 32 % hotRegions == 0 ? 50 : 1)
  }

  /// Mebibytes of all living regions, and how many have a flow of `flow` or more.
  func sizeAndHot(from flow: Int) -> (size: Int, hot: Int) {
    facts.indices.reduce(into: (size: 0, hot: 0)) { sum, number in
      guard facts[number].isAlive else { return }
      sum.size += Int(facts[number].sizeMiB)
      if ShareModel.flow(number) >= flow { sum.hot += 1 }
    }
  }

  // MARK: What happens

  /// A region at the end of those there are.
  mutating func append(_ bounds: Range<UInt64>, leader: Int, peers: PeerStores) {
    let size = 30 + UInt32(Checksum.mix(bounds.lowerBound) % 66)
    facts.append(
      RegionFacts(
        start: bounds.lowerBound, end: bounds.upperBound, version: 0, epoch: 1, configuration: 1, term: 1,
        sizeMiB: size, leader: leader, peers: peers))
    living += 1
    count(facts.count - 1, 1)
  }

  /// Time goes by: the region grows, or most of it is deleted.
  mutating func beat(_ number: Int) {
    facts[number].version += 1
    let luck = Checksum.mix(UInt64(number) << 32 ^ facts[number].version)
    if luck % ShareModel.deletions == 0 {
      facts[number].sizeMiB = ShareModel.leastSize
    } else if luck >> 32 & 1 == 0 {
      facts[number].sizeMiB += 1
    }
  }

  /// Another peer leads.
  mutating func lead(_ number: Int, _ store: Int) {
    loads.addLeader(facts[number].leader, -1)
    facts[number].leader = store
    loads.addLeader(store)
    facts[number].term += 1
    facts[number].version += 1
  }

  mutating func addPeer(_ number: Int, _ store: Int) {
    facts[number].peers.add(store)
    loads.addFlow(ShareModel.flow(number), of: store)
    facts[number].configuration += 1
    facts[number].version += 1
  }

  mutating func removePeer(_ number: Int, _ store: Int) {
    facts[number].peers.remove(store)
    loads.addFlow(-ShareModel.flow(number), of: store)
    facts[number].configuration += 1
    facts[number].version += 1
  }

  func canSplit(_ number: Int) -> Bool {
    facts[number].sizeMiB >= ShareModel.splitSize && facts[number].end - facts[number].start >= 2 && living < mostLiving
  }

  /// The region keeps its lower half; the number of the new region with the upper one.
  mutating func split(_ number: Int) -> Int {
    var upper = facts[number]
    let middle = upper.start + (upper.end - upper.start) / 2
    facts[number].end = middle
    facts[number].epoch += 1
    facts[number].version += 1
    facts[number].sizeMiB /= 2
    upper.start = middle
    upper.epoch += 1
    upper.sizeMiB -= facts[number].sizeMiB
    living += 1
    if let used = free.popLast() {
      upper.version = facts[used].version + 1
      facts[used] = upper
      count(used, 1)
      return used
    }
    upper.version = 1
    facts.append(upper)
    count(facts.count - 1, 1)
    return facts.count - 1
  }

  func canMerge(_ number: Int, _ right: Int) -> Bool {
    facts[number].end == facts[right].start && living > leastLiving
      && facts[number].sizeMiB + facts[right].sizeMiB < ShareModel.splitSize * 3 / 4
  }

  /// The region takes in its right neighbour, which is no more.
  mutating func merge(_ number: Int, _ right: Int) {
    count(right, -1)
    facts[number].end = facts[right].end
    facts[number].sizeMiB += facts[right].sizeMiB
    facts[number].epoch = max(facts[number].epoch, facts[right].epoch) + 1
    facts[number].version = max(facts[number].version, facts[right].version) + 1
    facts[right].isAlive = false
    free.append(right)
    living -= 1
  }

  private mutating func count(_ number: Int, _ sign: Int) {
    let region = facts[number]
    loads.addLeader(region.leader, sign)
    for place in 0..<region.peers.count {
      loads.addFlow(sign * ShareModel.flow(number), of: region.peers[place])
    }
  }
}
