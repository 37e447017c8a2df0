// The accounts between those who mark and those who allocate while a cycle runs.

import Glibc
import Testing
@_spi(Testing) import Tricolor

@Suite("Assist credit")
struct AssistCreditTests {
  @Test("What others have marked pays for allocation: nobody assists while there is credit")
  func credit() throws {
    var configuration = Heap.Configuration()
    configuration.settings.minimumHeap = 1 << 20
    let heap = try Heap(configuration: configuration)
    let root = try heap.makeChain(100_000)
    heap.collect()
    let (isInside, isMarked, goesOn) = (Shared(false), Shared(false), Shared(false))
    // Everything is marked, and marking goes on.
    heap.onCycleStep { step in
      guard step == .round else { return }
      isMarked.withLock { $0 = true }
      while !goesOn.withLock({ $0 }) { usleep(50) }
    }
    let thread = RunningThread {
      try heap.withMutator { m in
        isInside.withLock { $0 = true }
        while !isMarked.withLock({ $0 }) { m.poll() }
        let before = heap.statistics.cpu.assist
        for key in 0..<30_000 { _ = try m.make(Link(key: key, left: nil, right: nil)) }
        let assisted = heap.statistics.cpu.assist - before
        goesOn.withLock { $0 = true }
        return assisted
      }
    }
    while !isInside.withLock({ $0 }) { usleep(50) }
    heap.collect()
    #expect(try thread.join() == 0)
    withExtendedLifetime(root) {}
  }
}
