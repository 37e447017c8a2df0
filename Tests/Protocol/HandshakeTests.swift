// What each opening handshake is there for: an interleaving for each that loses an object when the step is left out, is done too
// early, or lacks its half of the barrier (docs/protocol.md tells them in prose). All marks are made by the collector thread here:
// the heaps are small, so no worker is called.

import Testing
@_spi(Testing) import Tricolor

@Suite("Opening handshakes")
struct HandshakeTests {
  @Test("Nothing is marked before every thread has answered the roots handshake (I9)")
  func noMarkingBeforeRoots() throws {
    let heap = try Heap.quiet()
    let root = try heap.makeChain(4)
    let script = Script(heap, holdingAt: .answered(.roots))
    let thread = RunningThread {
      heap.withMutator { m in
        script.say("inside")
        let first = root.get(m)!
        script.wait(for: .answered(.roots), polling: m)
        // The scan of this stack has put the first link among the grey; a worker that comes now must not get it.
        let work = heap.markAsWorker()
        script.release(.answered(.roots))
        script.wait(for: .over, polling: m)
        return [work] + first.keys
      }
    }
    script.wait(for: "inside")
    heap.collect()
    #expect(try thread.join() == [0, 1, 2, 3, 4])
  }

  @Test("An object that an unscanned thread hides in a black object survives (insertion half)")
  func insertion() throws {
    let heap = try Heap.quiet()
    let anchor = try emptyRoot(heap)
    let script = Script(heap, holdingAt: .answered(.settle))
    let unscanned = RunningThread {
      try heap.withMutator { m in
        let hidden = try hiddenPair(m)
        script.say("unscanned")
        script.wait(for: .answered(.settle), polling: m)
        script.release(.answered(.settle))
        script.wait(for: "black published")
        storeHidden(hidden, in: anchor.get(m)!)
        scrubStack()
        script.wait(for: .over, polling: m)
      }
    }
    let scanned = RunningThread {
      try heap.withMutator { m in
        script.say("scanned")
        script.wait(for: .answered(.settle), polling: m)
        script.wait(for: .posted(.roots))
        m.poll()
        anchor.set(try m.make(Link(key: 10, left: nil, right: nil)), m)
        script.say("black published")
        script.wait(for: .over, polling: m)
      }
    }
    script.wait(for: "unscanned")
    script.wait(for: "scanned")
    heap.collect()
    try unscanned.join()
    try scanned.join()
    #expect(try anchor.keys(in: heap) == [10, 1, 2])
  }

  @Test(
    "An object stored without a barrier, while another thread's store into the same slot is under way, survives (settle)"
  )
  func settle() throws {
    let heap = try Heap.quiet()
    let anchor = try heap.makeChain(1)
    let script = Script(heap, holdingAt: .posted(.arm))
    // D in the protocol's telling: arms late, stores Y without a barrier, and loads it again onto its black stack.
    let late = RunningThread {
      try heap.withMutator { m in
        let hidden = try hiddenPair(m)
        script.say("late")
        script.wait(for: "early reads the old value")
        storeHidden(hidden, in: anchor.get(m)!)
        scrubStack()
        script.wait(for: .posted(.roots), polling: m)
        m.poll()
        let loaded = anchor.get(m)!.left
        script.say("late is black")
        script.wait(for: .over, polling: m)
        return loaded?.keys ?? [1, 2]
      }
    }
    // E: has armed; its barrier reads the old value of the slot, and its store lands late.
    let early = RunningThread {
      heap.withMutator { m in
        script.say("early")
        script.wait(for: .posted(.arm), polling: m)
        m.poll()
        Heap.store(0, at: anchor.get(m)!.leftSlot) {
          script.release(.posted(.arm))
          script.say("early reads the old value")
          // With the settle step its answer is waited for, and nobody's stack is scanned meanwhile; without, the other is black.
          script.wait("the next handshake") { script.hasPassed(.posted(.settle)) || script.hasHeard("late is black") }
        }
        script.wait(for: .over, polling: m)
      }
    }
    script.wait(for: "late")
    script.wait(for: "early")
    heap.collect()
    #expect(try late.join() == [1, 2])
    try early.join()
  }

  @Test(
    "An object that an unarmed thread hides in a new object of an armed one survives (no black allocation before roots)"
  )
  func allocationWhileArming() throws {
    let heap = try Heap.quiet()
    let anchor = try emptyRoot(heap)
    let script = Script(heap)
    let unarmed = RunningThread {
      try heap.withMutator { m in
        let hidden = try hiddenPair(m)
        script.say("unarmed")
        script.wait(for: "new published")
        storeHidden(hidden, in: anchor.get(m)!)
        scrubStack()
        script.wait(for: .over, polling: m)
      }
    }
    let armed = RunningThread {
      try heap.withMutator { m in
        script.say("armed")
        script.wait(for: .posted(.arm))
        m.poll()
        anchor.set(try m.make(Link(key: 10, left: nil, right: nil)), m)
        script.say("new published")
        script.wait(for: .over, polling: m)
      }
    }
    script.wait(for: "unarmed")
    script.wait(for: "armed")
    heap.collect()
    try unarmed.join()
    try armed.join()
    #expect(try anchor.keys(in: heap) == [10, 1, 2])
  }

  @Test("Objects allocated after their thread's stack was scanned survive the cycle (black allocation)")
  func blackAllocation() throws {
    let heap = try Heap.quiet()
    let script = Script(heap, holdingAt: .answered(.roots))
    let thread = RunningThread {
      try heap.withMutator { m in
        // An open run from before: its remaining cells must turn black too.
        _ = try m.make(Link(key: 0, left: nil, right: nil))
        script.say("inside")
        script.wait(for: .answered(.roots), polling: m)
        let small = try m.make(Link(key: 1, left: nil, right: nil))
        let bytes = try m.makeBytes(count: 3000)
        let large = try m.makeArray(of: Link.self, count: 100_000)
        bytes[2999] = 2
        large[99_999] = small
        script.release(.answered(.roots))
        script.wait(for: .over, polling: m)
        // Read before what it refers to: an array that was freed has no slots left.
        let count = large.count
        return [small.key, Int(bytes[2999]), count, count == 100_000 ? large[99_999]!.key : 0]
      }
    }
    script.wait(for: "inside")
    heap.collect()
    #expect(try thread.join() == [1, 2, 100_000, 1])
  }

  @Test("Objects allocated while arming, held by a stack alone, are found by its scan")
  func whiteAllocation() throws {
    let heap = try Heap.quiet()
    let script = Script(heap, holdingAt: .answered(.arm), .answered(.settle))
    let thread = RunningThread {
      try heap.withMutator { m in
        script.say("inside")
        script.wait(for: .answered(.arm), polling: m)
        let first = try m.make(Link(key: 1, left: nil, right: nil))
        script.release(.answered(.arm))
        script.wait(for: .answered(.settle), polling: m)
        let second = try m.make(Link(key: 2, left: first, right: nil))
        script.release(.answered(.settle))
        script.wait(for: .over, polling: m)
        return second.keys
      }
    }
    script.wait(for: "inside")
    heap.collect()
    #expect(try thread.join() == [2, 1])
  }
}

/// A pair of links, keys 1 and 2, that nothing refers to.
@inline(never) func hiddenPair(_ m: Mutator) throws -> HiddenAddress {
  HiddenAddress(try m.make(Link(key: 1, left: m.make(Link(key: 2, left: nil, right: nil)), right: nil)))
}

@inline(never) func storeHidden(_ hidden: HiddenAddress, in link: Reference<Link>) {
  link.left = hidden.reference(to: Link.self)
}

func emptyRoot(_ heap: Heap) throws -> Root<Link> {
  try onOwnThread { heap.withMutator { m in m.root(nil) } }
}
