// Several runs side by side: the figures that a choice between settings rests on, a row each, as pages and terminals show them.

/// Figures of several runs.
public struct RunComparison: Sendable {
  /// One figure of all runs.
  public struct Row: Sendable {
    /// What it is.
    public let name: String
    /// As text, in the order of the runs.
    public let values: [String]
  }

  /// All rows.
  public let rows: [Row]

  /// Compares `runs`.
  public init(_ runs: [RecordedRun]) {
    func row(_ name: String, _ value: (RecordedRun) -> String?) -> Row {
      Row(name: name, values: runs.map { value($0) ?? "-" })
    }
    // The counters of a run that did not end by itself ended with it.
    func counted(_ name: String, _ value: (RecordedRun) -> String?) -> Row {
      row(name) { $0.hasEnded ? value($0) : nil }
    }
    func bytes(_ value: Double?) -> String? { value.map { Figures.bytes(Int(clamping: $0)) } }
    func time(_ value: Double?) -> String? { value.map { Figures.duration(UInt64(clamping: Int(clamping: $0))) } }
    rows = [
      row("workload") { $0.workload },
      row("ended") { $0.isKilled ? "KILLED" : $0.hasEnded ? $0.isVerified ? "well" : "WRONG DATA" : "by policy" },
      row("GOGC") { $0.json["gogc"]?.number.map { Figures.fixed($0, 0) } ?? "off" },
      row("memory limit") { $0.limitBytes.map { Figures.bytes($0) } ?? "off" },
      row("cgroup limit") { $0.groupLimitBytes.map { Figures.bytes($0) } },
      row("seconds") { Figures.fixed($0.seconds, 1) },
      counted("operations/s") { Figures.count(Int(clamping: $0.operationsPerSecond.rounded())) },
      counted("operation p99") { time($0.timed("p99")) }, counted("operation p99.9") { time($0.timed("p999")) },
      counted("longest stall") { time($0.figure("mutatorStallNanoseconds", "max")) },
      counted("collector's CPU") { Figures.percent($0.gcCPUFraction) },
      counted("cycles") { $0.json["gcCycles"]?.number.map { Figures.count(Int(clamping: $0)) } },
      counted("  for the limit") { Figures.count($0.cycles(by: "limit")) },
      counted("live at the end") { bytes($0.json["heapLiveBytes"]?.number) },
      row("peak RSS") { Figures.bytes($0.peakResidentBytes) },
      row("peak over live") { run in
        run.json["heapLiveBytes"]?.number.flatMap {
          $0 > 0 ? Figures.fixed(Double(run.peakResidentBytes) / $0, 2) : nil
        }
      },
    ]
  }

  var json: JSONValue {
    .array(rows.map { [.string($0.name), .array($0.values.map { .string($0) })] })
  }
}

extension RecordedRun {
  /// A quantile of the operations' durations; nil where none was timed.
  fileprivate func timed(_ quantile: String) -> Double? {
    (figure("operationNanoseconds", "max") ?? 0) > 0 ? figure("operationNanoseconds", quantile) : nil
  }
}
