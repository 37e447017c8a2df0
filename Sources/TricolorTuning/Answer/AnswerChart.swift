// A chart of the answer as SVG: points, a line, marks on the memory axis. Drawn without scripts; colours come from the page's style, and every
// kind of point has a shape of its own, so that nothing depends on colour.

import Glibc
import TricolorTelemetry

/// A chart whose horizontal axis is memory.
struct AnswerChart {
  /// What a point stands for, which decides its shape.
  enum Kind: String {
    case plain, best, chosen
  }

  struct Point {
    let bytes: Double
    let value: Double
    let kind: Kind
    /// Shown when pointed at.
    let title: String
  }

  /// A vertical line.
  struct Mark {
    let bytes: Double
    let title: String
  }

  /// What the vertical axis is.
  let title: String
  let points: [Point]
  /// A line through these places, memory and value.
  let line: [(bytes: Double, value: Double)]
  let marks: [Mark]
  /// Texts of the vertical axis.
  let words: (Double) -> String

  private static let size = (width: 900.0, height: 320.0)
  private static let edges = (left: 80.0, right: 48.0, top: 24.0, bottom: 34.0)
  private static let ticks = 5

  private var span: (bytes: ClosedRange<Double>, value: ClosedRange<Double>) {
    let bytes = points.map(\.bytes) + marks.map(\.bytes)
    let values = points.map(\.value)
    return (widened(bytes), 0...max((values.max() ?? 1) * 1.08, 1e-9))
  }

  private func widened(_ values: [Double]) -> ClosedRange<Double> {
    let (low, high) = (values.min() ?? 0, values.max() ?? 1)
    let margin = max(1, (high - low) * 0.04)
    return (low - margin)...(high + margin)
  }

  var svg: String {
    let span = span
    let size = Self.size
    func x(_ bytes: Double) -> Double {
      Self.edges.left + (bytes - span.bytes.lowerBound) / (span.bytes.upperBound - span.bytes.lowerBound)
        * (size.width - Self.edges.left - Self.edges.right)
    }
    func y(_ value: Double) -> Double {
      size.height - Self.edges.bottom - min(value, span.value.upperBound) / span.value.upperBound
        * (size.height - Self.edges.top - Self.edges.bottom)
    }
    let visible = line.filter { span.bytes.contains($0.bytes) && $0.value <= span.value.upperBound }
    let path = visible.map { "\(Figures.fixed(x($0.bytes), 1)),\(Figures.fixed(y($0.value), 1))" }.joined(
      separator: " ")
    return """
      <svg viewBox="0 0 \(Int(size.width)) \(Int(size.height))" role="img" aria-label="\(escaped(title))">
      <text x="4" y="14">\(escaped(title))</text>
      \(grid(span.bytes, span.value, x, y))\(marks.map { mark($0, x($0.bytes)) }.joined())\
      <polyline points="\(path)"/>
      \(points.map { shape($0, x($0.bytes), y($0.value)) }.joined())</svg>

      """
  }

  private func grid(
    _ bytes: ClosedRange<Double>, _ values: ClosedRange<Double>, _ x: (Double) -> Double, _ y: (Double) -> Double
  ) -> String {
    (0...Self.ticks).map { number in
      let part = Double(number) / Double(Self.ticks)
      let value = values.upperBound * part
      let memory = bytes.lowerBound + (bytes.upperBound - bytes.lowerBound) * part
      let (left, bottom) = (Figures.fixed(x(memory), 1), Figures.fixed(y(value), 1))
      return """
        <line class="grid" x1="\(Int(Self.edges.left))" x2="\(Int(Self.size.width - Self.edges.right))" y1="\(bottom)" y2="\(bottom)"/>
        <text class="y" x="\(Int(Self.edges.left) - 8)" y="\(bottom)">\(escaped(words(value)))</text>
        <text class="x" x="\(left)" y="\(Int(Self.size.height) - 12)">\(Figures.bytes(Int(max(0, memory))))</text>

        """
    }.joined()
  }

  private func mark(_ mark: Mark, _ x: Double) -> String {
    let place = Figures.fixed(x, 1)
    return """
      <line class="mark" x1="\(place)" x2="\(place)" y1="\(Int(Self.edges.top))" y2="\(Int(Self.size.height - Self.edges.bottom))"/>
      <text class="mark" x="\(place)" y="\(Int(Self.edges.top) - 2)">\(escaped(mark.title))</text>

      """
  }

  private func shape(_ point: Point, _ x: Double, _ y: Double) -> String {
    let (left, top) = (Figures.fixed(x, 1), Figures.fixed(y, 1))
    let title = "<title>\(escaped(point.title))</title>"
    switch point.kind {
    case .plain: return "<circle class=\"plain\" cx=\"\(left)\" cy=\"\(top)\" r=\"3\">\(title)</circle>\n"
    case .best: return "<circle class=\"best\" cx=\"\(left)\" cy=\"\(top)\" r=\"5\">\(title)</circle>\n"
    case .chosen:
      let (corner, roof) = (Figures.fixed(x - 7, 1), Figures.fixed(y - 7, 1))
      return "<rect class=\"chosen\" x=\"\(corner)\" y=\"\(roof)\" width=\"14\" height=\"14\">\(title)</rect>\n"
    }
  }
}

/// `text` as HTML shows it.
func escaped(_ text: String) -> String {
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
