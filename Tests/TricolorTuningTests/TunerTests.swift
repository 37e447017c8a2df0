// A tuning from its first run to its answer, over a made-up store: what it measures, for how long, and how it goes on when interrupted.

import Foundation
import Harness
import Testing
import TricolorTuning

@Suite("A tuning")
struct TunerTests {
  private func tune(
    _ request: TuningRequest, earlier: [MeasuredRun] = [], runs: MadeUpRuns = MadeUpRuns()
  ) throws -> TuningAnswer {
    try Tuner.run(request, earlier: earlier, measure: runs.measure)
  }

  @Test("spends no more than its budget, on settings, repetitions and smaller groups")
  func keepsItsBudget() throws {
    for budget in [40.0, 110, 240] {
      let answer = try tune(MadeUpRuns.request(budget: budget))
      #expect(answer.runs.reduce(0) { $0 + $1.wallSeconds } <= budget)
      #expect(answer.recommended != nil)
      guard budget >= 240 else { continue }
      for purpose in [PlannedRun.Purpose.calibrate, .explore, .confirm, .shrink] {
        #expect(answer.runs.contains { $0.plan.purpose == purpose }, "\(purpose) in \(budget) s")
      }
    }
  }

  @Test("after calibrating every run does the same work, so that costs can be compared")
  func allDoTheSameWork() throws {
    let runs = MadeUpRuns()
    let answer = try tune(MadeUpRuns.request(budget: 60), runs: runs)
    #expect(runs.operations.prefix(2) == [nil, 30_000], "a time, and a quarter of what was done in it")
    let work = try #require(runs.operations[2])
    #expect(runs.operations.dropFirst(2).allSatisfy { $0 == work })
    // Three seconds at what a run of operations did in one.
    let rate = try #require(answer.runs[1].figures?.operationsPerSecond)
    #expect(abs(Double(work) / (3 * rate) - 1) < 0.1)
  }

  @Test("repeats what it recommends with other seeds")
  func repeatsTheBest() throws {
    let answer = try MadeUpRuns.standardAnswer()
    let own = answer.runs.filter {
      $0.plan.setting == answer.recommended && $0.plan.groupBytes == answer.request.memoryBytes
    }
    #expect(Set(own.map(\.plan.seed)).count >= 3)
    #expect(answer.operationsPerSecond?.interval != nil)
  }

  @Test("goes on from any point as it would have without the interruption", arguments: [1, 9, 15, 22])
  func resumesIdentically(_ count: Int) throws {
    let whole = try MadeUpRuns.standardAnswer()
    let resumed = try tune(MadeUpRuns.standardRequest, earlier: Array(whole.runs.prefix(count)))
    #expect(resumed.runs == whole.runs)
    #expect(resumed.text == whole.text)
  }

  @Test("an interrupted one answers with what it has")
  func interruptedAnswers() throws {
    let runs = MadeUpRuns()
    let answer = try Tuner.run(MadeUpRuns.standardRequest) { plan, operations, usual in
      runs.plans.count == 5 ? nil : runs.measure(plan, operations, usual)
    }
    #expect(answer.isInterrupted)
    #expect(answer.runs.count == 5)
    #expect(answer.recommended != nil)
    #expect(answer.text.contains("INTERRUPTED"))
  }

  @Test("where every run is killed it gives up early and says so")
  func hopelessEnds() throws {
    let answer = try tune(MadeUpRuns.request(memory: 64 * MadeUpRuns.mebibyte))
    #expect(answer.recommended == nil)
    #expect(answer.runs.count <= 12)
    #expect(answer.sentence.contains("no setting"))
    #expect(answer.shellLines.isEmpty)
  }

  @Test("a killed setting is never recommended, though it was the cheapest before")
  func killedIsNotRecommended() throws {
    let runs = MadeUpRuns()
    let request = MadeUpRuns.standardRequest
    let first = try #require(try MadeUpRuns.standardAnswer().recommended)
    let answer = try Tuner.run(request) { plan, operations, usual in
      let isOther = plan.purpose == .confirm && plan.setting == first
      return isOther
        ? MeasuredRun(plan: plan, outcome: .oomKilled, wallSeconds: 1) : runs.measure(plan, operations, usual)
    }
    #expect(answer.recommended != nil)
    #expect(answer.recommended != first)
  }

  @Test("a service level rules settings out")
  func serviceLevelHolds() throws {
    let free = try MadeUpRuns.standardAnswer()
    let share = try #require(free.gcCPUFraction?.middle)
    let bound = try ServiceLevel("gc-cpu=2.2%")
    let answer = try tune(MadeUpRuns.request(slo: bound))
    #expect(try #require(answer.gcCPUFraction).middle <= 0.022)
    #expect(share > 0.005)
    let impossible = try tune(MadeUpRuns.request(slo: ServiceLevel("p99=100us")))
    #expect(impossible.recommended == nil)
  }

  @Test("the whole grid is measured once where that is asked for, whatever the budget")
  func gridIsMeasured() throws {
    let answer = try tune(MadeUpRuns.request(budget: 30, grid: true))
    let explored = answer.runs.filter { $0.plan.purpose == .explore }.map(\.plan.setting)
    #expect(explored.count == SearchSpace(processors: 2).settings.count)
    #expect(Set(explored).count == explored.count)
  }

  @Test("the smallest group lies where the made-up store begins to collect too much")
  func smallestGroupIsFound() throws {
    let answer = try tune(MadeUpRuns.request(budget: 300))
    let smallest = try #require(answer.smallest)
    let (enough, tooSmall) = (try #require(smallest.enoughBytes), try #require(smallest.tooSmallBytes))
    // 25 % of CPU: 4 MiB of room cost over 24 %, on 80 MiB alive and 8 beside.
    let part = Double(try #require(answer.recommended).limitPercent) / 100
    let truth = (88 + 4 / 0.24) * Double(MadeUpRuns.mebibyte) / part
    #expect(tooSmall < enough)
    #expect(Double(enough) > 0.97 * truth && Double(enough) < 1.1 * truth)
    let curve = try #require(smallest.byCurve)
    #expect(curve.low < 1.02 * truth && curve.high > 0.98 * truth)
  }

  @Test("fresh runs with other seeds fall into the stated intervals")
  func predictionsHold() throws {
    let answer = try MadeUpRuns.standardAnswer()
    let setting = try #require(answer.recommended)
    let fresh = (100..<140).compactMap { seed in
      MadeUpRuns().measure(
        PlannedRun(setting: setting, groupBytes: answer.request.memoryBytes, seed: seed, purpose: .confirm), nil, 3)?
        .figures
    }
    let costs = try #require(answer.cpuNanosecondsPerOperation?.interval)
    let shares = try #require(answer.gcCPUFraction?.interval)
    let peaks = try #require(answer.peakBytes?.interval)
    #expect(fresh.count { costs.contains($0.cpuNanosecondsPerOperation) } >= 37, "of 40")
    #expect(fresh.count { shares.contains($0.gcCPUFraction) } >= 37, "of 40")
    #expect(fresh.count { peaks.contains(Double($0.peakGroupBytes)) } >= 37, "of 40")
  }
}
