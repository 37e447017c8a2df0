// A measured figure, and how tables and JSON show it.

import TricolorTelemetry

/// What was measured, with what it should not exceed.
struct Figure {
  enum Unit: String {
    case nanoseconds = "ns"
    case microseconds = "µs"
    case mebibytes = "MiB"
    case percent = "%"
  }

  let group: String
  let name: String
  let unit: Unit
  let minimum: Double
  let median: Double
  /// From the first quartile of the samples to the third.
  let spread: Double
  /// By wall clock, where the others are CPU time.
  var wallMedian: Double? = nil
  var target: Double? = nil
  let repetitions: Int
  /// What else is to be known of it.
  var note = ""

  /// Whether the smallest sample keeps to the target: what the code costs when the machine lets it run.
  var isMet: Bool? { target.map { minimum <= $0 } }
}

extension Figure {
  /// A figure whose samples are what is shown.
  init(group: String, name: String, unit: Unit, samples: [Double], target: Double? = nil, note: String = "") {
    let distribution = Distribution(samples)
    self.init(
      group: group, name: name, unit: unit, minimum: distribution.minimum, median: distribution.median,
      spread: distribution.spread, target: target, repetitions: samples.count, note: note)
  }

  /// The figures of a group under its title.
  static func table(_ title: String, _ figures: [Figure]) -> String {
    var lines = ["", title, row("", ["min", "median", "spread", "wall", "target"], "")]
    for figure in figures {
      let cells = [
        shown(figure.minimum), shown(figure.median), shown(figure.spread), figure.wallMedian.map(shown) ?? "",
        figure.target.map { "≤ \(shown($0))" } ?? "",
      ]
      let verdict = figure.isMet.map { $0 ? "met" : "MISSED" } ?? ""
      let name = figure.unit == .nanoseconds ? figure.name : "\(figure.name), \(figure.unit.rawValue)"
      lines.append(row(name, cells, [verdict, figure.note].filter { !$0.isEmpty }.joined(separator: "; ")))
    }
    return lines.joined(separator: "\n")
  }

  private static func row(_ name: String, _ cells: [String], _ note: String) -> String {
    "  " + padded(name, to: 32, left: false) + cells.map { padded($0, to: 10, left: true) }.joined()
      + (note.isEmpty ? "" : "  " + note)
  }

  private static func padded(_ text: String, to width: Int, left: Bool) -> String {
    let blanks = String(repeating: " ", count: max(0, width - text.count))
    return left ? blanks + text : text + blanks
  }

  /// Three digits that mean something, without exponents.
  private static func shown(_ value: Double) -> String {
    let digits = abs(value) >= 100 ? 0 : abs(value) >= 10 ? 1 : 2
    var scale = 1.0
    for _ in 0..<digits { scale *= 10 }
    // Adding zero turns -0 into 0.
    let rounded = (value * scale).rounded() / scale + 0
    return digits == 0 ? "\(Int(rounded))" : "\(rounded)"
  }

  /// All figures as one object.
  static func json(_ figures: [Figure], verified: Bool) -> JSONValue {
    ["verified": .bool(verified), "figures": .array(figures.map(\.json))]
  }

  private var json: JSONValue {
    [
      "group": .string(group), "name": .string(name), "unit": .string(unit.rawValue), "minimum": .float(minimum),
      "median": .float(median), "spread": .float(spread), "wallMedian": wallMedian.map { .float($0) } ?? .null,
      "target": target.map { .float($0) } ?? .null, "met": isMet.map { .bool($0) } ?? .null,
      "repetitions": .integer(repetitions), "note": .string(note),
    ]
  }
}
