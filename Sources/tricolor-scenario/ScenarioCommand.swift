// What `tricolor run --scenario FILE` becomes: reads the scenario, plays it, writes its one report.
//
// Exit codes as those of tricolor: 0 done, 3 the kernel killed a pod at a memory limit, 75 a limit's policy ended one, 64 wrong input, 70 a pod
// failed or anything else that should not happen.

import ArgumentParser
import Harness
import Scenario
import TricolorPlatform

@main
struct ScenarioCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "tricolor-scenario", abstract: "Play a scenario: pods in control groups, and what happens to them.")

  @Argument(help: ArgumentHelp("The scenario.", valueName: "FILE.yaml"))
  var file: String

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp("Write one JSON object to a file (- is standard output).", valueName: "FILE"))
  var json: String?

  @Flag(help: "Show no progress.")
  var quiet = false

  @Flag(help: "Check the scenario, and run nothing.")
  var check = false

  static func main() {
    do {
      let command = try ScenarioCommand.parse()
      do {
        try command.run()
      } catch let error where error is UsageError || error is ScenarioError {
        fail(error, ExitCode(64))
      } catch let code as ExitCode {
        exit(withError: code)
      } catch {
        fail(error, ExitCode(70))
      }
    } catch {
      exit(withError: error)
    }
  }

  private static func fail(_ error: any Error, _ code: ExitCode) -> Never {
    OutputFile.writeToStandardError("tricolor: \(error)\n")
    exit(withError: code)
  }

  func run() throws {
    let scenario = try ScenarioFile.read(file)
    let own = try CurrentProcess.executablePath()
    let command = own[..<(own.lastIndex(of: "/") ?? own.startIndex)] + "/tricolor"
    let player = ScenarioPlayer(scenario, executable: String(command), showsProgress: !quiet)
    try player.check()
    if check { return }
    let output = try json.map { path throws(UsageError) in try OutputFile(path, option: "--json") }
    let report = try player.play()
    try output?.write(report.json.text() + "\n")
    if output?.isStandardOutput != true { print(report.text, terminator: "") }
    if report.exitCode != 0 { throw ExitCode(report.exitCode) }
  }
}
