// Sizes as users write them: `512MiB` (Go), `512Mi` (Kubernetes), `536870912B` and `536870912`. Binary units only,
// spelled exactly: `MB` and `m` are refused rather than guessed at, and so are fractions, signs and spaces.

/// Sizes in bytes.
public enum ByteSize {
  /// What a size may look like, for messages.
  public static let allowed =
    "an integer of bytes, or with one of B, KiB, MiB, GiB, TiB, Ki, Mi, Gi, Ti (at most 9223372036854775807 bytes)"

  /// Reads a size.
  ///
  /// - Parameters:
  ///   - text: for example `512MiB`.
  ///   - name: the setting it is for, named in the error.
  ///   - minimum: the smallest size allowed, in bytes.
  public static func parse(_ text: String, name: String, minimum: Int64 = 0) throws(SettingsError) -> Int64 {
    guard let bytes = bytes(text) else { throw SettingsError(name: name, value: text, allowed: allowed) }
    if bytes < minimum {
      throw SettingsError(name: name, value: text, allowed: "at least \(ByteSize.text(minimum)): \(allowed)")
    }
    return bytes
  }

  /// The shortest exact spelling that `parse` reads back, in the largest unit that divides the size. Negative sizes
  /// have no unit.
  public static func text(_ bytes: Int64) -> String {
    if bytes <= 0 { return "\(bytes)" }
    let steps = min(bytes.trailingZeroBitCount / 10, 4)
    return steps == 0 ? "\(bytes)" : "\(bytes >> Int64(10 * steps))" + ["KiB", "MiB", "GiB", "TiB"][steps - 1]
  }

  /// The size that `text` spells, nil when it is none or does not fit.
  static func bytes(_ text: some StringProtocol) -> Int64? {
    let (digits, unit) = text.splitAfterDigits
    guard let shift = shift(unit), let number = Int64(digits: digits) else { return nil }
    let (bytes, overflow) = number.multipliedReportingOverflow(by: 1 << shift)
    return overflow ? nil : bytes
  }

  private static func shift(_ unit: some StringProtocol) -> Int64? {
    switch String(unit) {
    case "", "B": 0
    case "KiB", "Ki": 10
    case "MiB", "Mi": 20
    case "GiB", "Gi": 30
    case "TiB", "Ti": 40
    default: nil
    }
  }
}
