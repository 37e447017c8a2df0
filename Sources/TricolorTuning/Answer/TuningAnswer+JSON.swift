// The answer as one JSON object: bytes and nanoseconds, shares as floats, and every run it was made of.

import Harness
import TricolorTelemetry

extension TuningAnswer {
  /// The object of `tricolor tune --json`.
  public var json: JSONValue { .object(questionMembers + answerMembers + evidenceMembers) }

  private var questionMembers: [JSONValue.Member] {
    [
      .init("workload", .string(request.workload)), .init("arguments", .array(request.arguments.map { .string($0) })),
      .init("memoryBytes", .integer(Int(request.memoryBytes))), .init("seed", .unsigned(request.seed)),
      .init("slo", .string(request.serviceLevel.text)), .init("budgetSeconds", .float(request.budgetSeconds)),
      .init("usedSeconds", .float(runs.reduce(0) { $0 + $1.wallSeconds })), .init("grid", .bool(request.measuresGrid)),
      .init("operations", .optional(operations)), .init("interrupted", .bool(isInterrupted)),
    ]
  }

  private var answerMembers: [JSONValue.Member] {
    [
      .init("sentence", .string(sentence)),
      .init(
        "environment",
        .object(variables.map { JSONValue.Member($0.name, .string($0.value)) })),
      .init("kubernetes", .string(kubernetes)),
      .init("recommended", recommended.map(Self.json) ?? .null), .init("recommendedRuns", .integer(recommendedRuns)),
      .init(
        "expected",
        [
          "operationsPerSecond": Self.json(operationsPerSecond),
          "cpuNanosecondsPerOperation": Self.json(cpuNanosecondsPerOperation),
          "p99Nanoseconds": Self.json(p99Nanoseconds), "gcCPUFraction": Self.json(gcCPUFraction),
          "peakBytes": Self.json(peakBytes), "headroom": Self.json(headroom),
        ]), .init("smallest", smallest.map(Self.json) ?? .null),
      .init(
        "costCurve",
        curve.map { curve in
          [
            "fixedShare": .float(curve.best.fixedShare), "roomCostBytes": .float(curve.best.roomCostBytes),
            "floorBytes": .float(curve.best.floorBytes),
          ]
        } ?? .null),
    ]
  }

  private var evidenceMembers: [JSONValue.Member] {
    let front = pareto.map { point -> JSONValue in
      [
        "setting": Self.json(point.setting), "peakBytes": .integer(Int(point.peakBytes)),
        "cpuNanosecondsPerOperation": .float(point.cost), "gcCPUFraction": .float(point.gcCPUFraction),
        "runs": .integer(point.runs),
      ]
    }
    return [.init("pareto", .array(front)), .init("runs", .array(runs.map(Self.json)))]
  }

  private static func json(_ setting: TunedSetting) -> JSONValue {
    [
      "gogc": .optional(setting.gcPercent), "limitPercent": .integer(setting.limitPercent),
      "gcCPULimitPercent": .integer(setting.gcCPULimit), "processors": .integer(setting.processors),
    ]
  }

  private static func json(_ expectation: Expectation?) -> JSONValue {
    guard let expectation else { return .null }
    return [
      "middle": .float(expectation.middle), "low": expectation.interval.map { .float($0.lowerBound) } ?? .null,
      "high": expectation.interval.map { .float($0.upperBound) } ?? .null,
    ]
  }

  private static func json(_ smallest: SmallestGroup) -> JSONValue {
    [
      "enoughBytes": .optional(smallest.enoughBytes.map { Int($0) }), "enoughRuns": .integer(smallest.enoughRuns),
      "tooSmallBytes": .optional(smallest.tooSmallBytes.map { Int($0) }),
      "reason": smallest.reason.map { .string($0) } ?? .null,
      "byCurve": smallest.byCurve.map {
        ["bytes": .float($0.bytes), "low": .float($0.low), "high": .float($0.high)]
      } ?? .null,
    ]
  }

  private static func json(_ run: MeasuredRun) -> JSONValue {
    var members: [JSONValue.Member] = [
      .init("purpose", .string(run.plan.purpose.rawValue)), .init("setting", json(run.plan.setting)),
      .init("groupBytes", .integer(Int(run.plan.groupBytes))), .init("seed", .unsigned(run.plan.seed)),
      .init("wallSeconds", .float(run.wallSeconds)),
    ]
    switch run.outcome {
    case .oomKilled: members.append(.init("oomKilled", true))
    case .failed(let reason): members.append(.init("failed", .string(reason)))
    case .survived(let figures):
      members += [
        .init("operationsPerSecond", .float(figures.operationsPerSecond)),
        .init("cpuNanosecondsPerOperation", .float(figures.cpuNanosecondsPerOperation)),
        .init("p99Nanoseconds", .unsigned(figures.p99)), .init("gcCPUFraction", .float(figures.gcCPUFraction)),
        .init("limitBytes", .integer(Int(figures.limitBytes))),
        .init("peakRSSBytes", .integer(Int(figures.peakResidentBytes))),
        .init("peakGroupBytes", .integer(Int(figures.peakGroupBytes))),
      ]
    }
    return .object(members)
  }
}
