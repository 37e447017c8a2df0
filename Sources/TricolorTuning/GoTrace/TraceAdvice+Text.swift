// An advice for people: the answer first, then what it rests on.

import TricolorPacing
import TricolorTelemetry

extension GoSetting {
  /// Shell lines that set it.
  var environment: String {
    "GOGC=\(gcPercent.map { "\($0)" } ?? "off")" + (limit.map { " GOMEMLIMIT=\(text($0))" } ?? "")
  }

  private func text(_ limit: Int) -> String { ByteSize.text(Int64(limit)) }
}

extension TraceAdvice {
  /// The advice in words and tables.
  ///
  /// - Parameter trace: what it was made from.
  public func text(_ trace: GoTrace) -> String {
    var lines = [verdict, ""]
    lines += ["  \(recommended.setting.environment)", ""]
    lines += [
      "in a container limited to \(ByteSize.text(Int64(memory)))\(isSafe ? "" : ", which is not safe"). Kubernetes:",
      "",
    ]
    lines += snippet
    lines += [""] + evidence(trace) + [""] + table + [""]
    lines.append("confidence: \(confidence)" + (doubts.isEmpty ? "" : ", because"))
    lines += doubts.map { "  - \($0.text)" }
    return lines.joined(separator: "\n") + "\n"
  }

  /// One sentence.
  public var verdict: String {
    let cost =
      "\(Figures.percent(recommended.cpuFraction)) of the processors for collection (± \(Figures.percent(recommended.cpuUncertainty)))"
    let size = ByteSize.text(Int64(memory))
    if Double(memory) < smallestSafe.likely {
      return "\(size) is too little: this program needs at least \(Figures.bytes(Int(smallestSafe.likely))) "
        + "(\(range(smallestSafe))), whatever its collector is set to"
    }
    if !isSafe {
      return "\(size) is probably enough but not surely: \(cost); sure from \(Figures.bytes(Int(smallestSafe.most))) on"
    }
    let headroom = 1 - recommended.peakMemory / Double(memory)
    return
      "\(size): \(Figures.percent(max(0, headroom))) headroom, \(cost); safe down to \(Figures.bytes(Int(smallestSafe.most)))"
  }

  private func range(_ estimate: Estimate) -> String {
    "between \(Figures.bytes(Int(estimate.least))) and \(Figures.bytes(Int(estimate.most)))"
  }

  private var snippet: [String] {
    let megabytes = "\(memory >> 20)Mi"
    let setting = recommended.setting
    return [
      "  resources: {requests: {memory: \(megabytes)}, limits: {memory: \(megabytes)}}",
      "  env:",
      "  - {name: GOGC, value: \"\(setting.gcPercent.map { "\($0)" } ?? "off")\"}",
    ] + (setting.limit.map { ["  - {name: GOMEMLIMIT, value: \"\(ByteSize.text(Int64($0)))\"}"] } ?? [])
  }

  private func evidence(_ trace: GoTrace) -> [String] {
    let each = estimate
    var lines = [
      "the trace: \(each.cycles) collections in \(Figures.duration(UInt64(each.nanoseconds))) on \(each.processors) processors; "
        + "\(trace.otherLines) other lines skipped, \(trace.damaged.count) damaged",
      "  ran with \(each.gcPercent.map { "GOGC=\($0)" } ?? "goals that no one GOGC explains (a limit, or a heap that changes)")",
      "  lives: \(Figures.bytes(Int(each.liveMedian))) median, \(Figures.bytes(Int(each.live95))) at 95 %, "
        + "\(Figures.bytes(Int(each.livePeak))) at most; heap up to \(Figures.bytes(Int(each.heapPeak)))",
      "  allocates \(Figures.bytes(Int(each.allocationRate)))/s; collection took \(Figures.percent(each.cpuFraction)) of the processors "
        + "(\(Figures.percent(each.busyCPUFraction)) without marking on idle ones, as Go counts)",
    ]
    if let selfCheck { lines.append("  the model gives \(Figures.percent(selfCheck)) of that cost back") }
    lines.append(
      "smallest safe limit: \(Figures.bytes(Int(smallestSafe.likely))) likely, \(range(smallestSafe))")
    return lines
  }

  private var table: [String] {
    let rows = ([recommended] + alternatives).enumerated().map { index, each in
      Figures.filled(each.setting.environment + (index == 0 ? " (this advice)" : ""), 48)
        + [
          "\(each.cycles)", Figures.percent(each.cpuFraction), Figures.bytes(Int(each.peakMemory)),
          Figures.bytes(Int(each.mostMemory)),
        ].map { Figures.padded($0, 13) }.joined()
    }
    let heading = ["collections", "GC CPU", "memory", "at most"].map { Figures.padded($0, 13) }.joined()
    return [Figures.filled("expected with", 48) + heading] + rows
  }
}
