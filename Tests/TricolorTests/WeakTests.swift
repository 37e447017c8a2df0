// Weak references, ephemerons, cleanups and external bytes: what keeps nothing alive does not, what must live does, and nobody is told
// two different things about one object.

import Testing
@_spi(Testing) import Tricolor

@Suite("Weak references")
struct WeakTests {
  @Test("A weak reference answers its object while something else keeps it, and nil from its death on")
  func dies() throws {
    let heap = try Heap.quiet()
    let (strong, weak) = try rootedWeak(heap)
    heap.collect()
    #expect(try key(of: weak, heap) == 1)
    try onOwnThread { heap.withMutator { m in strong.set(nil, m) } }
    heap.collect()
    #expect(try key(of: weak, heap) == nil)
    heap.collect()
    #expect(try key(of: weak, heap) == nil)
  }

  @Test("A weak reference that is garbage itself is freed, and its object lives on")
  func weakGarbage() throws {
    let heap = try Heap.quiet()
    let (strong, weak) = try rootedWeak(heap)
    try onOwnThread { heap.withMutator { m in weak.set(nil, m) } }
    heap.collect()
    #expect(try strong.keys(in: heap) == [1])
  }

  @Test("A hundred thousand weak references of which every second object dies answer for the others")
  func many() throws {
    let heap = try Heap.quiet()
    let count = 100_000
    let (strong, weak) = try onOwnThread {
      try heap.withMutator { m in
        let objects = try m.makeArray(of: Link.self, count: count)
        let weaks = try m.makeArray(of: Weak<Link>.self, count: count)
        for i in 0..<count {
          let link = try m.make(Link(key: i, left: nil, right: nil))
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
}

@Suite("Ephemerons")
struct EphemeronTests {
  /// A root of an array of ephemerons of which number i maps link i to link i + 1, and a root of link 0.
  private func chain(
    _ heap: Heap, _ count: Int
  ) throws -> (Root<Link>, Root<ReferenceArray<Ephemeron<Link, Link>>>) {
    try onOwnThread {
      try heap.withMutator { m in
        let array = try m.makeArray(of: Ephemeron<Link, Link>.self, count: count)
        let first = try m.make(Link(key: 0, left: nil, right: nil))
        var key = first
        for i in 0..<count {
          let value = try m.make(Link(key: i + 1, left: nil, right: nil))
          // Scattered, so that neither the order of the array nor its reverse is the order of the chain.
          array[i * 7919 % count] = try m.makeEphemeron(key: key, value: value)
          key = value
        }
        return (m.root(first), m.root(array))
      }
    }
  }

  @Test("Values live along a chain of ephemerons whose keys are each other's values, in few rounds")
  func chainLives() throws {
    let heap = try Heap.quiet()
    let count = 20_000
    let (first, array) = try chain(heap, count)
    let marked = heap.statistics.markedObjects
    let rounds = Shared(0)
    heap.onCycleStep { step in if step == .round { rounds.withLock { $0 += 1 } } }
    heap.collect()
    // One that finds nothing grey but keys to look up, one that is quiet; what this process's other threads do may add a few.
    #expect(rounds.withLock { $0 } < 20)
    let missing = try onOwnThread {
      heap.withMutator { m in (0..<count).filter { array.get(m)![$0]!.value?.key == nil }.count }
    }
    #expect(missing == 0)
    #expect(heap.statistics.markedObjects - marked >= 2 * count + 1)
    withExtendedLifetime(first) {}
  }

  @Test("Keys and values die along a chain whose first key dies")
  func chainDies() throws {
    let heap = try Heap.quiet()
    let count = 20_000
    let (first, array) = try chain(heap, count)
    try onOwnThread { heap.withMutator { m in first.set(nil, m) } }
    heap.collect()
    let left = try onOwnThread {
      heap.withMutator { m in
        (0..<count).filter { array.get(m)![$0]!.value != nil || array.get(m)![$0]!.key != nil }.count
      }
    }
    #expect(left == 0)
    #expect(heap.statistics.liveBytes < 2 * count * 32)
  }

  @Test("A value that refers to its own key does not keep it")
  func ownKey() throws {
    let heap = try Heap.quiet()
    let table = try onOwnThread {
      try heap.withMutator { m in
        let key = try m.make(Link(key: 1, left: nil, right: nil))
        return m.root(try m.makeEphemeron(key: key, value: m.make(Link(key: 2, left: key, right: nil))))
      }
    }
    heap.collect()
    let left = try onOwnThread { heap.withMutator { m in table.get(m)!.key?.key } }
    #expect(left == nil)
  }

  @Test("A thousand ephemerons of one key keep their values with it and lose them with it")
  func sharedKey() throws {
    let heap = try Heap.quiet()
    let (key, table) = try onOwnThread {
      try heap.withMutator { m in
        let key = try m.make(Link(key: 1, left: nil, right: nil))
        let table = try m.makeArray(of: Ephemeron<Link, Link>.self, count: 1000)
        for i in 0..<1000 {
          table[i] = try m.makeEphemeron(key: key, value: m.make(Link(key: i, left: nil, right: nil)))
        }
        return (m.root(key), m.root(table))
      }
    }
    let sum = { @Sendable in
      try onOwnThread { heap.withMutator { m in (0..<1000).reduce(0) { $0 + (table.get(m)![$1]!.value?.key ?? 0) } } }
    }
    heap.collect()
    #expect(try sum() == 999 * 500)
    try onOwnThread { heap.withMutator { m in key.set(nil, m) } }
    heap.collect()
    #expect(try sum() == 0)
  }

  @Test("A value set later lives with the key; set after the key's death it is not kept and harms nothing")
  func settingValues() throws {
    let heap = try Heap.quiet()
    let (key, table) = try onOwnThread {
      try heap.withMutator { m in
        let key = try m.make(Link(key: 1, left: nil, right: nil))
        let ephemeron = try m.makeEphemeron(key: key, value: Reference<Link>?.none)
        ephemeron.value = try m.make(Link(key: 5, left: nil, right: nil))
        return (m.root(key), m.root(ephemeron))
      }
    }
    heap.collect()
    #expect(try onOwnThread { heap.withMutator { m in table.get(m)!.value?.key } } == 5)
    try onOwnThread { heap.withMutator { m in key.set(nil, m) } }
    heap.collect()
    let kept = try onOwnThread {
      try heap.withMutator { m in
        table.get(m)!.value = try m.make(Link(key: 6, left: nil, right: nil))
        return table.get(m)!.value != nil
      }
    }
    #expect(!kept)
    heap.collect()
    heap.collect()
  }
}

@Suite("Cleanups and external bytes")
struct CleanupTests {
  private func droppedRoot(_ heap: Heap, _ body: @escaping @Sendable (Mutator, Reference<Link>) -> Void) throws -> Root<
    Link
  > {
    try onOwnThread {
      try heap.withMutator { m in
        let link = try m.make(Link(key: 1, left: nil, right: nil))
        body(m, link)
        return m.root(link)
      }
    }
  }

  private func wait(until condition: () -> Bool) {
    let end = ContinuousClock.now + .seconds(20)
    while !condition() && ContinuousClock.now < end {}
  }

  @Test("A cleanup runs once after its object has died, and not before")
  func runsOnce() throws {
    let heap = try Heap.quiet()
    let runs = Shared(0)
    let root = try droppedRoot(heap) { m, link in m.addCleanup(to: link) { runs.withLock { $0 += 1 } } }
    heap.collect()
    heap.collect()
    #expect(runs.withLock { $0 } == 0)
    try onOwnThread { heap.withMutator { m in root.set(nil, m) } }
    heap.collect()
    wait { runs.withLock { $0 } > 0 }
    heap.collect()
    #expect(runs.withLock { $0 } == 1)
  }

  @Test("A cleanup may hold the last reference to its heap, which ends with it")
  func cleanupEndsHeap() throws {
    let mayEnd = Shared(false)
    weak var end: Heap?
    do {
      let heap = try Heap.quiet()
      end = heap
      let root = try droppedRoot(heap) { m, link in
        m.addCleanup(to: link) {
          while !mayEnd.withLock({ $0 }) { usleepBriefly() }
          withExtendedLifetime(heap) {}
        }
      }
      try onOwnThread { heap.withMutator { m in root.set(nil, m) } }
      heap.collect()
    }
    mayEnd.withLock { $0 = true }
    wait { end == nil }
    #expect(end == nil)
  }

  @Test("A cancelled cleanup does not run; one whose object has died cannot be cancelled")
  func cancels() throws {
    let heap = try Heap.quiet()
    let (runs, handles) = (Shared(0), Shared<[Cleanup]>([]))
    let root = try droppedRoot(heap) { m, link in
      let first = m.addCleanup(to: link) { runs.withLock { $0 += 1 } }
      let second = m.addCleanup(to: link) { runs.withLock { $0 += 10 } }
      handles.withLock { $0 = [first, second] }
    }
    let (first, second) = handles.withLock { ($0[0], $0[1]) }
    #expect(first.cancel())
    #expect(!first.cancel())
    try onOwnThread { heap.withMutator { m in root.set(nil, m) } }
    heap.collect()
    wait { runs.withLock { $0 } > 0 }
    #expect(runs.withLock { $0 } == 10)
    #expect(!second.cancel())
  }

  @Test("Ten thousand cleanups of dead objects all run, and those of living ones when the heap ends")
  func atTheEnd() throws {
    let runs = Shared<Set<Int>>([])
    var heap: Heap? = try Heap.quiet()
    var root: Root<ReferenceArray<Link>>? = try onOwnThread { [heap] in
      try heap!.withMutator { m in
        let kept = try m.makeArray(of: Link.self, count: 100)
        for i in 0..<10_000 {
          let link = try m.make(Link(key: i, left: nil, right: nil))
          if i < 100 { kept[i] = link }
          m.addCleanup(to: link) { runs.withLock { _ = $0.insert(i) } }
        }
        return m.root(kept)
      }
    }
    heap!.collect()
    wait { runs.withLock { $0.count } >= 9_800 }
    #expect(runs.withLock { runs in runs.allSatisfy { $0 >= 100 } })
    withExtendedLifetime(root) {}
    root = nil
    heap = nil
    #expect(runs.withLock { $0.count } == 10_000)
  }

  @Test("External bytes count as live until their object dies, and bring cycles about")
  func externalBytes() throws {
    let heap = try Heap.quiet()
    let root = try droppedRoot(heap) { m, link in m.addExternalBytes(100 << 20, to: link) }
    #expect(heap.statistics.liveBytes >= 100 << 20)
    heap.collect()
    #expect(heap.statistics.liveBytes >= 100 << 20)
    try onOwnThread { heap.withMutator { m in root.set(nil, m) } }
    heap.collect()
    #expect(heap.statistics.liveBytes < 1 << 20)

    let paced = try Heap(configuration: Heap.Configuration())
    try onOwnThread {
      for _ in 0..<200 {
        try paced.withMutator { m in
          m.addExternalBytes(1 << 20, to: try m.make(Link(key: 1, left: nil, right: nil)))
          m.poll()
        }
      }
    }
    wait { paced.statistics.cyclesByCause[.growth]! > 0 }
    #expect(paced.statistics.cyclesByCause[.growth]! > 0)
  }
}

/// Roots of a link with key 1 and of a weak reference to it.
private func rootedWeak(_ heap: Heap) throws -> (Root<Link>, Root<Weak<Link>>) {
  try onOwnThread {
    try heap.withMutator { m in
      let link = try m.make(Link(key: 1, left: nil, right: nil))
      return (m.root(link), m.root(try m.makeWeak(link)))
    }
  }
}

private func key(of weak: Root<Weak<Link>>, _ heap: Heap) throws -> Int? {
  try onOwnThread { heap.withMutator { m in weak.get(m)!.referent?.key } }
}
