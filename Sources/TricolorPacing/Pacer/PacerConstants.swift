// The pacer's constants, with Go 1.27's values: an operator's experience with GOGC and GOMEMLIMIT should carry over.

/// Constants of the pacer, in bytes unless said otherwise.
public enum PacerConstants {
  /// Share of the processors that marks in the background; also the utilisation the trigger aims for.
  public static let backgroundUtilization = 0.25
  /// The smallest heap goal at `GOGC=100`; scales with `GOGC`.
  public static let defaultHeapMinimum: UInt64 = 4 << 20
  /// What is left to allocate after a cycle was triggered, at least.
  static let leastRunway: UInt64 = 64 << 10
  /// What may be allocated before the next cycle while sweeping is unfinished, at least.
  static let sweepDistance: UInt64 = 1 << 20
  /// The trigger lies between these parts, in 64ths, of the way from the marked heap to the goal.
  static let earliestTrigger: UInt64 = 45
  static let latestTrigger: UInt64 = 61
  static let triggerParts: UInt64 = 64
  /// Part of the limit's room kept free, in percent and at least in bytes.
  static let headroomPercent: UInt64 = 3
  static let leastHeadroom: UInt64 = 1 << 20
  /// How far past its goal a heap may grow before allocation is held back by all means.
  public static let mostOvershoot = 1.1
  /// Floor of the scan work that is thought to remain, so that assists never become free.
  static let leastRemainingWork: Int64 = 1000
  /// A cycle begins by itself when the last one was longer ago than this.
  public static let periodNanoseconds: UInt64 = 120_000_000_000
  /// Stands for `GOGC=off` where a growth bound is needed within a cycle.
  static let percentWhenOff = 100_000.0
}
