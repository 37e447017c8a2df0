// What a person typed wrongly: the one error that ends the command with exit code 64.

/// Wrong input: which option or variable, its value, and what is allowed.
public struct UsageError: Error, CustomStringConvertible, Sendable, Equatable {
  public let description: String

  /// An error in its own words; they should name the value and what is allowed.
  public init(_ description: String) { self.description = description }

  /// "--threads is -1; allowed: 1 to 1024".
  public init(option: String, value: String, allowed: String) {
    description = "\(option) is \(value); allowed: \(allowed)"
  }
}
