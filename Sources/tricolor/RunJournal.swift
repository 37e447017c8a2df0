// What the child of `--cgroup` writes of its run as it goes on, so that the report of a run that the kernel killed has all but its last moment.
//
// A line holds what was added to the timeline since the line before. The last may be cut off by the end; then it is left out.

import Glibc
import Harness
import TricolorPlatform
import TricolorTelemetry

/// A temporary file, gone with this object.
final class RunJournal {
  let path: String

  /// - Throws: when no file can be made.
  init() throws(PlatformError) {
    let folder = CurrentProcess.environment("TMPDIR") ?? "/tmp"
    var name = Array("\(folder)/tricolor-journal-XXXXXX".utf8CString)
    let descriptor = mkstemp(&name)
    guard descriptor >= 0 else { throw PlatformError(call: "making a file in \(folder)", code: errno) }
    close(descriptor)
    path = String(decoding: name.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }

  deinit { unlink(path) }

  /// The whole timeline, with a last decision that says how the run ended; nil where the child wrote nothing.
  func timeline(endingWith report: RunReport) throws -> JSONValue? {
    var lines = try InputFile.bytes(path).split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
    // What follows the last end of a line is empty, or a line that was not finished.
    lines.removeLast()
    let pieces = try lines.enumerated().map {
      try JSONValue(text: $0.element, name: "line \($0.offset + 1) of the journal")
    }
    guard let first = pieces.first, let last = pieces.last, let columns = first["columns"] else { return nil }
    func all(_ key: String) -> [JSONValue] { pieces.flatMap { $0[key]?.elements ?? [] } }
    let samples = all("samples")
    let end = samples.last?.elements?.first ?? 0
    let decision: JSONValue = [
      end, .string(report.oomKilled ? "killed" : "limit"),
      .string(
        report.oomKilled
          ? "the kernel killed the run at the control group's limit"
          : "TRICOLOR_LIMIT_POLICY ended the run: its memory limit could not be met"),
    ]
    return .object([
      .init("last", last["last"] ?? 0), .init("columns", columns), .init("samples", .array(samples)),
      .init("cycles", .array(all("cycles"))), .init("decisions", .array(all("decisions") + [decision])),
      .init("cyclesSeen", last["cyclesSeen"] ?? 0), .init("droppedDecisions", last["droppedDecisions"] ?? 0),
    ])
  }
}
