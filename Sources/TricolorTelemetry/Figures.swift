// Numbers as people read them: grouped counts, binary sizes, durations with three significant digits. Without Foundation, whose
// resident size would count against the limits that are measured.

/// Texts for figures.
public enum Figures {
  /// 1,234,567.
  public static func count(_ value: Int) -> String {
    let digits = "\(value.magnitude)"
    var text = value < 0 ? "-" : ""
    for (index, digit) in digits.enumerated() {
      if index > 0 && (digits.count - index) % 3 == 0 { text += "," }
      text.append(digit)
    }
    return text
  }

  /// `value` with a fixed number of decimals, rounded: 12.30.
  public static func fixed(_ value: Double, _ decimals: Int) -> String {
    guard value.isFinite, abs(value) < 1e15 else { return "\(value)" }
    var scale = 1
    for _ in 0..<decimals { scale *= 10 }
    let scaled = Int((abs(value) * Double(scale)).rounded())
    let whole = (value < 0 && scaled > 0 ? "-" : "") + "\(scaled / scale)"
    if decimals == 0 { return whole }
    return whole + "." + padded("\(scaled % scale)", decimals, with: "0")
  }

  /// 173.0 MiB, 1.50 GiB, 512 B.
  public static func bytes(_ value: Int) -> String {
    let size = abs(Double(value))
    if size < 1024 { return "\(value) B" }
    let units = ["KiB", "MiB", "GiB", "TiB"]
    var scaled = Double(value) / 1024
    var unit = 0
    while abs(scaled) >= 1024 && unit < units.count - 1 {
      scaled /= 1024
      unit += 1
    }
    return fixed(scaled, unit >= 2 ? 2 : 1) + " " + units[unit]
  }

  /// 812 ns, 4.07 µs, 12.3 ms, 1.25 s.
  public static func duration(_ nanoseconds: UInt64) -> String {
    if nanoseconds < 1000 { return "\(nanoseconds) ns" }
    let units = ["µs", "ms", "s"]
    var scaled = Double(nanoseconds) / 1000
    var unit = 0
    while scaled >= 999.5 && unit < units.count - 1 {
      scaled /= 1000
      unit += 1
    }
    return fixed(scaled, scaled < 9.995 ? 2 : scaled < 99.95 ? 1 : 0) + " " + units[unit]
  }

  /// 12.3 %.
  public static func percent(_ fraction: Double) -> String { fixed(fraction * 100, 1) + " %" }

  /// `text` with spaces before it up to `width` characters.
  public static func padded(_ text: String, _ width: Int, with fill: Character = " ") -> String {
    String(repeating: fill, count: max(0, width - text.count)) + text
  }

  /// `text` with spaces behind it up to `width` characters.
  public static func filled(_ text: String, _ width: Int) -> String {
    text + String(repeating: " ", count: max(0, width - text.count))
  }
}
