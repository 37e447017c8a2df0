// What the CPU limiter is fed with: processor time of the process, by what it went to.
//
// Go reckons with the processors it believes to have, takes a quarter of them for the collector's while a cycle runs, and leaves idle
// time out. Under a CPU quota its processors are imaginary (issue 59715). Here all of it is measured: what the process got, and what of that
// the collector took. Time in which nothing ran is neither.
//
// Marking on processors that nobody used costs the program nothing and does not count, with one exception: where the limit sets the goal,
// a program that waits for memory leaves its processors to the markers, and they are not idle. Then everything counts.

/// Processor time since an arbitrary start, in nanoseconds.
public struct CPUReading: Sendable, Equatable, BitwiseCopyable {
  /// All threads of the process.
  public var process: UInt64 = 0
  /// The collector thread's marking, assists of mutators, marking on unused processors, sweeping, and returning pages.
  public var background: UInt64 = 0
  public var assist: UInt64 = 0
  public var idle: UInt64 = 0
  public var sweep: UInt64 = 0
  public var scavenge: UInt64 = 0
  /// When it was taken, by a monotonic clock.
  public var time: UInt64 = 0

  public init() {}

  /// What the collector took.
  public var collector: UInt64 { background &+ assist &+ idle &+ sweep &+ scavenge }
}

extension CPULimiter {
  /// Counts the time between two readings.
  ///
  /// - Parameters:
  ///   - processors: processors the process may use, a fraction under a quota; positive.
  ///   - goalIsLimited: whether the limit sets the heap's goal, so that marking on unused processors counts.
  public mutating func update(from old: CPUReading, to new: CPUReading, processors: Double, goalIsLimited: Bool) {
    let collector = new.collector.subtractingSaturated(old.collector)
    let process = max(new.process.subtractingSaturated(old.process), collector)
    var counted = collector
    if !goalIsLimited {
      let available = Double(new.time.subtractingSaturated(old.time)) * processors
      let share = UInt64(saturating: available * PacerConstants.backgroundUtilization)
      let background = new.background.subtractingSaturated(old.background)
      counted -= min(counted, new.idle.subtractingSaturated(old.idle))
      counted -= min(counted, background.subtractingSaturated(share))
    }
    update(
      gcNanoseconds: Int64(clamping: counted), mutatorNanoseconds: Int64(clamping: process - collector),
      processors: processors)
  }
}
