// Stacks and registers as roots: what any word of them points into lives, wherever the word is and wherever it points to; what no
// word points to does not, and words that point to free memory mean nothing.

import Testing
@_spi(Testing) import Tricolor

@Suite("Conservative roots")
struct ConservativeTests {
  @Test(
    "An object that only one callee-saved register refers to survives, however its thread lets the cycle pass",
    arguments: CycleWay.allCases, [0, 1, 2, 3, 4, 5])
  func register(way: CycleWay, register: Int) throws {
    let heap = try way.makeHeap()
    let (hidden, keys) = try onOwnThread {
      try heap.withMutator { m in
        let hidden = try makePair(m)
        passCycle(way, heap, m, holding: hidden, in: register)
        return (hidden, hidden.reference(to: Link.self).keys)
      }
    }
    #expect(keys == [1, 2])
    #expect(heap.cell(containing: hidden.address) == hidden.address)
  }

  @Test(
    "An object that nothing refers to is freed, however its thread lets the cycle pass", arguments: CycleWay.allCases)
  func nothing(way: CycleWay) throws {
    let heap = try way.makeHeap()
    let hidden = try onOwnThread {
      try heap.withMutator { m in
        let hidden = try makePair(m)
        passCycle(way, heap, m, holding: HiddenAddress(0), in: 0)
        return hidden
      }
    }
    #expect(heap.cell(containing: hidden.address) == nil)
  }

  /// Sizes of cells that share a block, span blocks, own blocks, and span an arena's worth of them.
  static let sizes = [16, 48, 1024, 20 * 1024, 32 * 1024, 33 * 1024, 1 << 20]

  @Test(
    "A pointer to the first or last byte of an object keeps it, one to the byte after it does not", arguments: sizes)
  func interior(size: Int) throws {
    let heap = try CycleWay.collecting.makeHeap()
    let cell = Heap.cellBytes(for: size) ?? size
    #expect(cell == size, "the sizes are those of cells, so that the byte after the object is the byte after its cell")
    for (offset, lives) in [(0, true), (1, true), (size / 2, true), (size - 1, true), (size, false), (-1, false)] {
      let hidden = try onOwnThread {
        try heap.withMutator { m in
          let hidden = try makeBytes(m, count: size - 8)
          passCycle(.collecting, heap, m, holding: hidden + offset, in: 2)
          return hidden
        }
      }
      #expect(
        (heap.cell(containing: hidden.address) == hidden.address) == lives, "a pointer to byte \(offset) of \(size)")
    }
  }

  @Test(
    "A reference to any element of an array of elements keeps the array and what its elements refer to",
    arguments: [3, 200, 5000])
  func element(count: Int) throws {
    let heap = try CycleWay.collecting.makeHeap()
    for index in [0, count / 2, count - 1] {
      let (array, element) = try onOwnThread {
        try heap.withMutator { m in
          let (array, element) = try makeElements(m, count: count, index: index)
          passCycle(.collecting, heap, m, holding: element, in: 3)
          return (array, element)
        }
      }
      #expect(heap.cell(containing: array.address) == array.address)
      #expect(try onOwnThread { heap.withMutator { _ in element.reference(to: Link.self).keys } } == [7, 1, 2])
    }
  }

  @Test("A word that points to a freed object does not keep it, nor what takes its place")
  func stale() throws {
    let heap = try CycleWay.collecting.makeHeap()
    let survivors = try onOwnThread {
      try heap.withMutator { m in
        let freed = try makePair(m)
        passCycle(.collecting, heap, m, holding: HiddenAddress(0), in: 0)
        let wasFreed = heap.cell(containing: freed.address) == nil
        passCycle(.collecting, heap, m, holding: freed, in: 4)
        return [wasFreed, heap.cell(containing: freed.address) == nil, heap.isMarked(freed.address)]
      }
    }
    #expect(survivors == [true, true, false])
  }

  @Test("Cells that are not allocated yet are no objects: after the newest of a run, and in memory never used")
  func unallocated() throws {
    let heap = try CycleWay.collecting.makeHeap()
    let found = try onOwnThread {
      try heap.withMutator { m in
        let link = try m.make(Link(key: 1, left: nil, right: nil))
        let address = UInt(bitPattern: link.address)
        return [address, address + 24, address + 31, address + 32, address + 4096, address + (32 << 20)]
          .map { heap.cell(containing: $0) == address ? 1 : heap.cell(containing: $0) == nil ? 0 : -1 }
      }
    }
    #expect(found == [1, 1, 1, 0, 0, 0])
  }

  @Test("An object another thread has just allocated is found by the scan of the thread it was given to")
  func foreignRun() throws {
    let heap = try CycleWay.collecting.makeHeap()
    let given = Shared<HiddenAddress?>(nil)
    let done = Shared(false)
    let giver = RunningThread {
      try heap.withMutator { m in
        let hidden = try makePair(m)
        given.withLock { $0 = hidden }
        // Keeps its run open.
        while !done.withLock({ $0 }) { m.poll() }
      }
    }
    let keys = try onOwnThread {
      heap.withMutator { m in
        var hidden: HiddenAddress? = nil
        while hidden == nil { hidden = given.withLock { $0 } }
        passCycle(.collecting, heap, m, holding: hidden!, in: 5)
        done.withLock { $0 = true }
        return hidden!.reference(to: Link.self).keys
      }
    }
    try giver.join()
    #expect(keys == [1, 2])
  }
}

@inline(never) private func makePair(_ m: Mutator) throws -> HiddenAddress {
  HiddenAddress(try m.make(Link(key: 1, left: m.make(Link(key: 2, left: nil, right: nil)), right: nil)))
}

@inline(never) private func makeBytes(_ m: Mutator, count: Int) throws -> HiddenAddress {
  HiddenAddress(try m.makeBytes(count: count))
}

/// An array of elements of which the one at `index` holds a key and a chain; the addresses of both.
@inline(never) private func makeElements(_ m: Mutator, count: Int, index: Int) throws -> (HiddenAddress, HiddenAddress)
{
  let array = try m.makeElements(of: Link.self, count: count)
  array[index].key = 7
  array[index].left = try m.make(Link(key: 1, left: m.make(Link(key: 2, left: nil, right: nil)), right: nil))
  return (HiddenAddress(array), HiddenAddress(array[index]))
}
