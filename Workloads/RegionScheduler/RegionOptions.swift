// The region scheduler's own options.

import Harness
@_spi(Simulation) import Tricolor

/// What leaders are placed by.
enum LeaderPlacement: String, CaseIterable, Sendable {
  /// On the node whose placement driver hears from the region; followers weighted by bandwidth over penalty.
  case affinity
  /// Wherever there are the fewest; nodes are not looked at.
  case spread
}

/// Which placements a run goes through, one after the other.
enum PlacementChoice: String, CaseIterable, Sendable {
  case both, affinity, spread

  var placements: [LeaderPlacement] {
    switch self {
    case .both: [.affinity, .spread]
    case .affinity: [.affinity]
    case .spread: [.spread]
    }
  }
}

/// What a `regions` run works with.
struct RegionOptions: Sendable {
  var regions = 100_000
  var stores = 30
  var placement = PlacementChoice.both
  /// Simulated seconds for each placement, when neither --duration nor --operations is given.
  var seconds = 30
  /// Nil for the machine's own nodes where it has several, else `usualSimulatedNodes`.
  var simulatedNodes: Int?
  /// What a line of 64 bytes takes to read from memory of the own node, for the penalty of one from another.
  var lineNanoseconds = 5.0

  static let usualSimulatedNodes = 4

  init() {}

  private static let defaults = RegionOptions()
  static let regionsOption = WorkloadOption.integer(
    "regions", 8...10_000_000, default: defaults.regions, help: "regions at the start, over all nodes")
  static let storesOption = WorkloadOption.integer(
    "stores", 6...1000, default: defaults.stores, help: "stores, over all nodes in turn; at least three a node")
  static let placementOption = WorkloadOption.choice(
    "placement", default: defaults.placement, help: "where leaders go: each half of the run by one, or all by one")
  static let secondsOption = WorkloadOption.integer(
    "seconds", 1...1_000_000, default: defaults.seconds,
    help: "simulated seconds for each placement, without --duration and --operations")
  static let simulatedNodesOption = WorkloadOption<Int?>(
    "simulated-nodes", placeholder: "N", help: "make up N nodes, whatever the machine has",
    allowed: "2 to \(Heap.mostSimulatedNodes)", default: nil,
    defaultText: "the machine's own; \(usualSimulatedNodes) where it has one"
  ) { text in
    guard let nodes = Int(text), (2...Heap.mostSimulatedNodes).contains(nodes) else { return nil }
    return nodes
  }
  static let lineOption = WorkloadOption.number(
    "line-nanoseconds", 0...1000, default: defaults.lineNanoseconds,
    help: "on made-up nodes: what 64 bytes of the own node's memory take to read")
  static let table: [any AnyWorkloadOption] = [
    regionsOption, storesOption, placementOption, secondsOption, simulatedNodesOption, lineOption,
  ]

  /// The options as typed.
  ///
  /// - Throws: for a value out of bounds.
  init(_ values: OptionValues) throws(UsageError) {
    regions = try values.value(of: Self.regionsOption)
    stores = try values.value(of: Self.storesOption)
    placement = try values.value(of: Self.placementOption)
    seconds = try values.value(of: Self.secondsOption)
    simulatedNodes = try values.value(of: Self.simulatedNodesOption)
    lineNanoseconds = try values.value(of: Self.lineOption)
  }

  /// Checks what depends on how many nodes there are.
  ///
  /// - Throws: for fewer stores or regions than so many nodes can have.
  func check(nodes: Int) throws(UsageError) {
    if stores < 3 * nodes {
      throw UsageError(option: "--stores", value: "\(stores)", allowed: "three or more for each of \(nodes) nodes")
    }
    if regions < 2 * nodes {
      throw UsageError(option: "--regions", value: "\(regions)", allowed: "two or more for each of \(nodes) nodes")
    }
  }
}
