// The answer as one page that needs nothing else: no scripts, no fonts, no network. The text comes first, since it is the answer; the pictures
// are memory against cost and the curve towards the smallest group; the table has every run.

import Harness
import TricolorTelemetry

extension TuningAnswer {
  /// The HTML file of `--report`.
  public var page: String {
    """
    <!DOCTYPE html>
    <html lang="en">
    <head>
    <meta charset="utf-8">
    <meta name="viewport" content="width=device-width, initial-scale=1">
    <title>tricolor tune \(escaped(request.workload))</title>
    <style>
    \(Self.style)</style>
    </head>
    <body>
    <h1>tricolor tune \(escaped(request.workload))</h1>
    <p class="sentence">\(escaped(sentence))</p>
    <pre>\(escaped(text))</pre>
    \(charts)<h2>Every run</h2>
    \(table)</body>
    </html>

    """
  }

  private var charts: String {
    let measured = runs.filter { $0.plan.groupBytes == request.memoryBytes && $0.plan.purpose != .calibrate }
    guard measured.contains(where: { $0.figures != nil }) else { return "" }
    var text = "<h2>Memory against cost</h2>\n" + costChart(measured).svg
    text += "<p>Square: recommended. Rings: nothing measured takes less memory and less CPU. Dots: single runs.</p>\n"
    if let curve {
      text += "<h2>Towards the smallest group</h2>\n" + curveChart(curve).svg
      text += "<p>Dots: runs of the recommended setting in smaller groups. Line: the fitted curve.</p>\n"
    }
    return text
  }

  private func costChart(_ measured: [MeasuredRun]) -> AnswerChart {
    var points = measured.compactMap(Self.costPoint)
    for point in pareto {
      points.append(
        AnswerChart.Point(bytes: point.peakBytes, value: point.cost, kind: .best, title: point.setting.text))
    }
    if let chosen = chosenPoint { points.append(chosen) }
    return AnswerChart(
      title: "CPU for an operation, against the peak of the group", points: points,
      line: pareto.map { ($0.peakBytes, $0.cost) },
      marks: [AnswerChart.Mark(bytes: Double(request.memoryBytes), title: Self.size(request.memoryBytes))],
      words: { Figures.duration(UInt64($0)) })
  }

  private static func costPoint(_ run: MeasuredRun) -> AnswerChart.Point? {
    guard let figures = run.figures else { return nil }
    return AnswerChart.Point(
      bytes: Double(figures.peakGroupBytes), value: figures.cpuNanosecondsPerOperation, kind: .plain,
      title: run.plan.setting.text)
  }

  private var chosenPoint: AnswerChart.Point? {
    guard let recommended, let peakBytes, let cost = cpuNanosecondsPerOperation else { return nil }
    return AnswerChart.Point(bytes: peakBytes.middle, value: cost.middle, kind: .chosen, title: recommended.text)
  }

  private func curveChart(_ curve: FittedCostCurve) -> AnswerChart {
    let points = runs.compactMap { run -> AnswerChart.Point? in
      guard run.plan.purpose == .shrink, run.plan.setting == recommended, let figures = run.figures else { return nil }
      return AnswerChart.Point(
        bytes: Double(figures.limitBytes), value: figures.gcCPUFraction, kind: .plain,
        title: "\(Self.size(run.plan.groupBytes)), \(Figures.percent(figures.gcCPUFraction))")
    }
    let (low, high) = (points.map(\.bytes).min() ?? 0, points.map(\.bytes).max() ?? 0)
    let line = (0...200).map { number -> (bytes: Double, value: Double) in
      let bytes = low + (high - low) * Double(number) / 200
      return (bytes, curve.best.share(limitBytes: bytes))
    }
    let floor = AnswerChart.Mark(bytes: curve.best.floorBytes, title: "what no collection frees")
    return AnswerChart(
      title: "the collector's share of the CPU, against the memory limit", points: points, line: line, marks: [floor]
    ) { Figures.percent($0) }
  }

  private var table: String {
    let columns = ["run", "for", "setting", "group", "seed", "CPU/op", "operations/s", "p99", "collector", "peak"]
    let head = columns.map { "<th>\($0)</th>" }.joined()
    let body = runs.enumerated().map { number, run in
      let plan = run.plan
      let left = [
        "\(number + 1)", plan.purpose.rawValue, plan.setting.text, Self.size(plan.groupBytes), "\(plan.seed)",
      ]
      return "<tr>" + (left + cells(run)).map { "<td>\(escaped($0))</td>" }.joined() + "</tr>\n"
    }
    return "<div class=\"wide\"><table>\n<tr>\(head)</tr>\n\(body.joined())</table></div>\n"
  }

  private func cells(_ run: MeasuredRun) -> [String] {
    switch run.outcome {
    case .oomKilled: ["killed at the limit", "", "", "", ""]
    case .failed(let reason): [reason, "", "", "", ""]
    case .survived(let figures):
      [
        Figures.duration(UInt64(figures.cpuNanosecondsPerOperation)),
        Figures.count(Int(figures.operationsPerSecond)), figures.p99 > 0 ? Figures.duration(figures.p99) : "-",
        Figures.percent(figures.gcCPUFraction), Figures.bytes(Int(figures.peakGroupBytes)),
      ]
    }
  }

  private static let style = """
    :root { color-scheme: light dark; --ink: #222; --faint: #767676; --line: #ddd; --strong: #1f4e9c; --paper: #fff; }
    @media (prefers-color-scheme: dark) { :root { --ink: #e6e6e6; --faint: #9a9a9a; --line: #3a3a3a; --strong: #8ab4f8; --paper: #161616; } }
    body { font: 15px/1.5 system-ui, sans-serif; max-width: 1000px; margin: 2em auto; padding: 0 1em; color: var(--ink); background: var(--paper); }
    .sentence { font-size: 1.25em; } pre { overflow-x: auto; font-size: 13px; line-height: 1.4; }
    .wide { overflow-x: auto; } table { border-collapse: collapse; font-size: 13px; font-variant-numeric: tabular-nums; }
    th, td { padding: .15em .8em; text-align: right; border-bottom: 1px solid var(--line); white-space: nowrap; }
    th:nth-child(2), th:nth-child(3), td:nth-child(2), td:nth-child(3) { text-align: left; }
    svg { width: 100%; height: auto; } svg text { font-size: 12px; fill: var(--faint); }
    text.y { text-anchor: end; dominant-baseline: middle; } text.x, text.mark { text-anchor: middle; }
    .grid { stroke: var(--line); } line.mark { stroke: var(--faint); stroke-dasharray: 6 4; }
    polyline { fill: none; stroke: var(--strong); stroke-width: 1.6; }
    .plain { fill: var(--faint); } .best { fill: none; stroke: var(--strong); stroke-width: 2; } .chosen { fill: var(--strong); }

    """
}
