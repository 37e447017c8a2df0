// A run as one page that needs nothing else: no scripts, no fonts, no network. It can be mailed, archived, and opened in ten years.

import Tricolor

/// A page with figures, tables and the memory chart of one run.
public struct HTMLPage: Sendable {
  /// Rows under headings; the first column is text, the others are numbers.
  public struct Table: Sendable {
    public var title: String
    public var columns: [String]
    public var rows: [[String]]

    public init(title: String, columns: [String], rows: [[String]]) {
      self.title = title
      self.columns = columns
      self.rows = rows
    }
  }

  public var title: String
  public var subtitle: String
  /// The outcome in a sentence, and whether it is a good one.
  public var verdict: String
  public var isGood: Bool
  /// The most important figures: label and value.
  public var facts: [(label: String, value: String)]
  public var tables: [Table]
  public var recording: RunRecording

  public init(
    title: String, subtitle: String, verdict: String, isGood: Bool, facts: [(label: String, value: String)],
    tables: [Table], recording: RunRecording
  ) {
    self.title = title
    self.subtitle = subtitle
    self.verdict = verdict
    self.isGood = isGood
    self.facts = facts
    self.tables = tables
    self.recording = recording
  }

  /// The whole file.
  public var text: String {
    """
    <!DOCTYPE html>
    <html lang="en">
    <head>
    <meta charset="utf-8">
    <meta name="viewport" content="width=device-width, initial-scale=1">
    <title>\(escaped(title))</title>
    <style>
    \(Self.style)</style>
    </head>
    <body>
    <h1>\(escaped(title))</h1>
    <p>\(escaped(subtitle))</p>
    <p class="\(isGood ? "good" : "bad")">\(escaped(verdict))</p>
    <dl>
    \(facts.map { "<div><dt>\(escaped($0.label))</dt><dd>\(escaped($0.value))</dd></div>\n" }.joined())</dl>
    <h2>Memory</h2>
    \(MemoryChart(recording).svg)\(legend)\(tables.map(html).joined())</body>
    </html>

    """
  }

  private var legend: String {
    let lines = [("rss", "RSS"), ("live", "live heap"), ("goal", "goal"), ("limit", "limit")]
    let bands = CycleCause.allCases.filter { cause in recording.cycles.contains { $0.cause == cause } }
    return "<p class=\"legend\">"
      + lines.map { "<span class=\"key \($0.0)\"></span>\($0.1) " }.joined()
      + bands.map { "<span class=\"key \($0.label)\"></span>cycle by \($0.label) " }.joined() + "</p>\n"
  }

  private func html(_ table: Table) -> String {
    let head = table.columns.map { "<th>\(escaped($0))</th>" }.joined()
    let body = table.rows.map { row in
      "<tr>" + row.map { "<td>\(escaped($0))</td>" }.joined() + "</tr>\n"
    }
    return "<h2>\(escaped(table.title))</h2>\n<table>\n<tr>\(head)</tr>\n\(body.joined())</table>\n"
  }

  private func escaped(_ text: String) -> String {
    var result = ""
    for character in text {
      switch character {
      case "&": result += "&amp;"
      case "<": result += "&lt;"
      case ">": result += "&gt;"
      case "\"": result += "&quot;"
      default: result.append(character)
      }
    }
    return result
  }

  private static let style = """
    body { font: 15px/1.5 system-ui, sans-serif; max-width: 1000px; margin: 2em auto; padding: 0 1em; color: #222; }
    h1 { margin-bottom: 0; } h2 { margin: 1.6em 0 .4em; font-size: 1.15em; }
    .good { color: #17692f; } .bad { color: #b3261e; font-weight: bold; }
    dl { display: flex; flex-wrap: wrap; gap: .6em 2.2em; margin: 1em 0; }
    dt { font-size: .8em; color: #666; } dd { margin: 0; font-size: 1.25em; }
    table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
    th, td { padding: .2em .9em; text-align: right; border-bottom: 1px solid #ddd; }
    th:first-child, td:first-child { text-align: left; padding-left: 0; }
    svg { width: 100%; height: auto; } svg text { font-size: 11px; fill: #666; }
    text.y { text-anchor: end; } text.x { text-anchor: middle; }
    .grid { stroke: #e4e4e4; }
    polyline { fill: none; stroke-width: 1.6; }
    polyline.rss { stroke: #1f4e9c; } polyline.live { stroke: #17692f; } polyline.goal { stroke: #8a6d00; stroke-dasharray: 2 2; }
    polyline.limit { stroke: #b3261e; stroke-dasharray: 8 4; }
    rect.growth { fill: #17692f; opacity: .16; } rect.limit { fill: #b3261e; opacity: .2; }
    rect.forced { fill: #777; opacity: .2; } rect.periodic { fill: #6a3fa0; opacity: .2; }
    .legend { font-size: .85em; color: #444; }
    .key { display: inline-block; width: 1.4em; height: .7em; margin: 0 .35em 0 1em; }
    .key.rss { background: #1f4e9c; } .key.live { background: #17692f; } .key.goal { background: #8a6d00; }
    .key.limit { background: #b3261e; } .key.growth { background: #17692f44; } .key.forced { background: #7776; }
    .key.periodic { background: #6a3fa055; }

    """
}
