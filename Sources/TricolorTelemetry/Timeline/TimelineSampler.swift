// From totals to samples: what happened between two readings of a run.

import Tricolor

/// Makes a sample of every reading.
public struct TimelineSampler: Sendable {
  /// What there is to read at one moment. Bytes.
  public struct Reading: Sendable {
    /// The heap's counters.
    public var statistics: HeapStatistics
    /// The share of CPU that collection may take near the limit, in percent.
    public var capPercent: Int
    /// Resident pages of mapped files.
    public var mappedBytes: Int
    /// The hard limit of the control groups around the process; nil for none.
    public var groupLimitBytes: Int?
    /// Operations so far.
    public var operations: Int
    /// How long they took, as far as that is measured.
    public var operationCounts: DurationCounts

    /// A reading of all of it at one moment.
    public init(
      statistics: HeapStatistics, capPercent: Int, mappedBytes: Int, groupLimitBytes: Int?, operations: Int,
      operationCounts: DurationCounts
    ) {
      self.statistics = statistics
      self.capPercent = capPercent
      self.mappedBytes = mappedBytes
      self.groupLimitBytes = groupLimitBytes
      self.operations = operations
      self.operationCounts = operationCounts
    }
  }

  private var elapsed: UInt64 = 0
  private var available: UInt64 = 0
  private var holds = DurationCounts.none
  private var stalls = DurationCounts.none
  private var operations = DurationCounts.none

  /// Has read nothing.
  public init() {}

  /// The sample for `reading`; its latencies are those since the last call.
  public mutating func sample(_ reading: Reading) -> TimelineSample {
    let statistics = reading.statistics
    // Processors may change while the process runs, so what there was to be had is added up.
    available += UInt64(Double(statistics.elapsedNanoseconds - elapsed) * max(0, statistics.processors))
    elapsed = statistics.elapsedNanoseconds
    var sample = TimelineSample(
      statistics: statistics, availableNanoseconds: available, fileBytes: reading.mappedBytes)
    sample.capPercent = reading.capPercent
    sample.groupLimitBytes = reading.groupLimitBytes
    sample.operations = reading.operations
    sample.holdNanoseconds = Self.distribution(statistics.holdCounts, since: &holds)?.max
    sample.stallNanoseconds = Self.distribution(statistics.stallCounts, since: &stalls)?.max
    sample.operationNanoseconds = Self.distribution(reading.operationCounts, since: &operations)?.p99
    return sample
  }

  /// Of the durations since `earlier`, which then becomes `counts`; nil when there were none.
  private static func distribution(_ counts: DurationCounts, since earlier: inout DurationCounts)
    -> DurationDistribution?
  {
    let distribution = counts.since(earlier).distribution()
    earlier = counts
    return distribution.count > 0 ? distribution : nil
  }
}
