// `make soak`: the command line of a soak.
//
// Exit codes: 0 flat and verified, 1 not, 64 wrong input, 70 anything that should not happen.

import ArgumentParser
import EtcdStore
import Glibc
import Harness
import Tricolor
import TricolorPacing
import TricolorPlatform
import TricolorTelemetry

@main
struct SoakCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "tricolor-soak",
    abstract: "The etcd-like store for a long time, with threads that come and go and settings that change.",
    discussion:
      "Ends with a curve of its memory and a verdict: flat or not, verified or not. The environment acts on it, but for GOGC and GOMEMLIMIT."
  )

  private static let shortest: Int64 = 10_000_000_000
  private static let smallestLimit: Int64 = 16 << 20

  @Option(parsing: .unconditional, help: ArgumentHelp("How long, from 10s on.", valueName: "TIME"))
  var duration = "1h"

  @Option(parsing: .unconditional, help: ArgumentHelp("What random numbers begin with.", valueName: "N"))
  var seed = RunRequest.defaultSeed

  @Option(parsing: .unconditional, help: ArgumentHelp("Client threads at work at a time.", valueName: "N"))
  var threads: Int?

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp("Operations a second of all clients together; 0 for as many as they can.", valueName: "N"))
  var rate = SoakOptions().rate ?? 0

  @Option(parsing: .unconditional, help: ArgumentHelp("Keys of the store.", valueName: "N"))
  var keys = SoakOptions().store.keys

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp("Memory limit of samples; between them from 5/8 of it to twice as much.", valueName: "SIZE"))
  var memoryLimit = "256MiB"

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp("Write one JSON object to a file (- is standard output).", valueName: "FILE"))
  var json: String?

  static func main() {
    do {
      var command = try parseAsRoot()
      try command.run()
    } catch let error as UsageError {
      fail(error, code: 64)
    } catch let error as SettingsError {
      fail(error, code: 64)
    } catch  where exitCode(for: error) != .failure {
      // The parser's own: help, and exit codes thrown on purpose.
      exit(withError: error)
    } catch {
      fail(error, code: 70)
    }
  }

  private static func fail(_ error: any Error, code: Int32) -> Never {
    OutputFile.writeToStandardError("tricolor-soak: \(error)\n")
    Glibc.exit(code)
  }

  func run() throws {
    let options = try makeOptions()
    let (settings, errors) = Settings.parse { CurrentProcess.environment($0) }
    if let first = errors.first { throw first }
    let file = try json.map { path throws(UsageError) in try OutputFile(path, option: "--json") }
    Interrupt.catch()
    OutputFile.writeToStandardError("soak with seed \(options.seed)\n")
    let report = try Soak(options, settings: settings).run { report in
      SoakCommand.write(report, to: file)
      Glibc.exit(1)
    }
    SoakCommand.write(report, to: file)
    if !report.passed { Glibc.exit(1) }
  }

  private func makeOptions() throws -> SoakOptions {
    var options = SoakOptions()
    let nanoseconds = try DurationSetting.parse(duration, name: "--duration")
    guard nanoseconds >= SoakCommand.shortest else {
      throw UsageError(option: "--duration", value: duration, allowed: "10s or more")
    }
    options.nanoseconds = UInt64(nanoseconds)
    options.seed = seed
    options.threads = try threads ?? min(EtcdStoreWorkload.mostThreads, Processors.current().planned)
    guard (1...EtcdStoreWorkload.mostThreads).contains(options.threads) else {
      throw UsageError(
        option: "--threads", value: "\(options.threads)", allowed: "1 to \(EtcdStoreWorkload.mostThreads)")
    }
    guard (0...10_000_000).contains(rate) else {
      throw UsageError(option: "--rate", value: "\(rate)", allowed: "0 to 10000000")
    }
    options.rate = rate == 0 ? nil : rate
    guard (1...1_000_000).contains(keys) else {
      throw UsageError(option: "--keys", value: "\(keys)", allowed: "1 to 1000000")
    }
    options.store.keys = keys
    options.limitBytes = Int(
      try ByteSize.parse(memoryLimit, name: "--memory-limit", minimum: SoakCommand.smallestLimit))
    options.showsProgress = true
    return options
  }

  /// To the file, where there is one, and as text to standard output unless that is the file.
  private static func write(_ report: SoakReport, to file: OutputFile?) {
    do {
      try file?.write(report.json.text() + "\n")
    } catch {
      OutputFile.writeToStandardError("tricolor-soak: \(error)\n")
    }
    if file?.isStandardOutput != true { print(report.text, terminator: "") }
  }
}
