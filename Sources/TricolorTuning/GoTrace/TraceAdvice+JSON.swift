// An advice for programs: bytes and nanoseconds, integers unless said.

import TricolorTelemetry

extension TraceAdvice {
  /// The object of `--json`.
  ///
  /// - Parameter trace: what the advice was made from.
  public func json(_ trace: GoTrace) -> JSONValue {
    [
      "memoryBytes": .integer(memory), "isSafe": .bool(isSafe), "verdict": .string(verdict),
      "confidence": .string("\(confidence)"), "doubts": .array(doubts.map { .string($0.text) }),
      "recommended": recommended.json, "smallestSafeBytes": smallestSafe.json,
      "alternatives": .array(alternatives.map(\.json)), "selfCheck": selfCheck.map { .float($0) } ?? .null,
      "trace": traceJSON(trace),
    ]
  }

  private func traceJSON(_ trace: GoTrace) -> JSONValue {
    [
      "cycles": .integer(estimate.cycles), "pieces": .integer(trace.stretches.count),
      "damagedLines": .array(trace.damaged.map { .string($0.description) }), "otherLines": .integer(trace.otherLines),
      "scavengerLines": .integer(trace.scavengerLines), "nanoseconds": .integer(Int(estimate.nanoseconds)),
      "processors": .integer(estimate.processors), "gcPercent": .optional(estimate.gcPercent),
      "liveMedianBytes": .integer(Int(estimate.liveMedian)), "live95Bytes": .integer(Int(estimate.live95)),
      "livePeakBytes": .integer(Int(estimate.livePeak)), "heapPeakBytes": .integer(Int(estimate.heapPeak)),
      "allocatedBytesPerSecond": .float(estimate.allocationRate), "gcCPUFraction": .float(estimate.cpuFraction),
      "gcCPUFractionWithoutIdle": .float(estimate.busyCPUFraction), "liveGrowth": .float(estimate.growth),
    ]
  }
}

extension TracePrediction {
  fileprivate var json: JSONValue {
    [
      "gcPercent": .optional(setting.gcPercent), "limitBytes": .optional(setting.limit), "cycles": .integer(cycles),
      "gcCPUFraction": .float(cpuFraction), "gcCPUFractionUncertainty": .float(cpuUncertainty),
      "peakMemoryBytes": .integer(Int(peakMemory)), "peakMemoryAtMostBytes": .integer(Int(mostMemory)),
    ]
  }
}

extension Estimate {
  fileprivate var json: JSONValue {
    ["least": .integer(Int(least)), "likely": .integer(Int(likely)), "most": .integer(Int(most))]
  }
}
