// The report for a person at a terminal: what was done how fast, what the collector did and took, and where memory stood.

import Tricolor
import TricolorTelemetry

extension RunReport {
  /// Several lines, each ended.
  public var text: String {
    let notice = simulationNotice.map { $0 + "\n" } ?? ""
    let parts = [
      headline, notice, operationsText, latencyText, phasesText, collectorText, holdsText, memoryText, verdict,
    ]
    return parts.filter { !$0.isEmpty }.joined(separator: "\n")
  }

  private var headline: String {
    let gogc = gcPercent.map { "\($0)" } ?? "off"
    let limit = limitBytes.map { Figures.bytes($0) } ?? "off"
    let group = cgroupLimitBytes.map { ", cgroup limit \(Figures.bytes($0))" } ?? ""
    return "\(workload)  (\(threads) thread\(threads == 1 ? "" : "s"), seed \(seed), GOGC \(gogc), "
      + "memory limit \(limit)\(group))\(interrupted ? "  INTERRUPTED" : "")\n"
  }

  private var operationsText: String {
    "Operations    \(Figures.count(operations)) in \(Figures.fixed(seconds, 2)) s: "
      + "\(Figures.count(Int(operationsPerSecond.rounded())))/s; process CPU "
      + "\(Figures.fixed(Double(processCPUNanoseconds) / 1e9, 2)) s\n"
  }

  private var latencyText: String {
    let timed = kinds.filter { $0.latency.count > 0 }
    guard !timed.isEmpty else { return "" }
    var rows = timed.map { row($0.name, $0.latency) }
    if timed.count > 1 { rows.append(row("all", latency)) }
    return table(["Latency", "count", "p50", "p99", "p99.9", "p99.99", "max"], rows)
  }

  private func row(_ name: String, _ latency: LatencyFigures) -> [String] {
    ["  " + name, Figures.count(latency.count)]
      + [latency.p50, latency.p99, latency.p999, latency.p9999, latency.max].map { Figures.duration($0) }
  }

  private var phasesText: String {
    guard phaseTotals.count > 1 else { return "" }
    let rows = phaseTotals.map { phase in ["  " + phase.name] + phaseCells(phase) }
    return table(["Phases"] + RunReport.phaseColumns, rows)
  }

  /// Columns of the phase table behind the name.
  static let phaseColumns = [
    "times", "seconds", "operations", "per second", "p50", "p99", "p99.9", "cycles", "GC CPU", "peak RSS", "RSS at end",
    "live at end",
  ]

  func phaseCells(_ phase: PhaseTotalRow) -> [String] {
    let quantiles = [phase.latency.p50, phase.latency.p99, phase.latency.p999]
    return [
      Figures.count(phase.times), Figures.fixed(phase.seconds, 2), Figures.count(phase.operations),
      phase.seconds > 0 ? Figures.count(Int(phase.operationsPerSecond)) : "-",
    ] + quantiles.map { phase.latency.count > 0 ? Figures.duration($0) : "-" } + [
      Figures.count(phase.cycles), Figures.percent(gcCPUFraction(phase)), Figures.bytes(phase.peakResidentBytes),
      Figures.bytes(phase.residentBytes), Figures.bytes(phase.liveBytes),
    ]
  }

  private var collectorText: String {
    let parts: [(String, UInt64)] = [
      ("background", collector.background), ("assist", collector.assist), ("idle", collector.idle),
      ("sweep", collector.sweep),
      ("scavenge", collector.scavenge),
    ]
    let causes = CycleCause.allCases.map { "\(collector.cycles(by: $0)) \($0.label)" }
    let spent = parts.map { "\($0.0) \(Figures.duration($0.1))" }.joined(separator: ", ")
    return """
      Collector     \(Figures.count(collector.cycles)) cycles: \(causes.joined(separator: ", "))
                    \(Figures.percent(gcCPUFraction)) of the CPU to be had (\(Figures.fixed(processors, 1)) processors): \(spent)
                    marked \(Figures.count(collector.markedObjects)) objects, \(Figures.bytes(collector.markedBytes)), \
      \(Figures.fixed(markNanosecondsPerObject, 1)) ns each; allocated \(Figures.count(collector.allocatedObjects)), \
      \(Figures.bytes(collector.allocatedBytes))

      """
  }

  private var holdsText: String {
    func row(_ name: String, _ figures: DurationFigures) -> [String] {
      ["  " + name, Figures.count(figures.count)]
        + [figures.p50, figures.p99, figures.p999, figures.max].map { Figures.duration($0) }
    }
    return table(
      ["Held threads", "count", "p50", "p99", "p99.9", "max"],
      [
        row("pauses", collector.holds), row("pauses, CPU", collector.holdCPU), row("all stalls", collector.stalls),
        row("to safepoint", collector.timeToSafepoint),
      ])
  }

  private var memoryText: String {
    var text = "Memory        peak RSS \(Figures.bytes(peakResidentBytes))"
    if let limitBytes {
      let share = Double(peakResidentBytes) / Double(max(1, limitBytes))
      text +=
        overshootBytes > 0
        ? ", \(Figures.bytes(overshootBytes)) OVER the limit of \(Figures.bytes(limitBytes))"
        : ", \(Figures.percent(share)) of the limit of \(Figures.bytes(limitBytes))"
    }
    text += "\n              heap: live \(Figures.bytes(collector.liveBytes)), peak \(Figures.bytes(peakHeapBytes)), "
    text += collector.goalBytes < 1 << 60 ? "goal \(Figures.bytes(collector.goalBytes))" : "no goal"
    text += "; returned to the system \(Figures.bytes(collector.releasedBytes))\n"
    return text + "              \(bar)\n"
  }

  /// Memory as a bar: heap live, resident, and where the limits are.
  private var bar: String {
    let width = 60
    let whole = max(peakResidentBytes, limitBytes ?? 0, cgroupLimitBytes ?? 0, 1)
    func place(_ bytes: Int) -> Int { min(width, Int((Double(bytes) / Double(whole) * Double(width)).rounded())) }
    var cells = (0..<width).map { cell in
      cell < place(collector.liveBytes) ? "█" : cell < place(peakResidentBytes) ? "▒" : "·"
    }
    if let limitBytes { cells[min(width - 1, place(limitBytes))] = "│" }
    let limits = limitBytes == nil ? "" : "  │ limit"
    return cells.joined() + " \(Figures.bytes(whole))\n              █ live heap  ▒ peak RSS\(limits)"
  }

  private var verdict: String {
    if oomKilled { return "Killed        by the kernel at the cgroup's memory limit\n" }
    return verified
      ? "Check         the data at the end is what was stored\n"
      : "Check         FAILED: the data at the end is not what was stored\n"
  }

  /// Rows under a heading; the first column to the left, the others to the right.
  private func table(_ heading: [String], _ rows: [[String]]) -> String {
    let all = [heading] + rows
    let widths = heading.indices.map { column in all.map { $0[column].count }.max() ?? 0 }
    return all.map { row in
      row.indices.map { column in
        column == 0
          ? Figures.filled(row[0], max(14, widths[0])) : Figures.padded(row[column], max(10, widths[column]))
      }.joined(separator: " ") + "\n"
    }.joined()
  }
}
