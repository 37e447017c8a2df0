// Where the kernel really puts pages, on a machine with several nodes: after allocation, sweep, release and reuse, of objects and of side
// tables, under each policy; where the collector's threads are bound; what happens when a node is full or has no memory. Skipped on a
// machine with one node: make test-numa has others.

import Glibc
import Testing
import TricolorPacing
import TricolorPlatform

@_spi(Testing) @testable import Tricolor

private let mebibyte = 1 << 20

/// Half a page.
struct Sheet: Managed {
  static let slot = TypeSlot()
  var next: Reference<Sheet>?
  var words: InlineArray<255, Int>
}

/// The nodes of this machine.
enum Machine {
  static let topology = Result { try Topology.current() }
  static var nodes: [Topology.Node] {
    get throws { try topology.get().nodes }
  }
  static let hasSeveral: Bool = {
    guard case .success(let topology) = topology else { return false }
    return topology.memoryNodes.count > 1
  }()
  /// Nodes with memory and with a processor.
  static var full: [Topology.Node] {
    get throws { try topology.get().memoryNodes.filter { $0.processors.count > 0 } }
  }

  /// Runs `body` on a thread on the processors of `node`.
  @discardableResult
  static func run<Value: Sendable>(
    on node: Topology.Node, _ body: @escaping @Sendable () throws -> Value
  ) throws -> Value {
    try onOwnThread {
      try NativeThread.confineCurrent(to: node.processors)
      return try body()
    }
  }
}

/// Which nodes hold the pages of what a test looks at, by the kernel's own word.
struct Pages {
  var counts: [Int: Int] = [:]

  init(_ addresses: [UInt]) throws {
    let page = UInt(AddressSpace.pageSize)
    let pages = Set(addresses.map { $0 & ~(page - 1) }).sorted()
    for node in try AddressSpace.nodes(holding: pages.map { UnsafeMutableRawPointer(bitPattern: $0)! }) {
      if let node { counts[node, default: 0] += 1 }
    }
  }

  /// The pages of `bytes` from `start` on.
  init(_ start: UInt, bytes: Int) throws {
    try self.init(Array(stride(from: start, to: start + UInt(bytes), by: AddressSpace.pageSize)))
  }

  var nodes: Set<Int> { Set(counts.keys) }
  var all: Int { counts.values.reduce(0, +) }
}

@Suite("Pages and threads", .serialized, .enabled(if: Machine.hasSeveral, "SKIPPED: the machine has one NUMA node"))
struct PlacementTests {
  private func heap(_ change: (inout Settings) -> Void = { _ in }) throws -> Heap {
    var settings = Settings()
    settings.gcPercent = nil
    change(&settings)
    return try Heap(configuration: .init(settings: settings))
  }

  /// Makes a list of `kibibytes` / 2 sheets and answers a root of it and all their addresses.
  private static func makeList(
    _ m: Mutator, kibibytes: Int, onNode node: Int? = nil
  ) throws -> (Root<Sheet>, [UInt]) {
    var last: Reference<Sheet>? = nil
    var addresses: [UInt] = []
    for key in 0..<kibibytes / 2 {
      let sheet = Sheet(next: last, words: .init(repeating: key))
      last = try node.map { try m.make(sheet, onNode: $0) } ?? m.make(sheet)
      addresses.append(last!.word)
    }
    return (m.root(last), addresses)
  }

  @Test(
    "a thread's objects lie on its node: new, in swept blocks, in blocks given back, in pages released and touched again"
  )
  func local() throws {
    let heap = try heap()
    for node in try Machine.full {
      let id = node.id
      let first = try Machine.run(on: node) { try heap.withMutator { try Self.makeList($0, kibibytes: 8 << 10).1 } }
      #expect(try Pages(first).nodes == [id])
      // All dead: swept, torn down, and taken again.
      heap.collect()
      let second = try Machine.run(on: node) { try heap.withMutator { try Self.makeList($0, kibibytes: 8 << 10) } }
      #expect(try Pages(second.1).nodes == [id])
      #expect(Set(first).intersection(second.1).count > first.count / 2, "the same blocks")
      withExtendedLifetime(second.0) {}
    }
    // Pages go back to the system; whoever touches them next, they come from their arena's node.
    #expect(heap.releaseFreeMemory() > 0)
    let full = try Machine.full
    for (node, other) in zip(full, full.dropFirst() + full.prefix(1)) {
      let third = try Machine.run(on: other) {
        try heap.withMutator { try Self.makeList($0, kibibytes: 8 << 10, onNode: node.id).1 }
      }
      #expect(try Pages(third).nodes == [node.id])
    }
    #expect(heap.statistics.nodes.fallbackBytes == 0)
    #expect(heap.statistics.nodes.refusedPlacements == 0)
    #expect(heap.verify().isSound)
  }

  @Test("side tables lie with the arena they describe")
  func sideTables() throws {
    let heap = try heap()
    for node in try Machine.full {
      let (root, list) = try Machine.run(on: node) {
        try heap.withMutator { try Self.makeList($0, kibibytes: 4 << 10) }
      }
      heap.collect()
      let map = addressMap
      let arena = Int((list[0] - map.base) >> Geometry.arenaShift)
      let words = Geometry.blocksPerArena * Geometry.bitmapWordsPerBlock
      let tables: [(UInt, Int)] = [
        (UInt(bitPattern: map.markBits + arena * words), words * 8),
        (UInt(bitPattern: map.allocationBits + arena * words), words * 8),
        (
          UInt(bitPattern: map.descriptors + arena * Geometry.blocksPerArena),
          Geometry.blocksPerArena * MemoryLayout<BlockDescriptor>.stride
        ),
        (UInt(bitPattern: map.scanWords + arena * Geometry.blocksPerArena), Geometry.blocksPerArena * 8),
      ]
      for (start, bytes) in tables { #expect(try Pages(start, bytes: bytes).nodes == [node.id]) }
      withExtendedLifetime(root) {}
    }
  }

  @Test("a heap takes arenas over from one that placed them elsewhere")
  func arenasOfOthers() throws {
    let nodes = try Machine.full
    for (place, node) in nodes.enumerated() {
      // The heap before has returned its arenas, bound to the node before.
      let heap = try heap { $0.numa = .node(node.id) }
      let other = nodes[(place + 1) % nodes.count]
      let list = try Machine.run(on: other) { try heap.withMutator { try Self.makeList($0, kibibytes: 4 << 10).1 } }
      #expect(try Pages(list).nodes == [node.id])
    }
    let heap = try heap { $0.numa = .off }
    for node in nodes.reversed() {
      let large = try Machine.run(on: node) {
        try heap.withMutator { m in
          let bytes = try m.makeBytes(count: 8 * mebibyte)
          for i in stride(from: 0, to: bytes.count, by: 4096) { bytes[i] = 1 }
          return bytes.word
        }
      }
      // Where it was first touched; the huge page it shares with the one before was that one's.
      let pages = try Pages(large, bytes: 8 * mebibyte)
      #expect((pages.counts[node.id] ?? 0) > pages.all / 2, "\(pages.counts)")
    }
  }

  @Test("interleaved blocks, and spread objects, have as much on each node")
  func even() throws {
    let heap = try heap { $0.numa = .interleave }
    let nodes = try Topology.current().memoryNodes
    let list = try Machine.run(on: try Machine.full[0]) {
      try heap.withMutator { try Self.makeList($0, kibibytes: 12 << 10).1 }
    }
    let pages = try Pages(list)
    for node in nodes {
      let share = pages.all / nodes.count
      #expect((share - share / 8...share + share / 8).contains(pages.counts[node.id] ?? 0), "\(pages.counts)")
    }
    let (spread, bytes) = try heap.withMutator { m in
      let bytes = try m.makeSpreadBytes(count: 16 * mebibyte)
      for i in stride(from: 0, to: bytes.count, by: 4096) { bytes[i] = 1 }
      return (bytes.word, bytes.count)
    }
    let counts = try Pages(spread, bytes: bytes)
    let share = counts.all / nodes.count
    // The kernel may give huge pages, 512 of the small ones each, in turn.
    for node in nodes { #expect(abs((counts.counts[node.id] ?? 0) - share) <= 514, "\(counts.counts)") }
  }

  @Test("with TRICOLOR_BIND=nodes the collector's threads are bound to nodes, in proportion to processors")
  func binding() throws {
    let heap = try heap { $0.binding = .nodes }
    _ = try heap.withMutator { try Self.makeList($0, kibibytes: 1 << 10) }
    heap.collect()
    // Those of nodes without memory are at home in another one.
    let homes = try PlacementPlan.current(Settings()).processors.filter { $0.count > 0 }
    let sets = homes.map(\.description)
    var seen = try CollectorThreads.processors(of: "tricolor-gc", until: { $0.contains(where: sets.contains) })
    let workers = homes.map(\.count).reduce(0, +) - 1
    for index in stride(from: 1, through: max(1, workers), by: 1) {
      seen += try CollectorThreads.processors(
        of: "tricolor-mark-\(index)", until: { $0.contains(where: sets.contains) })
    }
    #expect(seen.allSatisfy(sets.contains), "\(seen)")
    #expect(Set(seen) == Set(sets), "\(seen)")
    #expect(seen.count >= 2)
  }

  @Test("marking by threads that are bound, of objects made on every node, counts what was local and remote")
  func marking() throws {
    let heap = try heap { $0.binding = .nodes }
    let roots = try Machine.full.map { node in
      try Machine.run(on: node) { try heap.withMutator { try Self.makeList($0, kibibytes: 16 << 10).0 } }
    }
    for _ in 0..<3 { heap.collect() }
    let statistics = heap.statistics
    #expect(statistics.nodes.arePlaced)
    #expect(statistics.nodes.remoteAllocatedBytes == 0)
    #expect((0..<statistics.markedBytes).contains(statistics.nodes.remoteMarkedBytes))
    #expect(heap.verify().isSound)
    withExtendedLifetime(roots) {}
  }

  @Test(
    "when a node is full the heap goes on with the nearest other, says so, and nobody is killed",
    .enabled(
      if: getenv("TRICOLOR_TEST_SMALL_NODE") != nil,
      "SKIPPED: TRICOLOR_TEST_SMALL_NODE names no node with little memory"))
  func exhausted() throws {
    let id = try #require(Int(String(cString: getenv("TRICOLOR_TEST_SMALL_NODE"))))
    let node = try #require(try Machine.full.first { $0.id == id })
    let heap = try heap()
    // A third more than the node has.
    let kibibytes = Int(node.memoryBytes >> 10) / 3 * 4
    let left = Int(try NodeMemory(node: id)?.leftBytes() ?? 0)
    let (root, list) = try Machine.run(on: node) {
      try heap.withMutator { try Self.makeList($0, kibibytes: kibibytes) }
    }
    let pages = try Pages(list)
    #expect(pages.all >= kibibytes / 4 - 1)
    #expect((pages.counts[id] ?? 0) << 12 > left / 2, "\(pages.counts), \(left) bytes were left")
    #expect(pages.nodes.count > 1)
    let statistics = heap.statistics.nodes
    #expect(statistics.fallbackBytes > 0)
    #expect(statistics.remoteAllocatedBytes > 0)
    heap.collect()
    #expect(heap.verify().isSound)
    withExtendedLifetime(root) {}
  }

  @Test(
    "a thread on a node without memory takes it from the nearest that has some",
    .enabled(
      if: (try? Machine.nodes.contains { $0.memoryBytes == 0 && $0.processors.count > 0 }) ?? false,
      "SKIPPED: every node has memory"))
  func memoryless() throws {
    let node = try #require(try Machine.nodes.first { $0.memoryBytes == 0 && $0.processors.count > 0 })
    let nearest = try #require(try Topology.current().memoryNodes(nearest: node.id).first)
    let heap = try heap()
    #expect(!heap.memoryNodes.contains(node.id))
    let list = try Machine.run(on: node) { try heap.withMutator { try Self.makeList($0, kibibytes: 4 << 10).1 } }
    #expect(try Pages(list).nodes == [nearest])
    #expect(heap.statistics.nodes.remoteAllocatedBytes == 0)
  }

  @Test(
    "a node of memory alone gives what is asked for on it",
    .enabled(
      if: (try? Machine.nodes.contains { $0.memoryBytes > 0 && $0.processors.count == 0 }) ?? false,
      "SKIPPED: every node has processors"))
  func memoryAlone() throws {
    let node = try #require(try Machine.nodes.first { $0.memoryBytes > 0 && $0.processors.count == 0 }).id
    let heap = try heap()
    let list = try heap.withMutator { try Self.makeList($0, kibibytes: 4 << 10, onNode: node).1 }
    #expect(try Pages(list).nodes == [node])
  }
}

/// In a cpuset: TRICOLOR_TEST_CPUSET is what its cpuset.mems says.
@Suite(
  "In a cpuset", .serialized,
  .enabled(if: getenv("TRICOLOR_TEST_CPUSET") != nil, "SKIPPED: TRICOLOR_TEST_CPUSET names no nodes"))
struct CpusetTests {
  private func allowed() throws -> [Int] {
    try #require(ProcessorSet(list: String(cString: getenv("TRICOLOR_TEST_CPUSET")))).processors
  }

  @Test("memory comes from the nodes that are allowed, and the others cannot be asked for")
  func restricted() throws {
    let allowed = try allowed()
    let heap = try Heap(configuration: .init())
    #expect(heap.memoryNodes == allowed)
    for node in try Topology.current().nodes.map(\.id) {
      var settings = Settings()
      settings.numa = .node(node)
      if allowed.contains(node) {
        _ = try Heap(configuration: .init(settings: settings))
      } else {
        #expect(throws: HeapError.self) { try Heap(configuration: .init(settings: settings)) }
      }
    }
    let bytes = try heap.withMutator { m in
      let bytes = try m.makeBytes(count: 8 * mebibyte)
      for i in stride(from: 0, to: bytes.count, by: 4096) { bytes[i] = 1 }
      return bytes.word
    }
    #expect(try Pages(bytes, bytes: 8 * mebibyte).nodes.isSubset(of: allowed))
    heap.collect()
    #expect(heap.statistics.nodes.refusedPlacements == 0)
    #expect(heap.verify().isSound)
  }
}
