// Conversions and sums that stop at the end of the range.
//
// The pacer divides by measured quantities that may be zero, so its floating-point results may be infinite or not a
// number. Swift traps when such a value becomes an integer, and a collector must not stop a program because nothing was
// scanned. Here an out-of-range value becomes the nearest integer there is.

extension Int64 {
  /// The value cut towards zero; the nearest end of the range when it lies outside, the upper end when it is not a
  /// number.
  init(saturating value: Double) {
    if let exact = Int64(exactly: value.rounded(.towardZero)) {
      self = exact
    } else {
      self = value < 0 ? .min : .max
    }
  }
}

extension UInt64 {
  /// The value cut towards zero; the nearest end of the range when it lies outside, the upper end when it is not a
  /// number.
  init(saturating value: Double) {
    if let exact = UInt64(exactly: value.rounded(.towardZero)) {
      self = exact
    } else {
      self = value < 0 ? 0 : .max
    }
  }
}

extension FixedWidthInteger {
  /// The sum, or the end of the range it runs past.
  func addingSaturated(_ other: Self) -> Self {
    let (sum, overflow) = addingReportingOverflow(other)
    if !overflow { return sum }
    return other < 0 ? .min : .max
  }

  /// The difference, or the end of the range it runs past.
  func subtractingSaturated(_ other: Self) -> Self {
    let (difference, overflow) = subtractingReportingOverflow(other)
    if !overflow { return difference }
    return other < 0 ? .max : .min
  }
}

extension UInt64 {
  /// `self * percent / 100` without overflow on the way, cut towards zero.
  func percent(_ percent: UInt64) -> UInt64 {
    let product = multipliedFullWidth(by: percent)
    if product.high >= 100 { return .max }
    return UInt64(100).dividingFullWidth(product).quotient
  }
}
