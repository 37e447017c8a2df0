// `tricolor run`: options to a request, the request to a run, the run to files.
//
// A workload's own options are not known to the argument parser: it collects what it does not recognise, and the workload's table
// reads that. For the same reason --help is an option of ours: it must know which workload was named.

import ArgumentParser
import Harness
import TricolorPacing
import TricolorPlatform
import TricolorTelemetry

struct RunCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "run", abstract: "Run a workload and report.",
    discussion: "GOGC, GOMEMLIMIT and the other variables act on every run; tricolor workloads lists the workloads.",
    helpNames: [])

  @Argument(help: ArgumentHelp("Which workload.", valueName: "workload"))
  var workload: String?

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp("Memory limit: 512MiB, 85%, auto or off. Wins over GOMEMLIMIT.", valueName: "SIZE"))
  var memoryLimit: String?

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp("Growth in percent before the next cycle, or off. Wins over GOGC.", valueName: "N"))
  var gogc: String?

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp("Run inside a memory control group with this hard limit.", valueName: "SIZE"))
  var cgroup: String?

  @Option(parsing: .unconditional, help: ArgumentHelp("Client threads.", valueName: "N"))
  var threads: Int?

  @Option(parsing: .unconditional, help: ArgumentHelp("What random numbers begin with.", valueName: "N"))
  var seed: UInt64?

  @Option(parsing: .unconditional, help: ArgumentHelp("How long, as 10s or 1m30s.", valueName: "TIME"))
  var duration: String?

  @Option(parsing: .unconditional, help: ArgumentHelp("How many operations, over all threads.", valueName: "N"))
  var operations: Int?

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp("Operations a second of all threads, or off, for some workloads.", valueName: "N"))
  var rate: String?

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp("Play a scenario instead: pods in control groups, and what happens to them.", valueName: "FILE"))
  var scenario: String?

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp("Write one JSON object to a file (- is standard output).", valueName: "FILE"))
  var json: String?

  @Option(parsing: .unconditional, help: ArgumentHelp("Write a page with pictures.", valueName: "FILE.html"))
  var report: String?

  @Flag(help: "Keep the run's course in --json, for tricolor report.")
  var timeline = false

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp("Write every cycle as a line of JSON while the run goes on.", valueName: "FILE.jsonl"))
  var events: String?

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp("Write ten samples a second as CSV while the run goes on.", valueName: "FILE.csv"))
  var csv: String?

  @Option(parsing: .unconditional, help: .hidden)
  var journal: String?

  @Option(
    parsing: .unconditional, help: ArgumentHelp("Write the cycles as a trace for ui.perfetto.dev.", valueName: "FILE"))
  var trace: String?

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp("Sample allocations, and write a heap profile for go tool pprof.", valueName: "FILE"))
  var profileHeap: String?

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "Serve a page of the run and /metrics while it goes on: a port (0: a free one), or HOST:PORT.", valueName: "PORT")
  )
  var dashboard: String?

  @Flag(help: "Show no progress.")
  var quiet = false

  @Flag(help: "Check what was typed, and run nothing.")
  var check = false

  @Flag(help: .hidden)
  var obeyOrders = false

  @Flag(name: [.long, .short], help: "Show help; with a workload, also its own options.")
  var help = false

  @Argument(parsing: .allUnrecognized, help: ArgumentHelp("The workload's own options.", valueName: "own options"))
  var own: [String] = []

  func run() throws {
    if help { return try showHelp() }
    if let scenario { return try play(scenario) }
    guard let name = workload else { throw UsageError("run needs a workload; tricolor workloads lists them") }
    let workload = try WorkloadTable.find(name)
    let groupLimit = try cgroup.map(parseGroupLimit)
    let request = try makeRequest(workload, groupLimit: groupLimit)
    if check { return }
    if let groupLimit { return try runConstrained(request, limitBytes: groupLimit) }
    try runHere(request)
  }

  private func makeRequest(_ workload: any Workload.Type, groupLimit: Int64?) throws -> RunRequest {
    let settings = try environmentSettings()
    var texts = RunRequest.Texts()
    texts.memoryLimit = memoryLimit
    texts.gogc = gogc
    texts.threads = threads
    texts.seed = seed
    texts.duration = duration
    texts.operations = operations
    texts.rate = rate
    texts.obeysOrders = obeyOrders
    texts.own = own
    texts.isQuiet = quiet
    texts.dashboard = dashboard
    texts.records = [trace, events, csv].contains { $0 != nil }
    texts.keepsTimeline = report != nil || timeline
    texts.profiles = profileHeap != nil
    let around = try groupLimit ?? MemoryGroup.current()?.hardLimit()
    let variable = CurrentProcess.environment("GOMEMLIMIT") ?? ""
    return try RunRequest(
      workload: workload, texts, settings: settings, environmentHasLimit: !variable.isEmpty, cgroupLimit: around)
  }

  private func parseGroupLimit(_ text: String) throws(SettingsError) -> Int64 {
    try ByteSize.parse(text, name: "--cgroup", minimum: Int64(ConstrainedRun.smallestLimit))
  }

  /// Becomes the program that plays scenarios.
  private func play(_ file: String) throws {
    let others: [(String, Bool)] = [
      ("a workload", workload != nil), ("--memory-limit", memoryLimit != nil), ("--gogc", gogc != nil),
      ("--cgroup", cgroup != nil), ("--threads", threads != nil), ("--seed", seed != nil), ("--rate", rate != nil),
      ("--duration", duration != nil), ("--operations", operations != nil), ("--report", report != nil),
      ("--trace", trace != nil), ("--timeline", timeline), ("--events", events != nil), ("--csv", csv != nil),
      ("--profile-heap", profileHeap != nil),
    ]
    if let other = others.first(where: \.1) ?? own.first.map({ ($0, true) }) {
      throw UsageError(
        "\(other.0) is not allowed with --scenario, which says what runs; use --json, --quiet and --check")
    }
    var arguments = [file]
    if let json { arguments += ["--json", json] }
    if quiet { arguments.append("--quiet") }
    if check { arguments.append("--check") }
    try ScenarioProgram.become(arguments)
  }

  private func runHere(_ request: RunRequest) throws {
    let files = try OutputFiles(self)
    let finished = try Runner.run(request, streams: files.streams)
    try files.write(finished)
    guard finished.report.verified, finished.streamFailure == nil else { throw ExitCode.internalError }
  }

  private func runConstrained(_ request: RunRequest, limitBytes: Int64) throws {
    var arguments = ConstrainedRun.childArguments(Array(CommandLine.arguments.dropFirst()))
    let journal = request.keepsTimeline ? try RunJournal() : nil
    if let journal { arguments += ["--journal", journal.path] }
    switch try ConstrainedRun.run(arguments: arguments, limitBytes: limitBytes, request: request) {
    case .exited(0): return
    case .exited(let code): throw ExitCode(code)
    case .oomKilled(let known):
      try report(known, journal)
      throw ExitCode.oomKilled
    case .endedByPolicy(let known):
      try report(known, journal)
      throw ExitCode(LimitPolicy.exitStatus)
    }
  }

  /// For a child that could not: what is known of it.
  private func report(_ known: RunReport, _ journal: RunJournal?) throws {
    OutputFile.writeToStandardError(known.endSentence)
    var known = known
    known.timeline = try journal?.timeline(endingWith: known)
    if let report { try OutputFile(report, option: "--report").write(try known.page) }
    if let json { try OutputFile(json, option: "--json").write(known.json.text() + "\n") }
  }

  private func showHelp() throws {
    print(TricolorCommand.helpMessage(for: RunCommand.self))
    guard let name = workload else { return }
    let workload = try WorkloadTable.find(name)
    print("\n\(name.uppercased()): \(workload.summary)")
    print(workload.optionsHelp, terminator: "")
  }
}
