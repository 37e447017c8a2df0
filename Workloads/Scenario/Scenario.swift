// A scenario: pods, each a workload in a memory control group of its own, and what happens to them when. What a scenario holds is checked as far
// as a file can be; whether a workload takes the options that a pod gives it, the command is asked (`PodCommand`).

import Harness

/// Pods and a schedule.
public struct Scenario: Sendable {
  /// What it shows, in a line.
  public let title: String
  /// The file it came from.
  public let file: String
  /// Nanoseconds from the first pod's start to the end.
  public let duration: UInt64
  /// The hard limit around all pods together in bytes, nil for none.
  public let limitBytes: Int64?
  /// In the order of the file; at least one.
  public let pods: [ScenarioPod]
  /// In the order of time.
  public let schedule: [ScenarioAction]

  /// When a pod starts, in nanoseconds: with the scenario, unless the schedule says.
  func start(of pod: ScenarioPod) -> UInt64 {
    schedule.first { $0.pod == pod.name && $0.change == .start }?.time ?? 0
  }
}

/// A workload in a control group.
public struct ScenarioPod: Sendable {
  /// Letters, digits and dashes.
  public let name: String
  /// As `tricolor run` knows it.
  public let workload: String
  /// The hard limit of its group, in bytes.
  public let limitBytes: Int64
  /// The options of the run, without dashes; nil for one without a value.
  public let options: [(name: String, value: String?)]
  /// Environment variables.
  public let settings: [(name: String, value: String)]
  /// Where it stands in the file.
  public let line: Int

  /// Whether the file says when it ends.
  var hasExtent: Bool { options.contains { ["duration", "operations"].contains($0.name) } }
}

/// Something that happens to a pod.
public struct ScenarioAction: Sendable {
  /// What happens.
  public enum Change: Sendable, Equatable {
    case start
    /// It is asked to end, as by a kubelet: SIGTERM.
    case stop
    case signal(ScenarioSignal)
    /// Its group's hard limit, in bytes.
    case limit(Int64)
    /// Another load or another setting, told to the program.
    case order(RunOrder)
  }

  /// Nanoseconds after the beginning.
  public let time: UInt64
  /// Whom it happens to.
  public let pod: String
  public let change: Change
  /// As it is written: "limit 200MiB".
  public let text: String
  /// Where it stands in the file.
  public let line: Int
}

/// Signals that a schedule may send.
public enum ScenarioSignal: String, CaseIterable, Sendable {
  case int = "INT"
  case term = "TERM"
  case hup = "HUP"
  case kill = "KILL"
  case stop = "STOP"
  case cont = "CONT"
  case usr1 = "USR1"
  case usr2 = "USR2"
}

/// What is wrong with a scenario, and where.
public struct ScenarioError: Error, CustomStringConvertible, Sendable, Equatable {
  /// The file.
  public let file: String
  /// Lines count from 1.
  public let line: Int
  /// What is wrong, its value, and what is allowed.
  public let message: String

  public var description: String { "\(file):\(line): \(message)" }
}
