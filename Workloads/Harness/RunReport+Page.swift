// The report as a page: the same figures as the text, with the memory of the whole run drawn.

import Tricolor
import TricolorTelemetry

extension RunReport {
  /// The HTML file of `--report`.
  public func page(_ recording: RunRecording) -> String {
    let gogc = gcPercent.map { "\($0)" } ?? "off"
    let limit = limitBytes.map { Figures.bytes($0) } ?? "off"
    let page = HTMLPage(
      title: "tricolor run \(workload)",
      subtitle: "\(threads) threads, seed \(seed), GOGC \(gogc), memory limit \(limit)"
        + (cgroupLimitBytes.map { ", cgroup limit \(Figures.bytes($0))" } ?? "") + (interrupted ? ", interrupted" : "")
        + (simulationNotice.map { ". " + $0 } ?? ""),
      verdict: verified ? "The data at the end is what was stored." : "The data at the end is NOT what was stored.",
      isGood: verified, facts: facts, tables: [kindTable, phaseTable, holdTable].filter { !$0.rows.isEmpty },
      recording: recording)
    return page.text
  }

  private var facts: [(label: String, value: String)] {
    let causes = CycleCause.allCases.filter { collector.cycles(by: $0) > 0 }
      .map { "\(collector.cycles(by: $0)) \($0.label)" }
    return [
      ("operations per second", Figures.count(Int(operationsPerSecond.rounded()))),
      ("seconds", Figures.fixed(seconds, 2)),
      ("peak RSS", Figures.bytes(peakResidentBytes)),
      ("over the limit", limitBytes == nil ? "no limit" : Figures.bytes(overshootBytes)),
      ("cycles", causes.isEmpty ? "0" : causes.joined(separator: ", ")),
      ("collector's share of the CPU", Figures.percent(gcCPUFraction)),
      ("longest pause", Figures.duration(collector.holds.max)),
      ("longest stall", Figures.duration(collector.stalls.max)),
    ]
  }

  private var kindTable: HTMLPage.Table {
    let timed = kinds.filter { $0.latency.count > 0 }
    return HTMLPage.Table(
      title: "Latency", columns: ["operation", "count", "p50", "p99", "p99.9", "p99.99", "max"],
      rows: timed.map { kind in
        let latency = kind.latency
        return [kind.name, Figures.count(latency.count)]
          + [latency.p50, latency.p99, latency.p999, latency.p9999, latency.max].map { Figures.duration($0) }
      })
  }

  private var phaseTable: HTMLPage.Table {
    HTMLPage.Table(
      title: "Phases", columns: ["phase"] + RunReport.phaseColumns,
      rows: phaseTotals.map { [$0.name] + phaseCells($0) })
  }

  private var holdTable: HTMLPage.Table {
    let kinds = [
      ("pauses", collector.holds), ("pauses, CPU", collector.holdCPU), ("all stalls", collector.stalls),
      ("time to safepoint", collector.timeToSafepoint),
    ]
    return HTMLPage.Table(
      title: "Held threads", columns: ["what", "count", "p50", "p99", "p99.9", "max"],
      rows: kinds.map { name, figures in
        [name, Figures.count(figures.count)]
          + [figures.p50, figures.p99, figures.p999, figures.max].map { Figures.duration($0) }
      })
  }
}
