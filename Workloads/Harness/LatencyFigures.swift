// The quantiles that reports show, taken from histograms once a run is over.

import Histogram
import TricolorTelemetry

/// Quantiles of durations in nanoseconds, known to within one percent; the largest is exact.
public struct LatencyFigures: Sendable, Equatable {
  public var count = 0
  public var p50: UInt64 = 0
  public var p99: UInt64 = 0
  public var p999: UInt64 = 0
  public var p9999: UInt64 = 0
  public var max: UInt64 = 0

  /// Those of nothing.
  public init() {}

  /// Those of what a histogram holds.
  public init(_ histogram: Histogram<UInt64>) {
    guard histogram.totalCount > 0 else { return }
    count = Int(histogram.totalCount)
    p50 = histogram.valueAtPercentile(50)
    p99 = histogram.valueAtPercentile(99)
    p999 = histogram.valueAtPercentile(99.9)
    p9999 = histogram.valueAtPercentile(99.99)
    max = histogram.maxRecorded
  }

  /// All of it, for a workload's own figures.
  public var json: JSONValue { .object([.init("count", .integer(count))] + members) }

  /// The members p50 to max, as the report has them for all operations.
  var members: [JSONValue.Member] {
    [
      .init("p50", .unsigned(p50)), .init("p99", .unsigned(p99)), .init("p999", .unsigned(p999)),
      .init("p9999", .unsigned(p9999)), .init("max", .unsigned(max)),
    ]
  }
}
