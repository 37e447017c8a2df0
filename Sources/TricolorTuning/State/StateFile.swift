// `--state FILE`: every run measured so far, a line of JSON each, behind a line that says what was measured.
//
// A line is appended after each run, so whatever ends the tuner, minutes of measuring are not lost. What is in the file must be of the same
// question: other options would answer another one, and are refused. A last line without an end was being written when the tuner died;
// it is taken off.

import FoundationEssentials
import Glibc
import Harness
import TricolorPlatform

/// The file that a tuning goes on from. Used by one thread.
public final class StateFile {
  /// What a file's runs answer.
  private struct Header: Codable, Equatable {
    var tricolorTune = 1
    let workload: String
    let arguments: [String]
    let memoryBytes: Int64
    let seed: UInt64
    let work: String
    let processors: Int

    init(_ request: TuningRequest) {
      workload = request.workload
      arguments = request.arguments
      memoryBytes = request.memoryBytes
      seed = request.seed
      work = request.work.text
      processors = request.processors
    }

    /// The first difference, in words; nil without one.
    func difference(from other: Header) -> String? {
      let pairs: [(String, String, String)] = [
        ("format", "\(tricolorTune)", "\(other.tricolorTune)"), ("workload", workload, other.workload),
        ("options", arguments.joined(separator: " "), other.arguments.joined(separator: " ")),
        ("--memory", "\(memoryBytes)", "\(other.memoryBytes)"), ("--seed", "\(seed)", "\(other.seed)"),
        ("work of a run (--duration, --operations)", work, other.work),
        ("processors", "\(processors)", "\(other.processors)"),
      ]
      return pairs.first { $0.1 != $0.2 }.map { "\($0.0) \"\($0.2)\", not \"\($0.1)\"" }
    }
  }

  /// The runs that were in the file.
  public let runs: [MeasuredRun]
  private let path: String
  private let descriptor: Int32

  /// Opens the file, or begins one.
  ///
  /// - Throws: `UsageError` when it cannot be read or written, is damaged, or is of another tuning.
  public init(_ path: String, _ request: TuningRequest) throws(UsageError) {
    self.path = path
    let isNew = access(path, F_OK) != 0
    let lines = isNew ? [] : try StateFile.lines(path)
    let header = Header(request)
    if let first = lines.first {
      let found: Header = try StateFile.decode(first, path, line: 1)
      if let difference = header.difference(from: found) {
        throw UsageError("--state: \"\(path)\" is of another tuning: it has \(difference); give another file")
      }
    }
    var runs: [MeasuredRun] = []
    for (number, line) in lines.enumerated().dropFirst() {
      runs.append(try StateFile.decode(line, path, line: number + 1))
    }
    self.runs = runs
    descriptor = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0o644)
    guard descriptor >= 0 else { throw StateFile.refusal(path, errno) }
    let kept = lines.reduce(0) { $0 + $1.count + 1 }
    guard ftruncate(descriptor, kept) == 0, lseek(descriptor, 0, Int32(SEEK_END)) >= 0 else {
      throw StateFile.refusal(path, errno)
    }
    if lines.isEmpty {
      do {
        try write(header)
      } catch {
        throw UsageError("--state: \(error)")
      }
    }
  }

  deinit { close(descriptor) }

  /// Adds a run.
  ///
  /// - Throws: when the file cannot be written.
  public func append(_ run: MeasuredRun) throws { try write(run) }

  private func write(_ value: some Encodable) throws {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    let line = [UInt8](try encoder.encode(value)) + [UInt8(ascii: "\n")]
    var rest = line[...]
    while !rest.isEmpty {
      let written = rest.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress!, $0.count) }
      if written < 0 && errno == EINTR { continue }
      guard written > 0 else { throw PlatformError(call: "writing \(path)", code: errno) }
      rest = rest.dropFirst(written)
    }
  }

  /// The finished lines of the file.
  private static func lines(_ path: String) throws(UsageError) -> [ArraySlice<UInt8>] {
    let bytes = try InputFile.bytes(path)
    guard let last = bytes.lastIndex(of: UInt8(ascii: "\n")) else {
      if bytes.isEmpty { return [] }
      throw UsageError("--state: \"\(path)\" is no state of a tuning: its first line has no end")
    }
    return bytes[..<last].split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
  }

  private static func decode<Value: Decodable>(
    _ line: ArraySlice<UInt8>, _ path: String, line number: Int
  ) throws(UsageError) -> Value {
    do {
      return try JSONDecoder().decode(Value.self, from: Data(line))
    } catch {
      let text = String(decoding: line.prefix(60), as: UTF8.self)
      throw UsageError("--state: line \(number) of \"\(path)\" is not what a tuning writes: \(text)")
    }
  }

  private static func refusal(_ path: String, _ code: Int32) -> UsageError {
    UsageError("--state: \"\(path)\" cannot be written: \(String(cString: strerror(code)))")
  }
}
