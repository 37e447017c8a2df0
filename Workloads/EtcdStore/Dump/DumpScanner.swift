// Reads the words of a dump from a file in pieces of 64 KiB: punctuation, names, integers, base64 strings.
//
// Not a JSON parser: a dump is one line of some gigabytes at worst, its strings are base64 and its numbers need 64
// bits, so it is read byte by byte with nothing kept but the current piece. JSON escapes do not occur in what etcdctl
// prints and are refused.

import Glibc

/// The bytes of a file, and the words they form. Every failure names the byte it stopped at.
struct DumpScanner: ~Copyable {
  static let pieceBytes = 64 << 10
  /// The longest key or value read; etcd itself refuses requests over 1.5 MiB by default.
  static let mostStringBytes = 64 << 20

  let path: String
  private let file: Int32
  private let piece: UnsafeMutablePointer<UInt8>
  private var position = 0
  private var limit = 0
  /// Bytes of the file before the current piece.
  private var before = 0

  init(path: String) throws(DumpError) {
    self.path = path
    file = open(path, O_RDONLY | O_CLOEXEC)
    piece = .allocate(capacity: DumpScanner.pieceBytes)
    if file < 0 { throw DumpError(path: path, offset: 0, problem: .unreadable(code: errno)) }
  }

  deinit {
    piece.deallocate()
    if file >= 0 { close(file) }
  }

  /// How many bytes come before the next one.
  var offset: Int { before + position }

  // MARK: Bytes

  /// The next byte without taking it, nil at the end of the file.
  @inline(__always)
  mutating func peek() throws(DumpError) -> UInt8? {
    if position == limit, try !readPiece() { return nil }
    return piece[position]
  }

  @inline(__always)
  mutating func skip() { position += 1 }

  private mutating func readPiece() throws(DumpError) -> Bool {
    before += limit
    position = 0
    limit = 0
    while true {
      let count = read(file, piece, DumpScanner.pieceBytes)
      if count >= 0 {
        limit = count
        return count > 0
      }
      if errno != EINTR { throw DumpError(path: path, offset: before, problem: .unreadable(code: errno)) }
    }
  }

  /// The error that something else than `expected` comes next.
  mutating func mismatch(_ expected: String) throws(DumpError) -> DumpError {
    let found: String
    if let byte = try peek() {
      let isVisible = byte > 0x20 && byte < 0x7F
      found = isVisible ? "'\(Character(UnicodeScalar(byte)))'" : "byte \(byte)"
    } else {
      found = "the end of the file"
    }
    return DumpError(path: path, offset: offset, problem: .malformed(expected: expected, found: found))
  }

  /// The error that what was read before `offset` is not allowed.
  func refusal(at offset: Int, found: String, expected: String) -> DumpError {
    DumpError(path: path, offset: offset, problem: .malformed(expected: expected, found: found))
  }

  // MARK: Words

  mutating func skipSpace() throws(DumpError) {
    while let byte = try peek(), byte == 0x20 || (byte >= 0x09 && byte <= 0x0D) { skip() }
  }

  /// Takes `byte` if it comes next.
  mutating func take(_ byte: UInt8) throws(DumpError) -> Bool {
    try skipSpace()
    guard try peek() == byte else { return false }
    skip()
    return true
  }

  mutating func expect(_ byte: UInt8, _ expected: String) throws(DumpError) {
    if try !take(byte) { throw try mismatch(expected) }
  }

  /// A quoted name of at most 32 letters and underscores, and the colon behind it.
  mutating func name(_ expected: String) throws(DumpError) -> String {
    try expect(UInt8(ascii: "\""), expected)
    let start = offset
    var letters: [UInt8] = []
    while let byte = try peek(), byte != UInt8(ascii: "\"") {
      guard letters.count < 32, byte > 0x20 && byte < 0x7F else { throw try mismatch(expected) }
      letters.append(byte)
      skip()
    }
    try expect(UInt8(ascii: "\""), "the end of a name that began at byte \(start)")
    try expect(UInt8(ascii: ":"), "a colon after \"\(String(decoding: letters, as: UTF8.self))\"")
    return String(decoding: letters, as: UTF8.self)
  }

  /// `true` or `false`.
  mutating func boolean() throws(DumpError) -> Bool {
    try skipSpace()
    let value = try peek() == UInt8(ascii: "t")
    for letter in (value ? "true" : "false").utf8 {
      guard try peek() == letter else { throw try mismatch("true or false") }
      skip()
    }
    return value
  }

  /// An integer from 0 to 2^64 − 1.
  mutating func unsigned(_ expected: String) throws(DumpError) -> UInt64 {
    try skipSpace()
    let start = offset
    var value: UInt64 = 0
    while let byte = try peek(), byte >= UInt8(ascii: "0") && byte <= UInt8(ascii: "9") {
      if offset > start && value == 0 { throw try mismatch("the end of the number 0") }
      let (tenfold, overflows) = value.multipliedReportingOverflow(by: 10)
      let (sum, carries) = tenfold.addingReportingOverflow(UInt64(byte - UInt8(ascii: "0")))
      if overflows || carries { throw try mismatch("\(expected), which has at most 64 bits") }
      value = sum
      skip()
    }
    if offset == start { throw try mismatch(expected) }
    return value
  }

  /// An integer from −2^63 to 2^63 − 1.
  mutating func signed(_ expected: String) throws(DumpError) -> Int {
    let isNegative = try take(UInt8(ascii: "-"))
    let start = offset
    let magnitude = try unsigned(expected)
    let most = UInt64(Int.max) + (isNegative ? 1 : 0)
    guard magnitude <= most else {
      throw refusal(at: start, found: "\(magnitude)", expected: "\(expected), which has at most 63 bits and a sign")
    }
    return isNegative ? Int(truncatingIfNeeded: 0 &- magnitude) : Int(magnitude)
  }

  // MARK: Base64

  /// A quoted base64 string with padding, decoded to the end of `target`.
  mutating func base64(into target: inout GrowingBytes, _ expected: String) throws(DumpError) {
    try expect(UInt8(ascii: "\""), expected)
    let start = offset
    var word: UInt32 = 0
    var digits = 0
    while true {
      guard let byte = try peek() else {
        throw try mismatch("the end of the base64 string that began at byte \(start)")
      }
      let digit = Base64.digits[Int(byte)]
      if digit == Base64.none { break }
      word = word << 6 | UInt32(digit)
      digits += 1
      skip()
      if digits == 4 {
        target.append(UInt8(truncatingIfNeeded: word >> 16))
        target.append(UInt8(truncatingIfNeeded: word >> 8))
        target.append(UInt8(truncatingIfNeeded: word))
        if target.count > DumpScanner.mostStringBytes {
          throw try mismatch("the end of a string of at most \(DumpScanner.mostStringBytes) bytes")
        }
        word = 0
        digits = 0
      }
    }
    try finishBase64(word, digits, into: &target)
    guard try peek() == UInt8(ascii: "\"") else { throw try mismatch("a base64 digit or the end of the string") }
    skip()
  }

  /// The digits after the last whole group, and the padding that makes up for the rest.
  private mutating func finishBase64(_ word: UInt32, _ digits: Int, into target: inout GrowingBytes) throws(DumpError) {
    if digits == 0 { return }
    if digits == 1 { throw try mismatch("a second base64 digit") }
    let unused: UInt32 = digits == 2 ? 0xF : 0x3
    if word & unused != 0 { throw try mismatch("a last base64 digit without stray bits before the padding") }
    for _ in digits..<4 {
      guard try peek() == UInt8(ascii: "=") else { throw try mismatch("base64 padding '='") }
      skip()
    }
    if digits == 3 { target.append(UInt8(truncatingIfNeeded: word >> 10)) }
    target.append(UInt8(truncatingIfNeeded: digits == 3 ? word >> 2 : word >> 4))
  }
}

/// The alphabet of RFC 4648, section 4.
enum Base64 {
  static let none: UInt8 = 0xFF

  /// The value of each byte as a digit, `none` for those that are not.
  static let digits: InlineArray<256, UInt8> = {
    var digits = InlineArray<256, UInt8>(repeating: none)
    var value: UInt8 = 0
    for letter in "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8 {
      digits[Int(letter)] = value
      value += 1
    }
    return digits
  }()
}
