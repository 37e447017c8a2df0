// Runs the built command as a user would: a process with arguments, an environment, and what it leaves behind.

import Foundation
import Testing
import TricolorPlatform

/// The `tricolor` program beside the test bundle.
struct Command {
  /// What a finished process left.
  struct Outcome {
    let exitCode: Int32
    let output: String
    let errors: String
  }

  let process = Process()
  private let output = Pipe()
  private let errors = Pipe()

  /// Starts the command, in `workingFolder` if one is given. Of this process's environment only what finds programs and libraries is passed on.
  init(_ arguments: [String], environment: [String: String] = [:], folder workingFolder: URL? = nil) throws {
    let folder = URL(fileURLWithPath: try CurrentProcess.executablePath()).deletingLastPathComponent()
    process.executableURL = folder.appendingPathComponent("tricolor")
    process.arguments = arguments
    let passed = ProcessInfo.processInfo.environment.filter { ["PATH", "HOME", "LD_LIBRARY_PATH"].contains($0.key) }
    process.environment = passed.merging(environment) { $1 }
    process.standardOutput = output
    process.standardError = errors
    if let workingFolder { process.currentDirectoryURL = workingFolder }
    try process.run()
  }

  /// The first line it writes to standard error, without its end; waits for it.
  func firstComplaint() throws -> String {
    var line: [UInt8] = []
    while let byte = try errors.fileHandleForReading.read(upToCount: 1)?.first, byte != UInt8(ascii: "\n") {
      line.append(byte)
    }
    return String(decoding: line, as: UTF8.self)
  }

  /// Waits for its end.
  func finish() throws -> Outcome {
    // Standard error is short; standard output is read to its end first.
    let text = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
    let complaints = String(decoding: errors.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
    process.waitUntilExit()
    return Outcome(exitCode: process.terminationStatus, output: text, errors: complaints)
  }

  static func run(_ arguments: [String], environment: [String: String] = [:]) throws -> Outcome {
    try Command(arguments, environment: environment).finish()
  }
}

/// A path in the temporary folder that is removed at the end.
final class TemporaryFile {
  let path = NSTemporaryDirectory() + "tricolor-test-\(UUID().uuidString)"

  deinit {
    do {
      if FileManager.default.fileExists(atPath: path) { try FileManager.default.removeItem(atPath: path) }
    } catch {
      Issue.record("removing \(path): \(error)")
    }
  }

  func text() throws -> String { try String(contentsOfFile: path, encoding: .utf8) }
}

/// The object in a JSON text.
func object(_ text: String) throws -> [String: Any] {
  try #require(try JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: Any], "not an object: \(text)")
}

/// The member of an object that is one itself.
func member(_ key: String, of object: [String: Any]) throws -> [String: Any] {
  try #require(object[key] as? [String: Any], "\(key) is no object: \(String(describing: object[key]))")
}
