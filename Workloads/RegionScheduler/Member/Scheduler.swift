// What a placement driver decides. Under `affinity` a leader belongs on the driver's own node, and where there is none of the region's peers, one is
// brought there; followers are drawn with the scores of stores as weights. Under `spread` nodes count for nothing: leaders go where there are few.
// In both, regions are split at 96 MiB, small neighbours merged, and followers moved off stores that carry much more than others.

import Harness
import Tricolor

extension PlacementDriver {
  /// How much more bandwidth another store must have free for a follower to be moved to it.
  private static let worthMoving = 1.3

  // MARK: Placement

  /// The best store for the leader of a region, among its peers where it has some; nil where none is allowed.
  func bestLeader(of peers: PeerStores?, _ stores: Stores) -> Int? {
    stores.best { store in
      (stores.placement == .spread || stores.node(of: store) == home) && (peers?.contains(store) ?? true)
    } by: { store in
      stores.placement == .spread && peers != nil ? -Double(stores.loads.leaders[store]) : stores.bandwidthRatio(store)
    }
  }

  /// A store for another follower, drawn by score; nil where there is none.
  func follower(beside peers: PeerStores, leader: Int, _ stores: Stores) -> Int? {
    let node = stores.node(of: leader)
    func weight(_ store: Int) -> Double {
      store == stores.down || peers.contains(store) ? 0 : stores.score(store, leaderNode: node)
    }
    var left = (0..<stores.count).reduce(0) { $0 + weight($1) } * Double(draw(1 << 30)) / Double(1 << 30)
    var last: Int? = nil
    for store in 0..<stores.count where weight(store) > 0 {
      last = store
      left -= weight(store)
      if left < 0 { break }
    }
    return last
  }

  /// The follower on the store with the lowest score.
  private func worstFollower(_ region: Reference<Region>, _ stores: Stores) -> Int? {
    let leader = Int(region.leader!.store)
    let node = stores.node(of: leader)
    return stores.best {
      $0 != leader && region.hasPeer(on: $0)
    } by: {
      -stores.score($0, leaderNode: node)
    }
  }

  // MARK: Schedule ticks

  /// Remembers a region that something should be done about. Cheap: a heartbeat asks.
  func noteSuspect(_ number: Int, _ stores: Stores) {
    if isAwaited[number] { return }
    let facts = model.facts[number]
    let isMisplaced = stores.placement == .affinity && stores.node(of: facts.leader) != home
    guard isMisplaced || facts.sizeMiB >= ShareModel.splitSize || facts.sizeMiB < ShareModel.mergeSize else { return }
    isAwaited[number] = true
    suspects.append(number)
  }

  /// Decides on some suspects and on a few regions at random.
  func schedule(at now: Int, _ stores: Stores, _ mutator: Mutator) throws(OutOfMemory) {
    let numbered = self.numbered.get(mutator)!
    var made = 0
    var taken = 0
    while made < Timetable.operatorsPerTick && taken < suspects.count {
      let number = suspects[taken]
      taken += 1
      isAwaited[number] = false
      guard let region = numbered[number] else { continue }
      if try decide(on: region, at: now, stores, mutator) { made += 1 }
    }
    suspects.removeFirst(taken)
    let tree = self.tree.get(mutator)!
    for _ in 0..<Timetable.samplesPerTick {
      let page = draw(tree.pages)
      let region = tree[TreePlace(page: page, slot: draw(tree.directory![page]!.count))]!
      if !isAwaited[Int(region.number)] { _ = try decide(on: region, at: now, stores, mutator) }
    }
  }

  /// Makes an operator for a region that needs one; whether it did.
  private func decide(
    on region: Reference<Region>, at now: Int, _ stores: Stores, _ mutator: Mutator
  ) throws(OutOfMemory) -> Bool {
    let steps = plan(for: region, stores, mutator)
    if steps.isEmpty { return false }
    let due = now + Timetable.leastDelay + draw(Timetable.leastDelay)
    queue.get(mutator)!.add(try Operator.make(steps, for: region, due: due, mutator))
    isAwaited[Int(region.number)] = true
    counts.operators += 1
    return true
  }

  private func plan(for region: Reference<Region>, _ stores: Stores, _ mutator: Mutator) -> [PlannedStep] {
    let leader = Int(region.leader!.store)
    if stores.placement == .affinity && stores.node(of: leader) != home { return bringHome(region, stores) }
    // An operator that was dropped has left a peer too many.
    if region.peers!.count > PeerStores.usual, let worst = worstFollower(region, stores) {
      return [PlannedStep(kind: .removePeer, store: worst)]
    }
    if region.sizeMiB >= Int(ShareModel.splitSize) { return [PlannedStep(kind: .split)] }
    if region.sizeMiB < Int(ShareModel.mergeSize), hasSmallNeighbour(region, mutator) {
      return [PlannedStep(kind: .merge)]
    }
    if stores.placement == .spread, let other = lessLoadedLeader(region, stores) {
      return [PlannedStep(kind: .transferLeader, store: other)]
    }
    return balance(region, stores)
  }

  /// The leader to a peer on this node, or to a new one that takes the worst follower's place.
  private func bringHome(_ region: Reference<Region>, _ stores: Stores) -> [PlannedStep] {
    let peer = stores.best {
      stores.node(of: $0) == home && region.hasPeer(on: $0)
    } by: {
      stores.bandwidthRatio($0)
    }
    if let peer { return [PlannedStep(kind: .transferLeader, store: peer)] }
    let new = stores.best {
      stores.node(of: $0) == home
    } by: {
      stores.bandwidthRatio($0)
    }
    guard let new, let worst = worstFollower(region, stores) else { return [] }
    return [
      PlannedStep(kind: .addPeer, store: new), PlannedStep(kind: .transferLeader, store: new),
      PlannedStep(kind: .removePeer, store: worst),
    ]
  }

  private func hasSmallNeighbour(_ region: Reference<Region>, _ mutator: Mutator) -> Bool {
    let tree = self.tree.get(mutator)!
    guard let place = place(of: region, in: tree), let next = tree.next(place) else { return false }
    return model.canMerge(Int(region.number), Int(tree[next]!.number))
  }

  /// A peer whose store leads fewer regions, where this one's leads a tenth more than the mean.
  private func lessLoadedLeader(_ region: Reference<Region>, _ stores: Stores) -> Int? {
    let leaders = stores.loads.leaders
    let mean = leaders.reduce(0, +) / stores.count
    guard leaders[Int(region.leader!.store)] > mean + mean / 10 + 1 else { return nil }
    return stores.best {
      region.hasPeer(on: $0) && leaders[$0] < mean
    } by: {
      -Double(leaders[$0])
    }
  }

  /// The worst follower to a store that has much more bandwidth free, and will have; under `affinity` one of the same node.
  private func balance(_ region: Reference<Region>, _ stores: Stores) -> [PlannedStep] {
    guard let worst = worstFollower(region, stores) else { return [] }
    let better = stores.best { store in
      !region.hasPeer(on: store) && (stores.placement == .spread || stores.node(of: store) == stores.node(of: worst))
    } by: {
      stores.bandwidthRatio($0)
    }
    let flow = stores.loads.flow
    guard let better, stores.bandwidthRatio(better) > Self.worthMoving * stores.bandwidthRatio(worst),
      flow[better] + region.flow < flow[worst] - region.flow
    else { return [] }
    return [PlannedStep(kind: .addPeer, store: better), PlannedStep(kind: .removePeer, store: worst)]
  }

  // MARK: Operators

  /// Does the next step of an operator, if the region is as it left it.
  func carryOut(
    _ op: Reference<Operator>, at now: Int, _ stores: Stores, _ mutator: Mutator
  ) throws(OutOfMemory) {
    let number = Int(op.region)
    let tree = self.tree.get(mutator)!
    guard let region = numbered.get(mutator)![number], region.epoch == op.epoch,
      region.configuration == op.configuration, let place = place(of: region, in: tree)
    else { return drop(number) }
    let step = op.steps![Int(op.stepsDone)]!
    guard try carryOut(step.kind, Int(step.store), on: region, at: place, stores, mutator) else { return drop(number) }
    op.stepsDone += 1
    guard Int(op.stepsDone) < op.steps!.count else {
      isAwaited[number] = false
      return
    }
    op.epoch = model.facts[number].epoch
    op.configuration = model.facts[number].configuration
    op.due = now + Timetable.step
    queue.get(mutator)!.add(op)
  }

  private func drop(_ number: Int) {
    counts.dropped += 1
    isAwaited[number] = false
  }

  /// Where a region of the driver's stands in its tree; nil for one that is no more.
  private func place(of region: Reference<Region>, in tree: Reference<RegionTree>) -> TreePlace? {
    let place = region.startKey!.withBytes { tree.place(of: UnsafeRawBufferPointer($0)) }
    return place.flatMap { tree[$0] == region ? $0 : nil }
  }

  /// Does a step, after which the region is heard from; false where it cannot be done any more.
  private func carryOut(
    _ kind: StepKind, _ store: Int, on region: Reference<Region>, at place: TreePlace, _ stores: Stores,
    _ mutator: Mutator
  ) throws(OutOfMemory) -> Bool {
    let number = Int(region.number)
    let (peers, leader) = (model.facts[number].peers, model.facts[number].leader)
    switch kind {
    case .transferLeader:
      guard peers.contains(store), store != stores.down, store != leader else { return false }
      change { $0.lead(number, store) }
      counts.transfers += 1
    case .addPeer:
      guard !peers.contains(store), peers.count < PeerStores.most, store != stores.down else { return false }
      change { $0.addPeer(number, store) }
      counts.peersAdded += 1
    case .removePeer:
      guard peers.contains(store), store != leader, peers.count > PeerStores.usual else { return false }
      change { $0.removePeer(number, store) }
      counts.peersRemoved += 1
    case .split:
      guard model.canSplit(number) else { return false }
      try split(number, at: place, stores, mutator)
      return true
    case .merge:
      return try merge(number, at: place, stores, mutator)
    }
    try hear(from: number, at: place, stores, mutator)
    return true
  }

  private func split(
    _ number: Int, at place: TreePlace, _ stores: Stores, _ mutator: Mutator
  ) throws(OutOfMemory) {
    let upper = change { $0.split(number) }
    try hear(from: number, at: place, stores, mutator)
    try introduce(upper, after: place, mutator)
    counts.splits += 1
  }

  private func merge(
    _ number: Int, at place: TreePlace, _ stores: Stores, _ mutator: Mutator
  ) throws(OutOfMemory) -> Bool {
    let tree = self.tree.get(mutator)!
    guard let next = tree.next(place), let neighbour = tree[next], model.canMerge(number, Int(neighbour.number)) else {
      return false
    }
    let right = Int(neighbour.number)
    change { $0.merge(number, right) }
    tree.remove(next)
    numbered.get(mutator)![right] = nil
    try hear(from: number, at: place, stores, mutator)
    if numbered.get(mutator)![number]!.version <= neighbour.version { faults += 1 }
    counts.merges += 1
    return true
  }
}
