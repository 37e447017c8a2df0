// `tricolor snapshot`.

import ArgumentParser
import Harness
import Tricolor
import TricolorTelemetry

struct SnapshotCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "snapshot", abstract: "What a heap snapshot holds, by layout; with two, what has changed.",
    discussion: """
      SIGQUIT makes a run write one: kill -QUIT PID. They are in the format of Chrome's memory panel, which opens them too.
      """)

  @Argument(help: ArgumentHelp("A snapshot.", valueName: "A.heapsnapshot"))
  var first: String

  @Argument(help: ArgumentHelp("A later one of the same process.", valueName: "B.heapsnapshot"))
  var second: String?

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "Print a shortest path from the roots to an object (its number, as printed after @) or to a layout's nearest object.",
      valueName: "ID|TYPE"))
  var why: String?

  func run() throws {
    let earlier = try read(first)
    let later = try second.map { try read($0) }
    if let why { return print(try explain(why, later ?? earlier), terminator: "") }
    if let later {
      print(try SnapshotText.difference(from: earlier, to: later), terminator: "")
    } else {
      print(try SnapshotText.table(earlier), terminator: "")
    }
  }

  private func read(_ path: String) throws -> HeapSnapshot {
    let bytes = try InputFile.bytes(path)
    do {
      return try HeapSnapshot(reading: bytes)
    } catch let error as SnapshotFormatError {
      throw UsageError("\"\(path)\" is no heap snapshot: \(error)")
    }
  }

  private func explain(_ what: String, _ snapshot: HeapSnapshot) throws -> String {
    let path = try UInt32(what).flatMap { try snapshot.path(toObject: $0) } ?? snapshot.path(toLayout: what)
    guard let path else {
      throw UsageError(
        option: "--why", value: what,
        allowed: "the number of an object of the snapshot, or the name of a layout in its table")
    }
    return SnapshotText.path(path)
  }
}
