// `tricolor tune`: options to a request, the request to measured runs, the answer to files.
//
// What the command does not recognise are the workload's own options, as in `run`; they are checked as a run would check them before anything
// is measured.

import ArgumentParser
import Harness
import TricolorPacing
import TricolorPlatform
import TricolorTuning

struct TuneCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "tune", abstract: "Find out what a workload, or a Go program, should be run with in so much memory.",
    discussion: """
      Runs the workload again and again in control groups of that size, over GOGC, GOMEMLIMIT, TRICOLOR_GC_CPU_LIMIT and GOMAXPROCS, then the \
      best settings in smaller groups. Ctrl-C ends it with the best answer so far.

      --from FILE measures nothing: it reads the log of a Go program that ran with GODEBUG=gctrace=1 (Go 1.16 or later; other lines and \
      prefixes do not matter) and says what settings it should have, and how sure that is.
      """)

  @Argument(help: ArgumentHelp("Which workload.", valueName: "workload"))
  var workload: String?

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp("Instead of a workload: a Go program's log with its collections.", valueName: "FILE"))
  var from: String?

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp("The control group's hard limit; with --from one is proposed without.", valueName: "SIZE"))
  var memory: String?

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "With --from: the most anonymous memory the program had while the log was made (container_memory_rss).",
      valueName: "SIZE"))
  var rss: String?

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp("What it has to keep to, as p99=2ms,gc-cpu=10%.", valueName: "BOUNDS"))
  var slo: String?

  @Option(parsing: .unconditional, help: ArgumentHelp("How long to measure.", valueName: "TIME"))
  var budget = TuningRequest.standardBudget

  @Option(parsing: .unconditional, help: ArgumentHelp("Client threads.", valueName: "N"))
  var threads: Int?

  @Option(parsing: .unconditional, help: ArgumentHelp("What random numbers begin with.", valueName: "N"))
  var seed: UInt64?

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp("How long a run is with the defaults; the others do the same work.", valueName: "TIME"))
  var duration: String?

  @Option(parsing: .unconditional, help: ArgumentHelp("How many operations a run does.", valueName: "N"))
  var operations: Int?

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp("Operations a second of all threads, for some workloads.", valueName: "N"))
  var rate: String?

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp("Keep what is measured in a file, and go on from what is there.", valueName: "FILE"))
  var state: String?

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp("Write one JSON object to a file (- is standard output).", valueName: "FILE"))
  var json: String?

  @Option(parsing: .unconditional, help: ArgumentHelp("Write a page with pictures.", valueName: "FILE.html"))
  var report: String?

  @Flag(help: "Measure every setting of the grid, whatever the budget.")
  var grid = false

  @Flag(help: "Show no progress.")
  var quiet = false

  @Argument(parsing: .allUnrecognized, help: ArgumentHelp("The workload's own options.", valueName: "own options"))
  var own: [String] = []

  func run() throws {
    if let from { return try adviseFromTrace(from) }
    if rss != nil { throw UsageError("--rss says something of a log; it goes with --from FILE") }
    guard let name = workload else { throw UsageError("tune needs a workload; tricolor workloads lists them") }
    let request = try makeRequest(try WorkloadTable.find(name))
    let file = try state.map { (path) throws(UsageError) in try StateFile(path, request) }
    let output = try json.map { (path) throws(UsageError) in try OutputFile(path, option: "--json") }
    let page = try report.map { (path) throws(UsageError) in try OutputFile(path, option: "--report") }
    let runner = try WorkloadRunner(executable: try CurrentProcess.executablePath(), request: request)
    Interrupt.catch()
    let answer = try Tuner.run(
      request, earlier: file?.runs ?? [],
      measure: { try runner.measure($0, operations: $1, usualSeconds: $2) },
      keep: { run in try file?.append(run) },
      tell: quiet ? nil : { OutputFile.writeToStandardError($0 + "\n") })
    if let page { try page.write(answer.page) }
    if let output { try output.write(answer.json.text() + "\n") }
    if output?.isStandardOutput != true { print(answer.text, terminator: "") }
    guard answer.recommended != nil || answer.isInterrupted else { throw ExitCode.oomKilled }
  }

  private func adviseFromTrace(_ file: String) throws {
    let others: [(String, Bool)] = [
      ("a workload", workload != nil), ("--slo", slo != nil), ("--budget", budget != TuningRequest.standardBudget),
      ("--threads", threads != nil), ("--seed", seed != nil), ("--duration", duration != nil),
      ("--operations", operations != nil), ("--rate", rate != nil), ("--state", state != nil),
      ("--report", report != nil), ("--grid", grid),
    ]
    if let other = others.first(where: \.1) ?? own.first.map({ ($0, true) }) {
      throw UsageError("\(other.0) is not allowed with --from, which measures nothing; use --memory, --rss and --json")
    }
    try TraceAdvicePrinter(from: file, memory: memory, resident: rss, json: json).run()
  }

  private func makeRequest(_ workload: any Workload.Type) throws -> TuningRequest {
    guard let memory else { throw UsageError("tune needs --memory SIZE, the limit of the service's control group") }
    let bytes = try ByteSize.parse(memory, name: "--memory", minimum: Int64(ConstrainedRun.smallestLimit))
    let seconds = Double(try DurationSetting.parse(budget, name: "--budget")) / 1e9
    let checked = try check(workload, memoryBytes: bytes)
    return TuningRequest(
      workload: workload.name, arguments: arguments, memoryBytes: bytes, seed: checked.seed,
      work: try work(workload, budgetSeconds: seconds), budgetSeconds: seconds,
      serviceLevel: try slo.map { (text) throws(UsageError) in try ServiceLevel(text) } ?? ServiceLevel(),
      measuresGrid: grid, processors: try Processors.current().planned)
  }

  /// The options every run gets.
  private var arguments: [String] {
    own + (threads.map { ["--threads", "\($0)"] } ?? []) + (rate.map { ["--rate", $0] } ?? [])
  }

  /// The request of a run, to have its options checked.
  private func check(_ workload: any Workload.Type, memoryBytes: Int64) throws -> RunRequest {
    var texts = RunRequest.Texts()
    texts.threads = threads
    texts.seed = seed
    texts.duration = duration
    texts.operations = operations
    texts.rate = rate
    texts.own = own
    return try RunRequest(
      workload: workload, texts, settings: try environmentSettings(), environmentHasLimit: false,
      cgroupLimit: memoryBytes)
  }

  private func work(_ workload: any Workload.Type, budgetSeconds: Double) throws -> TuningRequest.Work {
    if let operations { return .operations(operations) }
    guard let duration else {
      return TuningRequest.standardWork(workload.defaultExtent, budgetSeconds: budgetSeconds)
    }
    let nanoseconds = try DurationSetting.parse(duration, name: "--duration")
    return .calibrated(milliseconds: Int(max(1, nanoseconds / 1_000_000)))
  }
}
