// `tricolor simulate`.

import ArgumentParser
import Harness
import TricolorPacing

struct SimulateCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "simulate", abstract: "The pacer alone, many cycles, no heap.",
    discussion: """
      FILE.json: {"gcPercent": 100, "memoryLimitBytes": null, "globalsBytes": 32768, "processors": 8, "cycles": \
      [{"allocationRate": 33, "scanRate": 1024, "growthRate": 2, "scannableFraction": 1, "stackBytes": 8192}]}. Rates are \
      KiB per CPU millisecond.
      """)

  @Argument(help: ArgumentHelp("The modelled program.", valueName: "FILE.json"))
  var file: String

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp("Write one JSON object to a file (- is standard output).", valueName: "FILE"))
  var json: String?

  func run() throws {
    let model = try SimulationFile.read(file)
    let output = try json.map { (path) throws(UsageError) in try OutputFile(path, option: "--json") }
    let outcomes = try model.run()
    if let output {
      try output.write(SimulationFile.json(outcomes).text() + "\n")
      if output.isStandardOutput { return }
    }
    print(SimulationFile.text(outcomes), terminator: "")
  }
}
