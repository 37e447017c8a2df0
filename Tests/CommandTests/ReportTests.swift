// Files of a run that other programs and people read: the page, lines of JSON and CSV while it goes on, and `tricolor report` of what was kept.

import Foundation
import Testing
import TricolorTelemetry

@Suite("Reports of runs")
struct ReportTests {
  private static let graph = ["run", "graph", "--nodes", "1000", "--cycles", "3", "--quiet"]
  private static let churn = ["run", "churn", "--records", "2000", "--duration", "700ms", "--threads", "2", "--quiet"]

  /// The object that a page draws.
  private func data(ofPage page: String) throws -> [String: Any] {
    let begin = try #require(page.range(of: "<script type=\"application/json\" id=\"data\">"))
    let end = try #require(page[begin.upperBound...].range(of: "</script>"))
    return try object(String(page[begin.upperBound..<end.lowerBound]))
  }

  @Test("--report is one page that needs nothing else, with the run's figures, samples and every cycle in it")
  func pageIsWhole() throws {
    let file = TemporaryFile()
    let outcome = try Command.run(Self.graph + ["--memory-limit", "1GiB", "--report", file.path])
    #expect(outcome.exitCode == 0 && outcome.errors.isEmpty, "\(outcome.errors)")
    #expect(outcome.output.contains("Operations"))
    let page = try file.text()
    #expect(!page.contains("http") && !page.contains("src="), "the page refers to something outside itself")
    #expect(page.contains("The data at the end is what was stored."))
    let run = try #require((try data(ofPage: page)["runs"] as? [[String: Any]])?.first)
    #expect(run["limitBytes"] as? Int == 1 << 30)
    let timeline = try member("timeline", of: run)
    #expect((timeline["samples"] as? [Any] ?? []).count >= 2)
    let cycles = try #require(timeline["cycles"] as? [[Any]])
    #expect(cycles.filter { $0[3] as? String == "forced" }.count == 3)
    #expect(cycles.allSatisfy { $0.count == 7 })
    #expect(try member("settings", of: timeline)["GOMEMLIMIT"] as? String == "1GiB")
    let utilisation = try member("mutatorUtilisation", of: timeline)
    #expect(utilisation["lostStalls"] as? Int == 0)
    #expect(Set(try member("histograms", of: timeline).keys) == ["operation", "stall", "hold", "safepoint"])
  }

  @Test("the timeline is in --json when it is asked for, beside the contract's keys, and not otherwise")
  func timelineIsOptional() throws {
    let plain = try object(try Command.run(Self.graph + ["--json", "-"]).output)
    try ReportKeys.check(plain)
    var kept = try object(try Command.run(Self.churn + ["--timeline", "--json", "-"]).output)
    let timeline = try member("timeline", of: kept)
    kept["timeline"] = nil
    try ReportKeys.check(kept)
    let columns = try #require(timeline["columns"] as? [String])
    let samples = try #require(timeline["samples"] as? [[Any]])
    #expect(samples.count >= 5 && samples.allSatisfy { $0.count == columns.count })
    let operations = try #require(columns.firstIndex(of: "operations"))
    #expect((samples.last?[operations] as? Int ?? 0) > 0)
  }

  @Test("the histogram of operations has all that clients timed")
  func histogramIsWhole() throws {
    let report = try object(
      try Command.run(
        ["run", "etcd", "--keys", "300", "--operations", "2000", "--quiet", "--timeline", "--json", "-"]
      ).output)
    let histograms = try member("histograms", of: try member("timeline", of: report))
    let bars = try #require(histograms["operation"] as? [[Int]])
    let kinds = try member("kinds", of: try member("result", of: report)).values.compactMap { $0 as? [String: Any] }
    let timed = kinds.reduce(0) { $0 + ($1["count"] as? Int ?? 0) }
    #expect(timed > 0 && bars.reduce(0) { $0 + $1[2] } == timed)
  }

  // MARK: Lines

  /// What a program in Python prints of a file.
  private func python(_ program: String, _ path: String) throws -> String {
    let process = Process()
    let output = Pipe()
    process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
    process.arguments = ["python3", "-c", program, path]
    process.standardOutput = output
    try process.run()
    let text = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
    process.waitUntilExit()
    #expect(process.terminationStatus == 0, "python3 could not read the file")
    return text
  }

  @Test("--events has a line of JSON for every cycle, which Python's json reads")
  func eventsAreRead() throws {
    let file = TemporaryFile()
    let report = try object(try Command.run(Self.graph + ["--events", file.path, "--json", "-"]).output)
    let answer = try python(
      """
      import json, sys
      cycles = [json.loads(line) for line in open(sys.argv[1])]
      assert [c["cycle"] for c in cycles] == list(range(1, len(cycles) + 1))
      assert all(c["startedAtNanoseconds"] + c["durationNanoseconds"] > 0 and c["markedBytes"] <= c["liveAtEndBytes"] for c in cycles)
      print(len(cycles), sum(c["cause"] == "forced" for c in cycles))
      """, file.path)
    #expect(answer == "\(report["gcCycles"] as? Int ?? -1) 3\n")
  }

  @Test("--csv has a row for every sample, which Python's csv reads: times rise, totals never fall")
  func samplesAreRead() throws {
    let file = TemporaryFile()
    let outcome = try Command.run(Self.churn + ["--csv", file.path])
    #expect(outcome.exitCode == 0)
    let answer = try python(
      """
      import csv, sys
      rows = list(csv.DictReader(open(sys.argv[1], newline="")))
      assert all(None not in row and None not in row.values() for row in rows), "a row of another length"
      for name in ("time", "available", "mutator", "operations", "cycles"):
          values = [int(row[name]) for row in rows]
          assert values == sorted(values), name
      assert all(int(row["resident"]) >= int(row["live"]) + int(row["foreign"]) for row in rows)
      print(len(rows[0]), len(rows) >= 5, int(rows[-1]["operations"]) > 0)
      """, file.path)
    #expect(answer == "\(TimelineSample.columns.count) True True\n")
  }

  @Test("a file that can no longer be written is said, and the run goes on to its end")
  func fullDisk() throws {
    let outcome = try Command.run(Self.churn + ["--csv", "/dev/full", "--json", "-"])
    #expect(outcome.exitCode == 70)
    #expect(outcome.errors.contains("/dev/full"))
    #expect(outcome.errors.split(separator: "\n").count == 1, "said once: \(outcome.errors)")
    #expect(try object(outcome.output)["verified"] as? Bool == true)
  }

  // MARK: Traces

  /// What the trace-event format wants of every event, by its phase; beside "ph" itself.
  private static let traceFields: [String: Set<String>] = [
    "X": ["name", "cat", "ts", "dur", "pid", "tid"], "C": ["name", "ts", "pid", "args"],
    "M": ["name", "pid", "args"], "i": ["name", "ts", "pid", "tid", "s"],
  ]

  @Test("every event of --trace has what the trace-event format wants, and times are no less than zero")
  func traceIsComplete() throws {
    let file = TemporaryFile()
    #expect(try Command.run(Self.graph + ["--trace", file.path]).exitCode == 0)
    let events = try #require(try object(try file.text())["traceEvents"] as? [[String: Any]])
    for event in events {
      let phase = try #require(event["ph"] as? String)
      let wanted = try #require(Self.traceFields[phase], "a phase that is not checked: \(phase)")
      #expect(wanted.isSubset(of: event.keys), "\(event)")
      #expect((event["ts"] as? Double ?? 0) >= 0 && (event["dur"] as? Double ?? 0) >= 0)
      if phase == "i" { #expect(["g", "p", "t"].contains(event["s"] as? String)) }
      if phase == "C" { #expect((event["args"] as? [String: NSNumber])?.isEmpty == false, "\(event)") }
    }
    #expect(Set(events.compactMap { $0["ph"] as? String }) == ["X", "C", "M", "i"])
  }

  // MARK: tricolor report

  /// A recorded run, and its file.
  private func recorded(_ arguments: [String]) throws -> TemporaryFile {
    let file = TemporaryFile()
    #expect(try Command.run(arguments + ["--timeline", "--json", file.path]).exitCode == 0)
    return file
  }

  @Test("report draws one run at the terminal, as wide as COLUMNS says")
  func reportsAtTheTerminal() throws {
    let file = try recorded(Self.churn)
    let outcome = try Command.run(["report", file.path], environment: ["COLUMNS": "72"])
    #expect(outcome.exitCode == 0 && outcome.errors.isEmpty)
    for part in [
      "Memory, 0 to", "resident", "CPU, 0 to ", "Latency", "operation p99", "Decisions", "what was stored",
    ] {
      #expect(outcome.output.contains(part), "no \(part)")
    }
    #expect(outcome.output.contains("█"))
    #expect(outcome.output.split(separator: "\n").allSatisfy { $0.count <= 72 })
    let plain = try Command.run(["report", file.path], environment: ["LC_ALL": "C"]).output
    #expect(plain.allSatisfy { $0.isASCII }, "\(plain.filter { !$0.isASCII })")
  }

  @Test("report lays runs over each other, and finds the knee of runs under three limits")
  func reportsSeveralRuns() throws {
    let files = try ["40MiB", "64MiB", "256MiB"].map { try recorded(Self.churn + ["--memory-limit", $0]) }
    let page = TemporaryFile()
    let two = try Command.run(["report", files[0].path, files[1].path, "--html", page.path])
    #expect(two.exitCode == 0 && two.output.isEmpty, "\(two.errors)")
    var drawn = try data(ofPage: try page.text())
    #expect((drawn["runs"] as? [Any])?.count == 2)
    #expect(drawn["sweep"] is NSNull && drawn["comparison"] is [Any])
    let three = try Command.run(["report"] + files.map(\.path) + ["--html", page.path, "--text"])
    #expect(three.exitCode == 0)
    #expect(three.output.contains("Side by side") && three.output.contains("Collection's share of the CPU by limit"))
    drawn = try data(ofPage: try page.text())
    let sweep = try member("sweep", of: drawn)
    #expect((sweep["points"] as? [[Double]])?.map { Int($0[0]) >> 20 } == [40, 64, 256])
  }

  @Test("report refuses what is no recorded run, with exit code 64, the file and the reason")
  func refusesOtherFiles() throws {
    let file = TemporaryFile()
    let wrong = [
      ("", "no JSON"), ("{\"a\":", "no JSON"), ("[1]", "no object"), ("{\"workload\":\"x\"}", "\"seconds\""),
    ]
    for (text, reason) in wrong {
      try text.write(toFile: file.path, atomically: true, encoding: .utf8)
      let outcome = try Command.run(["report", file.path])
      #expect(outcome.exitCode == 64 && outcome.output.isEmpty, "\(text)")
      #expect(outcome.errors.contains(file.path) && outcome.errors.contains(reason), "\(text): \(outcome.errors)")
    }
    #expect(try Command.run(["report", "/no/such.json"]).errors.contains("/no/such.json"))
    #expect(try Command.run(["report"]).exitCode == 64)
    let good = try recorded(Self.graph)
    #expect(try Command.run(["report", good.path, "--html", "-", "--text"]).exitCode == 64)
    #expect(try Command.run(Self.graph + ["--csv", "-", "--json", "-"]).errors.contains("--json and --csv"))
  }

  @Test("a run that was recorded without a timeline is still told in words and figures")
  func reportsPlainRuns() throws {
    let file = TemporaryFile()
    #expect(try Command.run(Self.graph + ["--json", file.path]).exitCode == 0)
    let outcome = try Command.run(["report", file.path])
    #expect(outcome.exitCode == 0)
    #expect(outcome.output.contains("what was stored") && outcome.output.contains("--timeline"))
  }

  @Test("a run that the kernel kills in its control group leaves a page, a timeline and lines that end with its death")
  func killedRunLeavesItsCourse() throws {
    let machine = try object(try Command.run(["topology", "--json", "-"]).output)
    guard machine["canMakeCgroup"] as? Bool == true else {
      print("SKIPPED: the report of a killed run: \(machine["canMakeCgroupReason"] ?? "no reason")")
      return
    }
    let (page, json, csv) = (TemporaryFile(), TemporaryFile(), TemporaryFile())
    let outcome = try Command.run(
      [
        "run", "churn", "--records", "30000", "--duration", "30s", "--cgroup", "48MiB", "--quiet", "--report",
        page.path,
        "--json", json.path, "--csv", csv.path,
      ], environment: ["GOGC": "400", "GOMEMLIMIT": "off"])
    #expect(outcome.exitCode == 3, "\(outcome.errors)")
    #expect(try page.text().contains("The kernel killed the run at the control group's limit of 48.0 MiB"))
    let timeline = try member("timeline", of: try object(try json.text()))
    let samples = try #require(timeline["samples"] as? [[Any]])
    #expect(samples.count >= 2)
    let last = try #require((timeline["decisions"] as? [[Any]])?.last)
    #expect(last[1] as? String == "killed")
    #expect(last[0] as? Int == samples.last?[0] as? Int)
    #expect(try csv.text().split(separator: "\n").count >= samples.count)
  }
}
