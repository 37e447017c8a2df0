// How near the process is to the point where collecting no longer helps, in three levels an application can act on.
//
// Near its limit is where a limited heap lives, so resident memory says little. What counts is memory that no collection frees (live objects,
// tables, memory of others) against the limit: from 80 % on cycles come so often that shedding is cheaper than collecting, from 95 % on the
// limit's headroom is gone. A collector that has used up its share of CPU under the limit is critical at any fill, and so is a process
// a twentieth over its limit. Pressure that the kernel reports is at least elevated.
//
// A level rises at once. It falls one step at a time, when every measure has been 5 points below its threshold for a second: who sheds
// must not be told to stop by the first effect of it.
//
// Pure and trivially copyable; not synchronised.

/// How short memory is.
public enum PressureLevel: UInt8, Sendable, Comparable, CaseIterable, BitwiseCopyable {
  /// There is room.
  case normal
  /// Room is short: refuse what is large and can wait, shrink caches.
  case elevated
  /// There is none: refuse everything that allocates and is not needed to go on.
  case critical

  public static func < (a: PressureLevel, b: PressureLevel) -> Bool { a.rawValue < b.rawValue }
}

/// What the level is computed from.
public struct PressureReading: Sendable, Equatable, BitwiseCopyable {
  /// The limit in bytes, positive.
  public var limitBytes: UInt64
  /// What the limit counts now.
  public var residentBytes: UInt64
  /// What of that no collection frees.
  public var unavoidableBytes: UInt64
  /// Whether collection for the limit has used up its share of the CPU.
  public var collectorIsLimited: Bool
  /// Whether the kernel reports that memory is short.
  public var kernelReports: Bool

  public init(
    limitBytes: UInt64, residentBytes: UInt64, unavoidableBytes: UInt64, collectorIsLimited: Bool = false,
    kernelReports: Bool = false
  ) {
    self.limitBytes = limitBytes
    self.residentBytes = residentBytes
    self.unavoidableBytes = unavoidableBytes
    self.collectorIsLimited = collectorIsLimited
    self.kernelReports = kernelReports
  }
}

/// The level over time.
public struct PressureGauge: Sendable, BitwiseCopyable {
  /// Unavoidable memory in percent of the limit from which on a level holds.
  static let elevatedPercent: UInt64 = 80
  static let criticalPercent: UInt64 = 95
  /// Resident memory in percent of the limit from which on it is critical.
  static let overPercent: UInt64 = 105
  /// How far below its threshold everything must be for a level to fall, in points, and for how long, in nanoseconds.
  static let hysteresis: UInt64 = 5
  static let calm: UInt64 = 1_000_000_000

  /// The level now.
  public private(set) var level = PressureLevel.normal
  /// Since when a lower level would do, nil when it would not.
  private var calmSince: UInt64?

  public init() {}

  /// Takes a reading in; nil for a process without a limit, whose level is normal.
  ///
  /// - Parameter now: a monotonic clock's nanoseconds.
  /// - Returns: whether the level has changed.
  public mutating func update(_ reading: PressureReading?, now: UInt64) -> Bool {
    guard let reading else { return change(to: .normal) }
    let rising = PressureGauge.level(reading, margin: 0)
    if rising > level { return change(to: rising) }
    guard PressureGauge.level(reading, margin: PressureGauge.hysteresis) < level else {
      calmSince = nil
      return false
    }
    let since = calmSince ?? now
    calmSince = since
    guard now >= since + PressureGauge.calm, let lower = PressureLevel(rawValue: level.rawValue - 1) else {
      return false
    }
    return change(to: lower)
  }

  private mutating func change(to new: PressureLevel) -> Bool {
    calmSince = nil
    if new == level { return false }
    level = new
    return true
  }

  private static func level(_ reading: PressureReading, margin: UInt64) -> PressureLevel {
    func reaches(_ bytes: UInt64, _ percent: UInt64) -> Bool { bytes >= reading.limitBytes.percent(percent - margin) }
    if reading.collectorIsLimited || reaches(reading.unavoidableBytes, criticalPercent)
      || reaches(reading.residentBytes, overPercent)
    {
      return .critical
    }
    return reading.kernelReports || reaches(reading.unavoidableBytes, elevatedPercent) ? .elevated : .normal
  }
}
