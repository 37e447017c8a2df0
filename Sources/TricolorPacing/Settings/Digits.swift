// Plain decimal numbers: digits and nothing else. The standard library's parser also takes a sign, which none of our
// settings has.

extension Int64 {
  /// The number that `digits` spells, nil when that is empty, has anything but ASCII digits, or does not fit.
  init?(digits: some StringProtocol) {
    guard digits.utf8.allSatisfy({ UInt8(ascii: "0") <= $0 && $0 <= UInt8(ascii: "9") }) else { return nil }
    self.init(digits, radix: 10)
  }
}

extension StringProtocol {
  /// The text cut after its leading digits: number and unit.
  var splitAfterDigits: (digits: SubSequence, rest: SubSequence) {
    let end = firstIndex { !$0.isASCII || !$0.isWholeNumber } ?? endIndex
    return (self[..<end], self[end...])
  }

  /// What follows `prefix`, nil when the text does not begin with it.
  func remainder(after prefix: String) -> SubSequence? {
    hasPrefix(prefix) ? dropFirst(prefix.count) : nil
  }
}

extension Int {
  /// A whole number within `range`, or an error that says so.
  static func parse(_ text: String, name: String, in range: ClosedRange<Int>, unit: String = "") throws(SettingsError)
    -> Int
  {
    guard let value = Int64(digits: text), let number = Int(exactly: value), range.contains(number) else {
      let upper =
        range.upperBound == .max ? "at least \(range.lowerBound)" : "from \(range.lowerBound) to \(range.upperBound)"
      throw SettingsError(name: name, value: text, allowed: "an integer \(upper)\(unit)")
    }
    return number
  }
}
