// Blocking regions: the collector answers for the thread, and the thread finds everything as it left it.

import Testing
@_spi(Testing) import Tricolor

@Suite("Blocking regions")
struct BlockingTests {
  @Test("Cycles run to their end while a thread is in a blocking region, and what its frames hold survives")
  func cyclesPass() throws {
    let heap = try Heap.quiet()
    let state = Shared("")
    let thread = RunningThread {
      try heap.withMutator { m in
        let first = try m.make(Link(key: 1, left: m.make(Link(key: 2, left: nil, right: nil)), right: nil))
        let bytes = try m.makeBytes(count: 100_000)
        bytes[99_999] = 7
        let word = m.blocking {
          state.withLock { $0 = "parked" }
          while state.withLock({ $0 }) != "go" {}
          return "out"
        }
        // Its run was taken from it meanwhile; the next object must not overlay an old one.
        let third = try m.make(Link(key: 3, left: first, right: nil))
        return (word, third.keys, bytes[99_999])
      }
    }
    while state.withLock({ $0 }) != "parked" {}
    for _ in 0..<5 { heap.collect() }
    #expect(heap.statistics.cycles == 5)
    state.withLock { $0 = "go" }
    let (word, keys, byte) = try thread.join()
    #expect(word == "out")
    #expect(keys == [3, 1, 2])
    #expect(byte == 7)
  }

  @Test("A thread outside withMutator delays no cycle")
  func outside() throws {
    let heap = try Heap.quiet()
    let state = Shared("")
    let thread = RunningThread {
      heap.withMutator { _ in }
      state.withLock { $0 = "outside" }
      while state.withLock({ $0 }) != "go" {}
      return try heap.withMutator { m in try m.make(Link(key: 1, left: nil, right: nil)).keys }
    }
    while state.withLock({ $0 }) != "outside" {}
    for _ in 0..<5 { heap.collect() }
    state.withLock { $0 = "go" }
    #expect(try thread.join() == [1])
  }

  @Test("An error passes through a blocking region, and the mutator is usable afterwards")
  func throwing() throws {
    struct Stop: Error {}
    let heap = try Heap.quiet()
    let keys = try onOwnThread {
      try heap.withMutator { m in
        let link = try m.make(Link(key: 1, left: nil, right: nil))
        do throws(Stop) {
          try m.blocking { () throws(Stop) in throw Stop() }
        } catch {
          link.left = try m.make(Link(key: 2, left: nil, right: nil))
        }
        heap.collect()
        return link.keys
      }
    }
    #expect(keys == [1, 2])
  }

  @Test("A region inside a region, and a collection inside one, leave the thread in the outer region")
  func nested() throws {
    let heap = try Heap.quiet()
    let keys = try onOwnThread {
      try heap.withMutator { m in
        let link = try m.make(Link(key: 1, left: m.make(Link(key: 2, left: nil, right: nil)), right: nil))
        m.blocking {
          m.blocking { heap.collect() }
          // Only the outer region lets this cycle end: the thread polls nowhere.
          try! onOwnThread { heap.collect() }
          heap.collect()
        }
        heap.collect()
        return link.keys
      }
    }
    #expect(keys == [1, 2])
    #expect(heap.statistics.cycles == 4)
  }

  @Test("Threads that park and unpark without pause lose nothing to cycles without pause")
  func flutter() throws {
    let heap = try Heap.quiet()
    let done = Shared(false)
    let collecting = RunningThread { while !done.withLock({ $0 }) { heap.collect() } }
    let wrong = try runThreads(2) { index in
      try heap.withMutator { m in
        var wrong = 0
        var kept = try m.make(Link(key: 1, left: nil, right: nil))
        for _ in 0..<5000 {
          let next = try m.make(Link(key: 1, left: kept, right: nil))
          m.blocking {}
          if next.left != kept || kept.key != 1 { wrong += 1 }
          // Only two links stay: the rest is garbage for the next cycle.
          kept.left = nil
          kept = next
        }
        return wrong
      }
    }
    done.withLock { $0 = true }
    try collecting.join()
    #expect(wrong == [0, 0])
  }
}
