// A scanner of JSON in memory, for files that are too long for a tree: the caller says what is wanted where, and the rest is skipped.
//
// No recursion, so no file is too deep. Every error says the place of the byte and what is expected there.

/// Where a scan of a JSON text is.
struct JSONScanner {
  private let bytes: UnsafeBufferPointer<UInt8>
  /// The byte to be read next.
  var place = 0

  init(_ bytes: UnsafeBufferPointer<UInt8>) { self.bytes = bytes }

  var byteCount: Int { bytes.count }

  // MARK: Bytes

  private func wrong(_ expected: String) -> SnapshotFormatError {
    let found = place < bytes.count ? "byte \(bytes[place])" : "the end"
    return SnapshotFormatError(description: "at byte \(place): \(expected) is expected, and there is \(found)")
  }

  /// The next byte that is no white space, not taken; 0 at the end.
  private mutating func next() -> UInt8 {
    while place < bytes.count {
      switch bytes[place] {
      case 0x20, 0x0a, 0x0d, 0x09: place += 1
      case let byte: return byte
      }
    }
    return 0
  }

  private mutating func take(_ byte: UInt8) throws(SnapshotFormatError) {
    guard next() == byte else { throw wrong("\"\(Character(UnicodeScalar(byte)))\"") }
    place += 1
  }

  /// Whether the next byte is `byte`, which is taken then.
  private mutating func takes(_ byte: UInt8) -> Bool {
    if next() != byte { return false }
    place += 1
    return true
  }

  mutating func expectEnd() throws(SnapshotFormatError) {
    if next() != 0 || place < bytes.count { throw wrong("the end") }
  }

  // MARK: Values

  /// Calls `member` with the key of each member, whose value it must take.
  mutating func object(
    _ member: (inout JSONScanner, String) throws(SnapshotFormatError) -> Void
  ) throws(SnapshotFormatError) {
    try take(UInt8(ascii: "{"))
    if takes(UInt8(ascii: "}")) { return }
    repeat {
      let key = try string()
      try take(UInt8(ascii: ":"))
      try member(&self, key)
    } while takes(UInt8(ascii: ","))
    try take(UInt8(ascii: "}"))
  }

  /// An array of strings.
  mutating func strings() throws(SnapshotFormatError) -> [String] {
    var strings: [String] = []
    try take(UInt8(ascii: "["))
    if takes(UInt8(ascii: "]")) { return [] }
    repeat { strings.append(try string()) } while takes(UInt8(ascii: ","))
    try take(UInt8(ascii: "]"))
    return strings
  }

  /// The array of strings that an array begins with.
  mutating func firstElementStrings() throws(SnapshotFormatError) -> [String] {
    try take(UInt8(ascii: "["))
    let strings = try self.strings()
    while takes(UInt8(ascii: ",")) { try skipValue() }
    try take(UInt8(ascii: "]"))
    return strings
  }

  /// A number that is whole and not negative.
  mutating func count() throws(SnapshotFormatError) -> Int {
    _ = next()
    return try digits()
  }

  private mutating func digits() throws(SnapshotFormatError) -> Int {
    let first = place
    var value = 0
    while place < bytes.count, case let digit = bytes[place] &- UInt8(ascii: "0"), digit < 10 {
      guard place - first < 18 else { throw wrong("a number of 18 digits at the most") }
      value = value * 10 + Int(digit)
      place += 1
    }
    if place == first { throw wrong("a number that is not negative") }
    return value
  }

  /// Calls `body` with each group of `size` numbers of an array; how many groups there were.
  mutating func numbers(
    groupsOf size: Int, named name: String, most: Int, _ body: (Int, [Int]) throws(SnapshotFormatError) -> Void
  ) throws(SnapshotFormatError) -> Int {
    var values = [Int](repeating: 0, count: size)
    var (groups, filled) = (0, 0)
    try take(UInt8(ascii: "["))
    if takes(UInt8(ascii: "]")) { return 0 }
    repeat {
      values[filled] = try count()
      filled += 1
      if filled == size {
        guard groups < most else { throw wrong("the end of \"\(name)\", after \(most) groups of \(size) numbers") }
        try body(groups, values)
        groups += 1
        filled = 0
      }
    } while takes(UInt8(ascii: ","))
    try take(UInt8(ascii: "]"))
    guard filled == 0 else {
      throw SnapshotFormatError(description: "\"\(name)\" ends within a group of \(size) numbers")
    }
    return groups
  }

  /// Passes over a value of any sort, whose brackets are counted.
  mutating func skipValue() throws(SnapshotFormatError) {
    var depth = 0
    repeat {
      switch next() {
      case UInt8(ascii: "["), UInt8(ascii: "{"):
        depth += 1
        place += 1
      case UInt8(ascii: "]"), UInt8(ascii: "}"):
        guard depth > 0 else { throw wrong("a value") }
        depth -= 1
        place += 1
      case UInt8(ascii: "\""): try skipString()
      case 0: throw wrong("a value")
      case UInt8(ascii: ","), UInt8(ascii: ":"):
        guard depth > 0 else { throw wrong("a value") }
        place += 1
        continue
      default: skipWord()
      }
    } while depth > 0
  }

  /// Numbers, `true`, `false`, `null`.
  private mutating func skipWord() {
    place += 1
    while place < bytes.count {
      switch bytes[place] {
      case 0x30...0x39, 0x41...0x5a, 0x61...0x7a, UInt8(ascii: "."), UInt8(ascii: "-"), UInt8(ascii: "+"): place += 1
      default: return
      }
    }
  }

  // MARK: Strings

  private mutating func skipString() throws(SnapshotFormatError) {
    place += 1
    while place < bytes.count, bytes[place] != UInt8(ascii: "\"") {
      place += bytes[place] == UInt8(ascii: "\\") ? 2 : 1
    }
    guard place < bytes.count else { throw wrong("the end of a string") }
    place += 1
  }

  mutating func string() throws(SnapshotFormatError) -> String {
    guard next() == UInt8(ascii: "\"") else { throw wrong("a string") }
    let first = place + 1
    try skipString()
    let text = bytes[first..<place - 1]
    guard text.contains(UInt8(ascii: "\\")) else { return String(decoding: text, as: UTF8.self) }
    return try unescaped(first..<place - 1)
  }

  private func unescaped(_ range: Range<Int>) throws(SnapshotFormatError) -> String {
    var units: [UInt16] = []
    var text = ""
    var place = range.lowerBound
    func flush() {
      text += String(decoding: units, as: UTF16.self)
      units = []
    }
    while place < range.upperBound {
      guard bytes[place] == UInt8(ascii: "\\") else {
        flush()
        let end = bytes[place..<range.upperBound].firstIndex(of: UInt8(ascii: "\\")) ?? range.upperBound
        text += String(decoding: bytes[place..<end], as: UTF8.self)
        place = end
        continue
      }
      let (unit, length) = try escape(at: place, before: range.upperBound)
      units.append(unit)
      place += length
    }
    flush()
    return text
  }

  /// The UTF-16 unit that an escape stands for, and its length.
  private func escape(at place: Int, before end: Int) throws(SnapshotFormatError) -> (UInt16, Int) {
    let known: [UInt8: UInt16] = [
      UInt8(ascii: "\""): 0x22, UInt8(ascii: "\\"): 0x5c, UInt8(ascii: "/"): 0x2f, UInt8(ascii: "b"): 8,
      UInt8(ascii: "f"): 12, UInt8(ascii: "n"): 10, UInt8(ascii: "r"): 13, UInt8(ascii: "t"): 9,
    ]
    if place + 1 < end, let unit = known[bytes[place + 1]] { return (unit, 2) }
    if place + 5 < end, bytes[place + 1] == UInt8(ascii: "u"),
      let unit = UInt16(String(decoding: bytes[place + 2...place + 5], as: UTF8.self), radix: 16)
    {
      return (unit, 6)
    }
    throw SnapshotFormatError(description: "at byte \(place): an escape that JSON does not have")
  }
}
