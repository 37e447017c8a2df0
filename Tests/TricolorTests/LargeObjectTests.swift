// Objects with blocks of their own: larger than the largest cell, than a block run, than an arena.

import Testing
@_spi(Testing) import Tricolor

@Suite("Large objects")
struct LargeObjectTests {
  static let sizes = [33 << 10, 1 << 20, 70 << 20]

  @Test("A large object is zero, keeps what is written to both its ends, and its blocks come back", arguments: sizes)
  func lifeAndDeath(size: Int) throws {
    let heap = try Heap.quiet()
    let root = try onOwnThread {
      try heap.withMutator { m in
        let bytes = try m.makeBytes(count: size)
        let isZero = stride(from: 0, to: size, by: 509).allSatisfy { bytes[$0] == 0 } && bytes[size - 1] == 0
        #expect(isZero)
        bytes[0] = 1
        bytes[size - 1] = 2
        return m.root(bytes)
      }
    }
    heap.collect()
    let ends = try onOwnThread {
      heap.withMutator { m in
        let bytes = root.get(m)!
        return [bytes.count, Int(bytes[0]), Int(bytes[size - 1])]
      }
    }
    #expect(ends == [size, 1, 2])
    #expect(heap.statistics.liveBytes == (size + 8 + 15) & ~15)
    #expect(heap.statistics.usedBlockBytes >= size)
    try onOwnThread { heap.withMutator { m in root.set(nil, m) } }
    heap.collect()
    #expect(heap.statistics.liveBytes == 0)
    #expect(heap.statistics.usedBlockBytes == 0)
  }

  @Test("Memory of dead large objects is used again, and reads zero", arguments: sizes)
  func reuse(size: Int) throws {
    let heap = try Heap.quiet()
    var used: [Int] = []
    for _ in 0..<4 {
      try onOwnThread {
        try heap.withMutator { m in
          let bytes = try m.makeBytes(count: size)
          let isZero = bytes.withBytes { memory in stride(from: 0, to: size, by: 61).allSatisfy { memory[$0] == 0 } }
          #expect(isZero)
          bytes.withBytes { for i in stride(from: 0, to: size, by: 61) { $0[i] = 0xa5 } }
        }
      }
      used.append(heap.statistics.usedBlockBytes + heap.statistics.heldFreeBytes)
      heap.collect()
    }
    #expect(Set(used).count == 1, "the heap grew: \(used)")
  }

  @Test(
    "A reference array that is scanned in many pieces keeps what every piece refers to",
    arguments: [5000, 100_000, 1_000_000])
  func pieces(count: Int) throws {
    let heap = try Heap.quiet()
    // Around the borders of pieces, and at both ends.
    let places = Set([0, 1, 510, 511, 512, 513, 1023, 1024, 4095, 4096, count - 2, count - 1]).sorted()
    let root = try onOwnThread {
      try heap.withMutator { m in
        let array = try m.makeArray(of: Link.self, count: count)
        for i in places {
          array[i] = try m.make(Link(key: i, left: m.make(Link(key: -i, left: nil, right: nil)), right: nil))
        }
        return m.root(array)
      }
    }
    heap.collect()
    heap.collect()
    let keys = try onOwnThread {
      heap.withMutator { m in
        let array = root.get(m)!
        return places.map { array[$0]?.key == $0 && array[$0]?.left?.key == -$0 ? $0 : nil }
      }
    }
    #expect(keys == places)
    #expect(heap.statistics.markedLiveBytes == (8 + 8 * count + 15) & ~15 + places.count * 64)
  }

  @Test("Long arrays whose rests are cut up among several markers are marked whole, and all they hold once")
  func cutUp() throws {
    let heap = try Heap.quiet()
    let count = 300_000
    let arrays = try LongArrays(heap, count: count)
    try withExtraMarkers(of: heap, 3) {
      for _ in 0..<3 {
        let before = heap.statistics.markedObjects
        heap.collect()
        #expect(heap.statistics.markedObjects - before == LongArrays.objects(count))
      }
    }
    #expect(try arrays.wrongIndices() == [])
  }

  @Test("A marker leaves the rest of a long array to others when its budget is spent")
  func budget() throws {
    let heap = try Heap.quiet()
    let budget = 8192
    let root = try onOwnThread {
      try heap.withMutator { m in m.root(try m.makeArray(of: Link.self, count: 2_000_000)) }
    }
    let (isOver, most) = (Shared(false), Shared(0))
    let marker = RunningThread {
      while !isOver.withLock({ $0 }) {
        let work = heap.markAsWorker(budget: budget)
        most.withLock { $0 = max($0, work) }
      }
    }
    // Until it was the one that got the array, or a part of it.
    while most.withLock({ $0 }) < budget { heap.collect() }
    isOver.withLock { $0 = true }
    try marker.join()
    #expect(most.withLock { $0 } < 2 * budget)
    withExtendedLifetime(root) {}
  }

  @Test("A full array of arrays survives with all its leaves, by several markers")
  func wide() throws {
    let heap = try Heap.quiet()
    let root = try onOwnThread {
      try heap.withMutator { m in
        let rows = try m.makeArray(of: ReferenceArray<Link>.self, count: 600)
        for i in 0..<600 {
          let row = try m.makeArray(of: Link.self, count: 700)
          rows[i] = row
          for k in 0..<700 { row[k] = try m.make(Link(key: i * 700 + k, left: nil, right: nil)) }
        }
        return m.root(rows)
      }
    }
    heap.collect()
    heap.collect()
    let wrong = try onOwnThread {
      heap.withMutator { m in
        let rows = root.get(m)!
        return (0..<600).map { i in (0..<700).filter { rows[i]![$0]?.key != i * 700 + $0 }.count }.reduce(0, +)
      }
    }
    #expect(wrong == 0)
  }
}
