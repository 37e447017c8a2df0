// Memory over time as an inline SVG: live heap, goal, resident set and limit as lines, cycles as bands coloured by cause.
//
// This is the picture that answers "who ate the limit?": whether resident memory follows the goal, whether the goal was set by
// growth or by the limit, and how often the collector ran for it.

import Tricolor

/// Draws the memory of a recording.
struct MemoryChart {
  private static let width = 960.0
  private static let height = 340.0
  private static let left = 86.0
  private static let right = 16.0
  private static let top = 14.0
  private static let bottom = 34.0
  /// More points than pixels only make the page larger.
  private static let mostPoints = 900

  private let samples: [MemorySample]
  private let cycles: [CycleEvent]
  private let endTime: Double
  private let topBytes: Double

  init(_ recording: RunRecording) {
    samples = MemoryChart.thinned(recording.samples)
    cycles = recording.cycles
    let lastSample = Double(samples.last?.time ?? 0)
    let lastCycle = cycles.map { Double($0.startedAt + $0.durationNanoseconds) }.max() ?? 0
    endTime = max(lastSample, lastCycle, 1)
    let highest = samples.flatMap { [$0.liveBytes, $0.residentBytes, $0.limitBytes ?? 0] }.max() ?? 0
    topBytes = max(Double(highest) * 1.06, 1)
  }

  /// The svg element.
  var svg: String {
    """
    <svg viewBox="0 0 \(number(Self.width)) \(number(Self.height))" role="img" aria-label="Memory over time">
    \(bands)\(grid)\(line("goal") { $0.drawnGoal })\(line("live") { $0.liveBytes })\(line("rss") { $0.residentBytes })\
    \(line("limit") { $0.limitBytes })</svg>

    """
  }

  /// Keeps at most `mostPoints`, of each group the one with the largest resident set, so that no peak is lost.
  private static func thinned(_ samples: [MemorySample]) -> [MemorySample] {
    let group = max(1, (samples.count + mostPoints - 1) / mostPoints)
    return stride(from: 0, to: samples.count, by: group).compactMap { first in
      samples[first..<min(samples.count, first + group)].max { $0.residentBytes < $1.residentBytes }
    }
  }

  // MARK: Places

  private func x(_ nanoseconds: Double) -> Double {
    Self.left + nanoseconds / endTime * (Self.width - Self.left - Self.right)
  }

  private func y(_ bytes: Double) -> Double {
    Self.height - Self.bottom - min(1, bytes / topBytes) * (Self.height - Self.top - Self.bottom)
  }

  private func number(_ value: Double) -> String { Figures.fixed(value, 1) }

  // MARK: Parts

  private func line(_ name: String, _ bytes: (MemorySample) -> Int?) -> String {
    let points = samples.compactMap { sample in
      bytes(sample).map { "\(number(x(Double(sample.time)))),\(number(y(Double($0))))" }
    }
    return points.isEmpty ? "" : "<polyline class=\"\(name)\" points=\"\(points.joined(separator: " "))\"/>\n"
  }

  /// A cycle is at least a visible hairline wide.
  private var bands: String {
    cycles.map { cycle in
      let start = x(Double(cycle.startedAt))
      let width = max(0.8, x(Double(cycle.startedAt + cycle.durationNanoseconds)) - start)
      return "<rect class=\"\(cycle.cause.label)\" x=\"\(number(start))\" y=\"\(number(Self.top))\" "
        + "width=\"\(number(width))\" height=\"\(number(Self.height - Self.top - Self.bottom))\">"
        + "<title>cycle \(cycle.number), \(cycle.cause.label): \(Figures.duration(cycle.durationNanoseconds)), "
        + "\(Figures.bytes(cycle.liveAtStart)) → \(Figures.bytes(cycle.markedBytes))</title></rect>\n"
    }.joined()
  }

  private var grid: String {
    let base = Self.height - Self.bottom
    let rows = stride(from: 0, through: topBytes, by: MemoryChart.binaryStep(topBytes / 8)).map { bytes in
      "<path class=\"grid\" d=\"M\(number(Self.left)) \(number(y(bytes)))H\(number(Self.width - Self.right))\"/>"
        + "<text class=\"y\" x=\"\(number(Self.left - 8))\" y=\"\(number(y(bytes) + 4))\">\(Figures.bytes(Int(bytes)))</text>\n"
    }
    let seconds = endTime / 1e9
    let step = MemoryChart.decimalStep(seconds / 8)
    let columns = stride(from: 0, through: seconds, by: step).map { second in
      "<text class=\"x\" x=\"\(number(x(second * 1e9)))\" y=\"\(number(base + 20))\">"
        + "\(Figures.fixed(second, step < 0.1 ? 2 : step < 1 ? 1 : 0)) s</text>\n"
    }
    return rows.joined() + columns.joined()
  }

  /// The next power of two, at least one KiB.
  private static func binaryStep(_ bytes: Double) -> Double {
    var step = 1024.0
    while step < bytes { step *= 2 }
    return step
  }

  /// The next of 1, 2, 5, 10, 20, …, at least a hundredth.
  private static func decimalStep(_ seconds: Double) -> Double {
    var unit = 0.01
    while unit * 10 < seconds { unit *= 10 }
    for factor in [1.0, 2.0, 5.0] where unit * factor >= seconds { return unit * factor }
    return unit * 10
  }
}
