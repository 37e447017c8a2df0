// `tricolor tune`.

import ArgumentParser
import Harness
import TricolorPacing

struct TuneCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "tune", abstract: "Which GOGC and GOMEMLIMIT should a program run with?",
    discussion: """
      --from FILE reads the log of a Go program that ran with GODEBUG=gctrace=1 (Go 1.16 or later; other lines and prefixes do not \
      matter) and says what settings it should have, and how sure that is.
      """)

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp("A Go program's log with its collections (GODEBUG=gctrace=1).", valueName: "FILE"))
  var from: String

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp("The memory limit of its container; without, one is proposed.", valueName: "SIZE"))
  var memory: String?

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "With --from: the most anonymous memory the program had while the log was made (container_memory_rss).",
      valueName: "SIZE"))
  var rss: String?

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp("Write one JSON object to a file (- is standard output).", valueName: "FILE"))
  var json: String?

  func run() throws {
    try TraceAdvicePrinter(from: from, memory: memory, resident: rss, json: json).run()
  }
}
