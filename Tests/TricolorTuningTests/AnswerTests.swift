// The answer's texts: what a shell and Kubernetes are given is what was found, in their own spelling.

import Foundation
import Harness
import Testing
import TricolorPacing
import TricolorTuning

@Suite("The answer of a tuning")
struct AnswerTests {
  private static func answer(_ request: TuningRequest) throws -> TuningAnswer {
    try Tuner.run(request, measure: MadeUpRuns().measure)
  }

  @Test("shell lines are settings that the heap reads, and mean what is recommended")
  func shellLinesAreSettings() throws {
    let answer = try MadeUpRuns.standardAnswer()
    let setting = try #require(answer.recommended)
    var environment: [String: String] = [:]
    for line in answer.shellLines {
      let parts = try #require(line.firstMatch(of: /^export ([A-Z_]+)=(\S+)$/), "\(line)")
      environment[String(parts.1)] = String(parts.2)
    }
    let (settings, errors) = Settings.parse { environment[$0] }
    #expect(errors.isEmpty)
    #expect(settings.gcPercent == setting.gcPercent)
    #expect(settings.memoryLimit == .percent(setting.limitPercent, minus: 0))
    #expect(settings.gcCPULimit == setting.gcCPULimit)
    #expect(settings.maxProcessors ?? 2 == setting.processors)
  }

  @Test("every setting of the grid has an environment that is read back as it was")
  func environmentsReadBack() {
    for setting in SearchSpace(processors: 4).settings {
      let environment = Dictionary(uniqueKeysWithValues: setting.environment.map { ($0.name, $0.value) })
      let (settings, errors) = Settings.parse { environment[$0] }
      #expect(errors.isEmpty)
      #expect(settings.gcPercent == setting.gcPercent && settings.gcCPULimit == setting.gcCPULimit)
      #expect(settings.maxProcessors == setting.processors)
      #expect(settings.memoryLimit.resolve(cgroupLimit: 1000) == Int64(setting.limitPercent * 10))
    }
  }

  @Test(
    "the container's memory is the group's, in Kubernetes' spelling, and its CPU what was used",
    arguments: [
      (512 << 20, "512Mi"), (2 << 30, "2Gi"), (500_000_000, "500000000"), ((1 << 30) + (512 << 20), "1536Mi"),
    ]
      as [(Int64, String)])
  func kubernetesHasTheQuantities(_ bytes: Int64, _ quantity: String) throws {
    let answer = try Self.answer(MadeUpRuns.request(memory: bytes, budget: 60))
    let lines = answer.kubernetes.split(separator: "\n").map(String.init)
    #expect(
      lines.prefix(6) == [
        "resources:", "  requests:", "    memory: \(quantity)", "    cpu: 1950m", "  limits:",
        "    memory: \(quantity)",
      ])
    let setting = try #require(answer.recommended)
    #expect(lines.contains("- name: GOMEMLIMIT") && lines.contains("  value: \"\(setting.limitPercent)%\""))
    #expect(lines.contains("  value: \"\(setting.gcPercent.map { "\($0)" } ?? "off")\""))
  }

  @Test("the sentence has the size, the headroom, the collector's share and the smallest group")
  func sentenceSaysIt() throws {
    let answer = try MadeUpRuns.standardAnswer()
    let (headroom, share) = (try #require(answer.headroom?.middle), try #require(answer.gcCPUFraction?.middle))
    let enough = try #require(answer.smallest?.enoughBytes)
    #expect(
      answer.sentence
        == "512 MiB: \(Int((headroom * 100).rounded())) % headroom, \(Int((share * 1000).rounded()) / 10).\(Int((share * 1000).rounded()) % 10) % "
        + "collector CPU; safe down to \(enough >> 20) MiB.")
    #expect(answer.text.contains(answer.sentence))
  }

  @Test("headroom is what the peaks leave")
  func headroomIsTheRest() throws {
    let answer = try MadeUpRuns.standardAnswer()
    let (headroom, peak) = (try #require(answer.headroom), try #require(answer.peakBytes))
    #expect(abs(headroom.middle + peak.middle / Double(answer.request.memoryBytes) - 1) < 1e-12)
    let (range, peaks) = (try #require(headroom.interval), try #require(peak.interval))
    #expect(range.contains(headroom.middle) && peaks.contains(peak.middle))
    #expect(abs(range.lowerBound + peaks.upperBound / Double(answer.request.memoryBytes) - 1) < 1e-12)
  }

  @Test("of what is on the Pareto front nothing beats anything else, and nothing measured beats it")
  func frontIsUnbeaten() throws {
    let answer = try MadeUpRuns.standardAnswer()
    #expect(answer.pareto.count >= 3)
    for (one, next) in zip(answer.pareto, answer.pareto.dropFirst()) {
      #expect(one.peakBytes < next.peakBytes && one.cost > next.cost)
    }
    let cheapest = try #require(answer.pareto.last)
    #expect(cheapest.gcCPUFraction < answer.pareto[0].gcCPUFraction)
  }

  @Test("the JSON has every run, and numbers where there are any")
  func jsonHasEveryRun() throws {
    let answer = try MadeUpRuns.standardAnswer()
    let data = Data(answer.json.text().utf8)
    let object = try #require(try JSONSerialization.jsonObject(with: data) as? [String: Any])
    #expect((object["runs"] as? [Any])?.count == answer.runs.count)
    let expected = try #require(object["expected"] as? [String: Any])
    for key in ["operationsPerSecond", "p99Nanoseconds", "gcCPUFraction", "peakBytes", "headroom"] {
      let figure = try #require(expected[key] as? [String: Any], "\(key)")
      #expect(figure["middle"] is Double && figure["low"] is Double && figure["high"] is Double, "\(key)")
    }
    #expect(object["memoryBytes"] as? Int == 512 << 20)
    #expect((object["environment"] as? [String: String])?["GOMEMLIMIT"]?.last == "%")
  }

  @Test("the page needs nothing from elsewhere, has every run, and shows names as they are")
  func pageStandsAlone() throws {
    var request = MadeUpRuns.request(budget: 300)
    request.workload = "a<b>&c"
    let answer = try Self.answer(request)
    let page = answer.page
    #expect(page.contains("a&lt;b&gt;&amp;c") && !page.contains("a<b>"))
    #expect(!page.contains("http") && !page.contains("<script"))
    #expect(page.split(separator: "<tr>").count == answer.runs.count + 2)
    #expect(page.split(separator: "<svg").count == 3, "two pictures")
    let body = try #require(page.split(separator: "</style>").last)
    #expect(!body.contains("nan") && !body.contains("inf"), "a figure that is no number")
  }

  @Test("a figure that a workload does not measure is left out")
  func unmeasuredIsLeftOut() throws {
    let runs = MadeUpRuns()
    let answer = try Tuner.run(MadeUpRuns.request(budget: 60)) { plan, operations, usual in
      guard let run = runs.measure(plan, operations, usual), var figures = run.figures else { return nil }
      figures.p99 = 0
      return MeasuredRun(plan: plan, outcome: .survived(figures), wallSeconds: run.wallSeconds)
    }
    #expect(answer.p99Nanoseconds == nil)
    #expect(!answer.text.contains("p99"))
    #expect(answer.recommended != nil)
  }
}

@Suite("Service levels")
struct ServiceLevelTests {
  @Test("are read with their units and written again")
  func areRead() throws {
    let level = try ServiceLevel("p99=2ms,gc-cpu=10%,max=1s")
    #expect(level.bounds.map(\.figure) == [.p99, .gcCPU, .max])
    #expect(level.bounds.map(\.most) == [2_000_000, 0.1, 1_000_000_000])
    #expect(try ServiceLevel("gc-cpu=2.5%").bounds[0].most == 0.025)
  }

  @Test(
    "wrong ones are refused with the part that is wrong",
    arguments: [
      ("p98=2ms", "p98=2ms"), ("p99", "p99"), ("p99=2", "p99=2"), ("p99=0ms", "p99=0ms"), ("gc-cpu=0%", "gc-cpu=0%"),
      ("gc-cpu=101%", "101%"), ("gc-cpu=10", "gc-cpu=10"), ("gc-cpu=nan%", "nan%"), ("p99=2ms,", "\"\""),
      ("p99=2ms,p99=3ms", "twice"),
      ("", "\"\""),
    ])
  func wrongAreRefused(_ text: String, _ value: String) {
    #expect { try ServiceLevel(text) } throws: { ($0 as? UsageError)?.description.contains(value) == true }
  }
}
