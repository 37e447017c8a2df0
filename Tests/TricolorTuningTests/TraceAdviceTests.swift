// What is concluded from a trace: against arithmetic where the program is made up, and against what was measured where it was real.

import Testing

@testable import TricolorTuning

@Suite("Advice from a trace")
struct TraceAdviceTests {
  private static let mebibyte = 1_048_576.0

  @Test("of a steady program, twice the growth is half the collections", arguments: [25, 50, 100, 200, 400])
  func growth(_ percent: Int) throws {
    let advisor = try TraceAdvisor(SyntheticTrace().trace)
    let outcome = advisor.replay(GoSetting(gcPercent: percent, limit: nil))
    let expected = 60.0 * 100 / Double(percent)
    #expect(abs(Double(outcome.cycles) - expected) <= expected * 0.1 + 1)
    #expect(abs(outcome.cpuNanoseconds - Double(outcome.cycles) * 20e6) < 1e6)
    #expect(abs(outcome.peakHeap / Self.mebibyte - 100 - Double(percent)) < 0.05 * Double(100 + percent))
  }

  @Test("its own properties are found again")
  func estimates() throws {
    let estimate = try TraceAdvisor(SyntheticTrace().trace).estimate
    #expect(estimate.gcPercent == 100)
    #expect(estimate.liveMedian == 100 * Self.mebibyte)
    #expect(estimate.livePeak == 100 * Self.mebibyte)
    #expect(abs(estimate.allocationRate / Self.mebibyte - 50) < 2)
    #expect(abs(estimate.cpuFraction - 0.0025) < 0.0002)
    #expect(abs(estimate.growth - 1) < 0.01)
  }

  @Test("under a limit with room memory stays below it, and collections become more")
  func limited() throws {
    let advisor = try TraceAdvisor(SyntheticTrace().trace, resident: 220 << 20)
    let free = advisor.replay(GoSetting(gcPercent: 100, limit: nil))
    let limited = advisor.replay(GoSetting(gcPercent: 100, limit: 170 << 20))
    #expect(limited.peakMemory <= 170 * Self.mebibyte + 16 * Self.mebibyte)
    #expect(limited.cycles > free.cycles * 3 / 2)
  }

  @Test("the smallest safe limit holds what lives and what is not heap, and little more")
  func smallest() throws {
    let advisor = try TraceAdvisor(SyntheticTrace().trace, resident: 220 << 20)
    let likely = Double(advisor.smallestSafe(.likely)) / Self.mebibyte
    #expect((120...150).contains(likely), "\(likely) MiB")
    #expect(advisor.smallestSafe(.least) <= advisor.smallestSafe(.likely))
    #expect(advisor.smallestSafe(.likely) <= advisor.smallestSafe(.most))
  }

  @Test("cycles that the program asks for, and the one after two idle minutes, remain whatever the setting")
  func forced() throws {
    var cycles = SyntheticTrace(count: 20).cycles
    cycles[9].isForced = true
    var trace = GoTrace(reading: [])
    trace.stretches = [cycles]
    let rare = GoSetting(gcPercent: 2_000, limit: nil)
    #expect(try TraceAdvisor(trace).replay(rare).cycles == 2)
    for index in 15..<20 { cycles[index].start += 500 }
    trace.stretches = [cycles]
    #expect(try TraceAdvisor(trace).replay(rare).cycles == 6)
  }

  @Test("too small a container is said to be, and a large one is safe")
  func verdicts() throws {
    let advisor = try TraceAdvisor(SyntheticTrace().trace)
    let small = advisor.advice(memory: 64 << 20)
    #expect(!small.isSafe)
    #expect(small.verdict.contains("too little"))
    let large = advisor.advice(memory: 1 << 30)
    #expect(large.isSafe)
    #expect(large.recommended.setting == GoSetting(gcPercent: 100, limit: 921 << 20))
    #expect(large.recommended.peakMemory < Double(1 << 30))
  }

  @Test("growth goes up where collection is dear and there is memory, but no further than it takes")
  func dear() throws {
    let advice = try TraceAdvisor(SyntheticTrace(cost: 600).trace).advice(memory: 4 << 30)
    #expect(advice.recommended.setting.gcPercent == 200)
    #expect(advice.recommended.cpuFraction <= TraceAdvisor.aim)
    #expect(advice.alternatives.contains { $0.cpuFraction > TraceAdvisor.aim })
  }

  @Test("without a container's size the one proposed is safe")
  func proposed() throws {
    let advice = try TraceAdvisor(SyntheticTrace().trace).advice(memory: nil)
    #expect(advice.isSafe)
    #expect(Double(advice.memory) >= advice.smallestSafe.most)
    #expect(advice.memory % (16 << 20) == 0)
  }

  @Test("what speaks against an advice is said: short, growing, cut, damaged")
  func doubts() throws {
    func doubts(_ change: (inout GoTrace) -> Void) throws -> String {
      var trace = SyntheticTrace().trace
      change(&trace)
      return try TraceAdvisor(trace).advice(memory: 1 << 30).doubts.map(\.text).joined(separator: "\n")
    }
    #expect(try !doubts { _ in }.contains("grew"))
    #expect(try doubts { $0.stretches = [SyntheticTrace(count: 10).cycles] }.contains("only 10 collections"))
    let growing = try doubts { trace in
      for index in 0..<60 { trace.stretches[0][index].marked += index }
    }
    #expect(growing.contains("grew by"))
    #expect(
      try doubts { $0.stretches = [Array($0.stretches[0][..<30]), Array($0.stretches[0][35...])] }.contains("2 pieces"))
    #expect(try doubts { $0.damaged = [DamagedLine(line: 7, expected: "a", found: "b")] }.contains("line 7"))
    #expect(try TraceAdvisor(SyntheticTrace(count: 10).trace).advice(memory: 1 << 30).confidence == .poor)
  }
}
