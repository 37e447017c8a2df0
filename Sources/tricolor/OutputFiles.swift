// The files of `tricolor run`, opened before the run and written after it or, line by line, while it goes on.

import Harness
import TricolorTelemetry

/// Where a run's report goes: standard output for people, and the files asked for.
struct OutputFiles {
  /// What is written while the run goes on.
  let streams: RunStreams
  private let json: OutputFile?
  private let page: OutputFile?
  private let trace: OutputFile?
  private let profile: OutputFile?

  /// Opens the files that `command` names.
  ///
  /// - Throws: for one that cannot be written, and where two would go to standard output.
  init(_ command: RunCommand) throws(UsageError) {
    let named = [
      ("--json", command.json), ("--report", command.report), ("--trace", command.trace), ("--events", command.events),
      ("--csv", command.csv), ("--profile-heap", command.profileHeap),
    ]
    let toStandardOutput = named.filter { $0.1 == "-" }
    if toStandardOutput.count > 1 {
      throw UsageError(
        "\(toStandardOutput[0].0) and \(toStandardOutput[1].0) cannot both be \"-\": one file goes to standard output")
    }
    json = try Self.open(command.json, "--json")
    page = try Self.open(command.report, "--report")
    trace = try Self.open(command.trace, "--trace")
    profile = try Self.open(command.profileHeap, "--profile-heap")
    var streams = RunStreams()
    streams.events = try Self.open(command.events, "--events")
    streams.samples = try Self.open(command.csv, "--csv")
    streams.journal = try Self.open(command.journal, "--journal")
    self.streams = streams
  }

  func write(_ run: FinishedRun) throws {
    if let profile, let samples = run.profile {
      try profile.write(try HeapProfile.pprof(samples, rate: FinishedRun.profileRate))
    }
    if let trace { try trace.write(TraceEvents.text(run.recording, title: run.report.workload)) }
    if let page { try page.write(try run.report.page) }
    if let json { try json.write(run.report.json.text() + "\n") }
    let files = [json, page, trace, profile, streams.events, streams.samples]
    if files.contains(where: { $0?.isStandardOutput == true }) { return }
    print(run.report.text, terminator: "")
  }

  private static func open(_ path: String?, _ option: String) throws(UsageError) -> OutputFile? {
    guard let path else { return nil }
    return try OutputFile(path, option: option)
  }
}
