// Numbers out of raw kernel text, without allocating: what the samplers parse with.

import Glibc

enum TextScan {
  /// The number at `index`, after blanks; nil when there is none or it does not fit. `index` ends behind it.
  static func number(_ text: UnsafeRawBufferPointer, at index: inout Int) -> Int64? {
    while index < text.count, text[index] == 0x20 || text[index] == 0x09 { index += 1 }
    let start = index
    var value: Int64 = 0
    while index < text.count, text[index] &- 0x30 < 10 {
      let (product, wide) = value.multipliedReportingOverflow(by: 10)
      let (sum, over) = product.addingReportingOverflow(Int64(text[index] &- 0x30))
      if wide || over { return nil }
      value = sum
      index += 1
    }
    return index == start ? nil : value
  }

  /// The number behind `key` at a line's start, as in "inactive_file 4096"; the key includes its separator.
  static func number(_ text: UnsafeRawBufferPointer, after key: StaticString) -> Int64? {
    guard var index = end(of: key, in: text) else { return nil }
    return number(text, at: &index)
  }

  /// The number behind the first `key` in the text, wherever that is.
  static func number(_ text: UnsafeRawBufferPointer, anywhereAfter key: StaticString) -> Int64? {
    key.withUTF8Buffer { key in
      for start in stride(from: 0, through: text.count - key.count, by: 1)
      where memcmp(text.baseAddress! + start, key.baseAddress!, key.count) == 0 {
        var index = start + key.count
        return number(text, at: &index)
      }
      return nil
    }
  }

  /// The number with an optional fraction behind `key` at a line's start, as in "some avg10=1.25".
  static func decimal(_ text: UnsafeRawBufferPointer, after key: StaticString) -> Double? {
    guard var index = end(of: key, in: text), let whole = number(text, at: &index) else { return nil }
    var value = Double(whole)
    guard index < text.count, text[index] == 0x2E else { return value }
    var place = 0.1
    index += 1
    while index < text.count, text[index] &- 0x30 < 10 {
      value += Double(text[index] &- 0x30) * place
      place /= 10
      index += 1
    }
    return value
  }

  private static func end(of key: StaticString, in text: UnsafeRawBufferPointer) -> Int? {
    key.withUTF8Buffer { key in
      var line = 0
      while line + key.count <= text.count {
        if memcmp(text.baseAddress! + line, key.baseAddress!, key.count) == 0 { return line + key.count }
        guard let lineEnd = memchr(text.baseAddress! + line, 0x0A, text.count - line) else { return nil }
        line = UnsafeRawPointer(lineEnd) - text.baseAddress! + 1
      }
      return nil
    }
  }
}
