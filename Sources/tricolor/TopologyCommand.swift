// `tricolor topology`.

import ArgumentParser
import Harness

struct TopologyCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "topology",
    abstract: "Nodes, processors, the own control group and its limits, and the settings that follow.")

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp("Write one JSON object to a file (- is standard output).", valueName: "FILE"))
  var json: String?

  func run() throws {
    let settings = try environmentSettings()
    let file = try json.map { (path) throws(UsageError) in try OutputFile(path, option: "--json") }
    let report = try MachineReport(
      settings: settings, groupRefusal: ConstrainedRun.refusal(probeArguments: ["probe"]))
    if let file {
      try file.write(report.json.text() + "\n")
      if file.isStandardOutput { return }
    }
    print(report.text, terminator: "")
  }
}
