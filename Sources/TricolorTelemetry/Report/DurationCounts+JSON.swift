// Histograms of durations as reports have them: a few bars a doubling, and none where nothing was counted.

import Tricolor

extension DurationCounts {
  /// Four bars a doubling draw well and are a quarter of the file.
  private static let bucketsPerBar = 4

  /// [shortest, longest, count] for each bar that has a count; nanoseconds.
  public var bars: JSONValue {
    .array(
      stride(from: 0, to: DurationCounts.bucketCount, by: DurationCounts.bucketsPerBar).compactMap { first in
        let count = counts[first..<first + DurationCounts.bucketsPerBar].reduce(0, +)
        if count == 0 { return nil }
        let low = first == 0 ? 0 : DurationCounts.upperBound(of: first - 1) + 1
        let high = DurationCounts.upperBound(of: first + DurationCounts.bucketsPerBar - 1)
        return [.unsigned(low), .unsigned(high), .integer(count)]
      })
  }
}
