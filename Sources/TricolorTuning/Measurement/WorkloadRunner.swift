// Measures one planned run: `tricolor run WORKLOAD` in a control group of its own, as an operator's service would have it.
//
// A child of its own for every run: a heap that was tuned in the same process would start warm, and what dies at a limit must not take the
// tuner with it. However it ends is a result; only what keeps every run from starting is an error.

import FoundationEssentials
import Glibc
import Harness
import TricolorPacing
import TricolorPlatform

/// Runs the command in control groups. Used by one thread, which outlives the runs.
public struct WorkloadRunner: Sendable {
  /// Variables of this process that a run gets too: what programs are found by, and settings that are not tuned.
  private static let passed =
    ["PATH", "HOME", "LD_LIBRARY_PATH", "TMPDIR"] + Settings.variableNames
  /// The least time a run may take before it counts as hung, and how many times what runs usually take. In a smaller group one that crawls has
  /// said enough.
  private static let patience = (seconds: 60.0, usual: 8.0)
  private static let shrunkPatience = (seconds: 5.0, usual: 3.0)
  private static let longestReason = 200

  private let executable: String
  private let request: TuningRequest
  /// Processors that runs may use, whatever they plan with.
  private let available: Double

  /// - Parameter executable: the path of `tricolor`.
  /// - Throws: `PlatformError` when the processors that may be used cannot be read.
  public init(executable: String, request: TuningRequest) throws(PlatformError) {
    self.executable = executable
    self.request = request
    available = try Processors.current().available
  }

  /// Runs to the end.
  ///
  /// - Parameters:
  ///   - operations: how many the run does; nil for as many as the request's work says.
  ///   - usualSeconds: what runs take; much longer ones are ended, which is a result.
  /// - Returns: nil when SIGINT or SIGTERM came meanwhile; the child is ended then.
  /// - Throws: `PlatformError` when no control group can be made or the command not be started.
  public func measure(_ plan: PlannedRun, operations: Int?, usualSeconds: Double) throws -> MeasuredRun? {
    let groups = try PodGroups(limitBytes: nil)
    let began = Clock.monotonic()
    var words = Words()
    do {
      let pod = try groups.start(
        "run", limitBytes: plan.groupBytes, executable: executable, arguments: arguments(plan, operations),
        environment: environment(plan.setting))
      let patience = plan.purpose == .shrink ? Self.shrunkPatience : Self.patience
      let most = max(patience.seconds, patience.usual * usualSeconds)
      let ending = try words.await(pod, until: began + UInt64(most * 1e9))
      try groups.remove()
      let seconds = Double(Clock.monotonic() - began) / 1e9
      guard let outcome = try outcome(ending, words, plan) else { return nil }
      return MeasuredRun(plan: plan, outcome: outcome, wallSeconds: seconds)
    } catch {
      try groups.remove()
      throw error
    }
  }

  private func arguments(_ plan: PlannedRun, _ operations: Int?) -> [String] {
    var arguments = ["run", request.workload] + request.arguments + ["--seed", "\(plan.seed)"]
    if let operations {
      arguments += ["--operations", "\(operations)"]
    } else if case .calibrated(let milliseconds) = request.work {
      arguments += ["--duration", "\(milliseconds)ms"]
    }
    return arguments + ["--quiet", "--json", "-"]
  }

  private func environment(_ setting: TunedSetting) -> [String: String] {
    var environment: [String: String] = [:]
    for name in Self.passed { environment[name] = CurrentProcess.environment(name) }
    for (name, value) in setting.environment { environment[name] = value }
    return environment
  }

  /// What became of a child; nil where it was ended because this process was asked to.
  private func outcome(_ ending: Pod.Ending, _ words: Words, _ plan: PlannedRun) throws -> MeasuredRun.Outcome? {
    if Interrupt.wasReceived { return nil }
    if words.wasLate { return .failed("not done after \(Int(words.secondsWaited)) s") }
    guard let code = ending.exitCode else {
      return ending.oomKilled ? .oomKilled : .failed("ended by signal \(ending.signal ?? 0)")
    }
    guard code == 0 else {
      let said = String(words.lastLine.prefix(Self.longestReason))
      return .failed(code == LimitPolicy.exitStatus ? "ended by TRICOLOR_LIMIT_POLICY" : "exit code \(code): \(said)")
    }
    let report: RunReportFile
    do {
      report = try JSONDecoder().decode(RunReportFile.self, from: Data(words.output.bytes))
    } catch {
      return .failed("its report cannot be read: \(error)")
    }
    guard report.verified else { return .failed("its data at the end was not what was stored") }
    var figures = report.figures(peakGroupBytes: ending.peakUsageBytes, groupBytes: plan.groupBytes)
    // A report's share is of the processors that were planned with; settings are compared by one measure.
    figures.gcCPUFraction *= min(Double(plan.setting.processors), available) / available
    return .survived(figures)
  }
}

/// What a child says while it runs.
private struct Words {
  var output = PipeText()
  private var errors = PipeText()
  private(set) var lastLine = ""
  private(set) var wasLate = false
  private(set) var secondsWaited = 0.0

  /// Reads until the child has ended; kills it when its time is up or this process is asked to end.
  mutating func await(_ pod: Pod, until deadline: UInt64) throws(PlatformError) -> Pod.Ending {
    let began = Clock.monotonic()
    var wasKilled = false
    while true {
      let ending = try pod.poll()
      try output.read(pod.output)
      try errors.read(pod.errors)
      if let line = errors.takeLines(withRest: ending != nil).last { lastLine = line }
      secondsWaited = Double(Clock.monotonic() - began) / 1e9
      if let ending { return ending }
      if !wasKilled && (Clock.monotonic() > deadline || Interrupt.wasReceived) {
        wasLate = !Interrupt.wasReceived
        wasKilled = true
        pod.send(signal: SIGKILL)
      }
      var files = [pollfd(fd: pod.output, events: Int16(POLLIN), revents: 0)]
      // A pipe whose other end is closed would answer at once, for ever.
      if !output.isOpen { files[0].fd = -1 }
      poll(&files, nfds_t(files.count), 10)
    }
  }
}

/// The keys of `tricolor run --json` that a tuning reads.
private struct RunReportFile: Decodable {
  struct Latencies: Decodable {
    let p50: UInt64
    let p99: UInt64
    let p999: UInt64
    let max: UInt64
  }

  let operations: Int
  let operationsPerSecond: Double
  let seconds: Double
  let operationNanoseconds: Latencies
  let gcCPUFraction: Double
  let processCPUNanoseconds: UInt64
  let limitBytes: Int64?
  let peakRSSBytes: Int64
  let verified: Bool

  func figures(peakGroupBytes: Int64?, groupBytes: Int64) -> RunFigures {
    let cpu = Double(processCPUNanoseconds)
    return RunFigures(
      operations: operations, operationsPerSecond: operationsPerSecond,
      cpuNanosecondsPerOperation: max(1e-3, cpu / Double(max(1, operations))),
      processorsUsed: seconds > 0 ? cpu / 1e9 / seconds : 0, p50: operationNanoseconds.p50,
      p99: operationNanoseconds.p99, p999: operationNanoseconds.p999, longest: operationNanoseconds.max,
      gcCPUFraction: gcCPUFraction, limitBytes: limitBytes ?? groupBytes, peakResidentBytes: peakRSSBytes,
      peakGroupBytes: peakGroupBytes ?? peakRSSBytes)
  }
}
