// Compiles the C programs of this folder as a user would, against the header and the library of this build, and runs them.

import Foundation
import Testing
import TricolorPlatform

/// A C or C++ program of Programs/, compiled into a folder that is removed at the end.
final class Program {
  struct Outcome {
    let exitCode: Int32
    let output: String
    let errors: String
  }

  private static let sources = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
    .appendingPathComponent("Programs")
  static let headers = sources.deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
    .appendingPathComponent("Sources/TricolorC/include")
  private let folder = FileManager.default.temporaryDirectory.appendingPathComponent("tricolor-c-\(UUID().uuidString)")
  private let executable: URL

  /// The shared library beside the test bundle, which `swift build --build-tests` makes with everything else.
  static var library: URL {
    get throws {
      let folder = URL(fileURLWithPath: try CurrentProcess.executablePath()).deletingLastPathComponent()
      let library = folder.appendingPathComponent("libTricolorC.so")
      try #require(
        FileManager.default.fileExists(atPath: library.path),
        "\(library.path) is missing: swift build --product TricolorC")
      return library
    }
  }

  init(_ source: String, compiler: String = "cc", options: [String] = ["-std=gnu99"], links: Bool = true) throws {
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    executable = folder.appendingPathComponent("program")
    let library = try Program.library
    let linking = links ? [library.path, "-Wl,-rpath,\(library.deletingLastPathComponent().path)"] : []
    let result = try Program.run(
      "/usr/bin/env",
      [compiler] + options + ["-O2", "-g", "-Wall", "-Wextra", "-Werror", "-I", Program.headers.path]
        + ["-o", executable.path, Program.sources.appendingPathComponent(source).path] + linking + [
          "-lpthread", "-ldl",
        ])
    try #require(result.exitCode == 0, "\(source): \(result.errors)")
  }

  deinit {
    do {
      try FileManager.default.removeItem(at: folder)
    } catch {
      Issue.record("removing \(folder.path): \(error)")
    }
  }

  func run(_ arguments: [String] = [], environment: [String: String] = [:]) throws -> Outcome {
    try Program.run(executable.path, arguments, environment: environment)
  }

  private static func run(
    _ executable: String, _ arguments: [String], environment: [String: String] = [:]
  ) throws -> Outcome {
    let process = Process()
    let (output, errors) = (FileManager.default.temporaryDirectory, FileManager.default.temporaryDirectory)
    let outputFile = output.appendingPathComponent("out-\(UUID().uuidString)")
    let errorFile = errors.appendingPathComponent("err-\(UUID().uuidString)")
    for file in [outputFile, errorFile] { try Data().write(to: file) }
    process.executableURL = URL(fileURLWithPath: executable)
    process.arguments = arguments
    let passed = ProcessInfo.processInfo.environment.filter { ["PATH", "HOME", "LD_LIBRARY_PATH"].contains($0.key) }
    process.environment = passed.merging(environment) { $1 }
    process.standardOutput = try FileHandle(forWritingTo: outputFile)
    process.standardError = try FileHandle(forWritingTo: errorFile)
    try process.run()
    process.waitUntilExit()
    defer { for file in [outputFile, errorFile] { try? FileManager.default.removeItem(at: file) } }
    // A signal is no exit code of the program's.
    let code = process.terminationReason == .exit ? process.terminationStatus : 128 + process.terminationStatus
    return Outcome(
      exitCode: code, output: try String(contentsOf: outputFile, encoding: .utf8),
      errors: try String(contentsOf: errorFile, encoding: .utf8))
  }
}
