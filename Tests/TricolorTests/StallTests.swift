// Stalls one by one: none unless asked for, whole, in order, and counted where there were too many to keep.

import Testing
@_spi(Testing) import Tricolor

@Suite("Stalls")
struct StallTests {
  @Test("nobody keeps stalls unless asked to, and those of before are not told")
  func keepsNothingUnasked() throws {
    let heap = try Heap.quiet()
    try onOwnThread { heap.withMutator { m in collectElsewhere(heap, m) } }
    #expect(heap.takeStalls() == ([], 0))
    heap.keepStalls()
    #expect(heap.takeStalls() == ([], 0))
  }

  @Test("holds are told once each, with their thread, between the beginning and now")
  func tellsHolds() throws {
    let heap = try Heap.quiet()
    heap.keepStalls()
    heap.keepStalls()
    try onOwnThread { heap.withMutator { m in for _ in 0..<5 { collectElsewhere(heap, m) } } }
    let (stalls, lost) = heap.takeStalls()
    let statistics = heap.statistics
    #expect(stalls.count == statistics.stalls.count && !stalls.isEmpty)
    #expect(lost == 0)
    #expect(Set(stalls.map(\.thread)).count == 1)
    let ends = stalls.map { $0.startedAt + $0.durationNanoseconds }
    #expect(ends == ends.sorted())
    #expect(ends.allSatisfy { $0 <= statistics.elapsedNanoseconds })
    #expect(stalls.map(\.durationNanoseconds).max() == statistics.stalls.max)
    #expect(heap.takeStalls() == ([], 0))
  }

  @Test("many threads at once lose nothing and mix nothing up while somebody takes what they leave")
  func manyThreads() throws {
    let heap = try Heap.quiet()
    heap.keepStalls()
    let (threads, each) = (4, 40_000)
    let taken = Shared([StallEvent]())
    let lost = Shared(0)
    let stops = Shared(false)
    let reader = RunningThread {
      while true {
        let isLast = stops.withLock { $0 }
        let (stalls, missing) = heap.takeStalls()
        taken.withLock { $0 += stalls }
        lost.withLock { $0 += missing }
        if isLast { return }
      }
    }
    try runThreads(threads) { thread in
      for number in 0..<each { heap.recordStall(Int32(thread), from: UInt64(number), to: UInt64(number + thread)) }
    }
    stops.withLock { $0 = true }
    try reader.join()
    let stalls = taken.withLock { $0 }
    #expect(stalls.count + lost.withLock { $0 } == threads * each)
    #expect(stalls.allSatisfy { $0.durationNanoseconds == UInt64($0.thread) })
    for thread in 0..<Int32(threads) {
      let numbers = stalls.filter { $0.thread == thread }.map(\.startedAt)
      #expect(zip(numbers, numbers.dropFirst()).allSatisfy { $0 < $1 }, "of one thread in its order, each once")
    }
  }

  @Test("a full queue counts what it cannot keep")
  func countsWhatItLoses() throws {
    let heap = try Heap.quiet()
    heap.keepStalls()
    for number in 0..<UInt64(StallEvent.mostKept + 7) { heap.recordStall(1, from: number, to: number + 1) }
    let (stalls, lost) = heap.takeStalls()
    #expect(stalls.map(\.startedAt) == (0..<StallEvent.mostKept).map { UInt64($0) })
    #expect(lost == 7)
    heap.recordStall(2, from: 5, to: 6)
    #expect(heap.takeStalls().stalls.map(\.thread) == [2])
  }
}

/// Runs a cycle on another thread while this one polls, so that it is held.
private func collectElsewhere(_ heap: Heap, _ m: Mutator) {
  let cycles = heap.statistics.cycles
  let other = RunningThread { heap.collect() }
  while heap.statistics.cycles == cycles { m.poll() }
  do {
    try m.blocking { try other.join() }
  } catch {
    Issue.record("\(error)")
  }
}
