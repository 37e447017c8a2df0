// The end of marking: barrier buffers are flushed by the finish handshake, and marking ends only after a round in which nobody found
// anything grey. Each test hides an object where only one of those rules finds it.

import Testing
@_spi(Testing) import Tricolor

@Suite("End of marking")
struct TerminationTests {
  @Test(
    "An object cut from its path after the first finish round, before its parent is scanned, survives (quiet round)")
  func secondRound() throws {
    let heap = try Heap.quiet()
    let root = try heap.makeChain(4)
    let script = Script(heap, holdingAt: .answered(.roots), .answered(.finish))
    let thread = RunningThread {
      heap.withMutator { m in
        script.say("inside")
        script.wait(for: .answered(.roots), polling: m)
        // The link with key 2 is recorded here, and becomes grey when the first finish round flushes it.
        let second = root.get(m)!.left!
        root.get(m)!.left = nil
        script.release(.answered(.roots))
        script.wait(for: .answered(.finish), polling: m)
        // Not scanned yet: the one with key 3 is known to this thread's buffer alone.
        let third = second.left!
        second.left = nil
        script.release(.answered(.finish))
        script.wait(for: .over, polling: m)
        return [second.key] + third.keys
      }
    }
    script.wait(for: "inside")
    heap.collect()
    #expect(try thread.join() == [2, 3, 4])
  }

  @Test("A finish round in which grey work appeared and was marked at once is not the last (grey found)")
  func markedWithinRound() throws {
    let heap = try Heap.quiet()
    let root = try heap.makeChain(4)
    let script = Script(heap, holdingAt: .answered(.roots))
    let answered = RunningThread {
      heap.withMutator { m in
        script.say("first inside")
        script.wait(for: .answered(.roots), polling: m)
        let second = root.get(m)!.left!
        root.get(m)!.left = nil
        script.release(.answered(.roots))
        script.wait(for: .posted(.finish))
        m.poll()
        let third = second.left!
        second.left = nil
        script.say("flushed")
        script.wait(for: .over, polling: m)
        return [second.key] + third.keys
      }
    }
    // Keeps the round open until a worker has marked what was flushed, so that the grey set is empty again when it ends.
    let delaying = RunningThread {
      heap.withMutator { m in
        script.say("second inside")
        script.wait(for: .answered(.roots), polling: m)
        script.wait(for: .posted(.finish))
        script.wait(for: "marked")
        script.wait(for: .over, polling: m)
      }
    }
    let worker = RunningThread {
      script.wait(for: "flushed")
      let work = heap.markAsWorker()
      script.say("marked")
      return work
    }
    script.wait(for: "first inside")
    script.wait(for: "second inside")
    heap.collect()
    #expect(try worker.join() > 0)
    #expect(try answered.join() == [2, 3, 4])
    try delaying.join()
  }

  @Test("Grey work that appears between the last look at the grey set and the finish handshake keeps marking going")
  func addedAsRoundBegins() throws {
    let heap = try Heap.quiet()
    let root = try heap.makeChain(4)
    let script = Script(heap, holdingAt: .answered(.roots), .round)
    // Records the link with key 2, and hands it to the grey set by filling its buffer, not by a handshake.
    let flushing = RunningThread {
      try heap.withMutator { m in
        script.say("first inside")
        script.wait(for: .answered(.roots), polling: m)
        script.wait(for: "loaded")
        root.get(m)!.left = nil
        let black = try m.make(Link(key: 9, left: nil, right: nil))
        black.right = black
        script.release(.answered(.roots))
        script.wait(for: .round)
        for _ in 0..<600 { black.right = black }
        script.release(.round)
        script.wait(for: "marked")
        script.wait(for: .over, polling: m)
      }
    }
    // Answers the round, then cuts below what has been handed over, before a worker gets to it.
    let cutting = RunningThread {
      heap.withMutator { m in
        script.say("second inside")
        script.wait(for: .answered(.roots), polling: m)
        let second = root.get(m)!.left!
        script.say("loaded")
        script.wait(for: .posted(.finish))
        m.poll()
        let third = second.left!
        second.left = nil
        script.say("cut")
        script.wait(for: .over, polling: m)
        return [second.key] + third.keys
      }
    }
    let worker = RunningThread {
      script.wait(for: "cut")
      let work = heap.markAsWorker()
      script.say("marked")
      return work
    }
    script.wait(for: "first inside")
    script.wait(for: "second inside")
    heap.collect()
    #expect(try worker.join() > 0)
    #expect(try cutting.join() == [2, 3, 4])
    try flushing.join()
  }

  @Test("Marking ends although a thread cuts paths at every round, when what it cuts is marked already")
  func ends() throws {
    let heap = try Heap.quiet()
    let root = try heap.makeChain(2)
    let script = Script(heap)
    let thread = RunningThread {
      heap.withMutator { m in
        script.say("inside")
        script.wait("the end of the cycle", polling: m) {
          let first = root.get(m)!
          let second = first.left
          first.left = nil
          first.left = second
          return script.hasPassed(.over)
        }
        return root.get(m)!.keys
      }
    }
    script.wait(for: "inside")
    heap.collect()
    #expect(try thread.join() == [1, 2])
  }
}
