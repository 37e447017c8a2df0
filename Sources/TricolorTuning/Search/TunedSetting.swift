// What a tuning may choose: how the heap grows, how much of the group it may fill, what collection may cost, and how many processors it plans
// with. The limit is a share of the group's and not a size, so that an answer for one size says something about another.

import TricolorPacing

/// One choice of the tuned settings.
public struct TunedSetting: Hashable, Codable, Sendable {
  /// `GOGC` in percent, nil for off.
  public var gcPercent: Int?
  /// `GOMEMLIMIT` in percent of the control group's limit, 1...100.
  public var limitPercent: Int
  /// `TRICOLOR_GC_CPU_LIMIT` in percent, 1...100.
  public var gcCPULimit: Int
  /// `GOMAXPROCS`, at least 1.
  public var processors: Int

  public init(gcPercent: Int?, limitPercent: Int, gcCPULimit: Int, processors: Int) {
    self.gcPercent = gcPercent
    self.limitPercent = limitPercent
    self.gcCPULimit = gcCPULimit
    self.processors = processors
  }

  /// What a workload in a limited group runs with when nothing is set.
  public static func standard(processors: Int) -> TunedSetting {
    let settings = Settings()
    return TunedSetting(
      gcPercent: settings.gcPercent, limitPercent: MemoryLimit.autoPercent, gcCPULimit: settings.gcCPULimit,
      processors: processors)
  }

  /// All four as environment variables, for a run that is measured.
  public var environment: [(name: String, value: String)] {
    [
      ("GOGC", gcPercent.map { "\($0)" } ?? "off"), ("GOMEMLIMIT", "\(limitPercent)%"),
      ("TRICOLOR_GC_CPU_LIMIT", "\(gcCPULimit)"), ("GOMAXPROCS", "\(processors)"),
    ]
  }

  /// The variables an operator has to set: growth and limit always, the others where they differ from what holds without them on a machine
  /// with so many processors.
  public func recommendedEnvironment(availableProcessors: Int) -> [(name: String, value: String)] {
    let standard = TunedSetting.standard(processors: availableProcessors)
    return environment.filter { variable in
      switch variable.name {
      case "TRICOLOR_GC_CPU_LIMIT": gcCPULimit != standard.gcCPULimit
      case "GOMAXPROCS": processors != standard.processors
      default: true
      }
    }
  }

  /// How many of the four differ from what holds when nothing is set.
  func distance(from standard: TunedSetting) -> Int {
    [
      gcPercent != standard.gcPercent, limitPercent != standard.limitPercent, gcCPULimit != standard.gcCPULimit,
      processors != standard.processors,
    ].count { $0 }
  }

  /// How many variables besides `GOGC` and `GOMEMLIMIT` it needs.
  func extras(beside standard: TunedSetting) -> Int {
    [gcCPULimit != standard.gcCPULimit, processors != standard.processors].count { $0 }
  }

  /// As it would be typed before a command.
  public var text: String { environment.map { "\($0.name)=\($0.value)" }.joined(separator: " ") }
}
