// A tuning as asked for on the command line, checked: what runs, in how much memory, how long.

import Harness
import TricolorPacing

/// What to tune, and how.
public struct TuningRequest: Sendable {
  /// How much work one run does.
  public enum Work: Sendable, Equatable {
    /// All that the workload's own options say.
    case natural
    /// About as many operations as the standard setting does in so many milliseconds: every run does the same work, which a time would not make it do.
    case calibrated(milliseconds: Int)
    /// So many operations.
    case operations(Int)

    /// For the state file.
    var text: String {
      switch self {
      case .natural: "natural"
      case .calibrated(let milliseconds): "\(milliseconds)ms"
      case .operations(let count): "\(count) operations"
      }
    }
  }

  /// The workload's name.
  public var workload: String
  /// Its own options, and --threads and --rate where they were given.
  public var arguments: [String]
  /// The hard limit of the control group the service will have.
  public var memoryBytes: Int64
  public var seed: UInt64
  public var work: Work
  /// Wall time for all runs.
  public var budgetSeconds: Double
  public var serviceLevel: ServiceLevel
  /// Whether the whole grid is measured instead of searched.
  public var measuresGrid: Bool
  /// Processors that may be planned with here.
  public var processors: Int

  public init(
    workload: String, arguments: [String], memoryBytes: Int64, seed: UInt64, work: Work, budgetSeconds: Double,
    serviceLevel: ServiceLevel, measuresGrid: Bool, processors: Int
  ) {
    self.workload = workload
    self.arguments = arguments
    self.memoryBytes = memoryBytes
    self.seed = seed
    self.work = work
    self.budgetSeconds = budgetSeconds
    self.serviceLevel = serviceLevel
    self.measuresGrid = measuresGrid
    self.processors = processors
  }

  /// What a tuning takes without --budget.
  public static let standardBudget = "5m"

  /// The work of a run where neither --duration nor --operations was given: a sixtieth of the budget, 1 to 10 seconds; all of a workload
  /// that has an end of its own.
  public static func standardWork(_ extent: Extent, budgetSeconds: Double) -> Work {
    if extent == .natural { return .natural }
    return .calibrated(milliseconds: Int(min(max(budgetSeconds / 60, 1), 10) * 1000))
  }
}
