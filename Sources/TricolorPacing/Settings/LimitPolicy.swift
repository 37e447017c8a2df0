// What the limit measures (`TRICOLOR_LIMIT_SOURCE`) and of whom (`TRICOLOR_LIMIT_SCOPE`), and what happens where it cannot be met
// (`TRICOLOR_LIMIT_POLICY`).

/// What counts against the memory limit.
public enum LimitMeasure: String, Sendable, Equatable, CaseIterable {
  /// The larger of `rss` and `cgroup` when a cgroup limits the process, else `rss`.
  case auto
  /// The resident set of the process.
  case rss
  /// Usage of the process's memory cgroup, less inactive file pages.
  case cgroup

  /// Reads `auto`, `rss` or `cgroup`.
  public static func parse(_ text: String, name: String = "TRICOLOR_LIMIT_SOURCE") throws(SettingsError) -> LimitMeasure
  {
    guard let measure = LimitMeasure(rawValue: text) else {
      throw SettingsError(name: name, value: text, allowed: "auto, rss or cgroup")
    }
    return measure
  }
}

/// Whose memory counts against the memory limit of a heap.
public enum LimitScope: String, Sendable, Equatable, CaseIterable {
  /// The whole process's. Heaps with this scope and the same limit share it.
  case process
  /// The heap's own: what it holds, and nothing else. It takes no part in the sharing.
  case heap

  /// Reads `process` or `heap`.
  public static func parse(_ text: String, name: String = "TRICOLOR_LIMIT_SCOPE") throws(SettingsError) -> LimitScope {
    guard let scope = LimitScope(rawValue: text) else {
      throw SettingsError(name: name, value: text, allowed: "process or heap")
    }
    return scope
  }
}

/// What to do when memory stays over the limit.
public enum LimitPolicy: Sendable, Equatable {
  /// Carry on, with collection held to its share of the CPU.
  case soft
  /// End the process once the limit could not be met for this long, so that it is restarted instead of crawling.
  case failFast(afterNanoseconds: Int64)

  /// The exit status of a process that `failFast` ends: EX_TEMPFAIL of sysexits.h, "try again".
  public static let exitStatus: Int32 = 75

  /// What a policy may look like, for messages.
  public static let allowed = "soft, or failfast: with whole seconds or a duration above zero, as failfast:30"

  /// Reads `soft`, `failfast:30` (seconds) or `failfast:1m30s`.
  public static func parse(_ text: String, name: String = "TRICOLOR_LIMIT_POLICY") throws(SettingsError) -> LimitPolicy
  {
    if text == "soft" { return .soft }
    guard let delay = text.remainder(after: "failfast:"), let nanoseconds = nanoseconds(delay), nanoseconds > 0 else {
      throw SettingsError(name: name, value: text, allowed: allowed)
    }
    return .failFast(afterNanoseconds: nanoseconds)
  }

  private static func nanoseconds(_ delay: Substring) -> Int64? {
    DurationSetting.nanoseconds(delay) ?? DurationSetting.nanoseconds(delay + "s")
  }
}
