// What the command does besides running to the end: being interrupted, pictures, lists, help.

import Foundation
import Testing

@Suite("The command")
struct CommandTests {
  @Test("an interrupt ends the run early and the report is still written", arguments: [SIGINT, SIGTERM])
  func interruptWritesReport(_ signal: Int32) throws {
    let file = TemporaryFile()
    let command = try Command(["run", "churn", "--records", "1000", "--duration", "60s", "--json", file.path])
    try waitForProgress(command)
    kill(command.process.processIdentifier, signal)
    let outcome = try command.finish()
    #expect(outcome.exitCode == 0)
    #expect(outcome.output.contains("INTERRUPTED"))
    let report = try object(try file.text())
    try ReportKeys.check(report)
    #expect(report["verified"] as? Bool == true)
    #expect(try member("result", of: report)["interrupted"] as? Bool == true)
    #expect((report["seconds"] as? Double ?? 60) < 60)
  }

  /// Each would run for hours. The large ones are interrupted while they prepare, the others at work.
  static let longRuns: [[String]] = [
    ["etcd", "--keys", "20000", "--value-size", "64", "--duration", "9000s"],
    ["etcd", "--keys", "2000000", "--duration", "9000s"],
    ["binary-trees", "--depth", "30"], ["graph", "--nodes", "100000000"],
    ["graph", "--nodes", "1000", "--cycles", "1000000"],
    ["latency", "--window", "1000", "--inserts", "1000000000"],
    ["linked-list", "--nodes", "1000", "--lists", "100000000"],
    ["large-objects", "--buffers", "100000000", "--bytes", "100000"],
    ["cross-thread", "--parcels", "1000000000"],
    ["write-heavy", "--nodes", "100000000"], ["write-heavy", "--nodes", "1000", "--writes", "100000000000"],
    ["planner", "--rows", "2000", "--expressions", "100000"], ["planner", "--rounds", "1000000", "--rows", "10"],
    ["registry", "--users", "10000000"], ["registry", "--users", "1000", "--cell-operations", "100000000000"],
    ["tasks", "--round-trips", "100000000"], ["tasks", "--tasks", "200", "--duration", "9000s"],
    ["controller", "--nodes", "100000", "--pods", "3000000"],
    ["controller", "--nodes", "100", "--pods", "1000", "--minutes", "1000000"],
    ["regions", "--regions", "10000000"], ["regions", "--regions", "1000", "--seconds", "1000000"],
  ]

  /// The most threads, up to `wanted`, that a workload can use; at least a pair where they work in pairs.
  private static func threads(_ workload: String, upTo wanted: Int) -> String {
    switch workload {
    case "graph", "latency", "tasks": "1"
    case "cross-thread": "\(max(2, wanted))"
    default: "\(wanted)"
    }
  }

  @Test("every workload can be interrupted, also while it prepares, and by two signals in a row", arguments: longRuns)
  func interruptEndsEveryWorkload(_ arguments: [String]) throws {
    let threads = Self.threads(arguments[0], upTo: 1)
    let command = try Command(["run"] + arguments + ["--threads", threads, "--quiet", "--json", "-"])
    try waitForProgress(command)
    kill(command.process.processIdentifier, SIGTERM)
    kill(command.process.processIdentifier, SIGINT)
    kill(command.process.processIdentifier, SIGTERM)
    let outcome = try command.finish()
    #expect(outcome.exitCode == 0, "\(outcome.errors)")
    let report = try object(outcome.output)
    #expect(report["verified"] as? Bool == true)
    #expect(try member("result", of: report)["interrupted"] as? Bool == true)
  }

  /// Waits until the run has begun: its reporter's thread exists.
  private func waitForProgress(_ command: Command) throws {
    let tasks = "/proc/\(command.process.processIdentifier)/task"
    for _ in 0..<1000 {
      let names = try FileManager.default.contentsOfDirectory(atPath: tasks).map {
        try String(contentsOfFile: "\(tasks)/\($0)/comm", encoding: .utf8)
      }
      if names.contains("reporter\n") { return }
      usleep(10_000)
    }
    Issue.record("no reporter came up within ten seconds")
  }

  @Test("--duration ends the run, --operations counts over all threads")
  func extentsHold() throws {
    let timed = try object(
      try Command.run(["run", "churn", "--records", "1000", "--duration", "300ms", "--quiet", "--json", "-"]).output)
    #expect((timed["seconds"] as? Double ?? 0) >= 0.3)
    let counted = try object(
      try Command.run(
        ["run", "churn", "--records", "1000", "--operations", "10001", "--threads", "4", "--quiet", "--json", "-"]
      ).output)
    #expect(counted["operations"] as? Int == 10001)
    let paired = try object(
      try Command.run(
        ["run", "cross-thread", "--messages", "5", "--operations", "101", "--threads", "4", "--quiet", "--json", "-"]
      ).output)
    #expect(paired["operations"] as? Int == 101)
    #expect(paired["verified"] as? Bool == true)
  }

  @Test("--trace is a trace-event file with a slice for every cycle and counters of memory")
  func traceHasCyclesAndCounters() throws {
    let file = TemporaryFile()
    let report = try object(
      try Command.run([
        "run", "graph", "--nodes", "1000", "--cycles", "3", "--quiet", "--trace", file.path, "--json", "-",
      ]).output)
    let trace = try object(try file.text())
    let events = try #require(trace["traceEvents"] as? [[String: Any]])
    let slices = events.filter { $0["ph"] as? String == "X" }
    #expect(slices.count == report["gcCycles"] as? Int)
    #expect(slices.filter { ($0["name"] as? String ?? "").contains("forced") }.count == 3)
    #expect(slices.allSatisfy { $0["ts"] is NSNumber && $0["dur"] is NSNumber })
    let counters = Set(events.filter { $0["ph"] as? String == "C" }.compactMap { $0["name"] as? String })
    #expect(counters == ["heap bytes", "resident bytes", "operations"])
  }

  @Test(
    "workloads keep their data when every poll collects and free cells are overwritten",
    arguments: [
      ["binary-trees", "--depth", "6"], ["graph", "--nodes", "300", "--cycles", "2"],
      ["latency", "--window", "50", "--inserts", "400", "--bytes", "64"],
      ["churn", "--records", "50", "--operations", "400"], ["linked-list", "--nodes", "100", "--lists", "3"],
      ["large-objects", "--keep", "2", "--buffers", "20", "--bytes", "100000"],
      ["cross-thread", "--parcels", "10", "--messages", "20"], ["write-heavy", "--nodes", "50", "--writes", "400"],
      [
        "planner", "--rounds", "1", "--expressions", "4", "--rows", "3", "--statistics-rows", "20", "--nodes", "20",
        "--relations", "3",
      ],
      ["registry", "--users", "64", "--cell-operations", "30", "--barrier-operations", "50"],
      ["tasks", "--tasks", "20", "--capacity", "4", "--messages", "200", "--round-trips", "20", "--leaves", "20"],
      ["controller", "--sites", "2", "--nodes", "4", "--pods", "8", "--burst-pods", "2", "--operations", "200"],
      ["regions", "--regions", "8", "--stores", "12", "--operations", "60"],
    ])
  func dataSurvivesStress(_ arguments: [String]) throws {
    let outcome = try Command.run(
      ["run"] + arguments + ["--threads", Self.threads(arguments[0], upTo: 2), "--quiet"],
      environment: ["GODEBUG": "gcstress=1,clobberfree=1"])
    #expect(outcome.exitCode == 0, "\(outcome.output) \(outcome.errors)")
  }

  @Test("workloads prints a line for each")
  func workloadsAreListed() throws {
    let outcome = try Command.run(["workloads"])
    #expect(outcome.exitCode == 0)
    let names = outcome.output.split(separator: "\n").compactMap { $0.split(separator: " ").first }
    for name in ReportKeyTests.runs.map({ $0[0] }) { #expect(names.contains(Substring(name))) }
  }

  @Test("topology names nodes, processors, limits and whether a control group can be made")
  func topologyIsComplete() throws {
    let outcome = try Command.run(["topology", "--json", "-"], environment: ["GOMEMLIMIT": "300MiB", "GOGC": "75"])
    #expect(outcome.exitCode == 0)
    let machine = try object(outcome.output)
    let nodes = try #require(machine["nodes"] as? [[String: Any]])
    #expect(!nodes.isEmpty)
    #expect(nodes.allSatisfy { $0["id"] is Int && $0["processors"] is String && $0["distances"] is [Int] })
    #expect(machine["canMakeCgroup"] is Bool)
    #expect((machine["canMakeCgroup"] as? Bool == true) == (machine["canMakeCgroupReason"] is NSNull))
    let settings = try member("settings", of: machine)
    #expect(settings["gogc"] as? Int == 75)
    #expect(settings["limitBytes"] as? Int == 300 << 20)
    #expect(try Command.run(["topology"]).output.contains("node 0"))
  }

  @Test("help: of the command, of run, and of a workload with its own options")
  func helpIsComplete() throws {
    let whole = try Command.run(["--help"])
    #expect(whole.exitCode == 0)
    for word in ["run", "topology", "workloads"] { #expect(whole.output.contains(word)) }
    #expect(!whole.output.contains("probe"))
    let run = try Command.run(["run", "--help"])
    #expect(run.exitCode == 0 && run.output.contains("--cgroup"))
    let graph = try Command.run(["run", "graph", "--help"])
    #expect(graph.exitCode == 0)
    for option in ["--cgroup", "--nodes N", "--shape random|sequential", "default: 4000000"] {
      #expect(graph.output.contains(option), "no \(option)")
    }
  }

  @Test("--check runs nothing, and says what a run would")
  func checkRunsNothing() throws {
    let right = try Command.run(["run", "binary-trees", "--depth", "30", "--check"])
    #expect(right.exitCode == 0 && right.output.isEmpty && right.errors.isEmpty)
    let wrong = try Command.run(["run", "binary-trees", "--depth", "31", "--check"])
    #expect(wrong.exitCode == 64 && wrong.errors.contains("31"))
  }

  @Test("progress goes to standard error and --quiet silences it")
  func quietIsQuiet() throws {
    #expect(try Command.run(["run", "churn", "--records", "100", "--duration", "100ms", "--quiet"]).errors.isEmpty)
  }
}
