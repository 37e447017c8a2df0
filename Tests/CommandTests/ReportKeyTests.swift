// The JSON object that other people's scripts read: every key, of the right type, for every workload.

import Foundation
import Testing

@Suite("The JSON report")
struct ReportKeyTests {
  static let runs: [[String]] = [
    ["binary-trees", "--depth", "8"],
    ["graph", "--nodes", "1000", "--cycles", "2"],
    ["latency", "--window", "100", "--inserts", "1000", "--bytes", "64"],
    ["churn", "--records", "500", "--operations", "5000"],
    ["linked-list", "--nodes", "1000", "--lists", "3"],
    ["etcd", "--keys", "300", "--operations", "2000"],
    ["etcd", "--keys", "300", "--operations", "2000", "--phases", "all", "--threads", "3", "--memory-limit", "1GiB"],
    ["large-objects", "--keep", "2", "--buffers", "20", "--bytes", "300000"],
    ["cross-thread", "--parcels", "20", "--messages", "50"],
    ["write-heavy", "--nodes", "500", "--writes", "20000"],
    [
      "planner", "--rounds", "1", "--expressions", "8", "--rows", "20", "--statistics-rows", "200", "--nodes", "100",
      "--relations", "4",
    ],
    ["registry", "--users", "200", "--cell-operations", "500", "--barrier-operations", "1000"],
    ["tasks", "--tasks", "100", "--messages", "1000", "--round-trips", "100", "--leaves", "50"],
    ["controller", "--sites", "2", "--nodes", "20", "--pods", "50", "--minutes", "1"],
    ["regions", "--regions", "100", "--seconds", "1"],
  ]

  @Test("has every key with its type, and a check that held", arguments: runs)
  func hasEveryKey(_ arguments: [String]) throws {
    let outcome = try Command.run(["run"] + arguments + ["--quiet", "--json", "-"])
    #expect(outcome.exitCode == 0)
    #expect(outcome.errors.isEmpty)
    let report = try object(outcome.output)
    try ReportKeys.check(report)
    #expect(report["workload"] as? String == arguments[0])
    #expect(report["verified"] as? Bool == true)
    #expect(report["oomKilled"] as? Bool == false)
    #expect((report["operations"] as? Int ?? 0) > 0)
  }

  @Test("carries the settings of the run: seed, threads, GOGC, limit")
  func carriesSettings() throws {
    let report = try object(
      try Command.run(
        [
          "run", "churn", "--records", "100", "--operations", "1000", "--seed", "7", "--threads", "3", "--gogc", "50",
          "--memory-limit", "100MiB", "--quiet", "--json", "-",
        ], environment: ["GOGC": "200", "GOMEMLIMIT": "1GiB"]
      ).output)
    #expect(report["seed"] as? Int == 7)
    #expect(report["threads"] as? Int == 3)
    #expect(report["gogc"] as? Int == 50)
    #expect(report["limitBytes"] as? Int == 100 << 20)
    #expect(report["operations"] as? Int == 1000)
  }

  @Test("says null for a growth that is off, and takes both settings from the environment")
  func takesSettingsFromTheEnvironment() throws {
    let report = try object(
      try Command.run(
        ["run", "graph", "--nodes", "10", "--cycles", "1", "--quiet", "--json", "-"],
        environment: ["GOGC": "off", "GOMEMLIMIT": "200MiB"]
      ).output)
    #expect(report["gogc"] is NSNull)
    #expect(report["limitBytes"] as? Int == 200 << 20)
  }

  @Test("the graph's checksums are those of the peers in other languages")
  func graphChecksumsAreThePeers() throws {
    func checksum(_ shape: String) throws -> Int? {
      let text = try Command.run(
        ["run", "graph", "--nodes", "1000", "--cycles", "1", "--shape", shape, "--quiet", "--json", "-"]
      ).output
      return try member("result", of: try object(text))["check"] as? Int
    }
    // Of the Go program under Benchmarks/Peers with the same arguments.
    #expect(try checksum("random") == 1_018_298)
    #expect(try checksum("sequential") == 1_022_796)
  }

  /// Arguments and, for each, the check of the Go program under Benchmarks/Peers.
  static let peerChecks: [([String], String)] = [
    (["cross-thread", "--parcels", "50", "--messages", "37", "--threads", "2"], "16020511385425054537"),
    (["cross-thread", "--parcels", "50", "--messages", "37", "--threads", "4"], "9046778901383677466"),
    (["write-heavy", "--nodes", "2000", "--writes", "100003", "--threads", "1"], "5964270455"),
    (["write-heavy", "--nodes", "2000", "--writes", "100003", "--threads", "3"], "1984771326"),
    (["write-heavy", "--nodes", "2000", "--writes", "100003", "--threads", "2", "--seed", "9"], "2978907493"),
  ]

  @Test("threads and seed do the same work as in other languages", arguments: peerChecks)
  func checksAreThePeers(_ arguments: [String], _ check: String) throws {
    let outcome = try Command.run(["run"] + arguments + ["--quiet", "--json", "-"])
    #expect(try member("result", of: try object(outcome.output))["check"] as? UInt64 == UInt64(check))
  }

  /// Arguments and, for each, the checksum of the store in Go under Benchmarks/Peers/EtcdStore with the same ones.
  static let storeChecksums: [([String], String)] = [
    (["--keys", "500", "--operations", "12000"], "f64043f524d93434"),
    (
      [
        "--keys", "300", "--operations", "8000", "--profile", "k8s-small", "--phases", "steady,snapshot,list-storm",
        "--lists", "stream", "--seed", "9",
      ], "3ce9078d0d275394"
    ),
  ]

  @Test("the store ends with the keys and values of its twin in Go", arguments: storeChecksums)
  func storeIsItsTwin(_ arguments: [String], _ checksum: String) throws {
    let outcome = try Command.run(["run", "etcd"] + arguments + ["--quiet", "--json", "-"])
    #expect(try member("result", of: try object(outcome.output))["checksum"] as? String == checksum)
  }

  @Test("a phase has one row in the table, in JSON and in the text, however often it ran")
  func hasPhaseTable() throws {
    let arguments = ["run", "etcd", "--keys", "300", "--operations", "3000", "--phases", "steady,snapshot", "--quiet"]
    let file = TemporaryFile()
    let outcome = try Command.run(arguments + ["--json", file.path])
    let result = try member("result", of: try object(try file.text()))
    let table = try #require(result["phaseTable"] as? [[String: Any]])
    #expect(table.compactMap { $0["name"] as? String } == ["load", "steady", "snapshot"])
    for key in [
      "times", "seconds", "operations", "operationsPerSecond", "gcCycles", "gcCPUFraction", "allocatedBytes",
      "heapLiveBytes", "peakRSSBytes", "rssBytes",
    ] {
      #expect(table[1][key] is NSNumber, "\(key)")
    }
    let quantiles = table[1]["operationNanoseconds"] as? [String: Any]
    #expect((quantiles?["p99"] as? Int ?? 0) > 0)
    #expect(table.reduce(0) { $0 + ($1["operations"] as? Int ?? 0) } > 3_000)
    #expect(outcome.output.contains("live at end") && outcome.output.contains("  snapshot"))
  }

  @Test("the report goes to a file, and the text for people to standard output")
  func writesFileAndText() throws {
    let file = TemporaryFile()
    let outcome = try Command.run(
      ["run", "churn", "--records", "100", "--operations", "1000", "--quiet", "--json", file.path])
    #expect(outcome.exitCode == 0)
    #expect(outcome.output.contains("Operations"))
    #expect(outcome.output.contains("peak RSS"))
    try ReportKeys.check(try object(try file.text()))
  }
}

/// The contract's keys.
enum ReportKeys {
  private static let distribution = ["count", "p50", "p99", "p999", "max"]
  private static let objects: [String: [String]] = [
    "operationNanoseconds": ["p50", "p99", "p999", "p9999", "max"],
    "gcCPUNanoseconds": ["background", "assist", "idle", "sweep", "scavenge"],
    "pauseNanoseconds": distribution, "pauseCPUNanoseconds": distribution, "mutatorStallNanoseconds": distribution,
    "timeToSafepointNanoseconds": ["p50", "p99", "max"],
  ]
  private static let numa = [
    "nodes", "localAllocatedBytes", "remoteAllocatedBytes", "localMarkedBytes", "remoteMarkedBytes",
  ]
  private static let integers = [
    "seed", "threads", "operations", "gcCycles", "forcedCycles", "processCPUNanoseconds", "heapLiveBytes",
    "heapGoalBytes", "peakHeapBytes", "peakRSSBytes", "rssOvershootBytes", "allocatedBytes", "allocatedObjects",
    "markedBytes", "markedObjects", "releasedBytes",
  ]
  private static let integersOrNull = ["gogc", "limitBytes", "cgroupLimitBytes"]
  private static let numbers = ["seconds", "operationsPerSecond", "gcCPUFraction", "markNanosecondsPerObject"]
  private static let booleans = ["verified", "oomKilled"]

  static func check(_ report: [String: Any]) throws {
    for key in integers { #expect(isInteger(report[key]), "\(key): \(String(describing: report[key]))") }
    for key in integersOrNull {
      #expect(report[key] is NSNull || isInteger(report[key]), "\(key): \(String(describing: report[key]))")
    }
    for key in numbers { #expect(report[key] is NSNumber, "\(key): \(String(describing: report[key]))") }
    for key in booleans { #expect(report[key] is Bool, "\(key): \(String(describing: report[key]))") }
    for (key, members) in objects {
      let figures = try member(key, of: report)
      #expect(Set(figures.keys) == Set(members), "\(key)")
      for (name, value) in figures { #expect(isInteger(value), "\(key).\(name): \(value)") }
    }
    #expect(Set(try member("numa", of: report).keys) == Set(numa))
    _ = try member("result", of: report)
    let all = integers + integersOrNull + numbers + booleans + objects.keys + ["workload", "numa", "result"]
    #expect(Set(report.keys) == Set(all))
  }

  private static func isInteger(_ value: Any?) -> Bool {
    guard let number = value as? NSNumber, !(value is Bool) || number.objCType.pointee != 0x63 else { return false }
    return Double(number.int64Value) == number.doubleValue || number.int64Value == .max
  }
}
