// Durations as users write them: `10s`, `500ms`, `1m30s`. Whole numbers, each with its unit, larger units first.

/// Durations in nanoseconds.
public enum DurationSetting {
  /// What a duration may look like, for messages.
  public static let allowed =
    "a duration above zero such as 10s, 500ms or 1m30s (integers with h, m, s, ms, us, ns, larger first)"

  private static let units: [(name: String, nanoseconds: Int64)] = [
    ("h", 3_600_000_000_000), ("m", 60_000_000_000), ("s", 1_000_000_000), ("ms", 1_000_000), ("us", 1000), ("ns", 1),
  ]

  /// Reads a duration, which must be above zero.
  ///
  /// - Parameter name: the setting it is for, named in the error.
  /// - Returns: nanoseconds.
  public static func parse(_ text: String, name: String) throws(SettingsError) -> Int64 {
    guard let duration = nanoseconds(text), duration > 0 else {
      throw SettingsError(name: name, value: text, allowed: allowed)
    }
    return duration
  }

  static func nanoseconds(_ text: some StringProtocol) -> Int64? {
    var rest = text[...]
    var unitsLeft = units[...]
    var total: Int64 = 0
    repeat {
      let (digits, afterDigits) = rest.splitAfterDigits
      let unit = afterDigits.prefix { $0.isLetter }
      guard let number = Int64(digits: digits), let place = unitsLeft.firstIndex(where: { $0.name == unit }) else {
        return nil
      }
      let (part, partOverflow) = number.multipliedReportingOverflow(by: units[place].nanoseconds)
      let (sum, sumOverflow) = total.addingReportingOverflow(part)
      if partOverflow || sumOverflow { return nil }
      total = sum
      unitsLeft = units[(place + 1)...]
      rest = afterDigits.dropFirst(unit.count)
    } while !rest.isEmpty
    return total
  }
}
