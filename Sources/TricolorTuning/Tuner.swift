// Runs a tuning: asks the plan what to measure, has it measured, keeps it, until the plan is content, the budget is spent, or somebody
// interrupts. Whatever ends it, what was measured has an answer.

import Harness
import TricolorTelemetry

/// Runs tunings.
public enum Tuner {
  /// Measures to the end.
  ///
  /// - Parameters:
  ///   - earlier: runs that a state file had.
  ///   - measure: does a planned run with so many operations (nil: as the request's work says), knowing how many seconds runs usually take; nil
  ///     when interrupted.
  ///   - keep: told of every run.
  ///   - tell: told of progress, a line each; nil for nobody.
  public static func run(
    _ request: TuningRequest, earlier: [MeasuredRun] = [],
    measure: (_ plan: PlannedRun, _ operations: Int?, _ usualSeconds: Double) throws -> MeasuredRun?,
    keep: (MeasuredRun) throws -> Void = { _ in }, tell: ((String) -> Void)? = nil
  ) throws -> TuningAnswer {
    let plan = TuningPlan(request)
    var runs = earlier
    var isInterrupted = false
    while let next = plan.next(runs) {
      if let tell { tell(progress(request, runs, next)) }
      let operations = plan.operations(runs)
      let full = runs.filter { $0.plan.groupBytes == request.memoryBytes && $0.figures != nil }
      let usual = median(full.map(\.wallSeconds)) ?? request.budgetSeconds
      guard let run = try measure(next, operations, usual) else {
        isInterrupted = true
        break
      }
      runs.append(run)
      try keep(run)
      if let tell { tell("    " + words(run)) }
    }
    return TuningAnswer(request, runs, operations: plan.operations(runs), isInterrupted: isInterrupted)
  }

  /// What is about to be measured, and the time left.
  private static func progress(_ request: TuningRequest, _ runs: [MeasuredRun], _ next: PlannedRun) -> String {
    let used = runs.reduce(0) { $0 + $1.wallSeconds }
    let left =
      request.measuresGrid
      ? "" : ", \(seconds(max(0, request.budgetSeconds - used))) left of \(seconds(request.budgetSeconds))"
    let group = next.groupBytes == request.memoryBytes ? "" : " in \(Figures.bytes(Int(next.groupBytes)))"
    return "run \(runs.count + 1) (\(next.purpose.rawValue))\(left): \(next.setting.text)\(group)"
  }

  private static func seconds(_ seconds: Double) -> String { "\(Int(seconds.rounded())) s" }

  private static func words(_ run: MeasuredRun) -> String {
    switch run.outcome {
    case .oomKilled: "killed at its memory limit after \(Figures.fixed(run.wallSeconds, 1)) s"
    case .failed(let reason): reason
    case .survived(let figures):
      "\(Figures.duration(UInt64(figures.cpuNanosecondsPerOperation))) of CPU an operation, "
        + "\(Figures.count(Int(figures.operationsPerSecond))) operations/s, collector \(Figures.percent(figures.gcCPUFraction)), "
        + "peak \(Figures.bytes(Int(figures.peakGroupBytes)))"
    }
  }
}
