// Which settings make sense, for programs that set them directly: the environment's are checked where they are parsed.

extension Settings {
  /// Refuses values that no environment variable could have.
  ///
  /// - Throws: the first that is wrong, under its variable's name.
  public func validate() throws(SettingsError) {
    if let gcPercent { try check(.gcPercent, gcPercent, (0...Int(Int32.max)).contains(gcPercent), GCPercent.allowed) }
    try check(.memoryLimit, memoryLimit, memoryLimit.isAllowed, MemoryLimit.allowed)
    try check(.hardLimit, hardLimit, hardLimit.isAllowed, MemoryLimit.allowed)
    if let maxProcessors { try check(.maxProcessors, maxProcessors, maxProcessors >= 1, "an integer at least 1") }
    try check(.gcCPULimit, gcCPULimit, (1...100).contains(gcCPULimit), "an integer from 1 to 100 (percent)")
    try check(.tunes, "on:\(tuneTarget)%", Settings.tuneTargets.contains(tuneTarget), Settings.tuneAllowed)
    if case .failFast(let nanoseconds) = limitPolicy {
      try check(.limitPolicy, "failfast:\(nanoseconds)ns", nanoseconds > 0, LimitPolicy.allowed)
    }
    try check(
      .reserve, reserveBytes, reserveBytes >= UInt64(Settings.leastReserveBytes),
      "at least \(ByteSize.text(Settings.leastReserveBytes))")
  }

  private func check(
    _ variable: Variable, _ value: some CustomStringConvertible, _ isAllowed: Bool, _ allowed: String
  ) throws(SettingsError) {
    if !isAllowed { throw SettingsError(name: variable.rawValue, value: value.description, allowed: allowed) }
  }
}
