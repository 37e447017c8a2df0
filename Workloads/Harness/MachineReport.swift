// `tricolor topology`: what the collector would plan with here: nodes, processors, the own control group and its limits, and the
// settings that follow from them and the environment.

import Tricolor
import TricolorPacing
import TricolorPlatform
import TricolorTelemetry

/// The machine as the process sees it.
public struct MachineReport: Sendable {
  public let topology: Topology
  public let processors: Processors
  public let group: MemoryGroup?
  public let settings: Settings
  /// Where a heap with these settings places its memory and its threads.
  public let placement: PlacementPlan
  /// Why no control group may be made, nil when one may.
  public let groupRefusal: String?

  /// Reads it all.
  ///
  /// - Throws: `PlatformError` when the system's files cannot be understood, `SettingsError` for nodes or processors that are not there.
  public init(settings: Settings, groupRefusal: String?) throws {
    topology = try Topology.current()
    placement = try PlacementPlan(settings: settings, topology: topology, allowed: ProcessorSet.allowed())
    processors = try Processors.current()
    group = try MemoryGroup.current()
    self.settings = settings
    self.groupRefusal = groupRefusal
  }

  private var limit: Int64? { settings.memoryLimit.resolve(cgroupLimit: group?.hardLimit()) }

  private var workloadLimit: (setting: MemoryLimit, bytes: Int64?) {
    let follows = settings.memoryLimit == .off && group?.hardLimit() != nil
    let setting = follows ? MemoryLimit.auto : settings.memoryLimit
    return (setting, setting.resolve(cgroupLimit: group?.hardLimit()))
  }
}

extension MachineReport {
  /// The object of `tricolor topology --json`.
  public var json: JSONValue {
    [
      "nodes": .array(topology.nodes.map(Self.json)),
      "processors": [
        "affinity": .integer(processors.affinity), "quota": processors.quota.map { .float($0) } ?? .null,
        "available": .float(processors.available), "planned": .integer(processors.planned),
      ], "cgroup": group.map(Self.json) ?? .null, "canMakeCgroup": .bool(groupRefusal == nil),
      "canMakeCgroupReason": groupRefusal.map { .string($0) } ?? .null,
      "settings": [
        "gogc": .optional(settings.gcPercent), "memoryLimit": .string("\(settings.memoryLimit)"),
        "limitBytes": Self.json(limit), "workloadMemoryLimit": .string("\(workloadLimit.setting)"),
        "workloadLimitBytes": Self.json(workloadLimit.bytes), "maxProcessors": .optional(settings.maxProcessors),
        "numa": .string("\(settings.numa)"), "bind": .string("\(settings.binding)"),
        "reserveBytes": .unsigned(settings.reserveBytes),
      ],
      "placement": [
        "nodes": .array(
          zip(placement.nodes, placement.processors).enumerated().map { place, node in
            [
              "id": .integer(node.0), "processors": .string("\(node.1)"), "workers": .integer(workersPerNode[place]),
            ]
          }), "arenaBytes": .integer(Heap.arenaBytes), "warnings": .array(warnings.map { .string($0) }),
      ],
    ]
  }

  private var warnings: [String] {
    placement.warnings(maxProcessors: settings.maxProcessors, available: processors.available)
  }

  /// The collector's threads near each node that memory comes from: bound there, or a share by processors where they are not.
  private var workersPerNode: [Int] { placement.threadsPerNode(Heap.collectorThreads(settings, processors.available)) }

  private static func json(_ node: Topology.Node) -> JSONValue {
    [
      "id": .integer(node.id), "processors": .string("\(node.processors)"),
      "memoryBytes": .integer(Int(node.memoryBytes)),
      "isAllowed": .bool(node.isAllowed), "distances": .array(node.distances.map { .integer($0) }),
    ]
  }

  private static func json(_ group: MemoryGroup) -> JSONValue {
    [
      "version": group.version == .v1 ? 1 : 2, "path": .string(group.directory),
      "bindingPath": .string(group.bindingDirectory), "limitBytes": json(group.hardLimit()),
      "highBytes": json(group.softLimit()), "usageBytes": json(group.usage()),
      "machineBytes": json(group.memoryTotal),
    ]
  }

  private static func json(_ bytes: Int64?) -> JSONValue { .optional(bytes.map { Int($0) }) }
}

extension MachineReport {
  /// Several lines for a person.
  public var text: String {
    var lines = ["NUMA nodes    \(topology.nodes.count)"]
    for node in topology.nodes {
      let memory = node.memoryBytes > 0 ? Figures.bytes(Int(node.memoryBytes)) : "no memory"
      lines.append(
        "  node \(node.id)      processors \(node.processors), \(memory)\(node.isAllowed ? "" : " (not allowed)"), "
          + "distances \(node.distances.map { "\($0)" }.joined(separator: " "))")
    }
    let quota = processors.quota.map { ", quota \(Figures.fixed($0, 2))" } ?? ""
    lines.append(
      "Processors    \(processors.affinity) allowed\(quota); the collector plans with "
        + Figures.fixed(processors.available, 2))
    lines += placementLines + groupLines + settingLines + warnings.map { "Warning       \($0)" }
    return lines.joined(separator: "\n") + "\n"
  }

  private var placementLines: [String] {
    if placement.nodes.count == 1 {
      return ["Placement     one node: memory and threads go where the system puts them"]
    }
    let policy =
      switch settings.numa {
      case .local: "each thread takes memory from its own node"
      case .interleave: "blocks of 16 KiB from all nodes in turn"
      case .node(let node): "all memory from node \(node)"
      case .off: "memory lies where it is first touched"
      }
    var lines = ["Placement     \(policy), in arenas of \(Figures.bytes(Heap.arenaBytes))"]
    for (place, node) in placement.nodes.enumerated() {
      lines.append(
        "  node \(node)      threads on processors \(placement.processors[place]) are at home, \(workersPerNode[place]) of the collector's"
      )
    }
    return lines
  }

  private var groupLines: [String] {
    var lines = ["Memory cgroup none to be seen"]
    if let group {
      let limit = group.hardLimit().map { Figures.bytes(Int($0)) } ?? "no limit"
      let usage = group.usage().map { ", \(Figures.bytes(Int($0))) used" } ?? ""
      lines = ["Memory cgroup \(group.directory) (version \(group.version == .v1 ? 1 : 2)): \(limit)\(usage)"]
      if group.bindingDirectory != group.directory { lines.append("              bound by \(group.bindingDirectory)") }
    }
    let possible = groupRefusal.map { "no: \($0)" } ?? "yes"
    return lines + ["  may make    \(possible)"]
  }

  private var settingLines: [String] {
    let gogc = settings.gcPercent.map { "\($0)" } ?? "off"
    let bytes = limit.map { " (\(Figures.bytes(Int($0))))" } ?? ""
    let own = workloadLimit
    let ownBytes = own.bytes.map { " (\(Figures.bytes(Int($0))))" } ?? ""
    return [
      "Settings      GOGC=\(gogc) GOMEMLIMIT=\(settings.memoryLimit)\(bytes) TRICOLOR_NUMA=\(settings.numa)",
      "  workloads   GOMEMLIMIT=\(own.setting)\(ownBytes)",
    ]
  }
}
