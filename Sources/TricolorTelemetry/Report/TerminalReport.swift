// A finished run at a terminal: the bands of the page as lines of blocks, the decisions, and the verdict in words.
//
// Every line of a band has one character for an equal piece of time. Memory and latency show the largest value in the piece, so that no peak is
// lost; CPU shows the mean of the piece, which its totals tell exactly. All lines of a band have one scale, which its heading names, so that they
// can be compared; its lowest step is drawn for what is there and small, a blank for nothing.

import Glibc

/// Draws recorded runs as text.
public struct TerminalReport: Sendable {
  /// Narrower, lines could not be told apart.
  public static let leastWidth = 50
  private static let nameWidth = 17
  private static let valueWidth = 13

  private let width: Int
  private let isASCII: Bool
  private let steps: [Character]
  private let rule: Character

  /// - Parameters:
  ///   - width: characters a line, at least `leastWidth` of which are used.
  ///   - isASCII: whether the terminal shows nothing else.
  public init(width: Int, isASCII: Bool = false) {
    self.isASCII = isASCII
    self.width = max(width, TerminalReport.leastWidth)
    steps = Array(isASCII ? "_.:-=+*#" : "▁▂▃▄▅▆▇█")
    rule = isASCII ? "-" : "─"
  }

  /// All runs: each with its bands, then what they came to side by side, then the curve over their limits where there is one.
  public func text(_ runs: [RecordedRun]) -> String {
    var parts = runs.map { run in
      heading(run) + verdict(run)
        + (run.timeline.map { bands($0) }
          ?? wrapped("No timeline was recorded: run with --timeline or --report.", indent: 0))
    }
    if runs.count > 1 { parts.append(comparison(runs)) }
    if let curve = SweepCurve(runs) { parts.append(sweep(curve)) }
    let text = parts.joined(separator: "\n")
    return isASCII ? text.split(separator: "µ", omittingEmptySubsequences: false).joined(separator: "u") : text
  }

  // MARK: Words

  private func heading(_ run: RecordedRun) -> String {
    let gogc = run.json["gogc"]?.number.map { Figures.fixed($0, 0) } ?? "off"
    let limit = run.limitBytes.map { Figures.bytes($0) } ?? "off"
    let group = run.groupLimitBytes.map { ", cgroup limit \(Figures.bytes($0))" } ?? ""
    let name = run.name == run.workload ? "" : "\(run.name): "
    let rate = Figures.count(Int(clamping: run.operationsPerSecond.rounded()))
    return wrapped(
      "\(name)\(run.workload), \(Figures.fixed(run.seconds, 1)) s, GOGC \(gogc), memory limit \(limit)\(group), \(rate) operations/s",
      indent: 0)
  }

  private func verdict(_ run: RecordedRun) -> String {
    let verdict = Verdict(run)
    return ([verdict.ending] + verdict.sentences).map { wrapped($0, indent: 2) }.joined()
  }

  /// `text` behind `head` in lines of at most `width`, all but the first indented.
  private func wrapped(_ text: String, head: String = "", indent: Int) -> String {
    var lines: [String] = []
    var line = head
    var isEmpty = true
    for word in unbroken(text) {
      if !isEmpty && line.count + 1 + word.count > width {
        lines.append(line)
        line = String(repeating: " ", count: indent)
        isEmpty = true
      }
      line += isEmpty ? word : " \(word)"
      isEmpty = false
    }
    return (lines + [line]).map { $0 + "\n" }.joined()
  }

  /// The words of `text`, a unit being one with its number.
  private func unbroken(_ text: String) -> [String] {
    let units: Set<String> = ["B", "KiB", "MiB", "GiB", "TiB", "ns", "µs", "ms", "s", "%"]
    return text.split(separator: " ").reduce(into: []) { words, word in
      let isUnit = units.contains(String(word.filter { !".,;:".contains($0) }))
      if isUnit, let number = words.last, number.last?.isNumber == true {
        words[words.count - 1] = number + " " + word
      } else {
        words.append(String(word))
      }
    }
  }

  // MARK: Bands

  private var cells: Int { width - TerminalReport.nameWidth - TerminalReport.valueWidth - 2 }

  private func bands(_ timeline: RecordedTimeline) -> String {
    let axis = TimeAxis(timeline.times, cells: cells)
    return "\n" + memory(timeline, axis) + "\n" + cpu(timeline, axis) + "\n" + latency(timeline, axis) + "\n"
      + decisions(timeline)
  }

  private func memory(_ timeline: RecordedTimeline, _ axis: TimeAxis) -> String {
    let names = [
      ("resident", "resident"), ("live", "live"), ("new", "new"), ("unused", "dead or unused"),
      ("free", "free, resident"),
      ("foreign", "foreign"), ("files", "mapped files"), ("goal", "goal"), ("limit", "limit"),
      ("groupLimit", "cgroup maximum"),
    ]
    let lines = names.map { (name: $0.1, values: axis.largest(timeline.values($0.0), fillsGaps: true)) }
      .filter { $0.values.contains { $0 != nil } }
    let top = lines.flatMap { $0.values.compactMap { $0 } }.max() ?? 1
    let band = lines.map { line in
      row(line.name, line.values.map { $0.map { $0 / top } }, value: line.values.compactMap { $0 }.last.map(bytes))
    }
    let marks = row("cycles", letters: cycleLetters(timeline, axis))
    let losses = lossLetters(timeline, axis)
    return title("Memory, 0 to \(bytes(top))", axis) + band.joined() + marks
      + (losses.isEmpty ? "" : row("losses", letters: losses))
  }

  private func bytes(_ value: Double) -> String { Figures.bytes(Int(clamping: value)) }

  /// The letter of the cause that began most cycles in each cell.
  private func cycleLetters(_ timeline: RecordedTimeline, _ axis: TimeAxis) -> [Character] {
    var counts = [[String: Int]](repeating: [:], count: axis.cells)
    for cycle in timeline.cycles { counts[axis.cell(cycle.startedAt)][cycle.cause, default: 0] += 1 }
    return counts.map { count in
      count.max { ($0.value, $1.key) < ($1.value, $0.key) }?.key.first ?? " "
    }
  }

  private func lossLetters(_ timeline: RecordedTimeline, _ axis: TimeAxis) -> [Character] {
    let losses = timeline.decisions.filter { $0.kind == "shed" || $0.kind == "killed" }
    if losses.isEmpty { return [] }
    var letters = [Character](repeating: " ", count: axis.cells)
    for loss in losses {
      let cell = axis.cell(loss.time)
      if loss.kind == "killed" || letters[cell] == " " { letters[cell] = loss.kind == "killed" ? "X" : "s" }
    }
    return letters
  }

  private func cpu(_ timeline: RecordedTimeline, _ axis: TimeAxis) -> String {
    let available = timeline.values("available")
    let collector = ["background", "assist", "idle", "sweep", "scavenge"]
    let named = [("mutator", ["mutator"]), ("collector", collector)] + collector.map { ("  " + $0, [$0]) }
    let lines = named.map { name, columns in
      let totals = columns.map { timeline.values($0) }
      let whole = TimeAxis(timeline.times, cells: 1).means(totals, of: available)[0]
      return (name: name, shares: axis.means(totals, of: available), mean: whole)
    }
    let cap = axis.largest(timeline.values("cap"), fillsGaps: true).map { $0.map { $0 / 100 } }
    let most = (lines.flatMap(\.shares) + cap).compactMap { $0 }.max() ?? 1
    let band = lines.map { line in
      row(line.name, line.shares.map { $0.map { $0 / most } }, value: line.mean.map { Figures.percent($0) })
    }
    return title("CPU, 0 to \(Figures.percent(most)), means at the right", axis) + band.joined()
      + row(
        "collector's cap", cap.map { $0.map { $0 / most } },
        value: cap.compactMap { $0 }.last.map { Figures.percent($0) })
  }

  private func latency(_ timeline: RecordedTimeline, _ axis: TimeAxis) -> String {
    let names = [("operation", "operation p99"), ("stall", "longest stall"), ("hold", "longest hold")]
    let lines = names.map { (name: $0.1, values: axis.largest(timeline.values($0.0), fillsGaps: false)) }
    let positive = lines.flatMap { $0.values.compactMap { $0 } }.filter { $0 > 0 }
    guard let least = positive.min(), let most = positive.max() else {
      return title("Latency: nothing was timed, and nobody was held", axis)
    }
    let low = pow(10, log10(least).rounded(.down))
    let decades = max(1, log10(most / low).rounded(.up))
    let band = lines.map { line in
      row(
        line.name, line.values.map { $0.map { log10(max($0, low) / low) / decades } },
        value: line.values.compactMap { $0 }.max().map { "max " + time($0) })
    }
    return title("Latency, \(time(low)) to \(time(low * pow(10, decades))), logarithmic", axis) + band.joined()
  }

  private func time(_ value: Double) -> String { Figures.duration(UInt64(clamping: Int(clamping: value))) }

  private func decisions(_ timeline: RecordedTimeline) -> String {
    if timeline.decisions.isEmpty { return "" }
    let lines = timeline.decisions.map { decision in
      let time = Figures.padded(Figures.fixed(decision.time / 1e9, 1) + " s", 9)
      return wrapped(decision.text, head: "\(time)  \(Figures.filled(decision.kind, 8)) ", indent: 20)
    }
    return "Decisions\n" + lines.joined()
  }

  /// A band's heading, with the times of its ends over the ends of its lines.
  private func title(_ text: String, _ axis: TimeAxis) -> String {
    let from = Figures.fixed(axis.begin / 1e9, 1) + " s "
    let to = " " + Figures.fixed(axis.end / 1e9, 1) + " s"
    let line = String(repeating: rule, count: max(1, axis.cells - from.count - to.count))
    return text + "\n" + String(repeating: " ", count: TerminalReport.nameWidth + 1) + from + line + to + "\n"
  }

  private func row(_ name: String, _ heights: [Double?], value: String?) -> String {
    let blocks = heights.map { height -> Character in
      guard let height, height > 0 else { return " " }
      return steps[min(steps.count - 1, max(0, Int(height * Double(steps.count))))]
    }
    return row(name, letters: blocks, value: value)
  }

  private func row(_ name: String, letters: [Character], value: String? = nil) -> String {
    var line = Figures.filled(name, TerminalReport.nameWidth) + " " + String(letters)
    if let value { line = Figures.filled(line, TerminalReport.nameWidth + 1 + cells) + " " + value }
    while line.last == " " { line.removeLast() }
    return line + "\n"
  }

  // MARK: Several runs

  private func comparison(_ runs: [RecordedRun]) -> String {
    let rows = RunComparison(runs).rows
    let names = rows.map(\.name.count).max() ?? 0
    let columns = runs.indices.map { place in
      max(runs[place].name.count, rows.map { $0.values[place].count }.max() ?? 0)
    }
    func line(_ name: String, _ values: [String]) -> String {
      Figures.filled(name, names) + zip(values, columns).map { "  " + Figures.padded($0, $1) }.joined() + "\n"
    }
    return line("Side by side", runs.map(\.name)) + rows.map { line($0.name, $0.values) }.joined()
  }

  private func sweep(_ curve: SweepCurve) -> String {
    let most = max(curve.points.map(\.cost).max() ?? 0, 1e-9)
    let room = max(10, width - 32)
    var text = "Collection's share of the CPU by limit\n"
    for limit in curve.lostLimits {
      text += Figures.padded(Figures.bytes(limit), 12) + "  a run did not survive\n"
    }
    for (place, point) in curve.points.enumerated() {
      let bar = String(repeating: steps[steps.count - 1], count: max(1, Int(point.cost / most * Double(room))))
      text +=
        Figures.padded(Figures.bytes(point.limitBytes), 12) + Figures.padded(Figures.percent(point.cost), 9) + "  "
      text += bar + (place == curve.knee ? "  knee" : "") + "\n"
    }
    return text + wrapped(curve.sentence, indent: 2)
  }
}

/// Equal pieces of a run's time.
private struct TimeAxis {
  let begin: Double
  let end: Double
  let cells: Int
  private let times: [Double]

  init(_ times: [Double], cells: Int) {
    self.times = times
    self.cells = cells
    begin = times.first ?? 0
    end = max(times.last ?? 0, begin + 1)
  }

  func cell(_ time: Double) -> Int {
    min(cells - 1, max(0, Int((time - begin) / (end - begin) * Double(cells))))
  }

  /// The largest value in each cell; where there is no sample, that of the cell before, if gaps are filled.
  func largest(_ values: [Double?], fillsGaps: Bool) -> [Double?] {
    var result = [Double?](repeating: nil, count: cells)
    var isSampled = [Bool](repeating: false, count: cells)
    for (time, value) in zip(times, values) {
      isSampled[cell(time)] = true
      guard let value else { continue }
      result[cell(time)] = max(result[cell(time)] ?? value, value)
    }
    if fillsGaps {
      for place in result.indices.dropFirst() where !isSampled[place] { result[place] = result[place - 1] }
    }
    return result
  }

  /// What the totals of all `columns` grew by in each cell, over what `whole` grew by.
  func means(_ columns: [[Double?]], of whole: [Double?]) -> [Double?] {
    let edges = (0...cells).map { begin + (end - begin) * Double($0) / Double(cells) }
    func grown(_ values: [Double?]) -> [Double] {
      let totals = edges.map { total(values, at: $0) }
      return zip(totals.dropFirst(), totals).map { $0 - $1 }
    }
    let available = grown(whole)
    let spent = columns.map(grown).reduce([Double](repeating: 0, count: cells)) { zip($0, $1).map { $0 + $1 } }
    return zip(spent, available).map { $1 > 0 ? min(1, max(0, $0 / $1)) : nil }
  }

  /// A total at a time between samples, as if it had grown evenly.
  private func total(_ values: [Double?], at time: Double) -> Double {
    guard let next = times.firstIndex(where: { $0 >= time }) else { return (values.last ?? nil) ?? 0 }
    let after = values[next] ?? 0
    if next == 0 || times[next] <= times[next - 1] { return after }
    let before = values[next - 1] ?? 0
    return before + (after - before) * (time - times[next - 1]) / (times[next] - times[next - 1])
  }
}
