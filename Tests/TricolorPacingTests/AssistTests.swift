// The price of allocation while a cycle runs, on each of its three roads: as expected, grown heap, goal passed.

import Testing

@testable import TricolorPacing

private let mebibyte: UInt64 = 1 << 20

/// A cycle that began at 150 MiB of live heap, with a goal of 200 MiB and 100 MiB of work expected.
private func runningCycle(percent: Int32 = 100) -> Pacer {
  var pacer = Pacer(gcPercent: percent, memoryLimit: .max)
  pacer.heapScanWork = 100 * mebibyte
  pacer.resetLive(bytesMarked: 100 * mebibyte)
  pacer.commit(sweepDone: true)
  pacer.heapLive = 150 * mebibyte
  pacer.heapScan = 150 * mebibyte
  pacer.startCycle(processors: 4)
  return pacer
}

@Suite("The price of allocation")
struct AssistTests {
  @Test("is the work that remains over the bytes that remain")
  func expected() {
    var pacer = runningCycle()
    #expect(pacer.assistWorkPerByte == 2)
    #expect(pacer.assistBytesPerWork == 0.5)
    pacer.heapLive = 175 * mebibyte
    pacer.heapScanWork = 75 * mebibyte
    pacer.revise()
    #expect(pacer.assistWorkPerByte == 1)
  }

  @Test("never becomes free: a thousand bytes of work remain at least")
  func floor() {
    var pacer = runningCycle()
    pacer.heapScanWork = 100 * mebibyte
    pacer.revise()
    #expect(pacer.assistWorkPerByte == 1000 / Double(50 * mebibyte))
  }

  @Test("stays when the heap turns out grown: the goal moves out in proportion")
  func stretched() {
    var pacer = runningCycle()
    pacer.heapScanWork = 100 * mebibyte + 1000
    pacer.heapLive = 190 * mebibyte
    pacer.revise()
    // 50 MiB of runway for 100 MiB of work are 75 MiB for 150 MiB: a goal of 225 MiB.
    let expected = Double(50 * mebibyte - 1000) / Double(35 * mebibyte)
    #expect(abs(pacer.assistWorkPerByte - expected) < 1e-12)
  }

  @Test("moves the goal at most to the heap that growth allows next")
  func hardGoal() {
    var pacer = runningCycle()
    pacer.heapScan = 10_000 * mebibyte
    pacer.heapScanWork = 101 * mebibyte
    pacer.revise()
    let remaining = Double(9899 * mebibyte) / Double(250 * mebibyte)
    #expect(abs(pacer.assistWorkPerByte - remaining) < 1e-12)
  }

  @Test("moves the goal to that same end when no work was expected at all")
  func nothingExpected() {
    var pacer = Pacer(gcPercent: 100, memoryLimit: .max)
    pacer.heapLive = 3 * mebibyte
    pacer.heapScan = 3 * mebibyte
    pacer.startCycle(processors: 2)
    pacer.heapScanWork = mebibyte
    pacer.revise()
    #expect(pacer.assistWorkPerByte == 2.0 / 5.0)
  }

  @Test("grants a tenth more once the goal is passed")
  func overshoot() {
    var pacer = runningCycle()
    pacer.heapLive = 210 * mebibyte
    pacer.revise()
    #expect(abs(pacer.assistWorkPerByte - 15) < 1e-6)
  }

  @Test("stops allocation when that is passed too")
  func blocked() {
    var pacer = runningCycle()
    pacer.heapLive = 221 * mebibyte
    pacer.revise()
    #expect(pacer.assistWorkPerByte == Double(150 * mebibyte))
    #expect(pacer.assistBytesPerWork == 1 / Double(150 * mebibyte))
  }

  @Test("has a wide end with growth off: the limit bounds it, not a percentage")
  func growthOff() {
    var pacer = runningCycle(percent: 100)
    pacer.setMemoryLimit(Int64(200 * mebibyte))
    pacer.setGCPercent(-1)
    pacer.heapScanWork = 101 * mebibyte
    pacer.heapScan = 1000 * mebibyte
    pacer.revise()
    let goal = 194 * mebibyte + 200 * mebibyte % 100 * 3 / 100
    let stretchedRunway = Double(goal - 150 * mebibyte) * 10
    let expected = Double(899 * mebibyte) / stretchedRunway
    #expect(abs(pacer.assistWorkPerByte / expected - 1) < 1e-6)
  }
}

@Suite("The end of a cycle")
struct EndOfCycleTests {
  /// Ends a cycle in which `allocated` bytes were allocated and 100 MiB scanned in 1 ms on 4 processors.
  private func end(
    _ pacer: inout Pacer, allocated: UInt64, assist: Int64 = 0, idle: Int64 = 0, background: Double = 0.25
  ) {
    pacer.heapLive = pacer.triggered + allocated
    pacer.heapScanWork = 100 * mebibyte
    pacer.endCycle(
      durationNanoseconds: 1_000_000, processors: 4, assistNanoseconds: assist, idleNanoseconds: idle,
      backgroundUtilization: background)
    pacer.resetLive(bytesMarked: 100 * mebibyte)
    pacer.commit(sweepDone: true)
    pacer.heapLive = 150 * mebibyte
    pacer.startCycle(processors: 4)
  }

  @Test("counts assists as marking and idle workers as marking that cost the program nothing")
  func utilization() {
    var pacer = runningCycle()
    end(&pacer, allocated: 50 * mebibyte, assist: 1_000_000, idle: 1_000_000)
    #expect(abs(pacer.consMark - 0.5 * 0.75 / 0.5) < 1e-12)
  }

  @Test("takes the share that background marking really got")
  func realBackground() {
    var pacer = runningCycle()
    end(&pacer, allocated: 50 * mebibyte, background: 0.5)
    #expect(abs(pacer.consMark - 0.5) < 1e-12)
  }

  @Test("remembers the fastest allocation of five cycles")
  func history() {
    var pacer = runningCycle()
    end(&pacer, allocated: 60 * mebibyte)
    let fastest = pacer.consMark
    for _ in 0..<4 {
      end(&pacer, allocated: 6 * mebibyte)
      #expect(pacer.consMark == fastest)
    }
    end(&pacer, allocated: 6 * mebibyte)
    #expect(abs(pacer.consMark - fastest / 10) < 1e-12)
  }

  @Test("learns nothing from a cycle without allocation")
  func nothingAllocated() {
    var pacer = runningCycle()
    end(&pacer, allocated: 60 * mebibyte)
    let before = pacer.consMark
    for _ in 0..<10 { end(&pacer, allocated: 0) }
    #expect(pacer.consMark == before)
  }

  @Test("starts earliest, and does not trap, after a cycle that scanned nothing or left the program no time")
  func extremes() {
    var idle = runningCycle()
    idle.heapLive += 1
    idle.endCycle(durationNanoseconds: 0, processors: 4, assistNanoseconds: 0)
    idle.resetLive(bytesMarked: 100 * mebibyte)
    idle.commit(sweepDone: true)
    #expect(idle.trigger().trigger == 100 * mebibyte + 100 * mebibyte / 64 * 45)
    var busy = runningCycle()
    end(&busy, allocated: mebibyte, assist: 3_000_000)
    #expect(busy.consMark == .infinity)
    end(&busy, allocated: mebibyte, assist: 9_000_000)
    #expect(busy.trigger().goal == 200 * mebibyte)
  }

  @Test("leaves the goal it ended with for the scavenger, and no cycle running")
  func lastGoal() {
    var pacer = runningCycle()
    #expect(pacer.cycleRuns)
    pacer.endCycle(durationNanoseconds: 1, processors: 4, assistNanoseconds: 0)
    #expect(pacer.lastHeapGoal == 200 * mebibyte)
    pacer.resetLive(bytesMarked: mebibyte)
    #expect(!pacer.cycleRuns)
    #expect(pacer.heapLive == mebibyte)
  }
}

@Suite("Background workers")
struct WorkerPlanTests {
  @Test(
    "are a quarter of the processors, in turns where whole ones miss it",
    arguments: [
      (1, 0, 0.25), (2, 0, 0.25), (3, 0, 0.25), (4, 1, 0), (5, 1, 0), (6, 1, 0.5 / 6), (7, 2, 0), (8, 2, 0), (16, 4, 0),
      (2.5, 0, 0.25), (0.5, 0, 0.25),
    ] as [(Double, Int, Double)])
  func plan(_ processors: Double, _ dedicated: Int, _ fractionalGoal: Double) {
    let plan = WorkerPlan(processors: processors)
    #expect(plan.dedicated == dedicated)
    #expect(abs(plan.fractionalGoal - fractionalGoal) < 1e-12)
  }
}
