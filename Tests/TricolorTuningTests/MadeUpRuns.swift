// Runs of a made-up store, for tests of the plan and the answer: a surface in a group of any size, with the wall time that its work takes.

import Foundation

@testable import TricolorTuning

/// Measures planned runs by arithmetic.
final class MadeUpRuns {
  static let mebibyte: Int64 = 1 << 20
  static let standardRequest = request()
  /// The answer to it, which many tests look at.
  static func standardAnswer() throws -> TuningAnswer { try tuned.get() }
  private static let tuned = Result { try Tuner.run(standardRequest, measure: MadeUpRuns().measure) }

  /// What is alive, and what every run has beside it.
  private static let liveBytes = 80.0 * Double(mebibyte)
  private static let otherBytes = 8.0 * Double(mebibyte)
  private let seconds: Double
  private let deviation: Double
  /// What was measured.
  private(set) var plans: [PlannedRun] = []
  private(set) var operations: [Int?] = []

  init(seconds: Double = 6, deviation: Double = 0.02) {
    self.seconds = seconds
    self.deviation = deviation
  }

  static func request(
    memory: Int64 = 512 * mebibyte, budget: Double = 180, slo: ServiceLevel = ServiceLevel(), grid: Bool = false,
    seed: UInt64 = 1
  ) -> TuningRequest {
    TuningRequest(
      workload: "etcd", arguments: ["--keys", "1000"], memoryBytes: memory, seed: seed,
      work: .calibrated(milliseconds: 3000), budgetSeconds: budget, serviceLevel: slo, measuresGrid: grid,
      processors: 2)
  }

  func measure(_ plan: PlannedRun, _ operations: Int?, _ usualSeconds: Double) -> MeasuredRun? {
    plans.append(plan)
    self.operations.append(operations)
    return run(plan)
  }

  /// What comes of a run follows from its plan alone.
  private func run(_ plan: PlannedRun) -> MeasuredRun {
    var key = UInt64(14_695_981_039_346_656_037)
    for byte in "\(plan.setting.text) \(plan.groupBytes) \(plan.seed)".utf8 {
      key = (key ^ UInt64(byte)) &* 1_099_511_628_211
    }
    var noise = Noise(seed: key, deviation: deviation)
    let group = Double(plan.groupBytes)
    let limit = group * Double(plan.setting.limitPercent) / 100
    let goal = min(limit - Self.otherBytes, Self.liveBytes * (1 + Double(plan.setting.gcPercent ?? 1_000_000) / 100))
    let room = goal - Self.liveBytes
    let peak = min(goal + Self.otherBytes, limit) * (1 + 0.01 * noise.normal())
    guard room > 0, peak < group else { return MeasuredRun(plan: plan, outcome: .oomKilled, wallSeconds: seconds / 2) }
    let share = min(0.6, 0.01 + 4 * Double(Self.mebibyte) / room) * exp(deviation * noise.normal())
    let cost = 30_000 / (1 - share) * exp(deviation * noise.normal())
    return MeasuredRun(
      plan: plan,
      outcome: .survived(
        RunFigures(
          operations: 123_456, operationsPerSecond: 2e9 / cost, cpuNanosecondsPerOperation: cost, processorsUsed: 1.93,
          p50: 10_000, p99: UInt64(1e6 * (1 + 10 * share)), p999: 5_000_000, longest: 20_000_000, gcCPUFraction: share,
          limitBytes: Int64(limit), peakResidentBytes: Int64(peak), peakGroupBytes: Int64(peak))),
      wallSeconds: seconds)
  }
}
