// What becomes of dead objects: their memory is counted, overwritten if asked for, used again, and in whole blocks given back.

import Testing
@_spi(Testing) import Tricolor

@Suite("Sweep and reuse")
struct SweepTests {
  @Test("After a collection the live bytes are exactly those of what is reachable")
  func conservation() throws {
    let heap = try Heap.quiet()
    let root = try heap.makeChain(1000)
    try makeGarbage(heap, links: 5000, bytes: 100)
    heap.collect()
    #expect(heap.statistics.liveBytes == 1000 * 32)
    #expect(heap.statistics.markedLiveBytes == 1000 * 32)
    // Half of the chain goes.
    try onOwnThread {
      heap.withMutator { m in
        var link = root.get(m)!
        for _ in 1..<500 { link = link.left! }
        link.left = nil
      }
    }
    heap.collect()
    #expect(heap.statistics.liveBytes == 500 * 32)
    #expect(try root.keys(in: heap).last == 500 || root.keys(in: heap).count == 101)
    try onOwnThread { heap.withMutator { m in root.set(nil, m) } }
    heap.collect()
    #expect(heap.statistics.liveBytes == 0)
    #expect(heap.statistics.usedBlockBytes == 0)
  }

  @Test("A heap whose garbage is collected again and again stays as large as after the first time")
  func flat() throws {
    let heap = try Heap.quiet()
    let root = try heap.makeChain(50)
    var used: [Int] = []
    for _ in 0..<25 {
      try makeGarbage(heap, links: 20_000, bytes: 500)
      used.append(heap.statistics.usedBlockBytes + heap.statistics.heldFreeBytes)
      heap.collect()
    }
    #expect(used.dropFirst().allSatisfy { $0 <= used[0] + 8 * Heap.blockBytes }, "the heap grew: \(used)")
    #expect(try root.keys(in: heap) == Array(1...50))
  }

  @Test("Objects made after a collection fill the holes between survivors, and leave the survivors alone")
  func holes() throws {
    let heap = try Heap.quiet()
    let count = 30_000
    let root = try onOwnThread {
      try heap.withMutator { m in
        let array = try m.makeArray(of: Link.self, count: count)
        for i in 0..<count { array[i] = try m.make(Link(key: i, left: nil, right: nil)) }
        return m.root(array)
      }
    }
    let before = heap.statistics.usedBlockBytes
    for round in 1...3 {
      try onOwnThread {
        heap.withMutator { m in
          let array = root.get(m)!
          for i in 0..<count where i % 3 != 0 { array[i] = nil }
        }
      }
      heap.collect()
      #expect(heap.statistics.liveBytes == count / 3 * 32 + (8 + 8 * count + 15) & ~15)
      let wrong = try onOwnThread {
        try heap.withMutator { m in
          let array = root.get(m)!
          for i in 0..<count where i % 3 != 0 {
            array[i] = try m.make(Link(key: i + round, left: array[i - i % 3], right: nil))
          }
          return (0..<count).filter { i in
            let link = array[i]!
            return i % 3 == 0
              ? link.key != i || link.left != nil : link.key != i + round || link.left != array[i - i % 3]
          }.count
        }
      }
      #expect(wrong == 0)
      #expect(heap.statistics.usedBlockBytes <= before + 2 * Heap.blockBytes)
    }
  }

  @Test("clobberfree overwrites dead objects, and only those; without it their bytes stay")
  func clobber() throws {
    for clobbers in [true, false] {
      var configuration = Heap.Configuration()
      configuration.gcPercent = nil
      configuration.settings.debug.clobberFree = clobbers
      let heap = try Heap(configuration: configuration)
      let (kept, dropped) = try onOwnThread {
        try heap.withMutator { m in
          // Neighbours, so that the block of the dropped one stays in use.
          let kept = try m.make(Link(key: 1, left: nil, right: nil))
          let dropped = try m.make(Link(key: 2, left: nil, right: nil))
          return (m.root(kept), HiddenAddress(dropped))
        }
      }
      heap.collect()
      #expect(try kept.keys(in: heap) == [1])
      let key = dropped.reference(to: Link.self).key
      #expect(key == (clobbers ? Int(bitPattern: 0xdead_beef_dead_beef) : 2))
    }
  }

  @Test("A collection by a heap that is all garbage gives every block back, of every kind of lane")
  func allGarbage() throws {
    let heap = try Heap.quiet()
    try makeGarbage(heap, links: 10_000, bytes: 20_000)
    try onOwnThread {
      try heap.withMutator { m in
        for i in 0..<200 {
          _ = try m.makeArray(of: Link.self, count: i * 40)
          _ = try m.makeElements(of: Link.self, count: i * 10)
          _ = try m.makeBytes(count: i * 500)
        }
      }
    }
    #expect(heap.statistics.usedBlockBytes > 5 << 20)
    heap.collect()
    #expect(heap.statistics.usedBlockBytes == 0)
    #expect(heap.statistics.liveBytes == 0)
  }

  @Test("An object that survives a cycle is traced anew in the next ones: what it newly refers to lives")
  func tracedAnew() throws {
    let heap = try Heap.quiet()
    let root = try heap.makeChain(1)
    for key in 2...6 {
      heap.collect()
      try onOwnThread {
        try heap.withMutator { m in
          let first = root.get(m)!
          first.left = try m.make(Link(key: key, left: nil, right: nil))
        }
      }
      heap.collect()
      #expect(try root.keys(in: heap) == [1, key])
    }
  }

  private func makeGarbage(_ heap: Heap, links: Int, bytes: Int) throws {
    try onOwnThread {
      try heap.withMutator { m in
        var last: Reference<Link>? = nil
        for key in 0..<links { last = try m.make(Link(key: key, left: last, right: nil)) }
        for _ in 0..<links / 10 { _ = try m.makeBytes(count: bytes) }
      }
    }
  }
}
