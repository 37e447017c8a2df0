// Root handles: what they hold lives, wherever they are made, set, read and dropped.

import Testing
@_spi(Testing) import Tricolor

@Suite("Roots")
struct RootTests {
  @Test("A root holds what it was made with or set to last, and nothing else")
  func set() throws {
    let heap = try Heap.quiet()
    let root = try heap.makeChain(2)
    heap.collect()
    #expect(try root.keys(in: heap) == [1, 2])
    let replaced = try onOwnThread {
      try heap.withMutator { m in
        let old = HiddenAddress(root.get(m)!)
        root.set(try m.make(Link(key: 3, left: nil, right: nil)), m)
        return old
      }
    }
    heap.collect()
    #expect(try root.keys(in: heap) == [3])
    #expect(heap.cell(containing: replaced.address) == nil)
    try onOwnThread { heap.withMutator { m in root.set(nil, m) } }
    #expect(try root.keys(in: heap) == [])
    heap.collect()
    #expect(heap.statistics.liveBytes == 0)
  }

  @Test("A dropped root lets its object go, and one of several for an object does not")
  func drop() throws {
    let heap = try Heap.quiet()
    var first: Root<Link>? = try heap.makeChain(1)
    var second: Root<Link>? = try onOwnThread { [first] in heap.withMutator { m in m.root(first!.get(m)) } }
    #expect(heap.statistics.roots == 2)
    first = nil
    heap.collect()
    #expect(try second!.keys(in: heap) == [1])
    #expect(heap.statistics.roots == 1)
    second = nil
    heap.collect()
    #expect(heap.statistics.roots == 0)
    #expect(heap.statistics.liveBytes == 0)
  }

  @Test("A root of one owner keeps its object, goes with its owner, and can be handed on")
  func unique() throws {
    let heap = try Heap.quiet()
    let before = heap.statistics.roots
    try onOwnThread {
      try heap.withMutator { m in
        let root = m.uniqueRoot(try m.make(Link(key: 1, left: nil, right: nil)))
        #expect(heap.statistics.roots == before + 1)
        root.set(try m.make(Link(key: 2, left: root.get(m), right: nil)), m)
        heap.collect()
        #expect(root.get(m)!.keys == [2, 1])
      }
    }
    #expect(heap.statistics.roots == before)
    heap.collect()
    #expect(heap.statistics.liveBytes == 0)
    let kept = try makeUniqueRoot(heap)
    heap.collect()
    #expect(heap.statistics.roots == before + 1)
    let keys = heap.withMutator { m in kept.get(m)!.keys }
    #expect(keys == [3])
    _ = consume kept
    #expect(heap.statistics.roots == before)
  }

  private func makeUniqueRoot(_ heap: Heap) throws -> UniqueRoot<Link> {
    var made: UniqueRoot<Link>? = nil
    try heap.withMutator { m in made = m.uniqueRoot(try m.make(Link(key: 3, left: nil, right: nil))) }
    return made.take()!
  }

  @Test("Thousands of roots come and go, and each keeps its own object")
  func many() throws {
    let heap = try Heap.quiet()
    var roots: [Root<Link>] = []
    for round in 0..<3 {
      roots += try onOwnThread {
        try heap.withMutator { m in
          try (0..<3000).map { i in m.root(try m.make(Link(key: round * 3000 + i, left: nil, right: nil))) }
        }
      }
      heap.collect()
      // Every other one goes, so that free slots lie between used ones.
      roots = roots.enumerated().filter { $0.offset % 2 == 0 }.map(\.element)
      heap.collect()
      #expect(heap.statistics.roots == roots.count)
      #expect(heap.statistics.liveBytes == roots.count * 32)
    }
    let kept = roots
    let keys = try onOwnThread { heap.withMutator { m in kept.map { $0.get(m)!.key } } }
    #expect(Set(keys).count == kept.count)
    #expect(keys == keys.sorted())
  }

  @Test("A root keeps its heap")
  func keepsHeap() throws {
    weak var heap: Heap? = nil
    var root: Root<Link>? = nil
    do {
      let made = try Heap.quiet()
      root = try made.makeChain(1)
      heap = made
    }
    #expect(heap != nil)
    _ = consume root
    root = nil
    #expect(heap == nil)
  }

  @Test("Threads that set and read one root during cycles see whole objects only")
  func shared() throws {
    var configuration = Heap.Configuration()
    configuration.settings.minimumHeap = 256 << 10
    configuration.settings.debug.clobberFree = true
    let heap = try Heap(configuration: configuration)
    let root = try heap.makeChain(2)
    let wrong = try runThreads(3) { index in
      try heap.withMutator { m in
        var wrong = 0
        var i = 0
        // Until cycles have run beside it, however late the collector gets a processor.
        while i < 20_000 || heap.cyclesDone < 2 {
          i += 1
          if i % 3 == index {
            root.set(try m.make(Link(key: 1, left: m.make(Link(key: 2, left: nil, right: nil)), right: nil)), m)
          } else if root.get(m)?.keys != [1, 2] {
            wrong += 1
          }
        }
        return wrong
      }
    }
    #expect(wrong == [0, 0, 0])
  }

  @Test("Globals hold their objects while they are registered, and take the barrier")
  func globals() throws {
    let heap = try Heap.quiet()
    let words = UnsafeMutablePointer<UInt>.allocate(capacity: 4)
    words.initialize(repeating: 0, count: 4)
    defer { words.deallocate() }
    heap.addGlobals(words, count: 4)
    let start = UInt(bitPattern: words)
    try onOwnThread {
      try heap.withMutator { m in
        for i in [0, 3] { global(start, i).store(try m.make(Link(key: i + 1, left: nil, right: nil)), m) }
      }
    }
    heap.collect()
    let keys = try onOwnThread { heap.withMutator { m in (0..<4).map { global(start, $0).load(m)?.key } } }
    #expect(keys == [1, nil, nil, 4])
    try onOwnThread { heap.withMutator { m in for i in 0..<4 { global(start, i).store(nil, m) } } }
    #expect(heap.removeGlobals(words))
    #expect(!heap.removeGlobals(words))
    heap.collect()
    #expect(heap.statistics.liveBytes == 0)
  }
}

private func global(_ start: UInt, _ index: Int) -> GlobalSlot<Link> {
  GlobalSlot(UnsafeMutablePointer(bitPattern: start)! + index)
}
