// Holds whoever works to the run's rate, so that a long run puts the same load on its heap whatever else the machine does, and a scenario can
// change the load of a run under way.

import TricolorPlatform

/// How far one of several equal parts of a run is ahead of the rate. Used by one thread or task.
public struct Throttle {
  /// A wait is no longer than this, so that a phase ends, an interrupt is seen and a new rate is obeyed in time.
  public static let longestWait: UInt64 = 50_000_000

  private let context: RunContext
  private let parts: Int
  private var rate: Int?
  private var began: UInt64
  private var operations = 0

  /// - Parameter parts: how many share the rate, this one included.
  public init(_ context: RunContext, parts: Int, from began: UInt64 = Clock.monotonic()) {
    self.context = context
    self.parts = parts
    self.began = began
    rate = context.operationsPerSecond
  }

  /// Counts operations as done.
  public mutating func count(_ done: Int) { operations += done }

  /// Nanoseconds to wait now, at most `longestWait`; nil when this part is not ahead. Where the rate has changed, counting begins anew.
  public mutating func nanosecondsAhead(at now: UInt64) -> UInt64? {
    if context.operationsPerSecond != rate {
      rate = context.operationsPerSecond
      began = now
      operations = 0
    }
    guard let rate else { return nil }
    let due = began + UInt64(Double(operations) * Double(parts) * 1e9 / Double(rate))
    return due > now ? min(due - now, Throttle.longestWait) : nil
  }
}
