// One error for every value a user can get wrong: it names the setting, repeats the value, and says what would be
// allowed.

/// A setting, option or parameter whose value is not allowed.
public struct SettingsError: Error, Sendable, Equatable, CustomStringConvertible {
  /// The environment variable, option or key.
  public let name: String
  /// The value it was given.
  public let value: String
  /// What it accepts, as a phrase.
  public let allowed: String

  public init(name: String, value: String, allowed: String) {
    self.name = name
    self.value = value
    self.allowed = allowed
  }

  /// For example: `GOGC: "banana" is not allowed; use an integer from 0 to 2147483647 (percent) or off`.
  public var description: String { "\(name): \(value.debugDescription) is not allowed; use \(allowed)" }
}
