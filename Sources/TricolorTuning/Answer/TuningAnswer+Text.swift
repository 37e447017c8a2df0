// The answer for a person at a terminal: one sentence, what to set, what to expect, how small it may be, what memory costs, and what a
// container's specification has to say.

import Glibc
import Harness
import TricolorPacing
import TricolorTelemetry

extension TuningAnswer {
  /// The answer in one sentence.
  public var sentence: String {
    let size = Self.size(request.memoryBytes)
    guard recommended != nil, let headroom, let gcCPUFraction else {
      return "\(size): no setting that was measured is enough\(firstFailure.map { " (\($0))" } ?? "")."
    }
    return "\(size): \(Figures.fixed(headroom.middle * 100, 0)) % headroom, "
      + "\(Figures.percent(gcCPUFraction.middle)) collector CPU; \(smallestWords)."
  }

  private var smallestWords: String {
    guard let smallest else { return "how small it may be was not measured" }
    if let enough = smallest.enoughBytes {
      return smallest.tooSmallBytes == nil
        ? "safe at least down to \(Self.size(enough))" : "safe down to \(Self.size(enough))"
    }
    return smallest.tooSmallBytes == nil
      ? "how small it may be was not measured" : "no smaller group that was measured is enough"
  }

  /// Why the first run that did not survive did not.
  private var firstFailure: String? {
    for run in runs {
      switch run.outcome {
      case .oomKilled: return "killed at the memory limit"
      case .failed(let reason): return reason
      case .survived: continue
      }
    }
    return nil
  }

  /// Lines to type into a shell; empty when nothing is recommended.
  public var shellLines: [String] { variables.map { "export \($0.name)=\($0.value)" } }

  /// What to set.
  public var variables: [(name: String, value: String)] {
    recommended?.recommendedEnvironment(availableProcessors: request.processors) ?? []
  }

  /// A container's resources and variables, to be put into a pod's specification; empty when nothing is recommended.
  public var kubernetes: String {
    guard recommended != nil else { return "" }
    let memory = Self.quantity(request.memoryBytes)
    let processor = processorsUsed.map { "    cpu: \(Self.millicores($0))\n" } ?? ""
    let env = variables.map { "- name: \($0.name)\n  value: \"\($0.value)\"\n" }.joined()
    return "resources:\n  requests:\n    memory: \(memory)\n\(processor)  limits:\n    memory: \(memory)\nenv:\n\(env)"
  }

  /// The whole answer, several lines, each ended.
  public var text: String {
    let parts = [heading, sentence + "\n", setText, expectText, smallestText, paretoText, kubernetesText]
    return parts.filter { !$0.isEmpty }.joined(separator: "\n")
  }

  private var heading: String {
    let seconds = Int(runs.reduce(0) { $0 + $1.wallSeconds }.rounded())
    let work = operations.map { " of \(Figures.count($0)) operations" } ?? ""
    let level = request.serviceLevel.bounds.isEmpty ? "" : ", with \(request.serviceLevel.text)"
    let dead = runs.count { $0.figures == nil }
    return
      "tricolor tune \(request.workload)  (\(runs.count) runs\(work) in \(seconds) s, \(dead) of them did not survive; "
      + "seed \(request.seed)\(level))\(isInterrupted ? "  INTERRUPTED" : "")\n"
  }

  private var setText: String {
    guard recommended != nil else { return "" }
    return "Set\n" + shellLines.map { "  \($0)\n" }.joined()
  }

  private var expectText: String {
    guard recommended != nil else { return "" }
    let rows: [(String, Expectation?, (Double) -> String)] = [
      ("operations/s", operationsPerSecond, { Figures.count(Int($0.rounded())) }),
      ("CPU for an operation", cpuNanosecondsPerOperation, { Figures.duration(UInt64($0)) }),
      ("p99 of operations", p99Nanoseconds, { Figures.duration(UInt64($0)) }),
      ("collector CPU", gcCPUFraction, { Figures.percent($0) }),
      ("peak of the group", peakBytes, { Figures.bytes(Int($0)) }),
      ("headroom to OOM", headroom, { Figures.percent($0) }),
    ]
    let lines = rows.compactMap { name, expectation, words -> String? in
      guard let expectation else { return nil }
      let range = expectation.interval.map { "  (\(words($0.lowerBound)) to \(words($0.upperBound)))" } ?? ""
      return "  " + Figures.filled(name, 22) + words(expectation.middle) + range + "\n"
    }
    let certainty =
      gcCPUFraction?.interval == nil
      ? "nothing was repeated, so how much runs differ is not known"
      : "the middle of \(recommendedRuns) runs; in brackets where 99 of 100 fresh runs of the same work on this machine are"
    return "Expect (\(certainty))\n" + lines.joined()
  }

  private var smallestText: String {
    guard let smallest else { return "" }
    var lines: [String] = []
    if let bytes = smallest.enoughBytes {
      lines.append(
        "enough: \(Self.size(bytes)), in \(smallest.enoughRuns) run\(smallest.enoughRuns == 1 ? "" : "s")")
    }
    if let bytes = smallest.tooSmallBytes {
      lines.append("too small: \(Self.size(bytes))\(smallest.reason.map { " (\($0))" } ?? "")")
    }
    if let estimate = smallest.byCurve {
      lines.append(
        "by the cost curve: \(Self.about(estimate.bytes)) (\(Self.about(estimate.low)) to \(Self.about(estimate.high)))"
      )
    }
    if let curve = curve?.best {
      lines.append(
        "the curve: collector CPU = \(Figures.percent(curve.fixedShare)) + \(Self.about(curve.roomCostBytes)) / (limit - "
          + "\(Self.about(curve.floorBytes)))")
    }
    let most = Figures.percent(GroupSizes.share(request))
    return "The smallest group (collection within \(most), at least half of the speed)\n"
      + lines.map { "  \($0)\n" }.joined()
  }

  private var paretoText: String {
    guard !pareto.isEmpty else { return "" }
    let rows = pareto.map { point in
      [
        Self.about(point.peakBytes), Figures.duration(UInt64(point.cost)), Figures.percent(point.gcCPUFraction),
        "\(point.runs)", point.setting.text,
      ]
    }
    let table = ([["peak", "CPU/op", "collector", "runs", "setting"]] + rows).map { row in
      "  " + row.dropLast().map { Figures.padded($0, 10) }.joined() + "  \(row.last!)\n"
    }
    return "Memory against cost (nothing measured takes less of both)\n" + table.joined()
  }

  private var kubernetesText: String {
    guard recommended != nil else { return "" }
    return "In a container's specification\n"
      + kubernetes.split(separator: "\n").map { "  \($0)\n" }.joined()
  }

  // MARK: Words

  /// A size that is exact.
  static func size(_ bytes: Int64) -> String {
    let text = ByteSize.text(bytes)
    let digits = text.prefix { $0.isNumber }
    return digits.count == text.count ? Figures.bytes(Int(bytes)) : digits + " " + text.dropFirst(digits.count)
  }

  /// A size that is not.
  private static func about(_ bytes: Double) -> String { Figures.bytes(Int(min(bytes, 1e15))) }

  /// A size as Kubernetes writes it: 512Mi, or bytes.
  private static func quantity(_ bytes: Int64) -> String {
    let text = ByteSize.text(bytes)
    return text.hasSuffix("B") ? String(text.dropLast()) : text
  }

  /// Processors as Kubernetes writes them, up to the next twentieth.
  private static func millicores(_ processors: Double) -> String { "\(Int((processors * 20).rounded(.up)) * 50)m" }
}
