// Scenarios as they are written: what is read, and what is refused, with the line and what is allowed.

import Foundation
import Harness
import Testing

@testable import Scenario

@Suite("Scenario files")
struct ScenarioFileTests {
  private static let whole = """
    title: A test
    duration: 1m30s
    limit: 1GiB
    pods:
      - name: store-1
        workload: etcd
        limit: 256Mi
        options: {keys: 20000, phases: "steady,leak", shed: off, keep: true}
        settings:
          GOGC: 50
          TRICOLOR_LIMIT_POLICY: failfast:1s
      - {name: other, workload: churn, limit: 64MiB}
    schedule:
      - {at: 20s, pod: store-1, rate: 500}
      - {at: 10s, pod: store-1, limit: 200MiB}
      - {at: 10s, pod: other, start: true}
      - {at: 30s, pod: other, signal: KILL}
    """

  @Test("what is written is what is read, the schedule in the order of time")
  func reads() throws {
    let scenario = try ScenarioFile.parse(Self.whole, file: "a.yaml")
    #expect(scenario.title == "A test" && scenario.duration == 90_000_000_000 && scenario.limitBytes == 1 << 30)
    #expect(
      scenario.pods.map(\.name) == ["store-1", "other"] && scenario.pods.map(\.limitBytes) == [256 << 20, 64 << 20])
    #expect(scenario.pods[0].options.map(\.name) == ["keys", "phases", "shed", "keep"])
    #expect(scenario.pods[0].options.map(\.value) == ["20000", "steady,leak", "off", nil])
    #expect(scenario.pods[0].settings.map(\.value) == ["50", "failfast:1s"])
    #expect(scenario.schedule.map(\.text) == ["limit 200MiB", "start", "rate 500", "signal KILL"])
    #expect(scenario.start(of: scenario.pods[0]) == 0 && scenario.start(of: scenario.pods[1]) == 10_000_000_000)
  }

  /// A change of the text above, the line that is wrong then, and words of the message.
  static let mistakes: [(String, String, Int, [String])] = [
    ("limit: 1GiB", "limits: 1GiB", 3, ["limits", "limit"]),
    ("duration: 1m30s", "duration: 90", 2, ["duration", "\"90\"", "10s"]),
    ("limit: 1GiB", "limit: 12XB", 3, ["limit", "12XB", "MiB"]),
    ("limit: 1GiB", "limit: 4KiB", 3, ["4KiB", "at least 8MiB"]),
    ("limit: 256Mi", "limit: [1, 2]", 7, ["pods[0].limit", "a list"]),
    ("limit: 256Mi", "limit:", 7, ["pods[0].limit", "nothing"]),
    ("name: store-1", "name: Store 1", 5, ["pods[0].name", "Store 1", "a to z"]),
    ("name: other", "name: store-1", 12, ["store-1", "another name"]),
    ("workload: etcd", "wrkload: etcd", 6, ["wrkload", "workload"]),
    ("workload: churn, ", "", 12, ["pods[1]", "\"workload\" is missing"]),
    ("GOGC: 50", "GOCG: 50", 10, ["GOCG", "GOGC"]),
    ("shed: off", "cgroup: 1GiB", 8, ["cgroup"]),
    ("rate: 500", "rate: -1", 14, ["schedule[0].rate", "\"-1\"", "operations a second"]),
    ("rate: 500", "speed: 1", 14, ["speed", "memory-limit"]),
    ("rate: 500", "rate: 5, gogc: 50", 14, ["2 things", "exactly one"]),
    (", rate: 500", "", 14, ["0 things"]),
    ("pod: store-1, rate", "pod: shop, rate", 14, ["shop", "store-1, other"]),
    ("at: 20s", "at: 95s", 14, ["after the scenario's end"]),
    ("at: 20s", "at: soon", 14, ["schedule[0].at", "soon"]),
    ("signal: KILL", "signal: 9", 17, ["signal", "\"9\"", "TERM"]),
    ("start: true", "start: yes", 16, ["yes", "true"]),
    ("at: 30s, pod: other, signal: KILL", "at: 5s, pod: other, stop: true", 17, ["has not started"]),
    ("signal: KILL", "start: true", 17, ["starts twice"]),
    ("title: A test", "title: A test\ntitle: B", 1, ["title", "twice"]),
    ("limit: 1GiB", "limit: [1GiB", 4, ["not YAML"]),
  ]

  @Test("what is not allowed is refused with its line, its value and what is allowed", arguments: mistakes.indices)
  func refuses(_ index: Int) throws {
    let (from, to, line, words) = Self.mistakes[index]
    #expect(Self.whole.contains(from))
    let place = try #require(Self.whole.range(of: from))
    let text = Self.whole.replacingCharacters(in: place, with: to)
    let error = #expect(throws: ScenarioError.self) { try ScenarioFile.parse(text, file: "a.yaml") }
    #expect(error?.line == line, "\(String(describing: error))")
    for word in words { #expect(error?.description.contains(word) == true, "\(word): \(String(describing: error))") }
    #expect(error?.description.hasPrefix("a.yaml:\(line): ") == true)
  }

  @Test("files that are empty, hold no pods or are not there are refused")
  func refusesFiles() {
    for text in ["", "[]", "pods", "title: x\nduration: 1s\npods: []"] {
      #expect(throws: ScenarioError.self, "\(text)") { try ScenarioFile.parse(text, file: "a.yaml") }
    }
    #expect(throws: UsageError.self) { try ScenarioFile.read("/no/such/file.yaml") }
  }

  @Test("a run's report is read with its order and its kinds of numbers")
  func reportsAreRead() throws {
    let report: JSONValue = [
      "b": 1, "a": .float(2), "c": .unsigned(.max), "d": [true, nil, "a \"b\"\n\u{1}", "12"], "e": [:],
      "f": .float(1e-9),
    ]
    #expect(JSONValue(report: report.text()) == report)
    #expect(JSONValue(report: "") == nil && JSONValue(report: "{\"a\": ") == nil)
  }
}
