// The hold of the debug checks: while it lasts nobody runs, in whichever state a thread was when it was asked for, and afterwards the
// cycle goes on as if it had not been.

import Glibc
import Testing
@_spi(Testing) import Tricolor

@Suite("Hold")
struct HoldTests {
  @Test(
    "During a hold nobody runs: no running thread, none that leaves a blocking region, none that enters or attaches")
  func nobodyRuns() throws {
    let heap = try Heap.quiet()
    let script = Script(heap, holdingAt: .answered(.hold))
    let steps = Shared([0, 0, 0, 0])
    let step: @Sendable (Int) -> Void = { index in steps.withLock { $0[index] += 1 } }
    let running = RunningThread {
      try heap.withMutator { m in
        script.say("running")
        try poll(m, until: .over, of: script) {
          _ = try m.make(Link(key: 1, left: nil, right: nil))
          step(0)
        }
      }
    }
    let blocking = RunningThread {
      heap.withMutator { m in
        m.blocking {
          script.say("blocking")
          script.wait(for: .answered(.hold))
        }
        step(1)
      }
    }
    let entering = RunningThread {
      heap.withMutator { _ in }
      script.say("outside")
      script.wait(for: .answered(.hold))
      heap.withMutator { _ in step(2) }
    }
    let attaching = RunningThread {
      script.wait(for: .answered(.hold))
      heap.withMutator { _ in step(3) }
    }
    for word in ["running", "blocking", "outside"] { script.wait(for: word) }
    let verifying = RunningThread { heap.verify() }
    script.wait(for: .answered(.hold))
    let before = steps.withLock { $0 }
    usleep(20_000)
    let after = steps.withLock { $0 }
    #expect(before[0] == after[0])
    #expect(after.dropFirst() == [0, 0, 0])
    script.release(.answered(.hold))
    let result = try verifying.join()
    #expect(result.isSound, "\(result)")
    for thread in [blocking, entering, attaching] { try thread.join() }
    heap.collect()
    try running.join()
    #expect(steps.withLock { $0 }.dropFirst() == [1, 1, 1])
  }

  @Test(
    "A thread that attaches right after the hold at the end of marking allocates black: its object survives the cycle")
  func attachAfterHold() throws {
    var configuration = Heap.Configuration()
    configuration.gcPercent = nil
    configuration.settings.debug.gcCheckMark = true
    configuration.settings.debug.clobberFree = true
    let heap = try Heap(configuration: configuration)
    let root = try emptyRoot(heap)
    let script = Script(heap, holdingAt: .answered(.hold))
    // Answers `sweep` late, so that the new thread allocates between the hold and that handshake's end.
    let late = RunningThread {
      heap.withMutator { m in
        script.say("late")
        script.wait("the end of the hold", polling: m) { script.hasPassed(.posted(.sweep)) }
        script.wait(for: "made")
        script.wait(for: .over, polling: m)
      }
    }
    let attaching = RunningThread {
      script.wait(for: .answered(.hold))
      script.say("attaching")
      try heap.withMutator { m in root.set(try m.make(Link(key: 7, left: nil, right: nil)), m) }
      script.say("made")
    }
    script.wait(for: "late")
    let collecting = RunningThread { heap.collect() }
    script.wait(for: "attaching")
    usleep(1000)
    script.release(.answered(.hold))
    for thread in [late, attaching, collecting] { try thread.join() }
    #expect(try root.keys(in: heap) == [7])
    #expect(heap.verify().isSound)
  }

  @Test("A large object that is being zeroed during a hold is no fault")
  func zeroing() throws {
    let heap = try Heap.quiet()
    // Pages that held something, so that the next objects there must be zeroed.
    try onOwnThread {
      try heap.withMutator { m in
        let dirty = try m.makeBytes(count: 16 << 20)
        dirty.bytes.initializeMemory(as: UInt8.self, repeating: 1)
      }
    }
    heap.collect()
    let done = Shared(false)
    let allocating = RunningThread {
      while !done.withLock({ $0 }) {
        try heap.withMutator { m in _ = try m.makeArray(of: Link.self, count: 1 << 20) }
        heap.collect()
      }
    }
    for _ in 0..<30 {
      let result = heap.verify()
      #expect(result.isSound, "\(result)")
    }
    done.withLock { $0 = true }
    try allocating.join()
  }

  @Test("Heaps that begin and end on threads inside another heap do not keep that one's holds waiting for ever")
  func heapsEndInside() throws {
    let outer = try Heap.quiet()
    let done = Shared(false)
    let verifying = RunningThread {
      var count = 0
      while !done.withLock({ $0 }) {
        if !outer.verify().isSound { return -1 }
        count += 1
      }
      return count
    }
    try runThreads(2) { _ in
      try outer.withMutator { m in
        for _ in 0..<20 {
          let inner = try Heap.quiet()
          try inner.withMutator { m in _ = try m.make(Link(key: 1, left: nil, right: nil)) }
          #expect(inner.verify().isSound)
          m.poll()
        }
      }
    }
    done.withLock { $0 = true }
    #expect(try verifying.join() > 0)
  }
}

/// Does `body` and polls, again and again, until the collector has passed `step`.
private func poll(_ mutator: Mutator, until step: CycleStep, of script: Script, _ body: () throws -> Void) throws {
  while !script.hasPassed(step) {
    try body()
    mutator.poll()
  }
}
