// Reports of runs that were never run, for tests of what is made of them.

import Testing
import Tricolor

@testable import TricolorTelemetry

/// What a made-up run differs in.
struct MadeUpRun {
  var name = "made up"
  var limit: Int? = 100 << 20
  var group: Int? = 128 << 20
  var peak = 90 << 20
  var share = 0.1
  var isKilled = false
  var isVerified = true
  var byGrowth = 3
  var byLimit = 5
  var stored = MadeUpRun.samples()
  var decisions: [JSONValue] = [
    [0, "setting", "the run begins"], [5_000_000_000, "pacer", "cycles begin for the limit"],
  ]
  var hasTimeline = true

  /// Ten seconds: memory rises to 90 MiB at 7 s for one sample, the collector takes a tenth of two processors.
  static func samples() -> [TimelineSample] {
    (0...100).map { tick in
      var sample = TimelineSample()
      sample.time = UInt64(tick) * 100_000_000
      sample.availableNanoseconds = sample.time * 2
      sample.backgroundNanoseconds = sample.time / 5
      sample.mutatorNanoseconds = sample.time
      sample.liveBytes = 20 << 20
      sample.residentBytes = tick == 70 ? 90 << 20 : 30 << 20
      sample.limitBytes = 100 << 20
      sample.capPercent = 50
      sample.stallNanoseconds = tick == 50 ? 20_000_000 : 100_000
      return sample
    }
  }

  var json: JSONValue {
    let distribution: JSONValue = ["count": 5, "p50": 10, "p99": 900, "p999": 950, "max": 20_000_000]
    var members: [JSONValue.Member] = [
      .init("workload", "churn"), .init("seconds", .float(10)), .init("operationsPerSecond", .float(1234.5)),
      .init("operationNanoseconds", ["p50": 100, "p99": 2_000_000, "p999": 3, "p9999": 4, "max": 5_000_000]),
      .init("gogc", 100), .init("limitBytes", .optional(limit)), .init("cgroupLimitBytes", .optional(group)),
      .init("gcCycles", .integer(byGrowth + byLimit)), .init("gcCPUFraction", .float(share)),
      .init("pauseNanoseconds", distribution), .init("pauseCPUNanoseconds", distribution),
      .init("mutatorStallNanoseconds", distribution), .init("heapLiveBytes", .integer(20 << 20)),
      .init("peakRSSBytes", .integer(peak)), .init("verified", .bool(isVerified)), .init("oomKilled", .bool(isKilled)),
      .init("result", ["cyclesByCause": ["growth": .integer(byGrowth), "limit": .integer(byLimit)]]),
    ]
    if hasTimeline { members.append(.init("timeline", timeline)) }
    return .object(members)
  }

  private var timeline: JSONValue {
    [
      "last": 1, "columns": .array(TimelineSample.columns.map { .string($0) }), "samples": .array(stored.map(\.row)),
      "cycles": [
        [1, 1_000_000_000, 5_000_000, "growth", 1000, 900, 500],
        [2, 9_900_000_000, 5_000_000, "limit", 1000, 900, 500],
      ], "decisions": .array(decisions), "cyclesSeen": 2, "droppedDecisions": 0,
      "mutatorUtilisation": ["windows": [[10_000_000, 0.25], [1_000_000_000, 0.9]], "lostStalls": 0],
    ]
  }

  func recorded() throws -> RecordedRun { try RecordedRun(json, name: name) }
}
