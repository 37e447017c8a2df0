// The estimate of memory that is not ours: steps, ramps and swings, and the pacer that listens to it.

import Testing
import TricolorPacing

private let mebibyte: Int64 = 1 << 20
private let second: UInt64 = 1_000_000_000

@Suite("The estimate of foreign memory")
struct ForeignMemoryTests {
  @Test("believes a rise at once")
  func step() {
    var estimate = ForeignMemoryEstimate()
    #expect(estimate.update(residentBytes: 100 * mebibyte, ownBytes: 60 * mebibyte, now: second) == 40 * mebibyte)
    #expect(estimate.update(residentBytes: 300 * mebibyte, ownBytes: 60 * mebibyte, now: second + 1) == 240 * mebibyte)
  }

  @Test("follows a ramp without delay")
  func ramp() {
    var estimate = ForeignMemoryEstimate()
    for tick in 1...100 as ClosedRange<Int64> {
      let foreign = estimate.update(
        residentBytes: (50 + tick) * mebibyte, ownBytes: 50 * mebibyte, now: UInt64(tick) * second / 4)
      #expect(foreign == tick * mebibyte)
    }
  }

  @Test("falls to about a third in thirty seconds, and towards the sample in the end")
  func decay() {
    var estimate = ForeignMemoryEstimate()
    estimate.update(residentBytes: 100 * mebibyte, ownBytes: 0, now: second)
    for tick in 1...120 as ClosedRange<UInt64> {
      estimate.update(residentBytes: 0, ownBytes: 0, now: second + tick * second / 4)
    }
    #expect((35...39).contains(estimate.bytes / mebibyte))
    for tick in 1...1200 as ClosedRange<UInt64> {
      estimate.update(residentBytes: 0, ownBytes: 0, now: 31 * second + tick * second / 4)
    }
    #expect(estimate.bytes < mebibyte)
  }

  @Test("falls about as far in one long step as in many short ones, and never too far")
  func longStep() {
    var estimate = ForeignMemoryEstimate()
    estimate.update(residentBytes: 100 * mebibyte, ownBytes: 0, now: second)
    #expect(estimate.update(residentBytes: 10 * mebibyte, ownBytes: 0, now: 31 * second) == 55 * mebibyte)
    let late = estimate.update(residentBytes: 10 * mebibyte, ownBytes: 0, now: 1_000_000 * second)
    #expect((10 * mebibyte..<11 * mebibyte).contains(late))
  }

  @Test("is never negative, and stands still when time does")
  func edges() {
    var estimate = ForeignMemoryEstimate()
    #expect(estimate.update(residentBytes: 10, ownBytes: 20, now: 5) == 0)
    estimate.update(residentBytes: mebibyte, ownBytes: 0, now: 10)
    #expect(estimate.update(residentBytes: 0, ownBytes: 0, now: 10) == mebibyte)
    #expect(estimate.update(residentBytes: 0, ownBytes: 0, now: 4) == mebibyte)
    #expect(estimate.update(residentBytes: .min, ownBytes: .max, now: 4) == mebibyte)
  }

  @Test("keeps the goal steady while foreign memory swings")
  func steadyGoal() {
    var estimate = ForeignMemoryEstimate()
    var pacer = Pacer(gcPercent: -1, memoryLimit: 1000 * mebibyte)
    var goals: [UInt64] = []
    for tick in 1...400 as ClosedRange<UInt64> {
      let swinging = tick % 8 < 4 ? 300 * mebibyte : 100 * mebibyte
      pacer.memory.foreign = UInt64(
        estimate.update(residentBytes: swinging, ownBytes: 0, now: tick * second / 4))
      if tick > 8 { goals.append(pacer.heapGoal()) }
    }
    let lowest = Double(goals.min()!)
    #expect(Double(goals.max()!) / lowest < 1.02)
    #expect(lowest > 670 * Double(mebibyte))
  }
}
