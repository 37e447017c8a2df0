// What follows from the machine's nodes and the settings: which nodes a heap takes memory from, which of them is home to a thread, where the
// collector's threads are bound. Pure, so that a copied tree of another machine can be asked.
//
// A heap numbers its nodes 0, 1, 2... : those that have memory and that the process's cpuset allows. Where that leaves one, there is
// nothing to choose, and the heap does all it does for several nodes for none. A node that has processors only is at home in the nearest one
// with memory.

public import TricolorPacing
public import TricolorPlatform

/// How a heap places its memory and its threads on this machine.
public struct PlacementPlan: Sendable, Equatable {
  /// The kernel's numbers of the nodes that memory comes from, ascending; at least one.
  public let nodes: [Int]
  /// The processors that the process may use on each of them, those of nodes without memory that are nearest to it included.
  public let processors: [ProcessorSet]
  /// For each node all nodes, by index, nearest first: itself at the front.
  let nearest: [[Int]]
  /// The index of the node that is home to threads on a node of the kernel's.
  let homes: [Int: Int]
  let policy: NUMAPolicy
  private(set) var binding: ProcessorBinding
  private let topology: Topology
  private let allowed: ProcessorSet?

  static let numaName = "TRICOLOR_NUMA"

  /// The most nodes that memory comes from; of more, the last are left alone.
  static let mostNodes = 64

  /// - Parameters:
  ///   - settings: the policy, the binding and `GOMAXPROCS` are read.
  ///   - topology: the machine's.
  ///   - allowed: the processors the process may use; nil where the kernel does not tell, and then all.
  /// - Throws: for a node that no memory may be taken from, or processors that may not be used.
  public init(settings: Settings, topology: Topology, allowed: ProcessorSet?) throws(SettingsError) {
    self.topology = topology
    self.allowed = allowed
    policy = settings.numa
    binding = settings.binding
    let all = topology.memoryNodes.map(\.id)
    nodes = all.isEmpty ? [topology.nodes[0].id] : Array(all.prefix(PlacementPlan.mostNodes))
    let index = Dictionary(uniqueKeysWithValues: nodes.enumerated().map { ($1, $0) })
    nearest = nodes.map { topology.memoryNodes(nearest: $0).compactMap { index[$0] } }
    var homes: [Int: Int] = [:]
    var processors = nodes.map { _ in ProcessorSet() }
    for node in topology.nodes {
      let home = topology.memoryNodes(nearest: node.id).compactMap { index[$0] }.first ?? 0
      homes[node.id] = home
      for processor in node.processors.processors where allowed?.contains(processor) ?? true {
        _ = processors[home].insert(processor)
      }
    }
    self.homes = homes
    self.processors = processors
    try PlacementPlan.check(settings, nodes, allowed)
  }

  private static func check(_ settings: Settings, _ nodes: [Int], _ allowed: ProcessorSet?) throws(SettingsError) {
    if case .node(let node) = settings.numa, !nodes.contains(node) {
      let list = nodes.map { "node:\($0)" }.joined(separator: ", ")
      throw SettingsError(
        name: numaName, value: "\(settings.numa)", allowed: "one of the nodes this process may use: \(list)")
    }
    if case .processors(let list) = settings.binding, let allowed,
      let wrong = list.first(where: { !allowed.contains($0) })
    {
      throw SettingsError(
        name: "TRICOLOR_BIND", value: "\(wrong)", allowed: "the processors this process may use: \(allowed)")
    }
  }

  /// The plan for the same machine under other settings. Errors as of `init`.
  func following(_ settings: Settings) throws(SettingsError) -> PlacementPlan {
    try PlacementPlan(settings: settings, topology: topology, allowed: allowed)
  }

  /// The plan for this machine.
  ///
  /// - Throws: as `init`, and when the system's files cannot be understood.
  public static func current(_ settings: Settings) throws(HeapError) -> PlacementPlan {
    let topology: Topology
    do throws(PlatformError) {
      topology = try Topology.current()
    } catch {
      throw .platform(error)
    }
    do throws(SettingsError) {
      return try PlacementPlan(settings: settings, topology: topology, allowed: ProcessorSet.allowed())
    } catch {
      throw .setting(error)
    }
  }

  /// Which processors each of `count` collector threads is bound to, the collector thread itself first; nil for none.
  ///
  /// With `nodes`, threads go where the most processors are without one; with a list, that holds among the processors on the list.
  public func threads(_ count: Int) -> [ProcessorSet?] {
    let usable: [ProcessorSet]
    switch binding {
    case .off: return Array(repeating: nil, count: count)
    case .nodes: usable = processors
    case .processors(let list): usable = processors.map { set in ProcessorSet(set.processors.filter(list.contains)) }
    }
    var left = usable.map(\.count)
    return (0..<count).map { _ in
      let best = left.indices.max { left[$0] < left[$1] } ?? 0
      left[best] -= 1
      return usable[best].count > 0 ? usable[best] : usable.first { $0.count > 0 }
    }
  }

  /// How many of `count` collector threads are near each node: bound there, or, where they go where the system puts them, in proportion to
  /// the processors.
  public func threadsPerNode(_ count: Int) -> [Int] {
    var plan = self
    if binding == .off { plan.binding = .nodes }
    let sets = plan.threads(count)
    return processors.map { own in sets.count { set in set.map { $0.processors.allSatisfy(own.contains) } ?? false } }
  }

  /// What an operator should know: settings that the machine does not give, memory far from the processors.
  ///
  /// - Parameters:
  ///   - maxProcessors: `GOMAXPROCS`.
  ///   - available: processors the process may use, a fraction under a quota.
  ///   - canPlace: whether the kernel places memory.
  public func warnings(
    maxProcessors: Int?, available: Double, canPlace: Bool = Topology.hasMemoryPolicies
  ) -> [String] {
    var found: [String] = []
    if let maxProcessors, Double(maxProcessors) > available {
      found.append("GOMAXPROCS=\(maxProcessors) is more than this process may use; it plans with \(available)")
    }
    let used = zip(nodes, processors).filter { $0.1.count > 0 }.map(\.0)
    if nodes.count > 1, used.count == 1 {
      found.append(
        "all processors of this process are near node \(used[0]), and it may take memory from nodes \(PlacementPlan.list(nodes)): "
          + "what does not fit on node \(used[0]) will be remote")
    }
    for node in topology.nodes where node.processors.processors.contains(where: isUsed) {
      guard node.memoryBytes == 0 || !node.isAllowed else { continue }
      let reason = node.memoryBytes == 0 ? "has no memory" : "may not give it memory (cpuset)"
      found.append(
        "processors of node \(node.id) are used, which \(reason): its threads take memory from node \(nodes[homes[node.id] ?? 0])"
      )
    }
    if nodes.count > 1, !canPlace {
      found.append("the kernel refuses to place memory: pages lie where they are first touched")
    }
    return found
  }

  /// The memory of each node, in bytes.
  var memoryBytes: [Int64] { nodes.map { node in topology.nodes.first { $0.id == node }?.memoryBytes ?? 0 } }

  private func isUsed(_ processor: Int) -> Bool { processors.contains { $0.contains(processor) } }

  private static func list(_ numbers: [Int]) -> String { numbers.map { "\($0)" }.joined(separator: ", ") }
}

extension Heap {
  /// Bytes of an arena: the piece of the address range that lies on one node.
  public static var arenaBytes: Int { Geometry.arenaBytes }

  /// How many threads a heap's collector has: itself, and workers for the processors beside it.
  ///
  /// - Parameters:
  ///   - settings: the binding and `GOMAXPROCS` are read.
  ///   - available: processors the process may use, a fraction under a quota.
  public static func collectorThreads(_ settings: Settings, _ available: Double) -> Int {
    var usable = Int(HeapServices.planned(settings, available: available).rounded(.up))
    if case .processors(let list) = settings.binding { usable = min(usable, list.count) }
    return max(2, usable)
  }
}
