// The command line: parses, calls, prints. What is done lives in Harness and the workloads.
//
// Exit codes: 0 done, 3 the run was killed at its memory limit, 75 TRICOLOR_LIMIT_POLICY ended it, 64 wrong input, 70 anything that should
// not happen. A run that SIGINT or SIGTERM ends early is done: its report is written, says so, and its data is checked. Another one more than
// a second later ends the process at once, by that signal and without a report.

import ArgumentParser
import Harness
import Tricolor
import TricolorPacing
import TricolorPlatform

@main
struct TricolorCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "tricolor",
    abstract: "A managed heap under load: run workloads against the collector and its memory limit.",
    subcommands: [
      RunCommand.self, TuneCommand.self, ReportCommand.self, SimulateCommand.self, SnapshotCommand.self,
      TopologyCommand.self, WorkloadsCommand.self,
      ProbeCommand.self,
    ])

  static func main() {
    var command: any ParsableCommand
    do {
      command = try parseAsRoot()
    } catch {
      exit(withError: error)
    }
    do {
      try command.run()
    } catch let error as UsageError {
      fail(error, code: .usage)
    } catch let error as SettingsError {
      fail(error, code: .usage)
    } catch  where exitCode(for: error) != .failure {
      // The parser's own: help, and exit codes thrown on purpose.
      exit(withError: error)
    } catch {
      fail(error, code: .internalError)
    }
  }

  private static func fail(_ error: any Error, code: ExitCode) -> Never {
    OutputFile.writeToStandardError("tricolor: \(error)\n")
    exit(withError: code)
  }
}

extension ExitCode {
  static let oomKilled = ExitCode(3)
  static let usage = ExitCode(64)
  static let internalError = ExitCode(70)
}

/// The settings of the environment.
///
/// - Throws: `SettingsError` for the first variable whose value is not allowed.
func environmentSettings() throws -> Settings {
  let (settings, errors) = Settings.parse { CurrentProcess.environment($0) }
  if let first = errors.first { throw first }
  // Nodes and processors that are not there are wrong input too.
  _ = try PlacementPlan(settings: settings, topology: try Topology.current(), allowed: ProcessorSet.allowed())
  return settings
}
