// What follows from the nodes of a machine and the settings: on machines that are copied trees.

import FixtureTrees
import Testing
import TricolorPacing
import TricolorPlatform

@testable import Tricolor

@Suite("A plan of placement")
struct PlacementPlanTests {
  private struct NodeFiles {
    let id: Int
    let processors: String
    let mebibytes: Int
    let distances: String
  }

  private func topology(_ nodes: [NodeFiles], online: String, allowed: String? = nil) throws -> Topology {
    var files = ["sys/devices/system/node/online": online + "\n"]
    for node in nodes {
      let directory = "sys/devices/system/node/node\(node.id)"
      files["\(directory)/cpulist"] = node.processors + "\n"
      files["\(directory)/distance"] = node.distances + "\n"
      files["\(directory)/meminfo"] = "Node \(node.id) MemTotal:  \(node.mebibytes << 10) kB\n"
    }
    if let allowed { files["proc/self/status"] = "Mems_allowed_list:\t\(allowed)\n" }
    let tree = FixtureTree(files)
    return try Topology.current(sysRoot: tree.sysRoot, procRoot: tree.procRoot)
  }

  /// Nodes 0 and 1 in full, 4 without memory, 6 without processors; 5 is offline and not there.
  private func odd(allowed: String? = nil) throws -> Topology {
    try topology(
      [
        NodeFiles(id: 0, processors: "0-3", mebibytes: 1000, distances: "10 21 31 17"),
        NodeFiles(id: 1, processors: "4-7", mebibytes: 1000, distances: "21 10 15 31"),
        NodeFiles(id: 4, processors: "8-9", mebibytes: 0, distances: "31 15 10 31"),
        NodeFiles(id: 6, processors: "", mebibytes: 4000, distances: "17 31 31 10"),
      ], online: "0-1,4,6", allowed: allowed)
  }

  private func plan(
    _ topology: Topology, allowed: String = "0-9", _ change: (inout Settings) -> Void = { _ in }
  ) throws -> PlacementPlan {
    var settings = Settings()
    change(&settings)
    let processors: ProcessorSet = try #require(ProcessorSet(list: allowed))
    return try PlacementPlan(settings: settings, topology: topology, allowed: processors)
  }

  @Test("nodes with memory count, and processors without are at home in the nearest of them")
  func homes() throws {
    let plan = try plan(odd())
    #expect(plan.nodes == [0, 1, 6])
    #expect(plan.processors.map(\.description) == ["0-3", "4-9", ""])
    #expect(plan.homes == [0: 0, 1: 1, 4: 1, 6: 2])
    #expect(plan.nearest == [[0, 2, 1], [1, 0, 2], [2, 0, 1]])
  }

  @Test("nodes that the cpuset forbids are none, and what is left of one is one")
  func restricted() throws {
    #expect(try plan(odd(allowed: "1,6")).nodes == [1, 6])
    let one = try plan(odd(allowed: "1"))
    #expect(one.nodes == [1])
    #expect(one.homes == [0: 0, 1: 0, 4: 0, 6: 0])
    #expect(one.processors.map(\.description) == ["0-9"])
  }

  @Test("a node without memory that may be used, or processors that may not, are refused with what is allowed")
  func refused() throws {
    for (node, isAllowed) in [(0, true), (1, true), (4, false), (6, true), (5, false), (1000, false)] {
      if isAllowed {
        #expect(try plan(odd()) { $0.numa = .node(node) }.nodes == [0, 1, 6])
      } else {
        let error = #expect(throws: SettingsError.self) { try plan(odd()) { $0.numa = .node(node) } }
        #expect(error?.description.contains("node:\(node)") ?? false)
        #expect(error?.description.contains("node:0, node:1, node:6") ?? false)
      }
    }
    #expect(throws: SettingsError.self) { try plan(odd(allowed: "0")) { $0.numa = .node(1) } }
    let error = #expect(throws: SettingsError.self) {
      try plan(odd(), allowed: "0-3") { $0.binding = .processors([2, 3, 4]) }
    }
    #expect(error?.value == "4")
    #expect(error?.allowed.contains("0-3") ?? false)
  }

  @Test("threads go to nodes by processors, and to processors on the list alone")
  func threads() throws {
    func bound(_ count: Int, allowed: String = "0-9", _ binding: ProcessorBinding) throws -> [String?] {
      try plan(odd(), allowed: allowed) { $0.binding = binding }.threads(count).map { $0?.description }
    }
    #expect(try bound(3, .off) == [nil, nil, nil])
    let nodes = try bound(10, .nodes)
    #expect(nodes.filter { $0 == "0-3" }.count == 4)
    #expect(nodes.filter { $0 == "4-9" }.count == 6)
    #expect(try bound(2, allowed: "0,1", .nodes) == ["0-1", "0-1"])
    #expect(try bound(3, .processors([3, 4, 5])) == ["4-5", "3", "4-5"])
    #expect(try bound(2, .processors([8])) == ["8", "8"])
    #expect(try plan(odd()).threadsPerNode(5) == [2, 3, 0])
  }

  @Test("an operator is warned of too many processors, of memory out of reach, and of nodes that give none")
  func warnings() throws {
    func warnings(
      allowed: String, mems: String? = nil, maxProcessors: Int? = nil, canPlace: Bool = true
    ) throws -> [String] {
      try plan(odd(allowed: mems), allowed: allowed)
        .warnings(maxProcessors: maxProcessors, available: 4, canPlace: canPlace)
    }
    #expect(try warnings(allowed: "0-7") == [])
    let many = try warnings(allowed: "0-7", maxProcessors: 8)
    #expect(many.count == 1 && many[0].contains("GOMAXPROCS=8"))
    #expect(try warnings(allowed: "0-7", maxProcessors: 4) == [])
    #expect(try warnings(allowed: "0-7", canPlace: false).count == 1)
    #expect(try warnings(allowed: "0-7", mems: "1", canPlace: false).count == 1, "one node needs no placing")
    let near = try warnings(allowed: "0-3")
    #expect(near.count == 1 && near[0].contains("near node 0") && near[0].contains("0, 1, 6"))
    let memoryless = try warnings(allowed: "0-9")
    #expect(memoryless.count == 1 && memoryless[0].contains("node 4") && memoryless[0].contains("from node 1"))
    let elsewhere = try warnings(allowed: "0-3", mems: "1")
    #expect(elsewhere.count == 1 && elsewhere[0].contains("node 0") && elsewhere[0].contains("cpuset"))
  }

  @Test("of more nodes than a heap tells apart, the last are left alone")
  func many() throws {
    let plan = try plan(Topology.ring(100, memoryBytes: 1 << 30))
    #expect(plan.nodes == Array(0..<64))
    #expect(plan.homes.values.allSatisfy { $0 < 64 })
    #expect(plan.nearest.allSatisfy { $0.count == 64 && Set($0).count == 64 })
  }
}
