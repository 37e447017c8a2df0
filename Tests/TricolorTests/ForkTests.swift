// fork in a process with a heap: what the child may do and what it is told, and a parent that does not notice.

import Glibc
import Testing
@_spi(Testing) import Tricolor

@Suite("fork")
struct ForkTests {
  /// What a child does with its copy of a heap, and whether it may.
  enum Use: String, CaseIterable, Codable, Sendable {
    case leaves, reads, stores, exits, executes
    case enters, allocates, polls, collects, asks, makesHeap

    var isAllowed: Bool { [.leaves, .reads, .stores, .exits, .executes].contains(self) }
  }

  @Test(
    "A child may read, store, end its bodies, exit and exec; what would wait for missing threads ends it with a message",
    arguments: Use.allCases)
  func child(_ use: Use) async {
    let result = await #expect(processExitsWith: .success, observing: [\.standardErrorContent]) { [use] in
      alarm(600)
      let heap = try Heap.quiet()
      let root = try heap.makeChain(5)
      heap.collect()
      let status = heap.withMutator { m in
        let link = root.get(m)!
        let child = forkProcess()
        if child == 0 {
          alarm(300)
          ForkTests.act(use, heap, m, root, link)
        }
        return waitForProcess(child)
      }
      precondition((status == 0) == use.isAllowed, "the child ended with \(status)")
      // By the trap of a message, not by the alarm.
      precondition(use.isAllowed || status & 0x7f != SIGALRM, "the child hung")
      heap.collect()
      let keys = try root.keys(in: heap)
      precondition(keys == [1, 2, 3, 4, 5])
    }
    let said = String(decoding: result?.standardErrorContent ?? [], as: UTF8.self)
    #expect(said.contains("this process is a fork of one that had a heap") == !use.isAllowed)
  }

  /// In the child; never returns.
  private static func act(_ use: Use, _ heap: Heap, _ m: Mutator, _ root: Root<Link>, _ link: Reference<Link>) {
    switch use {
    case .leaves: _exit(0)
    case .reads: _exit(link.keys == [1, 2, 3, 4, 5] ? 0 : 1)
    case .stores:
      for _ in 0..<10_000 { link.right = link.left }
      _exit(link.right?.key == 2 ? 0 : 1)
    case .exits: exit(0)
    case .executes:
      var arguments: [UnsafeMutablePointer<CChar>?] = [strdup("true"), nil]
      execv("/bin/true", &arguments)
    case .enters: heap.withMutator { _ in }
    case .allocates:
      for key in 0..<100_000 { _ = try? m.make(Link(key: key, left: nil, right: nil)) }
    case .polls: m.poll()
    case .collects: heap.collect()
    case .asks: _ = heap.statistics
    case .makesHeap:
      do {
        _ = try Heap.quiet()
      } catch {
        fatalError("\(error)")
      }
    }
    _exit(0)
  }

  @Test("Forks in the middle of cycles, from inside and outside, change nothing for the parent")
  func parentGoesOn() async {
    await #expect(processExitsWith: .success) {
      alarm(600)
      let heap = try Heap.quiet()
      let web = try Web(heap, knots: 20_000, seed: 6)
      let done = Shared(false)
      let collecting = RunningThread { while !done.withLock({ $0 }) { heap.collect() } }
      let changing = RunningThread {
        while !done.withLock({ $0 }) { try web.change(1000) }
      }
      for number in 0..<40 {
        let child = number % 2 == 0 ? forkProcess() : heap.withMutator { _ in forkProcess() }
        if child == 0 { _exit(0) }
        precondition(waitForProcess(child) == 0)
      }
      done.withLock { $0 = true }
      try collecting.join()
      try changing.join()
      heap.collect()
      try web.check()
    }
  }

  @Test("A child drops roots and heaps, and its threads end, without waiting")
  func childLetsGo() async {
    await #expect(processExitsWith: .success) {
      alarm(600)
      var heap: Heap? = try Heap.quiet()
      var root: Root<Link>? = try heap!.makeChain(3)
      let collecting = Shared(heap)
      let busy = RunningThread { for _ in 0..<200 { collecting.withLock { $0 }?.collect() } }
      for _ in 0..<20 {
        let child = forkProcess()
        if child == 0 {
          alarm(300)
          root = nil
          heap = nil
          exit(0)
        }
        precondition(waitForProcess(child) == 0)
      }
      try busy.join()
      let keys = try root!.keys(in: heap!)
      precondition(keys == [1, 2, 3])
    }
  }
}

/// Swift hides fork; here is what it hides.
private func forkProcess() -> Int32 {
  let symbol = dlsym(nil, "fork")!
  return unsafeBitCast(symbol, to: (@convention(c) () -> Int32).self)()
}

private func waitForProcess(_ child: Int32) -> Int32 {
  var status: Int32 = 0
  precondition(waitpid(child, &status, 0) == child)
  return status
}
