// The deletion half of the write barrier: what a thread whose stack has been scanned loads from the heap stays alive although its
// last path is cut, whatever kind of slot that path went through. The collector is held right after the stacks are scanned.

import Testing
@_spi(Testing) import Tricolor

@Suite("Deletion barrier")
struct DeletionBarrierTests {
  /// Every kind of slot a reference can be in.
  enum Slot: CaseIterable, Sendable {
    case field, inlineSlot, lastInlineSlot, array, lastOfArray, element
  }

  @Test(
    "Cutting the last path to an object through a slot of any kind keeps it for the thread that loaded it",
    arguments: Slot.allCases)
  func lastPath(slot: Slot) throws {
    let heap = try Heap.quiet()
    let root = try makeHolder(heap, slot)
    let script = Script(heap, holdingAt: .answered(.roots))
    let thread = RunningThread {
      heap.withMutator { m in
        script.say("inside")
        script.wait(for: .answered(.roots), polling: m)
        let holder = root.get(m)!
        let loaded = DeletionBarrierTests.load(holder, slot)!
        DeletionBarrierTests.clear(holder, slot)
        script.release(.answered(.roots))
        script.wait(for: .over, polling: m)
        return loaded.keys
      }
    }
    script.wait(for: "inside")
    heap.collect()
    #expect(try thread.join() == [1, 2])
  }

  @Test("Setting a root to nil keeps the object for the thread that loaded it")
  func rootSet() throws {
    let heap = try Heap.quiet()
    let root = try heap.makeChain(2)
    let script = Script(heap, holdingAt: .answered(.roots))
    let thread = RunningThread {
      heap.withMutator { m in
        script.say("inside")
        script.wait(for: .answered(.roots), polling: m)
        let loaded = root.get(m)!
        root.set(nil, m)
        script.release(.answered(.roots))
        script.wait(for: .over, polling: m)
        return loaded.keys
      }
    }
    script.wait(for: "inside")
    heap.collect()
    #expect(try thread.join() == [1, 2])
  }

  @Test("Dropping a root on a thread that never entered the heap keeps the object for the thread that loaded it")
  func rootDropped() throws {
    let heap = try Heap.quiet()
    let roots = Shared<Root<Link>?>(try heap.makeChain(2))
    let script = Script(heap, holdingAt: .answered(.roots))
    let thread = RunningThread {
      heap.withMutator { m in
        script.say("inside")
        script.wait(for: .answered(.roots), polling: m)
        let loaded = roots.withLock { $0 }!.get(m)!
        script.say("loaded")
        script.wait(for: .over, polling: m)
        return loaded.keys
      }
    }
    let dropper = RunningThread {
      script.wait(for: "loaded")
      roots.withLock { $0 = nil }
      script.release(.answered(.roots))
    }
    script.wait(for: "inside")
    heap.collect()
    try dropper.join()
    #expect(try thread.join() == [1, 2])
    #expect(heap.statistics.roots == 0)
  }

  @Test("More deletions than the barrier's buffer holds are all recorded")
  func fullBuffers() throws {
    let heap = try Heap.quiet()
    let count = 3000
    let source = try makeArray(heap, count)
    let target = try onOwnThread { heap.withMutator { m in m.root(nil as Reference<ReferenceArray<Link>>?) } }
    let script = Script(heap, holdingAt: .answered(.roots))
    let thread = RunningThread {
      try heap.withMutator { m in
        script.say("inside")
        script.wait(for: .answered(.roots), polling: m)
        // Black: nobody will look into it again, so only the barrier can save what goes there.
        let black = try m.makeArray(of: Link.self, count: count)
        target.set(black, m)
        let array = source.get(m)!
        for i in 0..<count {
          black[i] = array[i]
          array[i] = nil
        }
        script.release(.answered(.roots))
        script.wait(for: .over, polling: m)
        return (0..<count).filter { black[$0]?.key != $0 }
      }
    }
    script.wait(for: "inside")
    heap.collect()
    #expect(try thread.join() == [])
  }

  // MARK: Slots

  private func makeHolder(_ heap: Heap, _ slot: Slot) throws -> Root<Holder> {
    try onOwnThread {
      try heap.withMutator { m in
        let link = try m.make(Link(key: 1, left: m.make(Link(key: 2, left: nil, right: nil)), right: nil))
        let holder = try m.make(Holder(number: 0, field: nil, slots: [nil, nil, nil], array: nil, elements: nil))
        holder.array = try m.makeArray(of: Link.self, count: 5)
        holder.elements = try m.makeElements(of: Link.self, count: 4)
        switch slot {
        case .field: holder.field = link
        case .inlineSlot: holder.slots[0] = link
        case .lastInlineSlot: holder.slots[2] = link
        case .array: holder.array![0] = link
        case .lastOfArray: holder.array![4] = link
        case .element: holder.elements![3].right = link
        }
        return m.root(holder)
      }
    }
  }

  private static func load(_ holder: Reference<Holder>, _ slot: Slot) -> Reference<Link>? {
    switch slot {
    case .field: return holder.field
    case .inlineSlot: return holder.slots[0]
    case .lastInlineSlot: return holder.slots[2]
    case .array: return holder.array![0]
    case .lastOfArray: return holder.array![4]
    case .element: return holder.elements![3].right
    }
  }

  private static func clear(_ holder: Reference<Holder>, _ slot: Slot) {
    switch slot {
    case .field: holder.field = nil
    case .inlineSlot: holder.slots[0] = nil
    case .lastInlineSlot: holder.slots[2] = nil
    case .array: holder.array![0] = nil
    case .lastOfArray: holder.array![4] = nil
    case .element: holder.elements![3].right = nil
    }
  }

  private func makeArray(_ heap: Heap, _ count: Int) throws -> Root<ReferenceArray<Link>> {
    try onOwnThread {
      try heap.withMutator { m in
        let array = try m.makeArray(of: Link.self, count: count)
        for i in 0..<count { array[i] = try m.make(Link(key: i, left: nil, right: nil)) }
        return m.root(array)
      }
    }
  }
}
