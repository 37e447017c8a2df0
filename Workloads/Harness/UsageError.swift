// What a person typed wrongly: the one error that ends the command with exit code 64.

/// Wrong input: which option or variable, its value, and what is allowed.
public struct UsageError: Error, CustomStringConvertible, Sendable, Equatable {
  public let description: String

  /// An error in its own words; they should name the value and what is allowed.
  public init(_ description: String) { self.description = description }

  /// In the form of the settings' errors: `--threads: "-1" is not allowed; use 1 to 1024`.
  public init(option: String, value: String, allowed: String) {
    description = "\(option): \"\(value)\" is not allowed; use \(allowed)"
  }
}
