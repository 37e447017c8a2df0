// Runs the programs of Tests/LimitPrograms inside real memory control groups.

import Foundation
import Testing
import TricolorPlatform

/// How a program ended, and what it said.
struct ProgramOutcome {
  let child: ConstrainedChild.Outcome
  let figures: [String: Int]
  let errors: String

  subscript(_ name: String) -> Int {
    get throws { try #require(figures[name], "\(name) is not in \(figures); \(errors)") }
  }
}

/// A program at work in a control group that a test has made.
final class RunningProgram {
  let process = Process()
  private let folder = FileManager.default.temporaryDirectory.appendingPathComponent("tricolor-\(UUID().uuidString)")
  private var figures: URL { folder.appendingPathComponent("figures") }
  private var errors: URL { folder.appendingPathComponent("errors") }

  init(_ scenario: String, in group: URL, environment: [String: String]) throws {
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    process.executableURL = URL(fileURLWithPath: "/bin/sh")
    process.arguments = [
      "-c", #"echo $$ >"$3/cgroup.procs" && exec "$0" "$1" "$2" 2>"$4""#, try LimitPrograms.program().path, scenario,
      figures.path, group.path, errors.path,
    ]
    process.environment = LimitPrograms.passed.merging(environment) { $1 }
    try process.run()
  }

  /// Its figures, once it has ended by itself.
  func finish() throws -> [String: Int] {
    process.waitUntilExit()
    let words = try LimitPrograms.text(errors)
    #expect(process.terminationReason == .exit && process.terminationStatus == 0, "\(words)")
    let result = try LimitPrograms.read(figures)
    try FileManager.default.removeItem(at: folder)
    return result
  }

  /// Ends it, if it has not ended.
  func end() throws {
    if process.isRunning { kill(process.processIdentifier, SIGKILL) }
    process.waitUntilExit()
    try FileManager.default.removeItem(at: folder)
  }
}

enum LimitPrograms {
  fileprivate static var passed: [String: String] {
    ProcessInfo.processInfo.environment.filter { ["PATH", "LD_LIBRARY_PATH"].contains($0.key) }
  }

  fileprivate static func program() throws -> URL {
    try URL(fileURLWithPath: CurrentProcess.executablePath()).deletingLastPathComponent()
      .appendingPathComponent("tricolor-limit-programs")
  }

  static func run(
    _ scenario: String, mebibytes: Int, environment: [String: String] = [:]
  ) throws -> ProgramOutcome {
    try runScript(#"exec "$0" "$3" "$1" 2>"$2""#, [scenario], mebibytes: mebibytes, environment: environment)
  }

  /// Runs `quota` in a new group of the processor controller, whose quota changes once the program has said what it plans with.
  static func runUnderQuota(microseconds before: Int, then after: Int, group: URL) throws -> ProgramOutcome {
    let script = #"""
      echo 100000 >"$3/cpu.cfs_period_us"; echo "$4" >"$3/cpu.cfs_quota_us"; echo $$ >"$3/cgroup.procs"
      (while [ ! -s "$1" ]; do sleep 0.05; done; echo "$5" >"$3/cpu.cfs_quota_us") & "$0" quota "$1" 2>"$2"
      code=$?; wait; echo $$ >"$3/../cgroup.procs"; exit $code
      """#
    return try runScript(script, [group.path, "\(before)", "\(after)"], mebibytes: 256, environment: [:])
  }

  /// Runs a shell script in a memory group. It is given the program, a file for figures and one for words on standard error, then `more`.
  private static func runScript(
    _ script: String, _ more: [String], mebibytes: Int, environment: [String: String]
  ) throws -> ProgramOutcome {
    let folder = FileManager.default.temporaryDirectory.appendingPathComponent("tricolor-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    let figures = folder.appendingPathComponent("figures")
    let errors = folder.appendingPathComponent("errors")
    let child = try ConstrainedChild.run(
      executable: "/bin/sh", arguments: ["-c", script, try program().path, figures.path, errors.path] + more,
      environment: passed.merging(environment) { $1 }, limitBytes: Int64(mebibytes) << 20)
    let outcome = ProgramOutcome(child: child, figures: try read(figures), errors: try text(errors))
    try FileManager.default.removeItem(at: folder)
    return outcome
  }

  fileprivate static func read(_ file: URL) throws -> [String: Int] {
    var figures: [String: Int] = [:]
    for line in try text(file).split(separator: "\n") {
      let parts = line.split(separator: "=")
      figures[String(parts[0])] = Int(parts[1])
    }
    return figures
  }

  /// What is in a file; nothing where a program was ended before it wrote one.
  fileprivate static func text(_ file: URL) throws -> String {
    FileManager.default.fileExists(atPath: file.path) ? try String(contentsOf: file, encoding: .utf8) : ""
  }
}
