// One run that was planned and what came of it: what the search learns from, and a line of the state file.

import Harness

/// A run to be measured.
public struct PlannedRun: Codable, Hashable, Sendable {
  /// What a run is for.
  public enum Purpose: String, Codable, Sendable {
    /// To find out how much work a run should do.
    case calibrate
    /// To look for good settings.
    case explore
    /// To repeat one of the best with another seed.
    case confirm
    /// To find the smallest group that is enough.
    case shrink
  }

  public let setting: TunedSetting
  /// The hard limit of the run's control group.
  public let groupBytes: Int64
  public let seed: UInt64
  public let purpose: Purpose

  public init(setting: TunedSetting, groupBytes: Int64, seed: UInt64, purpose: Purpose) {
    self.setting = setting
    self.groupBytes = groupBytes
    self.seed = seed
    self.purpose = purpose
  }
}

/// The figures of a run that came to its end with its data right.
public struct RunFigures: Codable, Hashable, Sendable {
  public var operations: Int
  public var operationsPerSecond: Double
  /// CPU time of the whole process for an operation, in nanoseconds: what is minimised.
  public var cpuNanosecondsPerOperation: Double
  /// Processors busy with the process, in the mean.
  public var processorsUsed: Double
  /// Latencies of operations in nanoseconds; 0 where the workload does not time them.
  public var p50: UInt64
  public var p99: UInt64
  public var p999: UInt64
  public var longest: UInt64
  /// The collector's share of the CPU that the process may use, 0...1.
  public var gcCPUFraction: Double
  /// The memory limit that held.
  public var limitBytes: Int64
  /// The largest resident set of the process.
  public var peakResidentBytes: Int64
  /// The largest use of its control group; the resident set where the kernel does not say.
  public var peakGroupBytes: Int64
}

/// A run and how it ended.
public struct MeasuredRun: Codable, Hashable, Sendable {
  /// How a run ended. Every ending is a result.
  public enum Outcome: Codable, Hashable, Sendable {
    case survived(RunFigures)
    /// The kernel killed it at the group's limit.
    case oomKilled
    /// It ended otherwise than with right data, in words.
    case failed(String)
  }

  public let plan: PlannedRun
  public let outcome: Outcome
  /// Wall time from start to end, loading and checking included.
  public let wallSeconds: Double

  public init(plan: PlannedRun, outcome: Outcome, wallSeconds: Double) {
    self.plan = plan
    self.outcome = outcome
    self.wallSeconds = wallSeconds
  }

  // Not inlined: the optimiser of Swift 6.3.1 crashes on callers that look into the enumeration (CopyPropagation, "ownership error").
  /// Its figures if it survived.
  @inline(never)
  public var figures: RunFigures? {
    switch outcome {
    case .survived(let figures): return figures
    case .oomKilled, .failed: return nil
    }
  }
}
