// The pacer's rules one by one, with numbers worked out by hand from Go's formulas.

import Testing

@testable import TricolorPacing

/// A pacer whose last cycle marked and scanned `marked` bytes.
private func pacer(
  percent: Int32 = 100, limit: Int64 = .max, marked: UInt64, stacks: UInt64 = 0, globals: UInt64 = 0,
  memory: MemoryReading = MemoryReading()
) -> Pacer {
  var pacer = Pacer(gcPercent: percent, memoryLimit: limit)
  pacer.memory = memory
  pacer.globalsScan = globals
  pacer.heapScanWork = marked
  pacer.stackScanWork = stacks
  pacer.resetLive(bytesMarked: marked)
  pacer.commit(sweepDone: true)
  return pacer
}

private let mebibyte: UInt64 = 1 << 20

@Suite("The heap goal")
struct HeapGoalTests {
  @Test(
    "before the first cycle is 4 MiB, scaled by the percentage",
    arguments: [(100, 4 << 20), (50, 2 << 20), (0, 0)] as [(Int32, UInt64)])
  func firstGoal(_ percent: Int32, _ goal: UInt64) {
    #expect(Pacer(gcPercent: percent, memoryLimit: .max).heapGoal() == goal)
  }

  @Test("before the first cycle is the minimum that was set, whatever the percentage becomes")
  func setMinimum() {
    var pacer = Pacer(gcPercent: 100, memoryLimit: .max, heapMinimum: 64 << 20)
    #expect(pacer.heapGoal() == 64 << 20)
    pacer.setGCPercent(400)
    #expect(pacer.heapGoal() == 64 << 20)
  }

  @Test("grows with the roots, but does not contain them")
  func roots() {
    let pacer = pacer(percent: 50, marked: 100 * mebibyte, stacks: 10 * mebibyte, globals: 6 * mebibyte)
    #expect(pacer.heapGoal() == 158 * mebibyte)
  }

  @Test("lies at least 1 MiB ahead while sweeping is unfinished")
  func sweepDistance() {
    var pacer = pacer(percent: 1, marked: 50 * mebibyte)
    #expect(pacer.heapGoal() == 50 * mebibyte + 50 * mebibyte / 100)
    pacer.heapLive = 51 * mebibyte
    pacer.commit(sweepDone: false)
    #expect(pacer.heapGoal() == 52 * mebibyte)
    #expect(pacer.trigger().trigger == 52 * mebibyte)
  }

  @Test("lies at least 64 KiB ahead of a running cycle's trigger")
  func leastRunway() {
    var pacer = pacer(marked: 4 * mebibyte)
    pacer.heapLive = 9 * mebibyte
    pacer.startCycle(processors: 4)
    #expect(pacer.heapGoal() == 9 * mebibyte + 65_536)
  }

  @Test("is out of reach with neither growth nor limit")
  func unlimited() {
    let pacer = pacer(percent: -1, marked: 100 * mebibyte)
    #expect(pacer.heapGoal() > 1 << 62)
    #expect(!pacer.goalIsLimited)
  }

  @Test("does not overflow at the largest percentage")
  func largestPercentage() {
    #expect(pacer(percent: .max, marked: 1 << 60).heapGoal() > 1 << 62)
  }

  @Test("changes at once when percentage or limit do, also within a cycle")
  func changes() {
    var pacer = pacer(marked: 100 * mebibyte)
    pacer.heapLive = 150 * mebibyte
    pacer.heapScan = 150 * mebibyte
    pacer.startCycle(processors: 4)
    let price = pacer.assistWorkPerByte
    pacer.setGCPercent(60)
    #expect(pacer.heapGoal() == 160 * mebibyte)
    #expect(pacer.assistWorkPerByte > price)
    let higherPrice = pacer.assistWorkPerByte
    pacer.setMemoryLimit(160_000_000)
    #expect(pacer.goalIsLimited)
    #expect(pacer.heapGoal() == 160_000_000 - 160_000_000 / 100 * 3)
    #expect(pacer.assistWorkPerByte > higherPrice)
  }

  @Test("takes anything negative as off, and a negative limit as none left")
  func negatives() {
    #expect(Pacer(gcPercent: -7, memoryLimit: .max).gcPercent == -1)
    #expect(Pacer(gcPercent: 100, memoryLimit: -7).memoryLimit == 0)
  }
}

@Suite("The limit's goal")
struct LimitGoalTests {
  private func goal(_ memory: MemoryReading, limit: UInt64, marked: UInt64 = 0) -> UInt64 {
    memory.heapGoal(limit: limit, heapMarked: marked)
  }

  @Test("is the limit less three percent when all memory is heap")
  func plain() {
    #expect(goal(MemoryReading(), limit: 512 << 20) == 520_764_785)
  }

  @Test("leaves out what is mapped and neither object nor free heap")
  func outside() {
    let memory = MemoryReading(heapFree: 20 << 20, heapAlloc: 100 << 20, mappedReady: 180 << 20)
    let room: UInt64 = 452 << 20
    #expect(goal(memory, limit: 512 << 20) == room - room / 100 * 3)
  }

  @Test("leaves out memory that is not ours just so")
  func foreign() {
    var memory = MemoryReading(heapFree: 20 << 20, heapAlloc: 100 << 20, mappedReady: 180 << 20)
    memory.foreign = 52 << 20
    let room: UInt64 = 400 << 20
    #expect(goal(memory, limit: 512 << 20) == room - room / 100 * 3)
  }

  @Test("takes off twice what is held over the limit")
  func overage() {
    let memory = MemoryReading(heapAlloc: 500 << 20, mappedReady: 500 << 20, foreign: 32 << 20)
    let room: UInt64 = (512 - 32 - 20) << 20
    #expect(goal(memory, limit: 512 << 20) == room - room / 100 * 3)
  }

  @Test("keeps 1 MiB free at least, and never falls below that")
  func headroom() {
    #expect(goal(MemoryReading(), limit: 10 << 20) == 9 << 20)
    #expect(goal(MemoryReading(), limit: 3 << 19) == 1 << 20)
    #expect(goal(MemoryReading(), limit: 1) == 1 << 20)
  }

  @Test("is what was marked last when nothing is left, or less")
  func nothingLeft() {
    let memory = MemoryReading(foreign: 600 << 20)
    #expect(goal(memory, limit: 512 << 20, marked: 77) == 77)
    #expect(goal(MemoryReading(), limit: 512 << 20, marked: 600 << 20) == 600 << 20)
    #expect(goal(MemoryReading(), limit: 0, marked: 5) == 5)
  }

  @Test("survives counters that contradict each other")
  func contradiction() {
    let memory = MemoryReading(heapFree: .max, heapAlloc: 100, mappedReady: 10, foreign: .max)
    #expect(goal(memory, limit: 512 << 20, marked: 3) == 3)
    #expect(goal(MemoryReading(heapFree: 50, heapAlloc: 50, mappedReady: 10), limit: 512 << 20) == 520_764_785)
  }

  @Test("holds instead of growth's when it is smaller, and says so")
  func smallerHolds() {
    let grown = pacer(limit: 512 << 20, marked: 100 * mebibyte)
    #expect(grown.heapGoal() == 200 * mebibyte)
    #expect(!grown.goalIsLimited)
    let limited = pacer(limit: 512 << 20, marked: 300 * mebibyte)
    #expect(limited.heapGoal() == 520_764_785)
    #expect(limited.goalIsLimited)
  }

  @Test("is not raised for unfinished sweeping")
  func noSweepDistance() {
    var pacer = pacer(limit: 512 << 20, marked: 511 * mebibyte)
    pacer.commit(sweepDone: false)
    #expect(pacer.heapGoal() == 511 * mebibyte)
    #expect(pacer.trigger().trigger == 511 * mebibyte)
  }
}

@Suite("The trigger")
struct TriggerTests {
  @Test("without experience lies at 61/64 of the way, or 4 MiB before a far goal")
  func latest() {
    let near = pacer(marked: 8 * mebibyte)
    #expect(near.trigger().trigger == 8 * mebibyte + 8 * mebibyte / 64 * 61)
    let far = pacer(marked: 1024 * mebibyte)
    #expect(far.trigger().trigger == 2044 * mebibyte)
  }

  @Test("never lies before 45/64 of the way, however long the runway")
  func earliest() {
    var pacer = pacer(marked: 64 * mebibyte)
    pacer.heapLive = 100 * mebibyte
    pacer.startCycle(processors: 4)
    pacer.heapLive = 200 * mebibyte
    pacer.heapScanWork = 1000
    pacer.endCycle(durationNanoseconds: 1_000_000, processors: 4, assistNanoseconds: 3_000_000)
    pacer.heapScanWork = 64 * mebibyte
    pacer.resetLive(bytesMarked: 64 * mebibyte)
    pacer.commit(sweepDone: true)
    #expect(pacer.runway > 128 * mebibyte)
    #expect(pacer.trigger().trigger == 64 * mebibyte + 45 * mebibyte)
  }

  @Test("is the goal itself when the marked heap has reached it")
  func atGoal() {
    let pacer = pacer(percent: 0, marked: 10 * mebibyte)
    #expect(pacer.trigger() == (10 * mebibyte, 10 * mebibyte))
  }

  @Test("lies a runway before the goal, three times what was allocated per byte scanned at equal CPU time")
  func runway() {
    var pacer = pacer(marked: 64 * mebibyte)
    pacer.heapLive = 100 * mebibyte
    pacer.startCycle(processors: 4)
    pacer.heapLive += 12 * mebibyte
    pacer.heapScanWork = 64 * mebibyte
    pacer.endCycle(durationNanoseconds: 1_000_000, processors: 4, assistNanoseconds: 0)
    pacer.resetLive(bytesMarked: 64 * mebibyte)
    pacer.commit(sweepDone: true)
    #expect(abs(pacer.consMark - 12.0 / 64 / 3) < 1e-15)
    #expect(pacer.trigger().trigger >= 116 * mebibyte)
    #expect(pacer.trigger().trigger <= 116 * mebibyte + 1)
  }

  @Test("is never past the goal nor before the marked heap, for any state")
  func bounds() {
    var random = SeededRandom()
    for _ in 0..<2000 {
      var pacer = pacer(
        percent: Int32.random(in: -1...500, using: &random), limit: random.size(),
        marked: UInt64(random.size()), stacks: UInt64(random.size() / 64), globals: UInt64(random.size() / 64),
        memory: MemoryReading(
          heapFree: UInt64(random.size()), heapAlloc: UInt64(random.size()), mappedReady: UInt64(random.size()),
          foreign: UInt64(random.size())))
      pacer.commit(sweepDone: Bool.random(using: &random))
      let (trigger, goal) = pacer.trigger()
      #expect(trigger <= goal, "seed \(random.seed)")
      #expect(trigger >= min(pacer.heapMarked, goal), "seed \(random.seed)")
    }
  }
}
