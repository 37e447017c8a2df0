// The counters of a heap against what a program knows it did.

import Testing
@_spi(Testing) import Tricolor

@Suite("Statistics")
struct StatisticsTests {
  @Test("Objects and bytes allocated are counted exactly, over kinds, sizes and threads")
  func allocated() throws {
    let heap = try Heap.quiet()
    try runThreads(3) { _ in
      try heap.withMutator { m in
        for i in 0..<1000 {
          _ = try m.make(Link(key: i, left: nil, right: nil))
          _ = try m.makeBytes(count: 1000)
        }
        for _ in 0..<3 { _ = try m.makeBytes(count: 100_000) }
      }
    }
    let statistics = heap.statistics
    #expect(statistics.allocatedObjects == 3 * 2003)
    #expect(statistics.allocatedBytes == 3 * (1000 * 32 + 1000 * Heap.cellBytes(for: 1008)! + 3 * 100_016))
    #expect(statistics.mutators == 0)
  }

  @Test("Objects of a run still open are counted after the next collection")
  func openRuns() throws {
    let heap = try Heap.quiet()
    let counted = try onOwnThread {
      try heap.withMutator { m in
        for i in 0..<10 { _ = try m.make(Link(key: i, left: nil, right: nil)) }
        heap.collect()
        return heap.statistics.allocatedObjects
      }
    }
    #expect(counted == 10)
  }

  @Test("Every cycle marks each reachable object once")
  func marked() throws {
    let heap = try Heap.quiet()
    let root = try heap.makeChain(5000)
    for cycle in 1...3 {
      heap.collect()
      #expect(heap.statistics.markedObjects == cycle * 5000)
      #expect(heap.statistics.markedBytes == cycle * 5000 * 32)
    }
    #expect(heap.statistics.roots == 1)
    withExtendedLifetime(root) {}
  }

  @Test("Cycles are counted by cause, and the causes add up")
  func causes() throws {
    var configuration = Heap.Configuration()
    configuration.settings.minimumHeap = 1 << 20
    let heap = try Heap(configuration: configuration)
    // The collector comes to it when it is scheduled.
    while heap.statistics.cyclesByCause[.growth]! == 0 {
      try onOwnThread {
        try heap.withMutator { m in
          for i in 0..<300_000 { _ = try m.make(Link(key: i, left: nil, right: nil)) }
        }
      }
    }
    heap.collect()
    heap.collect()
    let statistics = heap.statistics
    #expect(statistics.cyclesByCause[.forced]! >= 2)
    #expect(statistics.cyclesByCause[.periodic]! == 0)
    #expect(statistics.cycles == statistics.cyclesByCause.values.reduce(0, +))
    #expect(statistics.gcPercent == 100)
    #expect(statistics.limitBytes == nil)
  }

  @Test("A cycle beside a polling thread holds it at least five times, and each hold is a stall and an answer")
  func holds() throws {
    let heap = try Heap.quiet()
    let done = Shared(false)
    let inside = Shared(false)
    let polling = RunningThread {
      heap.withMutator { m in
        inside.withLock { $0 = true }
        while !done.withLock({ $0 }) { m.poll() }
      }
    }
    while !inside.withLock({ $0 }) {}
    heap.collect()
    let statistics = heap.statistics
    done.withLock { $0 = true }
    try polling.join()
    #expect(statistics.holds.count >= 5)
    #expect(statistics.holdCPU.count == statistics.holds.count)
    #expect(statistics.stalls.count >= statistics.holds.count)
    #expect(statistics.timeToSafepoint.count >= 5)
    #expect(statistics.mutators == 1)
    for durations in [statistics.holds, statistics.holdCPU, statistics.stalls, statistics.timeToSafepoint] {
      #expect(durations.p50 <= durations.p99 && durations.p99 <= durations.p999 && durations.p999 <= durations.max)
    }
  }

  @Test("Sizes agree with each other")
  func sizes() throws {
    let heap = try Heap.quiet()
    let root = try heap.makeChain(100_000)
    heap.collect()
    let statistics = heap.statistics
    #expect(statistics.liveBytes == 3_200_000)
    #expect(statistics.liveBytes <= statistics.usedBlockBytes)
    #expect(statistics.peakLiveBytes >= statistics.liveBytes)
    #expect(statistics.usedBlockBytes % Heap.blockBytes == 0)
    #expect(statistics.usedBlockBytes <= statistics.liveBytes + 32 * Heap.blockBytes)
    #expect(statistics.residentBytes >= statistics.usedBlockBytes / 2)
    #expect(statistics.peakResidentBytes >= statistics.residentBytes)
    // The mark stack keeps a mebibyte; tables take two percent.
    #expect(
      statistics.metadataBytes <= (statistics.usedBlockBytes + statistics.heldFreeBytes) / 50 + (1 << 20) + (64 << 10))
    withExtendedLifetime(root) {}
  }
}
