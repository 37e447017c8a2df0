// All placement drivers under one placement of leaders, tick by tick: first every driver works, then every node appends what was posted for it, then
// all go on to the next tick. What drivers share changes only where all meet.

import Harness
import Synchronization
import Tricolor
import TricolorPlatform

/// Drivers and stores of one half of a run.
final class RegionCluster: Sendable {
  private static let keys: UInt64 = 1 << 48

  let placement: LeaderPlacement
  let nodes: NodeMap
  let drivers: [PlacementDriver]
  nonisolated(unsafe) private(set) var ticks = 0
  nonisolated(unsafe) private var stores: Stores
  nonisolated(unsafe) private var isOver = false
  /// Of all ticks; nil before their end.
  nonisolated(unsafe) private(set) var shares: HeapShares? = nil

  init(
    _ placement: LeaderPlacement, nodes: NodeMap, settings: RegionOptions, context: RunContext
  ) throws {
    self.placement = placement
    self.nodes = nodes
    stores = Stores(count: settings.stores, nodes: nodes, placement: placement)
    drivers = try context.heap.withMutator { mutator in
      try (0..<nodes.count).map { home in
        let share =
          RegionCluster.keys * UInt64(home) / UInt64(nodes.count)..<RegionCluster.keys * UInt64(home + 1)
          / UInt64(nodes.count)
        return try PlacementDriver(
          home: home, share: share, nodes: nodes, settings: settings, seed: context.seed, mutator)
      }
    }
  }

  /// What all drivers' regions put on the stores.
  private var loads: StoreLoads {
    var loads = StoreLoads(stores: stores.count)
    for driver in drivers { loads.add(driver.model.loads) }
    return loads
  }

  private func own(_ client: Client, _ context: RunContext) -> [PlacementDriver] {
    drivers.filter { $0.home % context.threads == client.index }
  }

  /// Makes the regions of all drivers; not all where the user interrupts.
  func load(_ context: RunContext) throws {
    try context.runClients { client, mutator in
      for driver in self.own(client, context) {
        try self.nodes.sit(on: driver.home, mutator)
        try driver.load(self.stores, mutator) { context.isInterrupted }
      }
    }
    let loads = self.loads
    stores.setCapacity(totalFlow: loads.flow.reduce(0, +))
    stores.advance(to: 0, loads)
  }

  /// Ticks until `isOver` says so, asked after each; then checks. How much is wrong, and a checksum of everything.
  ///
  /// - Parameter isLast: whether measuring ends with this.
  func run(
    _ context: RunContext, isLast: Bool, until isOver: @escaping @Sendable (_ ticks: Int) -> Bool
  ) throws -> (faults: Int, checksum: UInt64) {
    let before = context.heap.statistics
    let worked = TickBarrier(count: context.threads) {}
    let appended = TickBarrier(count: context.threads) {
      self.ticks += 1
      self.stores.advance(to: self.ticks, self.loads)
      self.isOver = isOver(self.ticks)
      if self.isOver { self.shares = HeapShares(from: before, to: context.heap.statistics) }
    }
    let parts = try context.runClients { client, mutator in
      let own = self.own(client, context)
      do {
        defer {
          worked.leave()
          appended.leave()
        }
        try self.tick(own, client, worked, appended, mutator)
      }
      if isLast { client.endMeasuring(mutator) }
      return own.map { ($0.home, $0.check(mutator)) }
    }
    return sum(parts.flatMap { $0 })
  }

  private func tick(
    _ own: [PlacementDriver], _ client: Client, _ worked: TickBarrier, _ appended: TickBarrier, _ mutator: Mutator
  ) throws {
    if let only = own.first { try nodes.sit(on: only.home, mutator) }
    while !isOver {
      for driver in own {
        if own.count > 1 { try nodes.sit(on: driver.home, mutator) }
        try driver.work(at: ticks, stores, client, mutator)
      }
      worked.meet(mutator)
      for driver in own {
        if own.count > 1 { try nodes.sit(on: driver.home, mutator) }
        try driver.append(from: drivers, client, mutator)
      }
      appended.meet(mutator)
    }
  }

  /// Checks of all drivers together, in the order of nodes; and what was posted is what was appended.
  private func sum(_ parts: [(home: Int, check: (faults: Int, checksum: UInt64))]) -> (faults: Int, checksum: UInt64) {
    var (faults, checksum, posted, appended) = (0, UInt64(0), UInt64(0), UInt64(0))
    for part in parts.sorted(by: { $0.home < $1.home }) {
      faults += part.check.faults
      checksum = Checksum.combine(checksum, part.check.checksum)
      posted &+= drivers[part.home].postedSum
      appended &+= drivers[part.home].log.sum
    }
    let entries = drivers.reduce(0) { $0 + $1.counts.entries }
    let isAppended = posted == appended && entries == drivers.reduce(0) { $0 + $1.log.costs.count }
    return (faults + (isAppended ? 0 : 1), Checksum.combine(checksum, appended))
  }
}

/// Where the heap's memory lay in a part of a run, by the heap's own account. Bytes.
struct HeapShares: Sendable {
  let allocatedBytes: Int
  let remoteAllocatedBytes: Int
  let markedBytes: Int
  let remoteMarkedBytes: Int
  let cycles: Int
  let seconds: Double

  init(from before: HeapStatistics, to after: HeapStatistics) {
    allocatedBytes = after.allocatedBytes - before.allocatedBytes
    remoteAllocatedBytes = after.nodes.remoteAllocatedBytes - before.nodes.remoteAllocatedBytes
    markedBytes = after.markedBytes - before.markedBytes
    remoteMarkedBytes = after.nodes.remoteMarkedBytes - before.nodes.remoteMarkedBytes
    cycles = after.cycles - before.cycles
    seconds = Double(after.elapsedNanoseconds - before.elapsedNanoseconds) / 1e9
  }
}
