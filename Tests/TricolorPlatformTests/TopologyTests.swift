// NUMA topologies of other machines, from copied trees, and placement on this one.

import FixtureTrees
import Glibc
import Testing

@testable import TricolorPlatform

@Suite("Topology")
struct TopologyTests {
  private func topology(_ files: [String: String]) throws -> Topology {
    let tree = FixtureTree(files)
    return try Topology.current(sysRoot: tree.sysRoot, procRoot: tree.procRoot)
  }

  private func node(_ id: Int, cpus: String, kib: Int, distance: String) -> [String: String] {
    let directory = "sys/devices/system/node/node\(id)"
    return [
      "\(directory)/cpulist": cpus + "\n", "\(directory)/distance": distance + "\n",
      "\(directory)/meminfo": "\nNode \(id) MemTotal:       \(kib) kB\nNode \(id) MemFree:        1 kB\n",
    ]
  }

  @Test("One node has everything")
  func one() throws {
    var files = node(0, cpus: "0-1", kib: 1000, distance: "10")
    files["sys/devices/system/node/online"] = "0\n"
    let topology = try topology(files)
    #expect(topology.nodes.count == 1)
    #expect(topology.nodes[0].memoryBytes == 1_024_000)
    #expect(topology.node(ofProcessor: 1) == 0)
    #expect(topology.node(ofProcessor: 2) == nil)
    #expect(topology.memoryNodes(nearest: 0) == [0])
  }

  @Test("Two nodes share the processors and are farther from each other than from themselves")
  func two() throws {
    var files = node(0, cpus: "0-1,4-5", kib: 1000, distance: "10 21")
    files.merge(node(1, cpus: "2-3,6-7", kib: 2000, distance: "21 10")) { $1 }
    files["sys/devices/system/node/online"] = "0-1\n"
    let topology = try topology(files)
    #expect((0..<8).map { topology.node(ofProcessor: $0) } == [0, 0, 1, 1, 0, 0, 1, 1])
    #expect(topology.distance(from: 0, to: 1) == 21)
    #expect(topology.distance(from: 1, to: 1) == 10)
    #expect(topology.distance(from: 0, to: 2) == nil)
  }

  @Test("Of four nodes with gaps, without memory, without processors and forbidden, memory comes from the rest")
  func four() throws {
    var files = node(0, cpus: "0-1", kib: 1000, distance: "10 20 30 20")
    files.merge(node(2, cpus: "2-3", kib: 0, distance: "20 10 20 30")) { $1 }
    files.merge(node(4, cpus: "", kib: 3000, distance: "30 20 10 20")) { $1 }
    files.merge(node(8, cpus: "4-5", kib: 4000, distance: "20 30 20 10")) { $1 }
    files["sys/devices/system/node/online"] = "0,2,4,8\n"
    files["proc/self/status"] = "Name:\tx\nMems_allowed:\t1\nMems_allowed_list:\t0-2,4\n"
    let topology = try topology(files)
    #expect(topology.nodes.map(\.id) == [0, 2, 4, 8])
    #expect(topology.memoryNodes.map(\.id) == [0, 4])
    #expect(topology.nodes.map(\.isAllowed) == [true, true, true, false])
    #expect(topology.distance(from: 2, to: 8) == 30)
    #expect(topology.memoryNodes(nearest: 4) == [4, 0])
    #expect(topology.memoryNodes(nearest: 2) == [0, 4])
    #expect(topology.node(ofProcessor: 5) == 8)
  }

  @Test("A kernel without NUMA is one node with all processors and memory")
  func withoutNodes() throws {
    let topology = try topology([
      "sys/devices/system/cpu/online": "0-3\n", "proc/meminfo": "MemTotal:       5000 kB\n",
    ])
    #expect(topology.nodes.map(\.id) == [0])
    #expect(topology.nodes[0].processors.count == 4)
    #expect(topology.memoryNodes.map(\.memoryBytes) == [5_120_000])
  }

  @Test("A file that does not say what it should is named in the error")
  func broken() throws {
    var files = node(0, cpus: "0-1", kib: 1000, distance: "10 20")
    files["sys/devices/system/node/online"] = "0\n"
    let distances = #expect(throws: PlatformError.self) { try topology(files) }
    #expect(distances?.description.contains("node0/distance") == true)
    files["sys/devices/system/node/online"] = "zero\n"
    let online = #expect(throws: PlatformError.self) { try topology(files) }
    #expect(online?.description.contains("\"zero") == true)
  }

  @Test("This machine has a node with memory, and the calling thread runs on one of its nodes")
  func realMachine() throws {
    let topology = try Topology.current()
    #expect(!topology.memoryNodes.isEmpty)
    #expect(topology.nodes.contains { $0.id == AddressSpace.currentNode })
  }

  @Test("Memory bound to a node is found there")
  func binding() throws {
    let node = try #require(try Topology.current().memoryNodes.last).id
    guard Topology.hasMemoryPolicies else {
      print("SKIPPED: the kernel has no memory policies")
      return
    }
    let bytes = 16 * AddressSpace.pageSize
    let start = try AddressSpace.reserve(bytes: bytes, alignment: AddressSpace.pageSize)
    defer { AddressSpace.unreserve(start, bytes: bytes) }
    try AddressSpace.commit(start, bytes: bytes)
    try AddressSpace.bind(start, bytes: bytes, node: node)
    start.storeBytes(of: 1, as: UInt8.self)
    #expect(try AddressSpace.nodes(holding: [start, start + AddressSpace.pageSize]) == [node, nil])
    try AddressSpace.interleave(start, bytes: bytes, nodes: [node])
  }

  @Test("Binding to a node that does not exist is refused with its number")
  func absentNode() throws {
    let bytes = AddressSpace.pageSize
    let start = try AddressSpace.reserve(bytes: bytes, alignment: bytes)
    defer { AddressSpace.unreserve(start, bytes: bytes) }
    for node in [-1, 1023, 1024] {
      let error = #expect(throws: PlatformError.self) { try AddressSpace.bind(start, bytes: bytes, node: node) }
      #expect(error?.description.contains("\(node)") == true)
    }
  }
}
