// What a soak found: the verdict, computed, and the curve behind it.

import Harness
import Tricolor
import TricolorTelemetry

/// The outcome of a soak, or of what ran of it.
struct SoakReport: Sendable {
  private static let mostLines = 30

  let options: SoakOptions
  let samples: [SoakSample]
  let counts: ControlCounts
  let visits: Int
  let brokenChains: Int
  /// The examination of the heap that found faults, nil when none did.
  let faults: HeapVerification?
  /// Of the store, nil when it did not come to its end.
  let result: WorkloadResult?

  /// When the last sample was taken.
  private var seconds: Double { Double(samples.last?.time ?? 0) / 1e9 }

  /// Every figure's judgement; nil when there are too few samples for one.
  var judgements: [(figure: SoakFigure, flatness: Flatness)]? {
    if samples.count < Flatness.fewestValues { return nil }
    return SoakFigure.all.map { ($0, Flatness(samples.map($0.value), slack: $0.slack)!) }
  }

  var isFlat: Bool { judgements.map { $0.allSatisfy { $0.flatness.isFlat } } ?? false }
  var isVerified: Bool { result?.verified == true && brokenChains == 0 && faults == nil }
  var passed: Bool { isFlat && isVerified }
}

// MARK: Text

extension SoakReport {
  /// Some forty lines for a person.
  var text: String { ([title] + activity + curve + verdict).joined(separator: "\n") + "\n" }

  private var title: String {
    let asked = Figures.fixed(Double(options.nanoseconds) / 1e9, 0)
    return
      "Soak of \(Figures.fixed(seconds, 0)) of \(asked) s, seed \(options.seed), \(options.threads) client threads, "
      + "\(options.rate.map { "\(Figures.count($0)) operations a second at most" } ?? "at full speed"), limit "
      + "\(Figures.bytes(options.limitBytes)) at samples"
  }

  private var activity: [String] {
    let last = samples.last
    return [
      "  \(Figures.count(last?.operations ?? 0)) operations, \(Figures.count(last?.statistics.cycles ?? 0)) cycles "
        + "(\(Figures.count(counts.forcedCycles)) forced), "
        + "\(Figures.count(last?.statistics.attachedMutators ?? 0)) threads attached, "
        + "\(Figures.count(visits)) of them visitors, \(brokenChains) with a broken chain",
      "  \(Figures.count(counts.limitChanges)) changes of the limit, \(Figures.count(counts.percentChanges)) of GOGC, "
        + "\(Figures.count(counts.verifications)) examinations",
    ]
  }

  private static let columns = [
    "until s", "samples", "RSS", "metadata", "used blocks", "held free", "live", "mappings", "fds", "operations/s",
  ]

  /// Medians of about thirty parts of the samples.
  private var curve: [String] {
    let length = max(1, (samples.count + SoakReport.mostLines - 1) / SoakReport.mostLines)
    let starts = stride(from: 0, to: samples.count, by: length)
    return ["", SoakReport.line(SoakReport.columns)]
      + starts.map { SoakReport.line(cells(Array(samples[$0..<min(samples.count, $0 + length)]), before: $0)) }
  }

  private func cells(_ part: [SoakSample], before start: Int) -> [String] {
    func median(_ value: (SoakSample) -> Int) -> Int { Flatness.median(part.map(value)) }
    let before = start == 0 ? nil : samples[start - 1]
    let last = part[part.count - 1]
    let rate = Double(last.operations - (before?.operations ?? 0)) / Double(last.time - (before?.time ?? 0)) * 1e9
    return [
      Figures.fixed(Double(last.time) / 1e9, 0), "\(part.count)", Figures.bytes(median { $0.statistics.residentBytes }),
      Figures.bytes(median { $0.statistics.metadataBytes }), Figures.bytes(median { $0.statistics.usedBlockBytes }),
      Figures.bytes(median { $0.statistics.heldFreeBytes }), Figures.bytes(median { $0.statistics.liveBytes }),
      "\(median { $0.mappings })", "\(median { $0.descriptors })", Figures.count(Int(rate)),
    ]
  }

  private static func line(_ cells: [String]) -> String {
    zip(cells, columns).map { Figures.padded($0, max(10, $1.count)) }.joined(separator: "  ")
  }

  private var verdict: [String] {
    var lines = [""]
    if let judgements {
      lines.append("medians of the second sixth of the samples and of the last:")
      lines += judgements.map { SoakReport.line($0.figure, $0.flatness) }
    } else {
      lines.append("\(samples.count) samples are too few to judge; it takes \(Flatness.fewestValues)")
    }
    if let faults { lines.append("the heap: \(faults)") }
    if let result, !result.verified { lines.append("the store: \(result.figures["check"]?.text() ?? "no figures")") }
    return lines + ["verified: \(isVerified ? "yes" : "no")", "flat: \(isFlat ? "yes" : "no")"]
  }

  private static func line(_ figure: SoakFigure, _ flatness: Flatness) -> String {
    "  \(Figures.filled(figure.name, 12))\(Figures.padded(figure.text(flatness.early), 12))"
      + "\(Figures.padded(figure.text(flatness.late), 12))   may differ by \(figure.text(flatness.allowed))"
      + "   \(flatness.isFlat ? "flat" : "NOT FLAT")"
  }
}

// MARK: JSON

extension SoakReport {
  /// The object of --json.
  var json: JSONValue {
    [
      "seconds": .float(seconds), "requestedSeconds": .float(Double(options.nanoseconds) / 1e9),
      "seed": .unsigned(options.seed),
      "threads": .integer(options.threads), "operationsPerSecondAllowed": options.rate.map { .integer($0) } ?? .null,
      "limitBytes": .integer(options.limitBytes), "passed": .bool(passed),
      "flat": .bool(isFlat), "verified": .bool(isVerified),
      "limitChanges": .integer(counts.limitChanges), "percentChanges": .integer(counts.percentChanges),
      "forcedCycles": .integer(counts.forcedCycles), "verifications": .integer(counts.verifications),
      "faults": .array((faults?.faults ?? []).map { .string($0.description) }),
      "faultCount": .integer(faults?.faultCount ?? 0), "visits": .integer(visits),
      "brokenChains": .integer(brokenChains),
      "figures": .object((judgements ?? []).map { .init($0.figure.name, SoakReport.json($0.flatness)) }),
      "store": result?.figures ?? .null, "samples": .array(samples.map(\.json)),
    ]
  }

  private static func json(_ flatness: Flatness) -> JSONValue {
    [
      "early": .integer(flatness.early), "late": .integer(flatness.late),
      "allowedDifference": .integer(flatness.allowed),
      "flat": .bool(flatness.isFlat),
    ]
  }
}
