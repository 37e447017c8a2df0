// The kernel's own signs that memory is short, turned into a lower goal before it reclaims or kills.
//
// Three signs: pressure stall information (tasks wait for memory), a group slowed down at memory.high, a group at its hard limit. Each makes the
// goal a little smaller, up to a quarter of the limit; when nothing has happened for a while it comes back by small steps.
// A group is also at its limit when it is full of file pages that are dropped without harm, so that sign counts only where most of the
// limit is taken by memory that cannot be dropped. A kill in the group tightens by the whole quarter: the next may be ours.
//
// Pure and trivially copyable; not synchronised.

/// What the kernel says about memory at one moment. Counters rise since the group was made.
public struct ShortageReading: Sendable, Equatable, BitwiseCopyable {
  /// Percent of the last ten seconds in which some task waited for memory (`some avg10`); nil without such information.
  public var stalledPercent: Double?
  /// How often the group was slowed down at memory.high.
  public var highEvents: Int64
  /// How often it met its hard limit.
  public var limitEvents: Int64
  /// Processes killed at it.
  public var kills: Int64

  public init(stalledPercent: Double? = nil, highEvents: Int64 = 0, limitEvents: Int64 = 0, kills: Int64 = 0) {
    self.stalledPercent = stalledPercent
    self.highEvents = highEvents
    self.limitEvents = limitEvents
    self.kills = kills
  }
}

/// By how much the kernel's signs make the limit smaller for the goal.
public struct LimitTightening: Sendable, BitwiseCopyable {
  /// The most, in percent of the limit.
  public static let most = 25
  /// Readings are at least this far apart, in nanoseconds.
  public static let interval: UInt64 = 250_000_000
  /// Percent of the time stalled from which on pressure counts whether it rises or not, and from which on a rise counts.
  static let highStall = 10.0
  static let leastStall = 1.0
  /// What one sign takes off, in percent.
  static let step = 2
  /// Signs at the limit count from this part of it on.
  static let fullPercent: UInt64 = 80
  /// How long it must be quiet before the goal comes back, and how long each percent takes then.
  static let quiet: UInt64 = 10_000_000_000
  static let recovery: UInt64 = 1_000_000_000

  /// What is taken off the limit now, 0...25 percent.
  public private(set) var percent = 0
  private var last = ShortageReading()
  private var hasReading = false
  private var lastSign: UInt64 = 0
  private var lastRecovery: UInt64 = 0

  public init() {}

  /// The limit that the goal is computed from.
  public func tightened(_ limit: Int64) -> Int64 {
    if percent == 0 || limit == .max { return limit }
    return Int64(clamping: UInt64(max(0, limit)).percent(UInt64(100 - percent)))
  }

  /// Takes a reading in.
  ///
  /// - Parameters:
  ///   - residentBytes: what the limit counts, without file pages that can be dropped.
  ///   - limit: in bytes.
  ///   - now: a monotonic clock's nanoseconds.
  public mutating func update(_ reading: ShortageReading, residentBytes: UInt64, limit: UInt64, now: UInt64) {
    defer {
      last = reading
      hasReading = true
    }
    guard hasReading else { return }
    if reading.kills > last.kills {
      percent = LimitTightening.most
      lastSign = now
    } else if hasSign(reading, isFull: residentBytes >= limit.percent(LimitTightening.fullPercent)) {
      percent = min(LimitTightening.most, percent + LimitTightening.step)
      lastSign = now
    } else if percent > 0, now >= max(lastSign + LimitTightening.quiet, lastRecovery + LimitTightening.recovery) {
      percent -= 1
      lastRecovery = now
    }
  }

  private func hasSign(_ reading: ShortageReading, isFull: Bool) -> Bool {
    if isFull && (reading.highEvents > last.highEvents || reading.limitEvents > last.limitEvents) { return true }
    guard let stalled = reading.stalledPercent else { return false }
    if stalled >= LimitTightening.highStall { return true }
    return stalled >= LimitTightening.leastStall && stalled > last.stalledPercent ?? stalled
  }
}
