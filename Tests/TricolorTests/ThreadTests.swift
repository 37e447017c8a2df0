// Threads and heaps that come and go, in any order.

import Testing
@_spi(Testing) import Tricolor

@Suite("Threads and heaps")
struct ThreadTests {
  @Test("What short-lived threads publish while cycles run is whole afterwards, and their records are gone")
  func churn() throws {
    let heap = try Heap.quiet()
    let published = Shared<[Int: Root<Link>]>([:])
    let done = Shared(false)
    let collecting = RunningThread { while !done.withLock({ $0 }) { heap.collect() } }
    try runThreads(3) { index in
      for life in 0..<60 {
        let key = index * 1000 + life
        try onOwnThread {
          let root = try heap.withMutator { m in
            var next: Reference<Link>? = nil
            for _ in 0..<20 {
              next = try m.make(Link(key: key, left: next, right: m.make(Link(key: -key, left: nil, right: nil))))
            }
            return m.root(next)
          }
          published.withLock { $0[key] = root }
        }
      }
    }
    done.withLock { $0 = true }
    try collecting.join()
    heap.collect()
    let roots = published.withLock { $0 }
    #expect(roots.count == 180)
    let wrong = try onOwnThread {
      heap.withMutator { m in
        roots.filter { key, root in
          var length = 0
          var next = root.get(m)
          while let link = next, link.key == key, link.right?.key == -key {
            length += 1
            next = link.left
          }
          return length != 20
        }.map(\.key)
      }
    }
    #expect(wrong == [])
    #expect(heap.statistics.mutators == 0)
    #expect(heap.statistics.liveBytes == 180 * 40 * 32)
  }

  @Test("A thread that has entered a heap which is gone enters other heaps, and ends")
  func heapGone() throws {
    for _ in 0..<20 {
      let first = Shared<Heap?>(try Heap.quiet())
      let state = Shared("")
      let thread = RunningThread {
        try first.withLock { $0 }!.withMutator { m in _ = try m.make(Link(key: 1, left: nil, right: nil)) }
        state.withLock { $0 = "entered" }
        while state.withLock({ $0 }) != "gone" {}
        let second = try Heap.quiet()
        return try second.withMutator { m in
          let link = try m.make(Link(key: 2, left: nil, right: nil))
          second.collect()
          return link.key
        }
      }
      while state.withLock({ $0 }) != "entered" {}
      first.withLock { $0 = nil }
      state.withLock { $0 = "gone" }
      #expect(try thread.join() == 2)
    }
  }

  @Test("A thread ends after the heap it had entered")
  func endsAfterHeap() throws {
    for _ in 0..<20 {
      let heap = Shared<Heap?>(try Heap.quiet())
      let state = Shared("")
      let thread = RunningThread {
        heap.withLock { $0 }!.withMutator { _ in }
        state.withLock { $0 = "entered" }
        while state.withLock({ $0 }) != "gone" {}
      }
      while state.withLock({ $0 }) != "entered" {}
      heap.withLock { $0 = nil }
      state.withLock { $0 = "gone" }
      try thread.join()
    }
  }

  @Test("Hundreds of heaps are made and dropped, used and unused, and all their threads end")
  func manyHeaps() throws {
    try onOwnThread {
      for i in 0..<300 {
        let heap = try Heap.quiet()
        if i % 3 == 0 { continue }
        try heap.withMutator { m in _ = try m.make(Link(key: i, left: nil, right: nil)) }
        if i % 3 == 1 { heap.collect() }
      }
    }
  }

  @Test("Memory of a heap that is gone serves the next one, and reads zero")
  func memoryAfterHeap() throws {
    for _ in 0..<3 {
      let heap = try Heap.quiet()
      let isZero = try onOwnThread {
        try heap.withMutator { m in
          let bytes = try m.makeBytes(count: 10 << 20)
          defer { bytes.withBytes { for i in stride(from: 0, to: $0.count, by: 97) { $0[i] = 0xa5 } } }
          return bytes.withBytes { memory in stride(from: 0, to: memory.count, by: 97).allSatisfy { memory[$0] == 0 } }
        }
      }
      #expect(isZero)
    }
  }

  @Test("withMutator nests, and leaving the inner call leaves the outer one inside")
  func nested() throws {
    let heap = try CycleWay.stress.makeHeap()
    let keys = try onOwnThread {
      try heap.withMutator { outer in
        let first = try outer.make(Link(key: 1, left: nil, right: nil))
        let second = try heap.withMutator { inner in
          let second = inner.root(try inner.make(Link(key: 2, left: nil, right: nil)))
          inner.poll()
          return second
        }
        outer.poll()
        first.left = second.get(outer)
        return first.keys
      }
    }
    #expect(keys == [1, 2])
  }

  @Test("withMutator passes values and errors out")
  func results() throws {
    struct Stop: Error, Equatable { let value: Int }
    let heap = try Heap.quiet()
    #expect(heap.withMutator { _ in "value" } == "value")
    #expect(throws: Stop(value: 3)) { try heap.withMutator { _ in throw Stop(value: 3) } }
    // Both calls have left: the heap can be dropped, which inside it could not.
    #expect(heap.statistics.mutators == 1)
  }

  @Test("Two heaps in one thread keep their objects apart, and each collects its own")
  func twoHeaps() throws {
    let (first, second) = (try Heap.quiet(), try Heap.quiet())
    let keys = try onOwnThread {
      try first.withMutator { m in
        let one = try m.make(Link(key: 1, left: nil, right: nil))
        let two = try second.withMutator { n in
          let two = try n.make(Link(key: 2, left: nil, right: nil))
          first.collect()
          second.collect()
          two.left = try n.make(Link(key: 4, left: nil, right: nil))
          first.collect()
          second.collect()
          return two.keys
        }
        one.left = try m.make(Link(key: 3, left: nil, right: nil))
        return one.keys + two
      }
    }
    #expect(keys == [1, 3, 2, 4])
    first.collect()
    second.collect()
    #expect(first.statistics.liveBytes == 0)
    #expect(second.statistics.liveBytes == 0)
    #expect(first.statistics.cycles == 3)
  }

  @Test("Threads inside the same two heaps, each collecting another one, do not wait for each other")
  func crossedCollections() throws {
    let heaps = [try Heap.quiet(), try Heap.quiet()]
    try runThreads(2) { index in
      heaps[0].withMutator { _ in
        heaps[1].withMutator { _ in
          for _ in 0..<50 { heaps[index].collect() }
        }
      }
    }
    #expect(heaps[0].statistics.cycles >= 50)
    #expect(heaps[1].statistics.cycles >= 50)
  }
}
