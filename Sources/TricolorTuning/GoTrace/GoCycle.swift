// One collection of a Go program, as `GODEBUG=gctrace=1` prints it, and the reader of such a line.
//
// The runtime has kept the line's shape from Go 1.16 on and added to it: stacks and globals (1.18), a note about goroutine leaks
// before the colon (1.26). Sizes are whole MiB, cut; times of less than ten milliseconds have two or three digits.
// Whatever stands before "gc" belongs to who collected the log. Source: Go, runtime/mgc.go.

/// A line of a Go program's collection trace. Sizes are MiB as printed, that is cut; times are milliseconds unless said.
public struct GoCycle: Sendable, Equatable {
  /// Its number since the program's start, from 1.
  public var number = 0
  /// When it began, in seconds since the program's start.
  public var start = 0.0
  /// Processor time of collection since the start, in percent of all that was available, without marking on idle processors.
  public var percent = 0
  /// Wall time: stopping before, marking, stopping after.
  public var stopBefore = 0.0
  public var mark = 0.0
  public var stopAfter = 0.0
  /// Processor time: stopping before, assists, background workers, marking on idle processors, stopping after.
  public var stopBeforeCPU = 0.0
  public var assistCPU = 0.0
  public var backgroundCPU = 0.0
  public var idleCPU = 0.0
  public var stopAfterCPU = 0.0
  /// The heap when marking began and ended, and what was marked.
  public var heapAtStart = 0
  public var heapAtEnd = 0
  public var marked = 0
  public var goal = 0
  /// Nil where the program's Go does not print them.
  public var stacks: Int?
  public var globals: Int?
  public var processors = 0
  /// Whether the program asked for it.
  public var isForced = false

  public init() {}

  /// All processor time that the collector took, on idle processors too.
  public var cpu: Double { stopBeforeCPU + assistCPU + backgroundCPU + idleCPU + stopAfterCPU }
}

/// Why a line that begins like one of a collection is none.
public struct DamagedLine: Error, Sendable, Equatable, CustomStringConvertible {
  /// From 1; 0 where a line was read by itself.
  public var line = 0
  /// What should have stood there.
  public let expected: String
  /// What stood there, at most 40 characters.
  public let found: String

  public var description: String {
    "line \(line): expected \(expected), found \(found.isEmpty ? "the end" : "\"\(found)\"")"
  }
}

extension GoCycle {
  /// Reads a line from "gc" on. What follows after it is ignored.
  init(_ line: ArraySlice<UInt8>) throws(DamagedLine) {
    var text = TraceScanner(line)
    try text.skip("gc ")
    number = try text.integer("the number of the cycle")
    try text.skip(" @")
    start = try text.decimal("when it began")
    try text.skip("s ")
    percent = try text.integer("the share of processor time")
    try text.skip("%")
    if text.skipIfThere(" (") { try text.skip(past: ")") }
    try text.skip(": ")
    try readTimes(&text)
    try readSizes(&text)
    processors = try text.integer("the number of processors")
    try text.skip(" P")
    isForced = text.skipIfThere(" (forced)")
    try check(&text)
  }

  private mutating func readTimes(_ text: inout TraceScanner) throws(DamagedLine) {
    stopBefore = try text.decimal("a wall time")
    try text.skip("+")
    mark = try text.decimal("a wall time")
    try text.skip("+")
    stopAfter = try text.decimal("a wall time")
    try text.skip(" ms clock, ")
    stopBeforeCPU = try text.decimal("a processor time")
    try text.skip("+")
    assistCPU = try text.decimal("a processor time")
    try text.skip("/")
    backgroundCPU = try text.decimal("a processor time")
    try text.skip("/")
    idleCPU = try text.decimal("a processor time")
    try text.skip("+")
    stopAfterCPU = try text.decimal("a processor time")
    try text.skip(" ms cpu, ")
  }

  private mutating func readSizes(_ text: inout TraceScanner) throws(DamagedLine) {
    heapAtStart = try text.integer("the heap when marking began")
    try text.skip("->")
    heapAtEnd = try text.integer("the heap when marking ended")
    try text.skip("->")
    marked = try text.integer("what was marked")
    try text.skip(" MB, ")
    goal = try text.integer("the goal")
    try text.skip(" MB goal, ")
    let size = try text.integer("stacks or processors")
    guard text.skipIfThere(" MB stacks, ") else {
      text.rewind()
      return
    }
    stacks = size
    globals = try text.integer("the globals")
    try text.skip(" MB globals, ")
  }

  /// In MiB and milliseconds.
  private static let largestSize = 1 << 30
  private static let longestTime = 3e12

  /// Numbers that no runtime prints: lines of two processes that were written into each other.
  private func check(_ text: inout TraceScanner) throws(DamagedLine) {
    if number < 1 { throw text.damage("a cycle's number of at least 1") }
    if processors < 1 { throw text.damage("at least one processor") }
    if max(heapAtEnd, marked, goal, stacks ?? 0, globals ?? 0) >= GoCycle.largestSize {
      throw text.damage("sizes below 1 PiB")
    }
    if max(start * 1e3, stopBefore, mark, stopAfter, cpu) >= GoCycle.longestTime {
      throw text.damage("times below a century")
    }
    if heapAtEnd < heapAtStart { throw text.damage("a heap that marking does not make smaller") }
    // Marked bytes are counted by the cell, the heap by the run of cells: the two may differ a little.
    if marked > heapAtEnd + 1 + heapAtEnd / 8 { throw text.damage("no more marked than the heap holds") }
  }
}

/// Reads literals and numbers off the front of a line.
struct TraceScanner {
  private var rest: ArraySlice<UInt8>
  private var beforeLast: ArraySlice<UInt8>

  init(_ line: ArraySlice<UInt8>) {
    rest = line
    beforeLast = line
  }

  /// To before the last number.
  mutating func rewind() { rest = beforeLast }

  mutating func skipIfThere(_ literal: StaticString) -> Bool {
    let isThere = literal.withUTF8Buffer { rest.starts(with: $0) }
    if isThere { rest = rest.dropFirst(literal.utf8CodeUnitCount) }
    return isThere
  }

  mutating func skip(_ literal: StaticString) throws(DamagedLine) {
    if !skipIfThere(literal) { throw damage("\"\(literal)\"") }
  }

  mutating func skip(past end: Character) throws(DamagedLine) {
    guard let ascii = end.asciiValue, let place = rest.firstIndex(of: ascii) else { throw damage("\"\(end)\"") }
    rest = rest[(place + 1)...]
  }

  /// Digits that fit 15 places: no size, time or count of a trace needs more.
  mutating func integer(_ meaning: String) throws(DamagedLine) -> Int {
    beforeLast = rest
    let digits = takeDigits()
    guard !digits.isEmpty, digits.count <= 15 else {
      rest = beforeLast
      throw damage("\(meaning), an integer")
    }
    return digits.reduce(0) { 10 * $0 + Int($1 - UInt8(ascii: "0")) }
  }

  mutating func decimal(_ meaning: String) throws(DamagedLine) -> Double {
    var value = Double(try integer(meaning))
    guard rest.first == UInt8(ascii: ".") else { return value }
    rest = rest.dropFirst()
    let digits = takeDigits()
    if digits.isEmpty { throw damage("\(meaning), digits behind the point") }
    var place = 0.1
    for digit in digits {
      value += place * Double(digit - UInt8(ascii: "0"))
      place /= 10
    }
    return value
  }

  private mutating func takeDigits() -> ArraySlice<UInt8> {
    let digits = rest.prefix { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }
    rest = rest.dropFirst(digits.count)
    return digits
  }

  func damage(_ expected: String) -> DamagedLine {
    DamagedLine(expected: expected, found: String(decoding: rest.prefix(40), as: UTF8.self))
  }
}
