// regions: a placement driver for a store that is divided into regions, on a machine with several NUMA nodes. Heartbeats that replace every region's
// objects every few seconds, schedule ticks with operators, and logs that are written on the leaders' nodes, under two placements of leaders: on the
// node of the driver that hears from the region, and anywhere. After the article on scheduling with TiKV's placement driver.
//
// On a machine with one node there is nothing to place, so nodes are made up, which the report says wherever it has anything to say of nodes.
// Time is simulated; the history of all regions follows from seed, nodes and ticks alone, whatever the threads.

import Harness
@_spi(Simulation) import Tricolor
import TricolorPlatform

/// `tricolor run regions`.
public struct RegionWorkload: Workload {
  public static let name = "regions"
  public static let summary =
    "a placement driver of 100 000 regions on NUMA nodes: heartbeats, operators, logs, leaders near and far"
  public static let kinds = RegionKind.allCases.map(\.name)
  public static let mostThreads = 64
  public static var options: [any AnyWorkloadOption] { RegionOptions.table }

  private let settings: RegionOptions

  public init(options: OptionValues) throws(UsageError) { settings = try RegionOptions(options) }

  init(_ settings: RegionOptions) { self.settings = settings }

  public var simulatedNodes: Int? {
    get throws {
      if let asked = settings.simulatedNodes { return asked }
      let usable = NodeMap.usable(try Topology.current(), allowed: ProcessorSet.allowed())
      return usable.count > 1 ? nil : RegionOptions.usualSimulatedNodes
    }
  }

  public func run(_ context: RunContext) throws -> WorkloadResult {
    let nodes =
      try simulatedNodes.map { NodeMap(simulated: $0) }
      ?? NodeMap(try Topology.current(), allowed: ProcessorSet.allowed())
    try settings.check(nodes: nodes.count)
    if context.heap.configuration.numa == .off {
      throw UsageError(option: "TRICOLOR_NUMA", value: "off", allowed: "local, interleave or node:N with this workload")
    }
    var figures: [PlacementFigures] = []
    let placements = settings.placement.placements
    for (number, placement) in placements.enumerated() where !context.isInterrupted {
      if let part = try run(placement, nodes, context, left: placements.count - number) { figures.append(part) }
      context.heap.collect()
    }
    let all = RegionFigures(nodes: nodes, settings: settings, placements: figures)
    return WorkloadResult(verified: all.faults == 0, figures: all.json)
  }

  /// A cluster from its making to its check; nil where the user interrupts before it is made. `left` placements share what is left of the run.
  private func run(
    _ placement: LeaderPlacement, _ nodes: NodeMap, _ context: RunContext, left: Int
  ) throws -> PlacementFigures? {
    context.phase("load, \(placement.rawValue)")
    let cluster = try RegionCluster(placement, nodes: nodes, settings: settings, context: context)
    try cluster.load(context)
    if context.isInterrupted { return nil }
    context.restartDuration()
    context.phase(placement.rawValue)
    let (began, operations) = (Clock.monotonic(), context.operations)
    let lastTick = settings.seconds * Timetable.ticksInSecond
    let parts = settings.placement.placements.count
    let (faults, checksum) = try cluster.run(context, isLast: left == 1) { ticks in
      if context.shouldStop { return true }
      switch context.extent {
      case .natural: return ticks >= lastTick
      case .nanoseconds(let all): return Clock.monotonic() - began >= all / UInt64(parts)
      case .operations(let all): return context.operations - operations >= (all - operations) / left
      }
    }
    return PlacementFigures(cluster, faults: faults, checksum: checksum)
  }
}
