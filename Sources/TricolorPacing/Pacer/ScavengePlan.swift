// How much free memory goes back to the operating system, and how much processor time that may take.
//
// Two aims, as in Go 1.27 (mgcscavenge.go). Growth: what the heap used when the last cycle ended, scaled by how the goal has moved since, and a
// tenth more; pages beyond that will not be needed before the next cycle. Limit: 95 % of it, so that a program near its limit seldom
// waits for pages to be returned. The first is pursued with 1 % of the processors' time, the second at once: memory comes first there.
//
// Pure and trivially copyable; not synchronised.

/// What the background returns.
public enum ScavengePlan {
  /// The part of the limit that the background keeps to, in percent.
  static let limitPercent: UInt64 = 95
  /// What is kept for the next cycle, in percent of what it is expected to need.
  static let retainedPercent = 1.1
  /// Goals above this are none: `GOGC=off` without a limit.
  private static let noGoal: UInt64 = 1 << 60

  /// Bytes that the heap keeps beyond what the next cycle is expected to need.
  ///
  /// - Parameters:
  ///   - heapBytes: blocks in use, and free ones that hold pages.
  ///   - lastInUse: blocks in use when the last cycle ended, 0 before the first.
  ///   - lastGoal: the goal of that cycle.
  ///   - goal: the goal now.
  public static func beyondGoal(heapBytes: UInt64, lastInUse: UInt64, lastGoal: UInt64, goal: UInt64) -> UInt64 {
    if lastInUse == 0 || lastGoal == 0 || lastGoal > noGoal || goal > noGoal { return 0 }
    let retained = Double(lastInUse) * Double(goal) / Double(lastGoal) * retainedPercent
    return heapBytes.subtractingSaturated(UInt64(saturating: retained))
  }

  /// Bytes that the process holds beyond 95 % of its limit.
  public static func beyondLimit(residentBytes: UInt64, limit: UInt64) -> UInt64 {
    residentBytes.subtractingSaturated(limit.percent(limitPercent))
  }
}

/// The processor time that may be spent on returning pages for growth's sake: 1 % of what passes.
public struct ScavengeBudget: Sendable, BitwiseCopyable {
  /// The share, and how much of it may be saved up, in nanoseconds.
  static let share = 0.01
  static let mostSaved = 10_000_000.0

  private var saved = 0.0
  private var lastEarned: UInt64 = 0

  public init() {}

  /// Whether there is time left to spend.
  public var isLeft: Bool { saved > 0 }

  /// Adds the share of the time since the last call.
  public mutating func earn(at now: UInt64, processors: Double) {
    let elapsed = lastEarned == 0 ? 0 : now.subtractingSaturated(lastEarned)
    lastEarned = max(now, lastEarned)
    saved = min(saved + Double(elapsed) * processors * ScavengeBudget.share, ScavengeBudget.mostSaved)
  }

  /// Takes `nanoseconds` of processor time that were spent; more than was there is made good later.
  public mutating func spend(nanoseconds: UInt64) { saved -= Double(nanoseconds) }
}
