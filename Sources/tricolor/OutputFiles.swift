// The files of `tricolor run`, opened before the run and written after it.

import Harness
import TricolorTelemetry

/// Where a run's report goes: standard output for people, and the files asked for.
struct OutputFiles {
  private let json: OutputFile?
  private let page: OutputFile?
  private let trace: OutputFile?

  init(json: String?, report: String?, trace: String?) throws {
    self.json = try Self.open(json, "--json")
    page = try Self.open(report, "--report")
    self.trace = try Self.open(trace, "--trace")
  }

  func write(_ run: FinishedRun) throws {
    if let trace { try trace.write(TraceEvents.text(run.recording, title: run.report.workload)) }
    if let page { try page.write(run.report.page(run.recording)) }
    if let json {
      try json.write(run.report.json.text() + "\n")
      if json.isStandardOutput { return }
    }
    print(run.report.text, terminator: "")
  }

  private static func open(_ path: String?, _ option: String) throws(UsageError) -> OutputFile? {
    guard let path else { return nil }
    return try OutputFile(path, option: option)
  }
}
