// The log of a Go program, read for its collections; what else stands in it is counted and skipped.
//
// Real logs are mixed: a journal's or a container's prefix before each line, the program's own messages between them, lines cut off
// where a process was killed, or two lines in one where threads wrote at the same time. A line that begins like a collection and
// is none is kept as an error with its number, and reading goes on: one such line must not cost the rest.
//
// Collections are numbered. Where a number is not the one after the last, lines are missing or the program was started anew; what was
// allocated in between is not known, so the trace is cut into stretches there, and nothing is computed across a cut.

/// What a trace says. Sizes and times as in `GoCycle`.
public struct GoTrace: Sendable, Equatable {
  /// Collections whose numbers follow each other.
  public internal(set) var stretches: [[GoCycle]] = []
  /// Lines that begin like a collection's and are none.
  public internal(set) var damaged: [DamagedLine] = []
  /// Lines of the background that returns memory (`scavtrace=1`).
  public internal(set) var scavengerLines = 0
  /// The most memory that the heap held, used or free, by the scavenger's lines, in MiB; nil without any.
  public internal(set) var retained: Int?
  /// Lines of other kinds that were skipped.
  public internal(set) var otherLines = 0

  /// All collections.
  public var cycles: [GoCycle] { stretches.flatMap { $0 } }
}

/// Why a file has no trace to go by.
public enum GoTraceError: Error, Sendable, Equatable, CustomStringConvertible {
  /// Fewer collections than an advice needs; with the first damaged line, if there is one.
  case tooFewCycles(found: Int, needed: Int, damaged: DamagedLine?)
  /// The numbers of the collections jump about: several processes wrote into one log.
  case mixedProcesses(cycles: Int, stretches: Int)
  /// Nothing was allocated, or no time went by.
  case nothingAllocated

  public var description: String {
    switch self {
    case .tooFewCycles(let found, let needed, let damaged):
      "\(found) collections in a row are not enough; at least \(needed) lines of GODEBUG=gctrace=1 are needed"
        + (damaged.map { ". One that could not be read: \($0)" } ?? "")
    case .mixedProcesses(let cycles, let stretches):
      "\(cycles) collections in \(stretches) pieces: several processes seem to have written this log; give one process's lines"
    case .nothingAllocated: "the program of this trace allocated nothing between its collections"
    }
  }
}

extension GoTrace {
  /// Reads a log. Its size is the time this takes.
  ///
  /// - Parameter bytes: the log's text, in any encoding that keeps ASCII.
  public init(reading bytes: [UInt8]) {
    var number = 0
    for line in bytes.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false) {
      number += 1
      read(line, number)
    }
    // What follows the last line's end is no line.
    if bytes.isEmpty || bytes.last == UInt8(ascii: "\n") { otherLines -= 1 }
  }

  /// - Throws: when it is not one process's, or too short for an advice.
  public func check() throws(GoTraceError) {
    let count = stretches.reduce(0) { $0 + $1.count }
    if stretches.count > GoTrace.leastCycles, stretches.count * 3 > count {
      throw .mixedProcesses(cycles: count, stretches: stretches.count)
    }
    let longest = stretches.map(\.count).max() ?? 0
    if longest < GoTrace.leastCycles {
      throw .tooFewCycles(found: longest, needed: GoTrace.leastCycles, damaged: damaged.first)
    }
  }

  /// With fewer collections in a row there is neither a rate nor a spread.
  public static let leastCycles = 5

  private mutating func read(_ line: ArraySlice<UInt8>, _ number: Int) {
    var isOther = true
    var rest = line
    while let place = GoTrace.collection(in: rest) {
      isOther = false
      do throws(DamagedLine) {
        add(try GoCycle(rest[place...]))
      } catch {
        var damage = error
        damage.line = number
        damaged.append(damage)
      }
      rest = rest[(place + 3)...]
    }
    if isOther, readScavenger(line) { isOther = false }
    if isOther { otherLines += 1 }
  }

  /// Where "gc N @" begins, not inside a word.
  private static func collection(in line: ArraySlice<UInt8>) -> Int? {
    var rest = line
    while let place = place(of: "gc ", in: rest) {
      rest = rest[(place + 1)...]
      if place > line.startIndex, isLetter(line[place - 1]) { continue }
      var text = TraceScanner(line[(place + 3)...])
      if (try? text.integer("")) != nil, text.skipIfThere(" @") { return place }
    }
    return nil
  }

  private static func place(of literal: StaticString, in line: ArraySlice<UInt8>) -> Int? {
    literal.withUTF8Buffer { wanted in
      var rest = line
      while let place = rest.firstIndex(of: wanted[0]) {
        if line[place...].starts(with: wanted) { return place }
        rest = rest[(place + 1)...]
      }
      return nil
    }
  }

  private static func isLetter(_ byte: UInt8) -> Bool {
    (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte | 0x20)
  }

  private static func isDigit(_ byte: UInt8) -> Bool { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) }

  private mutating func add(_ cycle: GoCycle) {
    if let last = stretches.last?.last, cycle.number == last.number + 1, cycle.start >= last.start {
      stretches[stretches.count - 1].append(cycle)
    } else {
      stretches.append([cycle])
    }
  }

  /// "scav ... 51% util": the used part of what the heap holds. What is used is at least what the last collection left.
  private mutating func readScavenger(_ line: ArraySlice<UInt8>) -> Bool {
    guard let begin = GoTrace.place(of: "scav ", in: line), let end = GoTrace.place(of: "% util", in: line[begin...])
    else { return false }
    scavengerLines += 1
    let before = line[begin..<end]
    var number = TraceScanner(before.suffix(from: before.lastIndex { !GoTrace.isDigit($0) }.map { $0 + 1 } ?? end))
    if let percent = try? number.integer("the used part"), let last = stretches.last?.last {
      retained = max(retained ?? 0, last.marked * 100 / (percent + 1))
    }
    return true
  }
}
