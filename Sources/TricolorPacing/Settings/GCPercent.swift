// `GOGC`. Go takes a negative percentage for `off` and anything unreadable for 100, silently; both are mistakes far
// more often than they are meant, so they are errors here.

/// How far a heap may grow over what the last cycle left, in percent.
public enum GCPercent {
  /// The default.
  public static let standard = 100

  /// What a percentage may look like, for messages.
  public static let allowed = "an integer from 0 to \(Int32.max) (percent of growth) or off"

  /// Reads a percentage.
  ///
  /// - Parameter name: the setting it is for, named in the error.
  /// - Returns: the percentage, nil for `off`.
  public static func parse(_ text: String, name: String = "GOGC") throws(SettingsError) -> Int? {
    if text == "off" { return nil }
    guard let number = Int64(digits: text), number <= Int64(Int32.max) else {
      throw SettingsError(name: name, value: text, allowed: allowed)
    }
    return Int(number)
  }
}
