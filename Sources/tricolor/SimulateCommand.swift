// `tricolor simulate`.

import ArgumentParser
import Harness
import TricolorPacing

struct SimulateCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "simulate", abstract: "The pacer alone, many cycles, no heap; or in each pod of a fleet.",
    discussion: """
      FILE.json: {"gcPercent": 100, "memoryLimitBytes": null, "globalsBytes": 32768, "processors": 8, "cycles": \
      [{"allocationRate": 33, "scanRate": 1024, "growthRate": 2, "scannableFraction": 1, "stackBytes": 8192}]}. Rates are \
      KiB per CPU millisecond.

      --fleet FILE simulates thousands of pods under all combinations of limits it names, and says what share of the limit loses \
      the fewest pods; docs/fleet.md has the format, Scenarios/fleet.json is an example.
      """)

  @Argument(help: ArgumentHelp("The modelled program.", valueName: "FILE.json"))
  var file: String?

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp("Simulate a fleet of pods instead.", valueName: "FILE"))
  var fleet: String?

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp("Write one JSON object to a file (- is standard output).", valueName: "FILE"))
  var json: String?

  func run() throws {
    switch (file, fleet) {
    case (let file?, nil): try simulate(file)
    case (nil, let fleet?): try FleetRun(file: fleet, json: json).run()
    case (nil, nil): throw UsageError("simulate needs a FILE.json, or --fleet FILE")
    case (let file?, let fleet?):
      throw UsageError("simulate takes either \"\(file)\" or --fleet \"\(fleet)\", not both")
    }
  }

  private func simulate(_ file: String) throws {
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
