// Runs the built command with --cgroup, in a real memory control group. Where none may be made the tests are skipped, with the
// reason.

import Foundation
import Testing
import TricolorPlatform

/// The `tricolor` program beside the test bundle.
enum LimitedCommand {
  /// What a finished run left: its exit code, its report, and its words on standard error.
  struct Outcome {
    let exitCode: Int32
    let report: [String: Any]
    let errors: String
  }

  /// A run under way, its output going to files.
  final class Running {
    let process = Process()
    private let folder = FileManager.default.temporaryDirectory.appendingPathComponent("tricolor-\(UUID().uuidString)")
    private var report: URL { folder.appendingPathComponent("report.json") }
    private var errors: URL { folder.appendingPathComponent("errors") }

    init(_ arguments: [String], environment: [String: String]) throws {
      try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
      try Data().write(to: errors)
      process.executableURL = try LimitedCommand.executable()
      process.arguments = arguments + ["--quiet", "--json", report.path]
      process.environment = LimitedCommand.passed.merging(environment) { $1 }
      process.standardOutput = FileHandle.nullDevice
      process.standardError = try FileHandle(forWritingTo: errors)
      try process.run()
    }

    func finish() throws -> Outcome {
      process.waitUntilExit()
      let words = try String(contentsOf: errors, encoding: .utf8)
      let text = try Data(contentsOf: report)
      let object = try #require(
        try JSONSerialization.jsonObject(with: text) as? [String: Any], "no report; it said: \(words)")
      try FileManager.default.removeItem(at: folder)
      return Outcome(exitCode: process.terminationStatus, report: object, errors: words)
    }
  }

  static func run(_ arguments: [String], environment: [String: String] = [:]) throws -> Outcome {
    try Running(arguments, environment: environment).finish()
  }

  private static var passed: [String: String] {
    ProcessInfo.processInfo.environment.filter { ["PATH", "HOME", "LD_LIBRARY_PATH"].contains($0.key) }
  }

  private static func executable() throws -> URL {
    URL(fileURLWithPath: try CurrentProcess.executablePath()).deletingLastPathComponent()
      .appendingPathComponent("tricolor")
  }

  /// What `tricolor topology` says of this machine, to a process in the control group `group` if that is given.
  static func machine(in group: URL? = nil) throws -> [String: Any] {
    let process = Process()
    let output = Pipe()
    process.executableURL = try executable()
    process.arguments = ["topology", "--json", "-"]
    if let group {
      process.arguments = [
        "-c", #"echo $$ >"$1/cgroup.procs" && exec "$0" topology --json -"#, try executable().path, group.path,
      ]
      process.executableURL = URL(fileURLWithPath: "/bin/sh")
    }
    process.environment = passed
    process.standardOutput = output
    try process.run()
    let text = output.fileHandleForReading.readDataToEndOfFile()
    process.waitUntilExit()
    return try #require(try JSONSerialization.jsonObject(with: text) as? [String: Any])
  }
}

/// Whether control groups can be made here, asked once; says why not where people look.
enum Groups {
  static let areAvailable: Bool = {
    do {
      let machine = try LimitedCommand.machine()
      if machine["canMakeCgroup"] as? Bool == true { return true }
      FileHandle.standardError.write(
        Data("SKIPPED: tests of real memory limits: \(machine["canMakeCgroupReason"] ?? "no reason")\n".utf8))
    } catch {
      Issue.record("tricolor topology failed: \(error)")
    }
    return false
  }()
}
