// Threads that come, go and park in the middle of a cycle: at every step, the collector held there, a thread does what the
// protocol must allow for, and what it refers to must be there when the cycle is over.

import Testing
@_spi(Testing) import Tricolor

@Suite("Coming and going during a cycle")
struct ComingAndGoingTests {
  static let steps: [CycleStep] = [
    .posted(.arm), .answered(.arm), .posted(.settle), .answered(.settle), .posted(.roots), .answered(.roots), .marking,
    .posted(.finish), .answered(.finish), .posted(.sweep), .answered(.sweep),
  ]

  @Test("A thread that attaches at any step keeps what it loads, cuts and allocates", arguments: steps)
  func attach(step: CycleStep) throws {
    let heap = try Heap.quiet()
    let root = try heap.makeChain(3)
    let script = Script(heap, holdingAt: step)
    let collecting = RunningThread { heap.collect() }
    script.wait(for: step)
    let thread = RunningThread {
      try heap.withMutator { m in
        let second = root.get(m)!.left!
        root.get(m)!.left = nil
        let new = try m.make(Link(key: 10, left: second, right: nil))
        script.release(step)
        script.wait(for: .over, polling: m)
        return new.keys
      }
    }
    #expect(try thread.join() == [10, 2, 3])
    try collecting.join()
    #expect(try root.keys(in: heap) == [1])
  }

  @Test(
    "What a thread cuts and hides in a new object before it ends, at any step, survives the cycle and the next",
    arguments: steps)
  func detach(step: CycleStep) throws {
    let heap = try Heap.quiet()
    let root = try heap.makeChain(3)
    let other = try emptyRoot(heap)
    let script = Script(heap, holdingAt: step)
    let thread = RunningThread {
      try heap.withMutator { m in
        script.say("inside")
        script.wait(for: step, polling: m)
        let second = root.get(m)!.left!
        other.set(try m.make(Link(key: 10, left: second, right: nil)), m)
        root.get(m)!.left = nil
      }
    }
    script.wait(for: "inside")
    let collecting = RunningThread { heap.collect() }
    try thread.join()
    script.release(step)
    try collecting.join()
    #expect(try other.keys(in: heap) == [10, 2, 3])
    #expect(try root.keys(in: heap) == [1])
    heap.collect()
    #expect(try other.keys(in: heap) == [10, 2, 3])
  }

  @Test("A thread that is parked from any step on keeps what only its stack refers to", arguments: steps)
  func park(step: CycleStep) throws {
    let heap = try Heap.quiet()
    let root = try heap.makeChain(3)
    let script = Script(heap, holdingAt: step)
    let thread = RunningThread {
      try heap.withMutator { m in
        script.say("inside")
        script.wait(for: step, polling: m)
        let second = root.get(m)!.left!
        root.get(m)!.left = nil
        let new = try m.make(Link(key: 10, left: nil, right: nil))
        new.left = second
        m.blocking {
          script.release(step)
          script.wait(for: .over)
        }
        return new.keys
      }
    }
    script.wait(for: "inside")
    heap.collect()
    #expect(try thread.join() == [10, 2, 3])
  }

  @Test(
    "A thread that leaves and enters again between any two steps has its barrier in the right mode", arguments: steps)
  func reenter(step: CycleStep) throws {
    let heap = try Heap.quiet()
    let root = try heap.makeChain(3)
    let script = Script(heap, holdingAt: step)
    let thread = RunningThread {
      heap.withMutator { _ in }
      script.say("known")
      script.wait(for: step)
      return heap.withMutator { m in
        let second = root.get(m)!.left!
        root.get(m)!.left = nil
        script.release(step)
        script.wait(for: .over, polling: m)
        return second.keys
      }
    }
    script.wait(for: "known")
    heap.collect()
    #expect(try thread.join() == [2, 3])
  }

  @Test("Entering, leaving, collecting and blocking in another heap leaves the barrier of the first one as it was")
  func otherHeap() throws {
    let heap = try Heap.quiet()
    let other = try Heap.quiet()
    let root = try heap.makeChain(3)
    let script = Script(heap, holdingAt: .answered(.roots))
    let thread = RunningThread {
      try heap.withMutator { m in
        script.say("inside")
        script.wait(for: .answered(.roots), polling: m)
        let second = root.get(m)!.left!
        other.withMutator { n in n.blocking {} }
        other.collect()
        try other.withMutator { n in _ = try n.make(Link(key: 5, left: nil, right: nil)) }
        root.get(m)!.left = nil
        script.release(.answered(.roots))
        script.wait(for: .over, polling: m)
        return second.keys
      }
    }
    script.wait(for: "inside")
    heap.collect()
    #expect(try thread.join() == [2, 3])
  }

  @Test("Inside a heap that does not collect, stores in one that does take the barrier")
  func innerHeap() throws {
    let heap = try Heap.quiet()
    let other = try Heap.quiet()
    let root = try heap.makeChain(3)
    let script = Script(heap, holdingAt: .answered(.roots))
    let thread = RunningThread {
      other.withMutator { _ in
        heap.withMutator { m in
          script.say("inside")
          script.wait(for: .answered(.roots), polling: m)
          let second = root.get(m)!.left!
          root.get(m)!.left = nil
          script.release(.answered(.roots))
          script.wait(for: .over, polling: m)
          return second.keys
        }
      }
    }
    script.wait(for: "inside")
    heap.collect()
    #expect(try thread.join() == [2, 3])
  }
}
