// Pacer, limiter and estimate together, in situations that Go's own scenarios do not have.

import Testing

@testable import TricolorPacing

private let mebibyte = ProcessModel.mebibyte

@Suite("A paced process")
struct ProcessModelTests {
  @Test("that allocates far past its goal at once is held back until marking ends, and paced as before afterwards")
  func hardGoal() {
    var process = ProcessModel(live: 256 * mebibyte)
    process.run(milliseconds: 20_000)
    while !process.isMarking { process.run(milliseconds: 1) }
    let goal = Double(process.pacer.heapGoal())
    process.allocateAtOnce(1.2 * goal - Double(process.pacer.heapLive))
    process.pacer.revise()
    let cycle = process.finishedCycles
    var grown = 0.0
    process.run(milliseconds: 400) { if $0.finishedCycles == cycle { grown = Double($0.pacer.heapLive) } }
    #expect(process.finishedCycles > cycle)
    // Past a tenth over the goal nothing is left to allocate: what is, is what a hundredth of the processors does meanwhile.
    #expect(grown < 1.22 * goal)
    process.run(milliseconds: 20_000)
    #expect((0.9...1.05).contains(process.peakOfLastCycle / process.goalOfLastCycle))
  }

  @Test("makes room for a step of foreign memory, and never needs more beyond its limit than the step was")
  func foreignStep() {
    let limit = 1024 * mebibyte
    var process = ProcessModel(percent: -1, limit: limit, live: 256 * mebibyte)
    process.run(milliseconds: 10_000)
    #expect(process.resident > 0.9 * limit)
    process.foreign = 256 * mebibyte
    process.run(milliseconds: 500)
    var worst = 0.0
    process.run(milliseconds: 10_000) { worst = max(worst, $0.resident) }
    #expect(worst <= limit)
    #expect(worst > 0.85 * limit, "the room that is left is used")
  }

  @Test("stays below its limit while foreign memory grows by a quarter of it in two seconds")
  func foreignRamp() {
    let limit = 1024 * mebibyte
    var process = ProcessModel(percent: -1, limit: limit, live: 256 * mebibyte)
    process.run(milliseconds: 10_000)
    var worst = 0.0
    for _ in 0..<2000 {
      process.foreign += 256 * mebibyte / 2000
      process.run(milliseconds: 1)
      worst = max(worst, process.resident)
    }
    #expect(worst <= 1.01 * limit)
  }

  @Test("uses room again that foreign memory gave back, but slowly")
  func foreignFall() {
    let limit = 1024 * mebibyte
    var process = ProcessModel(percent: -1, limit: limit, live: 256 * mebibyte)
    process.foreign = 512 * mebibyte
    process.run(milliseconds: 10_000)
    process.foreign = 0
    process.run(milliseconds: 3000)
    #expect(process.pacer.heapGoal() < UInt64(0.65 * limit))
    process.run(milliseconds: 200_000)
    #expect(process.pacer.heapGoal() > UInt64(0.9 * limit))
  }

  @Test(
    "whose limit falls below what lives collects all the time at no more than its share, and recovers with the limit")
  func limitBelowLive() {
    var process = ProcessModel(limit: 1024 * mebibyte, live: 512 * mebibyte)
    process.run(milliseconds: 10_000)
    process.pacer.setMemoryLimit(Int64(400 * mebibyte))
    process.run(milliseconds: 10_000)
    #expect(process.pacer.heapGoal() == process.pacer.heapMarked)
    let share = process.share(over: 30_000)
    #expect((0.48...0.505).contains(share), "the limiter's half")
    process.pacer.setMemoryLimit(Int64(4096 * mebibyte))
    process.run(milliseconds: 10_000)
    #expect(process.share(over: 10_000) < 0.25)
    #expect((0.9...1.05).contains(process.peakOfLastCycle / process.goalOfLastCycle))
  }

  @Test("is held to the share that is set, also below a quarter", arguments: [5, 10, 20, 25, 30, 40, 60])
  func otherShares(_ percent: Int) {
    var process = ProcessModel(limit: 400 * mebibyte, live: 512 * mebibyte)
    process.limiter.setCapPercent(percent)
    process.run(milliseconds: 10_000)
    #expect(process.share(over: 30_000) <= Double(percent) / 100 + 0.005)
  }

  @Test(
    "meets its goal again soon after its processors have changed", arguments: [(8.0, 2.0), (2.0, 16.0), (4.0, 0.5)])
  func processorsChange(_ before: Double, _ after: Double) {
    var process = ProcessModel(live: 256 * mebibyte, processors: before)
    process.run(milliseconds: 10_000)
    process.processors = after
    let cycle = process.finishedCycles
    while process.finishedCycles < cycle + 6 { process.run(milliseconds: 1) }
    while process.finishedCycles < cycle + 12 {
      process.run(milliseconds: 1)
      #expect((0.9...1.06).contains(process.peakOfLastCycle / process.goalOfLastCycle))
    }
    #expect(process.limiter.capacity == Int64(after * 1e9))
  }

  /// The least that the program got of the CPU in a millisecond of marking.
  private func leastProgramShare(quota: Double, planned: Double?) -> Double {
    var process = ProcessModel(live: 256 * mebibyte, processors: quota)
    process.allocationRate /= 8
    process.planned = planned
    process.run(milliseconds: 20_000)
    var least = 1.0
    var before = process.programTime
    process.run(milliseconds: 60_000) {
      if $0.isMarking { least = min(least, ($0.programTime - before) / quota) }
      before = $0.programTime
    }
    return least
  }

  @Test("under a quota keeps three quarters of the quota while it is marked, not of the processors it seems to have")
  func quota() {
    #expect(leastProgramShare(quota: 1.5, planned: nil) > 0.70)
    #expect(leastProgramShare(quota: 1.5, planned: 8) < 0.05, "planned with all eight, marking takes the whole quota")
  }

  @Test("does not swing where the resident set is read rarely", arguments: [1, 10, 100, 250, 1000])
  func sampledResidentSet(_ interval: Int) {
    let limit = 1024 * mebibyte
    var process = ProcessModel(percent: -1, limit: limit, live: 256 * mebibyte)
    process.sampleInterval = interval
    process.foreign = 200 * mebibyte
    process.run(milliseconds: 20_000)
    var goals: [UInt64] = []
    var worst = 0.0
    process.run(milliseconds: 20_000) {
      goals.append($0.pacer.heapGoal())
      worst = max(worst, $0.resident)
    }
    #expect(Double(goals.max()!) / Double(goals.min()!) < 1.02)
    #expect(worst <= limit)
    #expect(worst > 0.9 * limit)
  }
}

@Suite("What the CPU limiter counts")
struct CPUReadingTests {
  private func reading(_ change: (inout CPUReading) -> Void) -> CPUReading {
    var reading = CPUReading()
    reading.time = 100_000_000
    change(&reading)
    return reading
  }

  private func fill(_ now: CPUReading, goalIsLimited: Bool = false) -> Int64 {
    var limiter = CPULimiter()
    limiter.resize(processors: 2)
    limiter.update(from: CPUReading(), to: now, processors: 2, goalIsLimited: goalIsLimited)
    return limiter.fill
  }

  @Test("is time that was used: an idle program pays for nothing with its idleness")
  func idleProgram() {
    let now = reading {
      $0.process = 60_000_000
      $0.background = 40_000_000
    }
    #expect(fill(now) == 20_000_000)
  }

  @Test("leaves out marking on unused processors while growth sets the goal, and counts it under the limit")
  func unusedProcessors() {
    let now = reading {
      $0.process = 200_000_000
      $0.background = 100_000_000
      $0.idle = 100_000_000
    }
    #expect(fill(now) == 50_000_000, "a quarter of two processors for 100 ms")
    #expect(fill(now, goalIsLimited: true) == 200_000_000)
  }

  @Test("is all of the collector's work")
  func everything() {
    let now = reading {
      $0.process = 50_000_000
      $0.background = 10_000_000
      $0.assist = 10_000_000
      $0.sweep = 10_000_000
      $0.scavenge = 10_000_000
    }
    #expect(fill(now) == 30_000_000)
  }

  @Test("survives clocks that contradict each other")
  func contradiction() {
    let now = reading {
      $0.process = 5
      $0.assist = 10_000_000
    }
    #expect(fill(now) == 10_000_000)
    var limiter = CPULimiter()
    limiter.update(from: now, to: CPUReading(), processors: 2, goalIsLimited: true)
    #expect(limiter.fill == 0)
  }
}

@Suite("A periodic cycle")
struct PeriodicCycleTests {
  @Test("is due two minutes after the last one, and never with growth off")
  func due() {
    let pacer = Pacer(gcPercent: 100, memoryLimit: .max)
    #expect(!pacer.isPeriodicCycleDue(nanosecondsSinceLast: 120_000_000_000))
    #expect(pacer.isPeriodicCycleDue(nanosecondsSinceLast: 120_000_000_001))
    #expect(!Pacer(gcPercent: -1, memoryLimit: 1 << 30).isPeriodicCycleDue(nanosecondsSinceLast: .max))
  }
}

@Suite("The smallest goal of growth")
struct HeapMinimumTests {
  @Test("changes at once, and back to Go's")
  func changes() {
    var pacer = Pacer(gcPercent: 200, memoryLimit: .max)
    pacer.setHeapMinimum(100 << 20)
    #expect(pacer.heapGoal() == 100 << 20)
    pacer.setHeapMinimum(nil)
    #expect(pacer.heapGoal() == 8 << 20)
  }

  @Test("does not hold against the limit")
  func limit() {
    var pacer = Pacer(gcPercent: 100, memoryLimit: 50 << 20)
    pacer.setHeapMinimum(100 << 20)
    #expect(pacer.heapGoal() < 50 << 20)
  }
}
