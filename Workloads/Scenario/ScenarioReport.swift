// The one report of a scenario: how each pod ended with its own report under its name, and what the schedule did when.
//
// A pod's report is the JSON object that its run wrote. Such an object is YAML too, so the parser that is here anyway reads it; numbers stay as they
// were written.

import Harness
import TricolorPacing
import TricolorTelemetry
import Yams

/// What a scenario came to.
public struct ScenarioReport: Sendable {
  /// A pod's part.
  struct Row: Sendable {
    let name: String
    let workload: String
    let end: PlayedPod.End
    let exitCode: Int?
    let signal: Int?
    let startedAt: UInt64?
    let endedAt: UInt64?
    let limitBytes: Int?
    let peakUsageBytes: Int?
    /// The run's own object, nil where it could not write one.
    let report: JSONValue?
  }

  private let title: String
  private let file: String
  private let seconds: Double
  private let isInterrupted: Bool
  private let version: Int
  private let limitBytes: Int64?
  private let peakUsageBytes: Int64?
  let rows: [Row]
  private let actions: [PlayedAction]

  init(
    _ scenario: Scenario, pods: [PlayedPod], actions: [PlayedAction], seconds: Double, isInterrupted: Bool,
    version: Int,
    peakUsageBytes: Int64?
  ) {
    title = scenario.title
    file = scenario.file
    limitBytes = scenario.limitBytes
    rows = pods.map(Row.init)
    self.actions = actions
    self.seconds = seconds
    self.isInterrupted = isInterrupted
    self.version = version
    self.peakUsageBytes = peakUsageBytes
  }

  /// The exit code of the command: 70 when a pod failed or its data was not right, 3 when the kernel killed one at a limit, 75 when a policy
  /// ended one, else 0.
  public var exitCode: Int32 {
    if rows.contains(where: \.isWrong) { return 70 }
    if rows.contains(where: { $0.end == .oomKilled }) { return 3 }
    return rows.contains { $0.end == .byPolicy } ? LimitPolicy.exitStatus : 0
  }

  /// The object of `--json`.
  public var json: JSONValue {
    [
      "scenario": .string(title), "file": .string(file), "seconds": .float(seconds),
      "interrupted": .bool(isInterrupted),
      "cgroupVersion": .integer(version), "cgroupLimitBytes": .optional(limitBytes.map { Int(clamping: $0) }),
      "peakUsageBytes": .optional(peakUsageBytes.map { Int(clamping: $0) }),
      "pods": .object(rows.map { .init($0.name, $0.json) }), "schedule": .array(actions.map(\.json)),
    ]
  }

  /// The report for a person.
  public var text: String {
    let limit = limitBytes.map { ", \(Figures.bytes(Int($0))) for all pods together" } ?? ""
    let peak = peakUsageBytes.map { ", \(Figures.bytes(Int($0))) used at the most" } ?? ""
    let headline =
      "\(title)  (\(Figures.fixed(seconds, 1)) s\(limit)\(peak))\(isInterrupted ? "  INTERRUPTED" : "")\n"
    let heading = [
      "Pods", "workload", "ended", "at", "operations/s", "p50", "p99", "p99.9", "cycles", "GC CPU", "peak RSS",
      "heap limit",
      "pod limit", "data",
    ]
    let happened = actions.map { action in
      [
        "  " + time(action.action.time), action.doneAt.map(time) ?? "-", action.action.pod, action.action.text,
        action.outcome ?? "-",
      ]
    }
    let schedule = ["Schedule", "done at", "pod", "what", "outcome"]
    return headline + "\n" + table([heading] + rows.map(\.cells), leftColumns: [0, 1, 2])
      + (happened.isEmpty ? "" : "\n" + table([schedule] + happened, leftColumns: [0, 2, 3, 4]))
  }

  private func table(_ rows: [[String]], leftColumns: Set<Int>) -> String {
    let widths = rows[0].indices.map { column in rows.map { $0[column].count }.max() ?? 0 }
    return rows.map { row in
      let cells = row.indices.map { column in
        leftColumns.contains(column)
          ? Figures.filled(row[column], widths[column]) : Figures.padded(row[column], widths[column])
      }
      return cells.joined(separator: "  ").trimmedEnd + "\n"
    }.joined()
  }
}

private func time(_ nanoseconds: UInt64) -> String { Figures.fixed(Double(nanoseconds) / 1e9, 1) + " s" }

extension String {
  fileprivate var trimmedEnd: String {
    String(self[..<(lastIndex { $0 != " " }.map { index(after: $0) } ?? startIndex)])
  }
}

extension ScenarioReport.Row {
  init(_ played: PlayedPod) {
    name = played.pod.name
    workload = played.pod.workload
    end = played.end
    exitCode = played.ending?.exitCode.map(Int.init)
    signal = played.ending?.signal.map(Int.init)
    startedAt = played.startedAt
    endedAt = played.endedAt
    limitBytes = played.ending?.limitBytes.map { Int(clamping: $0) }
    peakUsageBytes = played.ending?.peakUsageBytes.map { Int(clamping: $0) }
    report = JSONValue(report: played.reportText)
  }

  /// Whether it failed, its data was not right, or a run that ended well has no report.
  fileprivate var isWrong: Bool {
    switch end {
    case .failed: true
    case .byItself, .stopped: report?["verified"] != .bool(true)
    case .neverStarted, .oomKilled, .byPolicy, .bySignal: false
    }
  }

  fileprivate var json: JSONValue {
    [
      "workload": .string(workload), "ended": .string(end.rawValue), "exitCode": .optional(exitCode),
      "signal": .optional(signal), "oomKilled": .bool(end == .oomKilled), "startedAtSeconds": seconds(startedAt),
      "endedAtSeconds": seconds(endedAt), "cgroupLimitBytes": .optional(limitBytes),
      "peakUsageBytes": .optional(peakUsageBytes), "report": report ?? .null,
    ]
  }

  private func seconds(_ nanoseconds: UInt64?) -> JSONValue { nanoseconds.map { .float(Double($0) / 1e9) } ?? .null }

  fileprivate var cells: [String] {
    let latency = report?["operationNanoseconds"]
    let share = report?["gcCPUFraction"]?.number.map { Figures.percent($0) }
    let data: String = report.map { $0["verified"] == .bool(true) ? "right" : "WRONG" } ?? "-"
    return [
      "  " + name, workload, end.rawValue, endedAt.map(time) ?? "-", count(report?["operationsPerSecond"]),
      duration(latency?["p50"]), duration(latency?["p99"]), duration(latency?["p999"]), count(report?["gcCycles"]),
      share ?? "-", bytes(report?["peakRSSBytes"]), bytes(report?["limitBytes"]),
      limitBytes.map { Figures.bytes($0) } ?? "-", data,
    ]
  }

  private func count(_ value: JSONValue?) -> String { value?.number.map { Figures.count(Int($0)) } ?? "-" }
  private func bytes(_ value: JSONValue?) -> String { value?.number.map { Figures.bytes(Int($0)) } ?? "-" }
  private func duration(_ value: JSONValue?) -> String { value?.number.map { Figures.duration(UInt64($0)) } ?? "-" }
}

extension PlayedAction {
  fileprivate var json: JSONValue {
    [
      "atSeconds": .float(Double(action.time) / 1e9), "doneAtSeconds": doneAt.map { .float(Double($0) / 1e9) } ?? .null,
      "pod": .string(action.pod), "action": .string(action.text), "outcome": .string(outcome ?? ""),
    ]
  }
}

extension JSONValue {
  /// The object in the text of a report; nil for what is none.
  init?(report text: String) {
    do {
      guard let node = try Yams.compose(yaml: text), case .mapping = node else { return nil }
      self.init(node)
    } catch {
      // Of a pod that was killed while it wrote; where a report is missing that should be there, the exit code says so.
      return nil
    }
  }

  private init(_ node: Node) {
    switch node {
    case .mapping(let mapping): self = .object(mapping.map { Member($0.key.string ?? "", JSONValue($0.value)) })
    case .sequence(let sequence): self = .array(sequence.map { JSONValue($0) })
    case .scalar(let scalar): self.init(scalar)
    case .alias: self = .null
    }
  }

  private init(_ scalar: Node.Scalar) {
    if scalar.style != .plain {
      self = .string(scalar.string)
    } else if let integer = Int(scalar.string) {
      self = .integer(integer)
    } else if let unsigned = UInt64(scalar.string) {
      self = .unsigned(unsigned)
    } else if let float = Double(scalar.string) {
      self = .float(float)
    } else {
      self = ["true": .bool(true), "false": .bool(false)][scalar.string] ?? .null
    }
  }
}
