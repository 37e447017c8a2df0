// Pools, hints and marking by node, on nodes that are made up: what a heap does with several nodes is the same on a machine that has one, but
// for where the kernel puts pages (Tests/Placement is about that).

import Testing
import TricolorPacing
import TricolorPlatform

@_spi(Testing) @testable import Tricolor

@Suite("With several nodes")
struct NodeTests {
  private func heap(
    nodes: Int = 3, _ change: (inout Settings) -> Void = { _ in }
  ) throws -> Heap {
    var settings = Settings()
    settings.gcPercent = nil
    change(&settings)
    return try Heap(configuration: .init(settings: settings), simulatedNodes: nodes)
  }

  /// A list of `count` pairs that `make` makes.
  private func list(
    _ count: Int, _ make: (Link) throws -> Reference<Link>
  ) rethrows -> Reference<Link>? {
    var last: Reference<Link>? = nil
    for key in 0..<count { last = try make(Link(key: key, left: last, right: nil)) }
    return last
  }

  private func length(_ list: Reference<Link>?) -> Int {
    var (count, next) = (0, list)
    while let link = next { (count, next) = (count + 1, link.left) }
    return count
  }

  @Test("an object lies on the node it is asked for on, and near its neighbour")
  func hints() throws {
    let heap = try heap()
    #expect(heap.memoryNodes == [0, 1, 2])
    try heap.withMutator { m in
      for node in 0..<3 {
        let first = try m.make(Link(key: node, left: nil, right: nil), onNode: node)
        #expect(Heap.pool(of: first.word) == node)
        for key in 0..<2000 {
          let near = try m.make(Link(key: key, left: first, right: nil), near: first)
          #expect(Heap.pool(of: near.word) == node)
        }
        let bytes = try m.makeBytes(count: 100_000, onNode: node)
        #expect(Heap.pool(of: bytes.word) == node)
        #expect(bytes.bytes.allSatisfy { $0 == 0 })
        let array = try m.makeArray(of: Link.self, count: 100, onNode: node)
        #expect(Heap.pool(of: array.word) == node)
        #expect((0..<100).allSatisfy { array[$0] == nil })
        let near = try m.make(Link(key: 0, left: nil, right: nil), near: bytes)
        #expect(Heap.pool(of: near.word) == node)
      }
    }
    #expect(heap.verify().isSound)
  }

  @Test("a thread that says which made-up node it runs on takes memory there, and what lies elsewhere is remote to it")
  func simulatedSeat() throws {
    let heap = try heap(nodes: 4)
    try heap.withMutator { m in
      m.run(onSimulatedNode: 3)
      for key in 0..<5000 {
        let link = try m.make(Link(key: key, left: nil, right: nil))
        #expect(m.node(of: link) == 3 && Heap.pool(of: link.word) == 3)
      }
      #expect(heap.statistics.nodes.remoteAllocatedBytes == 0)
      for key in 0..<5000 { _ = try m.make(Link(key: key, left: nil, right: nil), onNode: 1) }
      // Runs are counted when they are closed.
      m.run(onSimulatedNode: 2)
      for key in 0..<5000 { _ = try m.make(Link(key: key, left: nil, right: nil)) }
      m.run(onSimulatedNode: nil)
    }
    heap.collect()
    #expect(heap.statistics.nodes.remoteAllocatedBytes >= 4000 * MemoryLayout<Link>.size)
    #expect(heap.statistics.nodes.usedBytes[0] == 0)
  }

  @Test("the node of an object is told where there are several, and not for what is spread, or under off")
  func nodeOfObject() throws {
    let heap = try heap(nodes: 2)
    try heap.withMutator { m in
      let link = try m.make(Link(key: 0, left: nil, right: nil), onNode: 1)
      let spread = try m.makeSpreadBytes(count: 1 << 20)
      #expect(m.node(of: link) == 1 && m.node(of: spread) == nil)
      heap.configuration.numa = .off
      #expect(m.node(of: link) == nil)
    }
    let one = try self.heap(nodes: 1)
    try one.withMutator { m in
      let link = try m.make(Link(key: 0, left: nil, right: nil))
      #expect(m.node(of: link) == nil)
    }
  }

  @Test("large objects can be spread over all nodes, small ones are not")
  func spread() throws {
    let heap = try heap()
    try heap.withMutator { m in
      let array = try m.makeSpreadArray(of: Link.self, count: 100_000)
      #expect(Heap.pool(of: array.word) == 3)
      let bytes = try m.makeSpreadBytes(count: 1 << 20)
      #expect(Heap.pool(of: bytes.word) == 3)
      let small = try m.makeSpreadBytes(count: 100)
      #expect(Heap.pool(of: small.word) < 3)
      for i in 0..<100_000 { array[i] = try m.make(Link(key: i, left: nil, right: nil), onNode: i % 3) }
      heap.collect()
      #expect((0..<100_000).allSatisfy { array[$0]?.key == $0 })
    }
    #expect(heap.verify().isSound)
    #expect(heap.statistics.nodes.usedBytes[3] > 0)
    heap.collect()
    #expect(heap.statistics.nodes.usedBytes[3] == 0)
  }

  @Test(
    "local follows the thread, interleave goes round, a node is kept to, and off does not care; each can be chosen at work"
  )
  func policies() throws {
    let heap = try heap()
    func used(_ policy: NUMAPolicy, blocks: Int = 64) throws -> [Int] {
      heap.configuration.numa = policy
      #expect(heap.configuration.numa == policy)
      let before = heap.statistics.nodes.usedBytes
      try heap.withMutator { m in
        for _ in 0..<blocks { _ = try m.makeBytes(count: 40_000) }
      }
      return zip(heap.statistics.nodes.usedBytes, before).map { ($0 - $1) / (3 * Heap.blockBytes) }
    }
    #expect(try used(.node(1)) == [0, 64, 0, 0])
    #expect(try used(.node(2)) == [0, 0, 64, 0])
    #expect(try used(.interleave, blocks: 63) == [21, 21, 21, 0])
    #expect(try used(.off) == [64, 0, 0, 0])
    #expect(!heap.statistics.nodes.arePlaced)
    #expect(try used(.local).reduce(0, +) == 64)
    #expect(heap.statistics.nodes.arePlaced)
    heap.configuration.numa = .node(7)
    #expect(heap.configuration.numa == .local, "refused")
    #expect(throws: HeapError.self) { try self.heap { $0.numa = .node(3) } }
  }

  @Test("what is freed on a node is used again there, swept or torn down")
  func reuse() throws {
    let heap = try heap()
    for half in [false, true] {
      try heap.withMutator { m in
        // Every other object lives in the second round, so that blocks are partly free.
        let kept = try m.makeArray(of: Link.self, count: 20_000)
        for i in 0..<40_000 {
          let link = try m.make(Link(key: i, left: nil, right: nil), onNode: 1)
          if half && i % 2 == 0 { kept[i / 2] = link }
        }
        heap.collect()
        let before = heap.statistics.nodes.usedBytes
        for i in 0..<(half ? 20_000 : 40_000) {
          let link = try m.make(Link(key: i, left: nil, right: nil), onNode: 1)
          #expect(Heap.pool(of: link.word) == 1)
        }
        let after = heap.statistics.nodes.usedBytes
        if half { #expect(after[1] <= before[1] + 2 * Heap.blockBytes, "holes are filled") }
        #expect(after[0] == before[0] && after[2] == before[2])
        #expect(!half || (0..<20_000).allSatisfy { kept[$0]?.key == 2 * $0 })
      }
    }
    #expect(heap.verify().isSound)
  }

  @Test(
    "of a full node, memory comes from the nearest that is not, and that is counted; when all are full, from the node itself"
  )
  func full() throws {
    let heap = try heap(nodes: 4)
    heap.pretendFull(node: 2, true)
    heap.pretendFull(node: 1, true)
    try heap.withMutator { m in
      let object = try m.makeBytes(count: 1 << 20, onNode: 2)
      #expect(Heap.pool(of: object.word) == 3)
      let one = try m.makeBytes(count: 1 << 20, onNode: 1)
      #expect(Heap.pool(of: one.word) == 0)
    }
    let moved = heap.statistics.nodes.fallbackBytes
    #expect(moved >= 2 << 20)
    for node in 0..<4 { heap.pretendFull(node: node, true) }
    try heap.withMutator { m in
      let object = try m.makeBytes(count: 2 << 20, onNode: 2)
      #expect(Heap.pool(of: object.word) == 2)
    }
    #expect(heap.statistics.nodes.fallbackBytes == moved)
    heap.pretendFull(node: 2, false)
    try heap.withMutator { m in
      let object = try m.makeBytes(count: 1 << 20, onNode: 2)
      #expect(Heap.pool(of: object.word) == 2)
    }
  }

  @Test("where there are addresses for one arena only, all nodes share it")
  func fewAddresses() throws {
    // The first heap of a process reserves the range of all.
    _ = try Heap()
    let heap = try heap { $0.reserveBytes = 64 << 20 }
    try heap.withMutator { m in
      let first = try m.make(Link(key: 1, left: nil, right: nil), onNode: 2)
      let second = try m.make(Link(key: 2, left: first, right: nil), onNode: 0)
      let spread = try m.makeSpreadBytes(count: 1 << 20)
      #expect([first.word, second.word, spread.word].allSatisfy { Heap.pool(of: $0) == 2 })
      #expect(throws: OutOfMemory.self) { try m.makeBytes(count: 64 << 20, onNode: 1) }
      #expect(second.left?.key == 1)
    }
    #expect(heap.verify().isSound)
  }

  @Test("near a limit, free memory of other nodes is used before the heap grows past it")
  func limitBeforeLocality() throws {
    let outside = try Heap(configuration: .init(settings: Settings())).statistics.residentBytes
    let heap = try heap(nodes: 2) {
      $0.memoryLimit = .bytes(Int64(outside + (48 << 20)))
      $0.limitSource = .rss
    }
    try heap.withMutator { m in
      // Node 1 is full of holes; then node 0 wants as much again.
      let kept = try m.makeArray(of: Link.self, count: 20_000)
      for i in 0..<800_000 {
        let link = try m.make(Link(key: i, left: nil, right: nil), onNode: 1)
        if i % 40 == 0 { kept[i / 40] = link }
      }
      heap.collect()
      let list = try list(600_000) { try m.make($0, onNode: 0) }
      #expect(length(list) == 600_000)
      #expect((0..<20_000).allSatisfy { kept[$0]?.key == 40 * $0 })
    }
    let used = heap.statistics.nodes.usedBytes
    #expect(used.reduce(0, +) <= 48 << 20, "\(used)")
  }

  @Test(
    "marking reaches what lies on other nodes, by one marker and by several, and counts what was remote",
    arguments: [0, 3])
  func marking(_ markers: Int) throws {
    let heap = try heap(nodes: 4)
    let count = 200_000
    try heap.withMutator { m in
      let all = try m.makeArray(of: Link.self, count: count)
      for i in 0..<count { all[i] = try m.make(Link(key: i, left: nil, right: nil), onNode: i % 4) }
      for i in 0..<count {
        all[i]!.left = all[(i &* 7919) % count]
        all[i]!.right = all[(i &* 104_729) % count]
      }
      try withExtraMarkers(of: heap, markers) { heap.collect() }
      let statistics = heap.statistics
      #expect(statistics.markedObjects == count + 1)
      #expect(statistics.nodes.remoteMarkedBytes <= statistics.markedBytes)
      #expect(statistics.nodes.remoteMarkedBytes > 0, "no marker is on all four nodes")
      #expect((0..<count).allSatisfy { all[$0]?.key == $0 })
      for i in 0..<count where i % 2 == 1 { all[i] = nil }
      for i in stride(from: 0, to: count, by: 2) { (all[i]!.left, all[i]!.right) = (nil, nil) }
      heap.collect()
      // A stack may keep one that is dead.
      #expect(heap.statistics.markedObjects >= count + 1 + count / 2 + 1)
      #expect((0..<count).allSatisfy { $0 % 2 == 1 || all[$0]?.key == $0 })
    }
    #expect(heap.verify().isSound)
  }

  @Test("a chain from node to node is followed to its end")
  func chain() throws {
    let heap = try heap(nodes: 3)
    try heap.withMutator { m in
      var (last, key) = (try m.make(Link(key: 0, left: nil, right: nil), onNode: 0), 0)
      let end = last
      while key < 50_000 {
        key += 1
        last = try m.make(Link(key: key, left: last, right: nil), onNode: key % 3)
      }
      _ = end
      let root = m.root(last)
      heap.collect()
      #expect(length(root.get(m)) == 50_001)
      #expect(heap.statistics.markedObjects == 50_001)
    }
  }

  @Test("weak references across nodes are cleared or kept as on one node")
  func weak() throws {
    let heap = try heap(nodes: 3)
    let count = 3000
    let (strong, weak) = try onOwnThread {
      try heap.withMutator { m in
        let objects = try m.makeArray(of: Link.self, count: count, onNode: 0)
        let weaks = try m.makeArray(of: Weak<Link>.self, count: count, onNode: 1)
        for i in 0..<count {
          let link = try m.make(Link(key: i, left: nil, right: nil), onNode: i % 3)
          weaks[i] = try m.makeWeak(link)
          if i % 2 == 0 { objects[i] = link }
        }
        return (m.root(objects), m.root(weaks))
      }
    }
    try onOwnThread { scrubStack() }
    heap.collect()
    let wrong = try onOwnThread {
      heap.withMutator { m in
        let weaks = weak.get(m)!
        return (0..<count).filter { weaks[$0]!.referent?.key != ($0 % 2 == 0 ? $0 : nil) }
      }
    }
    #expect(wrong.isEmpty)
    withExtendedLifetime(strong) {}
  }

  @Test("a heap on one node has one pool, and hints change nothing")
  func one() throws {
    let heap = try heap(nodes: 1)
    #expect(heap.memoryNodes == [0])
    try heap.withMutator { m in
      let link = try m.make(Link(key: 1, left: nil, right: nil), onNode: 0)
      let bytes = try m.makeSpreadBytes(count: 1 << 20)
      #expect(Heap.pool(of: link.word) == 0)
      #expect(Heap.pool(of: bytes.word) == 0)
    }
    heap.collect()
    let nodes = heap.statistics.nodes
    #expect(nodes.usedBytes.count == 1)
    #expect(nodes.remoteMarkedBytes == 0 && nodes.remoteAllocatedBytes == 0 && nodes.fallbackBytes == 0)
  }

  @Test(
    "binding the collector's threads to processors that are not there is refused, and one that is there is followed")
  func binding() throws {
    let allowed = try #require(ProcessorSet.allowed())
    var settings = Settings()
    settings.binding = .processors([ProcessorSet.capacity - 1])
    #expect(throws: HeapError.self) { try Heap(configuration: .init(settings: settings)) }
    let last = try #require(allowed.processors.last)
    settings.binding = .processors([last])
    let heap = try Heap(configuration: .init(settings: settings))
    heap.collect()
    let name = "tricolor-gc"
    #expect(try CollectorThreads.processors(of: name, until: { $0.contains("\(last)") }).contains("\(last)"))
    if allowed.count == 1 { return }
    heap.configuration.binding = .off
    heap.collect()
    #expect(try !CollectorThreads.processors(of: name, until: { !$0.contains("\(last)") }).contains("\(last)"))
  }
}
