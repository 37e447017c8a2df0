// The harness's parts by themselves: options, the report's arithmetic and text, JSON, random numbers.

import Testing
import Tricolor
import TricolorPacing
import TricolorTelemetry

@testable import Harness

@Suite("The harness")
struct HarnessTests {
  private static let nodes = WorkloadOption.integer("nodes", 1...100, default: 7, help: "nodes")
  private static let keep = WorkloadOption<Bool>.flag("keep", help: "keep")
  private static let buffer = WorkloadOption<Int>.size("buffer", default: 4096, help: "buffer")
  private static let table: [any AnyWorkloadOption] = [nodes, keep, buffer]

  private func context(rate: Int?) throws -> RunContext {
    RunContext(heap: try Heap(), threads: 2, seed: 1, extent: .natural, kinds: [], rate: rate)
  }

  @Test("a thread waits for as long as it is ahead of its part of the rate, in pieces, and not when it is behind")
  func throttleWaits() throws {
    var throttle = Throttle(try context(rate: 2_000), parts: 2, from: 5)
    #expect(throttle.nanosecondsAhead(at: 5) == nil)
    throttle.count(10)
    #expect(throttle.nanosecondsAhead(at: 4_000_005) == 6_000_000)
    #expect(throttle.nanosecondsAhead(at: 10_000_005) == nil)
    throttle.count(1_000)
    #expect(throttle.nanosecondsAhead(at: 10_000_005) == Throttle.longestWait)
  }

  @Test("an order changes the rate, for what comes after it; growth and limit of the heap too")
  func ordersAreObeyed() throws {
    let context = try context(rate: nil)
    var throttle = Throttle(context, parts: 1, from: 0)
    throttle.count(1_000_000)
    #expect(throttle.nanosecondsAhead(at: 10) == nil)
    try RunOrder("rate", "100", at: "test").apply(to: context)
    #expect(throttle.nanosecondsAhead(at: 20) == nil, "what was done before the rate is not held against it")
    throttle.count(1)
    #expect(throttle.nanosecondsAhead(at: 20) == 10_000_000)
    try RunOrder("rate", "off", at: "test").apply(to: context)
    #expect(throttle.nanosecondsAhead(at: 30) == nil && context.operationsPerSecond == nil)
    try RunOrder(line: "memory-limit 123MiB").apply(to: context)
    #expect(context.heap.configuration.memoryLimit == .bytes(123 << 20))
    try RunOrder("gogc", "off", at: "test").apply(to: context)
    #expect(context.heap.configuration.gcPercent == nil)
    for (name, value) in [("rate", "0"), ("rate", "x"), ("memory-limit", "12XB"), ("gogc", "-1"), ("speed", "1")] {
      #expect(throws: SettingsError.self, "\(name) \(value)") { try RunOrder(name, value, at: "test") }
    }
  }

  @Test("own options are read in both spellings, and default where not given")
  func ownOptionsAreRead() throws {
    let values = try OptionValues(["--nodes=12", "--keep", "--buffer", "2MiB"], of: "test", table: Self.table)
    #expect(try values.value(of: Self.nodes) == 12)
    #expect(try values.value(of: Self.keep))
    #expect(try values.value(of: Self.buffer) == 2 << 20)
    let none = OptionValues()
    #expect(try none.value(of: Self.nodes) == 7)
    #expect(try !none.value(of: Self.keep))
  }

  @Test("own options that are not allowed name option, value and what is")
  func ownOptionsAreChecked() throws {
    let values = try OptionValues(["--nodes", "101", "--buffer", "2MB"], of: "test", table: Self.table)
    #expect(throws: UsageError(option: "--nodes", value: "101", allowed: "1 to 100")) {
      try values.value(of: Self.nodes)
    }
    #expect(throws: UsageError.self) { try values.value(of: Self.buffer) }
    #expect(throws: UsageError.self) { try OptionValues(["--keep=yes"], of: "test", table: Self.table) }
    #expect(throws: UsageError.self) { try OptionValues(["--other"], of: "test", table: Self.table) }
  }

  @Test("the child in a control group gets the same arguments without --cgroup")
  func childArgumentsLackTheGroup() {
    #expect(
      ConstrainedRun.childArguments(["run", "churn", "--cgroup", "9MiB", "--quiet", "--cgroup=8MiB", "--seed", "4"])
        == ["run", "churn", "--quiet", "--seed", "4"])
  }

  @Test("overshoot is peak RSS over the limit, and 0 below it or without one")
  func overshootIsOverTheLimit() {
    var report = RunReport(workload: "test", seed: 1, threads: 1)
    report.peakResidentBytes = 1000
    #expect(report.overshootBytes == 0)
    report.limitBytes = 1200
    #expect(report.overshootBytes == 0)
    report.limitBytes = 900
    #expect(report.overshootBytes == 100)
    #expect(report.json["rssOvershootBytes"] == 100)
    #expect(report.text.contains("100 B OVER the limit"))
  }

  @Test(
    "a report on made-up nodes says so before its figures, on the terminal and on the page, and one on real nodes does not"
  )
  func simulationIsAnnounced() throws {
    var report = RunReport(workload: "test", seed: 1, threads: 1)
    let unsimulated = try report.page
    #expect(!report.text.contains("SIMULATED") && !unsimulated.contains("SIMULATED"))
    report.simulatedNodes = 4
    let text = report.text.split(separator: "\n")
    #expect(text[1].hasPrefix("SIMULATED: 4 NUMA nodes"), "\(text[1])")
    #expect(try report.page.contains("<li>SIMULATED: 4 NUMA nodes"))
  }

  @Test("the collector's share is of wall time times processors")
  func collectorShareIsOfAllProcessors() {
    var report = RunReport(workload: "test", seed: 1, threads: 1)
    report.seconds = 2
    report.processors = 4
    report.collector.background = 1_000_000_000
    report.collector.assist = 1_000_000_000
    #expect(report.gcCPUFraction == 0.25)
    #expect(report.text.contains("25.0 %"))
  }

  @Test("runs of one phase are added up: times, operations, latencies, and the most memory that was seen in any")
  func phasesAreAddedUp() throws {
    let heap = try Heap()
    var state = RunState(kinds: 1)
    var latencies = Latencies.empty()
    latencies.record(1_000)
    for (operations, name) in [(0, "a"), (10, "b"), (15, "a")] {
      state.enterPhase(name, PhaseMark(heap: heap, operations: operations))
      state.noteResident(name == "a" ? 1 << 50 : 1 << 40)
      state.merge([latencies])
    }
    state.endMeasuring(PhaseMark(heap: heap, operations: 45), cpu: 0)
    // A client that ends after measuring still hands its latencies in; what memory does then is of no phase.
    state.merge([latencies])
    state.noteResident(1 << 60)
    #expect(state.totals.map(\.name) == ["a", "b"])
    #expect(state.totals.map(\.times) == [2, 1] && state.totals.map(\.operations) == [40, 5])
    #expect(state.totals.map(\.latencies.totalCount) == [3, 1])
    #expect(state.totals.map(\.peakResidentBytes) == [1 << 50, 1 << 40])
    var report = RunReport(workload: "test", seed: 1, threads: 1)
    report.phaseTotals = state.totals.map(RunReport.PhaseTotalRow.init)
    #expect(report.text.split(separator: "\n").filter { $0.hasPrefix("  a ") }.count == 1)
  }

  @Test("the text tells growth from limit, and a check that failed from one that held")
  func textTellsCausesApart() {
    var report = RunReport(workload: "test", seed: 1, threads: 1)
    report.collector.cyclesByCause = [.growth: 12, .limit: 34]
    #expect(report.text.contains("46 cycles: 12 growth, 34 limit, 0 forced, 0 periodic"))
    #expect(report.text.contains("FAILED"))
    report.verified = true
    #expect(!report.text.contains("FAILED"))
  }

  @Test("JSON keeps order and number types, and escapes what it must")
  func jsonIsWrittenExactly() {
    let value: JSONValue = [
      "b": 1, "a": 1.0, "text": "quote \" back \\ line \n bell \u{7} é", "none": nil, "list": [true, []],
      "large": .unsigned(.max),
    ]
    #expect(
      value.text(indented: false)
        == #"{"b":1,"a":1.0,"text":"quote \" back \\ line \n bell \u0007 é","none":null,"#
        + #""list":[true,[]],"large":18446744073709551615}"#)
    #expect(JSONValue.float(.infinity).text() == "null")
  }

  @Test("the random numbers are SplitMix64's, as the peers draw them")
  func randomNumbersAreSplitMix64() {
    var random = SplitMix64(seed: 1_234_567)
    // The published test vector of the algorithm.
    #expect(
      (0..<3).map { _ in random.next() } == [
        6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423,
      ])
    #expect((0..<1000).allSatisfy { _ in (0..<10).contains(random.below(10)) })
  }

  @Test("latencies are known to within one percent, and the largest exactly")
  func latenciesAreExactEnough() {
    var histogram = Latencies.empty()
    for value in 1...100_000 { histogram.record(UInt64(value) * 1000) }
    let figures = LatencyFigures(histogram)
    #expect(figures.count == 100_000)
    #expect(figures.max == 100_000_000)
    for (value, expected) in [(figures.p50, 50e6), (figures.p99, 99e6), (figures.p999, 99.9e6)] {
      #expect(abs(Double(value) - expected) <= expected * 0.01, "\(value)")
    }
  }
}
