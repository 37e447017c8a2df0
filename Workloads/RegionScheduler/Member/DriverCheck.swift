// Compares a driver's regions with what the stores know, and with what regions must be whatever anybody knows: they cover the key space without
// hole or overlap, each has exactly one leader among peers on distinct stores, and each is found under its number and under its key.

import Harness
import Tricolor

extension PlacementDriver {
  /// How much is wrong, and a checksum of all that is there. After all stages of a tick, on one thread.
  func check(_ mutator: Mutator) -> (faults: Int, checksum: UInt64) {
    let tree = self.tree.get(mutator)!
    var (wrong, checksum, count) = (faults + log.faults, UInt64(home), 0)
    var found = StoreLoads(stores: model.loads.leaders.count)
    var previous: Reference<Region>? = nil
    for page in 0..<tree.pages {
      mutator.poll()
      let regions = tree.directory![page]!
      for slot in 0..<regions.count {
        guard let region = regions.regions[slot] else {
          wrong += 1
          continue
        }
        if !follows(region, previous) || !isWhole(region) || !isKnown(region) { wrong += 1 }
        if numbered.get(mutator)![Int(region.number)] != region { wrong += 1 }
        checksum = combine(checksum, region)
        add(region, to: &found)
        count += 1
        previous = region
      }
    }
    if previous?.endKey!.holds(model.range.upperBound) != true { wrong += 1 }
    if count != tree.count || count != model.living || count != model.facts.count(where: \.isAlive) { wrong += 1 }
    if found.leaders != model.loads.leaders || found.flow != model.loads.flow { wrong += 1 }
    return (wrong + wrongLists(mutator), checksum)
  }

  /// Whether a region begins where the one before it ends.
  private func follows(_ region: Reference<Region>, _ previous: Reference<Region>?) -> Bool {
    guard let start = region.startKey, region.endKey != nil else { return false }
    guard let end = previous?.endKey else { return start.holds(model.range.lowerBound) }
    return start.withBytes { start in end.withBytes { start.elementsEqual($0) } }
  }

  /// Whether there is one leader, and no store twice.
  private func isWhole(_ region: Reference<Region>) -> Bool {
    guard let peers = region.peers, (PeerStores.usual...PeerStores.most).contains(peers.count) else { return false }
    var stores: Set<Int32> = []
    var leaders = 0
    for place in 0..<peers.count {
      guard let peer = peers[place] else { return false }
      stores.insert(peer.store)
      if peer.isLeader {
        leaders += 1
        if region.leader != peer { return false }
      }
    }
    return leaders == 1 && stores.count == peers.count
  }

  /// Whether a region is what its stores say.
  private func isKnown(_ region: Reference<Region>) -> Bool {
    let number = Int(region.number)
    guard model.facts.indices.contains(number), let leader = region.leader, let peers = region.peers else {
      return false
    }
    let facts = model.facts[number]
    return facts.isAlive && region.version == facts.version && region.epoch == facts.epoch && region.term == facts.term
      && region.configuration == facts.configuration && region.sizeMiB == Int(facts.sizeMiB)
      && region.flow == ShareModel.flow(number) && Int(leader.store) == facts.leader
      && region.startKey!.holds(facts.start) && region.endKey!.holds(facts.end) && peers.count == facts.peers.count
      && (0..<peers.count).allSatisfy { peers[$0].map { facts.peers.contains(Int($0.store)) } ?? false }
  }

  private func combine(_ checksum: UInt64, _ region: Reference<Region>) -> UInt64 {
    var sum = Checksum.combine(checksum, UInt64(region.number) << 32 | UInt64(region.term))
    sum = Checksum.combine(sum, region.version)
    sum = Checksum.combine(sum, UInt64(region.epoch) << 32 | UInt64(region.configuration))
    sum = region.startKey?.withBytes { Checksum.combine(sum, Checksum.hash(UnsafeRawBufferPointer($0))) } ?? sum
    guard let peers = region.peers else { return sum }
    for place in 0..<peers.count { sum = Checksum.combine(sum, UInt64(bitPattern: Int64(peers[place]?.store ?? -1))) }
    return Checksum.combine(sum, UInt64(bitPattern: Int64(region.leader?.store ?? -1)))
  }

  private func add(_ region: Reference<Region>, to loads: inout StoreLoads) {
    guard let peers = region.peers, let leader = region.leader else { return }
    loads.addLeader(Int(leader.store))
    for place in 0..<peers.count {
      if let peer = peers[place] { loads.addFlow(region.flow, of: Int(peer.store)) }
    }
  }

  /// Lists that do not have as many members as they say, and entries that nobody has appended.
  private func wrongLists(_ mutator: Mutator) -> Int {
    var wrong = 0
    let queue = self.queue.get(mutator)!
    var (count, next) = (0, queue.first)
    while let op = next {
      mutator.poll()
      count += 1
      next = op.next
    }
    if count != queue.count { wrong += 1 }
    for list in posts {
      let list = list.get(mutator)!
      if list.count != 0 || list.first != nil { wrong += 1 }
    }
    return wrong
  }
}
