// The limiter through the twelve steps of Go's own test (mgclimit_test.go), and with other shares than a half.

import Testing
import TricolorPacing

/// Splits windows of time between collector and program as Go does, and feeds a limiter with them.
private struct LimitedProgram {
  var limiter = CPULimiter()
  var processors: Int64 = 14

  private static let milliseconds: Int64 = 1_000_000

  /// A stretch in which the program runs, a quarter of the processors marks if `marking`, and `assist` of them assist.
  mutating func run(milliseconds: Int64, marking: Bool = false, assistPercent: Int64 = 0) {
    let window = milliseconds * Self.milliseconds * processors
    let collector = window * assistPercent / 100 + (marking ? window / 4 : 0)
    update(collector, window - collector)
  }

  /// A stretch in which nothing but the collector runs.
  mutating func stop(microseconds: Int64) { update(microseconds * 1000 * processors, 0) }

  private mutating func update(_ collector: Int64, _ program: Int64) {
    limiter.update(gcNanoseconds: collector, mutatorNanoseconds: program, processors: Double(processors))
  }
}

@Suite("The CPU limiter")
struct CPULimiterTests {
  @Test("follows Go's scenario step by step, twice")
  func goScenario() {
    var program = LimitedProgram()
    for overflowBefore in [0, 14 * 506_000_000] as [Int64] {
      expectScenario(&program, overflowBefore: overflowBefore)
      program.run(milliseconds: 2000)
      #expect(program.limiter.fill == 0)
    }
  }

  private func expectScenario(_ program: inout LimitedProgram, overflowBefore: Int64) {
    let n: Int64 = 14
    program.run(milliseconds: 10)
    #expect(program.limiter.fill == 0, "the program alone fills nothing")
    #expect(!CPULimiter.needsUpdate(elapsedNanoseconds: 5_000_000))
    #expect(CPULimiter.needsUpdate(elapsedNanoseconds: 15_000_000))
    program.stop(microseconds: 2001)
    #expect(program.limiter.fill == 2_001_000 * n, "a stop counts for every processor")
    program.run(milliseconds: 2, marking: true)
    #expect(program.limiter.fill == 1_001_000 * n, "marking alone drains half of what it takes")
    program.run(milliseconds: 5, marking: true, assistPercent: 25)
    #expect(program.limiter.fill == 1_001_000 * n, "at one half nothing changes")
    program.run(milliseconds: 3, marking: true)
    #expect(program.limiter.fill == 0)
    program.run(milliseconds: 1, marking: true, assistPercent: 75)
    #expect(program.limiter.fill == 1_000_000 * n)
    #expect(!program.limiter.isLimiting)
    program.run(milliseconds: 999, marking: true, assistPercent: 75)
    #expect(program.limiter.fill == program.limiter.capacity)
    #expect(program.limiter.overflow == overflowBefore, "exactly full loses nothing")
    #expect(program.limiter.isLimiting)
    program.run(milliseconds: 1000, marking: true, assistPercent: 25)
    #expect(program.limiter.fill == program.limiter.capacity)
    #expect(program.limiter.isLimiting, "at one half it stays as it is")
    program.run(milliseconds: 1000, marking: true)
    #expect(program.limiter.fill == program.limiter.capacity / 2)
    #expect(!program.limiter.isLimiting)
    program.run(milliseconds: 1000, marking: true, assistPercent: 75)
    #expect(program.limiter.fill == program.limiter.capacity)
    #expect(program.limiter.overflow == overflowBefore + 500_000_000 * n)
    program.run(milliseconds: 1, marking: true, assistPercent: 75)
    program.stop(microseconds: 5000)
    #expect(program.limiter.overflow == overflowBefore + 506_000_000 * n)
    expectResizing(&program)
  }

  private func expectResizing(_ program: inout LimitedProgram) {
    let full = program.limiter.fill
    program.limiter.resize(processors: 24)
    #expect(program.limiter.fill == full)
    #expect(!program.limiter.isLimiting, "more processors, more room")
    program.limiter.resize(processors: 4)
    #expect(program.limiter.fill == program.limiter.capacity)
    #expect(program.limiter.isLimiting, "fewer processors, no room")
    program.limiter.resize(processors: 14)
  }

  @Test("stands still at exactly its share", arguments: [10, 25, 50, 75, 90])
  func standsStill(_ cap: Int64) {
    var limiter = CPULimiter(capPercent: Int(cap))
    limiter.update(gcNanoseconds: 500_000_000, mutatorNanoseconds: 0, processors: 2)
    limiter.update(gcNanoseconds: cap * 1_000_000, mutatorNanoseconds: (100 - cap) * 1_000_000, processors: 2)
    #expect(limiter.fill == 500_000_000)
    limiter.update(gcNanoseconds: (cap + 1) * 1_000_000, mutatorNanoseconds: (99 - cap) * 1_000_000, processors: 2)
    #expect(limiter.fill > 500_000_000, "one percent more fills it")
    let before = limiter.fill
    limiter.update(gcNanoseconds: (cap - 1) * 1_000_000, mutatorNanoseconds: (101 - cap) * 1_000_000, processors: 2)
    #expect(limiter.fill < before, "one percent less drains it")
  }

  @Test("limits a share of 30 % when it may take 25, not when it may take 50")
  func lowerShare() {
    var low = CPULimiter(capPercent: 25)
    var standard = CPULimiter()
    for _ in 0..<1000 {
      low.update(gcNanoseconds: 60_000_000, mutatorNanoseconds: 140_000_000, processors: 2)
      standard.update(gcNanoseconds: 60_000_000, mutatorNanoseconds: 140_000_000, processors: 2)
    }
    #expect(low.isLimiting)
    #expect(!standard.isLimiting)
    #expect(standard.fill == 0)
  }

  @Test("never limits at a share of 100 %, whatever collection takes")
  func wholeShare() {
    var limiter = CPULimiter(capPercent: 100)
    for _ in 0..<100 { limiter.update(gcNanoseconds: 2_000_000_000, mutatorNanoseconds: 0, processors: 2) }
    #expect(!limiter.isLimiting)
  }

  @Test("takes a share out of range as the nearer end")
  func shareRange() {
    #expect(CPULimiter(capPercent: 0).capPercent == 1)
    #expect(CPULimiter(capPercent: 101).capPercent == 100)
  }
}
