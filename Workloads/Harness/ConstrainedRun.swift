// `--cgroup SIZE`: the command runs itself inside a memory control group with that hard limit and waits.
//
// The child is the same program with the same arguments less --cgroup; it writes the reports itself. Only a child that the kernel killed for
// memory, or that its own limit's policy ended, cannot, so then the parent writes what it knows. That is a result, not a failure: finding
// the limit at which a workload dies is what the option is for.

import Tricolor
import TricolorPacing
import TricolorPlatform
import TricolorTelemetry

/// A run inside a control group.
public enum ConstrainedRun {
  /// The least memory the command can start and report in.
  public static let smallestLimit = 8 << 20

  /// How it ended.
  public enum Ending: Sendable {
    /// The child ended by itself; its exit code.
    case exited(Int32)
    /// The kernel killed it at the limit; all that is known of the run.
    case oomKilled(RunReport)
    /// `TRICOLOR_LIMIT_POLICY` ended it; all that is known of the run.
    case endedByPolicy(RunReport)
  }

  /// The control group itself failed.
  public struct Failure: Error, CustomStringConvertible, Sendable {
    public let description: String
  }

  /// Runs this program in a group of its own.
  ///
  /// - Parameters:
  ///   - arguments: the child's, without the program's name.
  ///   - limitBytes: at least `smallestLimit`.
  ///   - request: what the child will run, for the report of a child that is killed.
  /// - Throws: when no group may be made, or a signal other than the OOM killer's ended the child.
  public static func run(
    arguments: [String], limitBytes: Int64, request: RunRequest
  ) throws -> Ending {
    // They are passed on to the child.
    Interrupt.unblock()
    let began = Clock.monotonic()
    let outcome = try ConstrainedChild.run(
      executable: try CurrentProcess.executablePath(), arguments: arguments, limitBytes: limitBytes)
    if let leftover = outcome.leftover { OutputFile.writeToStandardError("tricolor: \(leftover)\n") }
    if outcome.oomKilled, outcome.exitCode == nil {
      var report = try knownReport(of: outcome, request, seconds: Double(Clock.monotonic() - began) / 1e9)
      report.oomKilled = true
      return .oomKilled(report)
    }
    if outcome.exitCode == LimitPolicy.exitStatus, request.settings.limitPolicy != .soft {
      var report = try knownReport(of: outcome, request, seconds: Double(Clock.monotonic() - began) / 1e9)
      report.endedByLimitPolicy = true
      return .endedByPolicy(report)
    }
    if let code = outcome.exitCode { return .exited(code) }
    throw Failure(description: "signal \(outcome.signal ?? 0) ended the run inside the control group")
  }

  /// What is known of a run that could not report itself.
  private static func knownReport(
    of outcome: ConstrainedChild.Outcome, _ request: RunRequest, seconds: Double
  ) throws -> RunReport {
    var report = RunReport(workload: request.workload.name, seed: request.seed, threads: request.threads)
    report.seconds = seconds
    report.gcPercent = request.settings.gcPercent
    report.limitBytes = request.settings.memoryLimit.resolve(cgroupLimit: outcome.limitBytes).map { Int(clamping: $0) }
    report.cgroupLimitBytes = Int(clamping: outcome.limitBytes)
    report.peakResidentBytes = outcome.peakUsageBytes.map { Int(clamping: $0) } ?? 0
    report.nodes = max(1, try Topology.current().memoryNodes.count)
    report.processors = try Processors.current().available
    return report
  }

  /// Whether this process may make a control group with a memory limit, found out by making one and starting this program in it
  /// with `arguments`, which must do nothing; the reason when it may not.
  public static func refusal(probeArguments arguments: [String]) -> String? {
    do {
      let outcome = try ConstrainedChild.run(
        executable: try CurrentProcess.executablePath(), arguments: arguments, limitBytes: Int64(smallestLimit))
      if outcome.exitCode == 0 { return nil }
      return "a program in a new control group of \(Figures.bytes(smallestLimit)) did not run"
    } catch {
      return "\(error)"
    }
  }

  /// The arguments of the child: those of the parent without `--cgroup` and its value.
  public static func childArguments(_ arguments: [String]) -> [String] {
    var result: [String] = []
    var rest = arguments[...]
    while let argument = rest.popFirst() {
      if argument == "--cgroup" {
        rest = rest.dropFirst()
      } else if !argument.hasPrefix("--cgroup=") {
        result.append(argument)
      }
    }
    return result
  }
}

extension RunReport {
  /// What happened, in a sentence, for a run that the kernel killed or its limit's policy ended.
  public var endSentence: String {
    let limit = limitBytes.map { "a memory limit of \(Figures.bytes($0))" } ?? "no memory limit"
    let gogc = gcPercent.map { "GOGC=\($0)" } ?? "GOGC=off"
    let end = oomKilled ? "killed by the kernel" : "ended by TRICOLOR_LIMIT_POLICY"
    return "\(workload) was \(end) after \(Figures.fixed(seconds, 1)) s: it reached "
      + "\(Figures.bytes(peakResidentBytes)) in a control group of \(Figures.bytes(cgroupLimitBytes ?? 0)), with \(gogc) and \(limit)\n"
  }
}
