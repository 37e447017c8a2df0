// Wrong input ends with exit code 64 and a message that repeats the value, whatever it is wrong in.

import Testing

@Suite("Wrong input")
struct WrongInputTests {
  struct Case: Sendable, CustomTestStringConvertible {
    let arguments: [String]
    var environment: [String: String] = [:]
    /// What the message must repeat.
    let value: String

    var testDescription: String {
      environment.map { "\($0)=\($1) " }.joined() + arguments.joined(separator: " ")
    }
  }

  private static let graph = ["run", "graph", "--nodes", "10", "--cycles", "1"]

  static let environments = [
    Case(arguments: graph, environment: ["GOMEMLIMIT": "12XB"], value: "12XB"),
    Case(arguments: graph, environment: ["GOMEMLIMIT": "-5"], value: "-5"),
    Case(arguments: graph, environment: ["GOMEMLIMIT": "1.5GiB"], value: "1.5GiB"),
    Case(arguments: graph, environment: ["GOMEMLIMIT": "120%"], value: "120%"),
    Case(arguments: graph, environment: ["GOGC": "banana"], value: "banana"),
    Case(arguments: graph, environment: ["GODEBUG": "gcfancy=1"], value: "gcfancy=1"),
    Case(arguments: graph, environment: ["TRICOLOR_NUMA": "moon"], value: "moon"),
    Case(arguments: graph, environment: ["TRICOLOR_NUMA": "node:1000"], value: "node:1000"),
    Case(arguments: ["topology"], environment: ["TRICOLOR_BIND": "8000"], value: "8000"),
    Case(arguments: ["topology"], environment: ["GOGC": "1.5"], value: "1.5"),
  ]

  static let commonOptions = [
    Case(arguments: graph + ["--threads=-1"], value: "-1"),
    Case(arguments: graph + ["--threads", "-1"], value: "-1"),
    Case(arguments: graph + ["--threads", "2"], value: "2"),
    Case(arguments: ["run", "churn", "--threads", "5000"], value: "5000"),
    Case(arguments: graph + ["--threads", "many"], value: "many"),
    Case(arguments: graph + ["--seed", "-7"], value: "-7"),
    Case(arguments: graph + ["--duration", "0s"], value: "0s"),
    Case(arguments: graph + ["--duration", "10"], value: "10"),
    Case(arguments: graph + ["--operations", "0"], value: "0"),
    Case(arguments: graph + ["--rate", "5"], value: "graph"),
    Case(arguments: ["run", "etcd", "--rate", "0"], value: "\"0\""),
    Case(arguments: ["run", "etcd", "--rate", "fast"], value: "fast"),
    Case(arguments: ["run", "--scenario", "/no/such.yaml"], value: "/no/such.yaml"),
    Case(arguments: ["run", "graph", "--scenario", "x.yaml"], value: "a workload"),
    Case(arguments: ["run", "--scenario", "x.yaml", "--seed", "5"], value: "--seed"),
    Case(arguments: graph + ["--cgroup", "3KiB"], value: "3KiB"),
    Case(arguments: graph + ["--cgroup", "huge"], value: "huge"),
    Case(arguments: graph + ["--memory-limit", "12XB"], value: "12XB"),
    Case(arguments: graph + ["--memory-limit", "-5"], value: "-5"),
    Case(arguments: graph + ["--gogc", "banana"], value: "banana"),
    Case(arguments: graph + ["--gogc", "-3"], value: "-3"),
    Case(arguments: graph + ["--json", "/no/such/folder/x.json"], value: "/no/such/folder/x.json"),
    Case(arguments: graph + ["--dashboard", "-1"], value: "\"-1\""),
    Case(arguments: graph + ["--dashboard", "65536"], value: "65536"),
    Case(arguments: graph + ["--dashboard", "http"], value: "http"),
    Case(arguments: graph + ["--dashboard", ""], value: "\"\""),
    Case(arguments: graph + ["--dashboard", "localhost:"], value: "localhost:"),
    Case(arguments: graph + ["--dashboard", "1.2.3:80"], value: "1.2.3:80"),
    Case(arguments: graph + ["--dashboard", "example.org:80"], value: "example.org:80"),
    Case(arguments: graph + ["--dashboard", "::1:80"], value: "::1:80"),
    Case(arguments: graph + ["--report", "/no/such/folder/x.html"], value: "/no/such/folder/x.html"),
    Case(arguments: graph + ["--events", "/no/such/folder/x.jsonl"], value: "/no/such/folder/x.jsonl"),
    Case(arguments: graph + ["--csv", "/no/such/folder/x.csv"], value: "/no/such/folder/x.csv"),
    Case(arguments: ["run", "--scenario", "x.yaml", "--timeline"], value: "--timeline"),
  ]

  static let ownOptions = [
    Case(arguments: ["run", "nosuch"], value: "nosuch"),
    Case(arguments: ["run", "graph", "--depth", "3"], value: "--depth"),
    Case(arguments: ["run", "graph", "--nodes", "0"], value: "\"0\""),
    Case(arguments: ["run", "graph", "--nodes=-5"], value: "-5"),
    Case(arguments: ["run", "graph", "--nodes"], value: "--nodes"),
    Case(arguments: ["run", "graph", "--nodes", "5", "--nodes", "6"], value: "--nodes"),
    Case(arguments: ["run", "graph", "--shape", "round"], value: "round"),
    Case(arguments: ["run", "graph", "sideways"], value: "sideways"),
    Case(arguments: ["run", "binary-trees", "--depth", "5"], value: "\"5\""),
    Case(arguments: ["run", "cross-thread", "--threads", "3"], value: "\"3\""),
    Case(arguments: ["run", "cross-thread", "--threads", "1"], value: "\"1\""),
    Case(arguments: ["run", "cross-thread", "--threads", "1026"], value: "1026"),
    Case(arguments: ["run", "cross-thread", "--parcels", "0"], value: "\"0\""),
    Case(arguments: ["run", "cross-thread", "--messages", "-1"], value: "-1"),
    Case(arguments: ["run", "cross-thread", "--bytes", "7"], value: "\"7\""),
    Case(arguments: ["run", "write-heavy", "--nodes", "0"], value: "\"0\""),
    Case(arguments: ["run", "write-heavy", "--nodes", "4294967296"], value: "4294967296"),
    Case(arguments: ["run", "write-heavy", "--writes", "lots"], value: "lots"),
    Case(arguments: ["run", "write-heavy", "--parcels", "5"], value: "--parcels"),
    Case(arguments: ["nosuch"], value: "nosuch"),
    Case(arguments: ["topology", "--fancy"], value: "--fancy"),
  ]

  private static let tune = ["tune", "churn", "--memory", "64MiB"]

  static let tunings = [
    Case(arguments: ["tune", "nosuch", "--memory", "64MiB"], value: "nosuch"),
    Case(arguments: ["tune", "churn"], value: "--memory"),
    Case(arguments: ["tune", "churn", "--memory", "3KiB"], value: "3KiB"),
    Case(arguments: tune + ["--budget", "5"], value: "\"5\""),
    Case(arguments: tune + ["--slo", "p42=1ms"], value: "p42=1ms"),
    Case(arguments: tune + ["--slo", "p99=fast"], value: "p99=fast"),
    Case(arguments: tune + ["--threads", "0"], value: "\"0\""),
    Case(arguments: tune + ["--records", "many"], value: "many"),
    Case(arguments: tune + ["--depth", "3"], value: "--depth"),
    Case(arguments: tune + ["--rate", "5"], value: "churn"),
    Case(arguments: tune + ["--duration", "1s", "--operations", "5"], value: "--operations"),
    Case(arguments: tune + ["--state", "/no/such/folder/x"], value: "/no/such/folder/x"),
    Case(arguments: tune + ["--json", "/no/such/folder/x.json"], value: "/no/such/folder/x.json"),
    Case(arguments: tune + ["--report", "/no/such/folder/x.html"], value: "/no/such/folder/x.html"),
    Case(arguments: tune, environment: ["TRICOLOR_NUMA": "moon"], value: "moon"),
  ]

  @Test(
    "is refused with exit code 64 and the value in the message",
    arguments: environments + commonOptions + ownOptions + tunings)
  func isRefused(_ wrong: Case) throws {
    let outcome = try Command.run(wrong.arguments, environment: wrong.environment)
    #expect(outcome.exitCode == 64)
    #expect(outcome.errors.contains(wrong.value), "the message: \(outcome.errors)")
    #expect(outcome.output.isEmpty)
  }

  @Test("says what is allowed: the least control group, the workloads, the limits")
  func saysWhatIsAllowed() throws {
    #expect(try Command.run(["run", "graph", "--cgroup", "3KiB"]).errors.contains("at least 8MiB"))
    #expect(try Command.run(["run", "nosuch"]).errors.contains("binary-trees"))
    #expect(try Command.run(["run", "binary-trees", "--depth", "5"]).errors.contains("6 to 30"))
    #expect(try Command.run(["run", "churn", "--threads", "0"]).errors.contains("1 to 1024"))
    #expect(try Command.run(["run", "cross-thread", "--threads", "3"]).errors.contains("a multiple of 2, 2 to 1024"))
  }

  @Test("a truncated dump is refused, and the message names the option and the file")
  func truncatedDumpIsRefused() throws {
    let dump = TemporaryFile()
    try #"{"header":{"revision":7},"kvs":[{"key":"L2E=","create_revision":2,"mod_revi"#
      .write(toFile: dump.path, atomically: true, encoding: .utf8)
    let outcome = try Command.run(["run", "etcd", "--load", dump.path, "--quiet"])
    #expect(outcome.exitCode == 64)
    #expect(outcome.errors.contains("--load"))
    #expect(outcome.errors.contains(dump.path), "the message: \(outcome.errors)")
  }

  @Test("--duration and --operations together are refused")
  func durationAndOperationsExcludeEachOther() throws {
    let outcome = try Command.run(["run", "churn", "--duration", "1s", "--operations", "5"])
    #expect(outcome.exitCode == 64)
  }
}
