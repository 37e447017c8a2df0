// What the compiler refuses, and what it must accept: the programs in Programs/, compiled against the module that was just built.
//
// A line that must not compile ends with `// error: TEXT`, a part of the compiler's message; other lines must have no errors. The
// compiler looks for errors of isolation only in a program without errors of type, so the two kinds are in programs of their own.

import Foundation
import Testing

@Suite("The compiler")
struct CompilerTests {
  @Test(
    "A reference cannot be stored without the barrier, and only plain values and references are reached through one")
  func barrier() throws { try expectErrors(in: "Barrier") }

  @Test("References, mutators and collections do not leave withMutator, nor cross an await, nor go to another task")
  func isolation() throws { try expectErrors(in: "Isolation") }

  @Test("Types of values that could not be handed between tasks do not claim to be Sendable")
  func sendable() throws { try expectErrors(in: "Sendable") }

  @Test("The right way to do what the others do wrong compiles")
  func accepted() throws { try expectErrors(in: "Accepted") }

  private func expectErrors(in name: String) throws {
    let program = programs.appending(path: "\(name).swift")
    let wanted = try wantedErrors(program)
    #expect(name == "Accepted" ? wanted.isEmpty : !wanted.isEmpty)
    let found = try errors(compiling: program)
    for (line, text) in wanted.sorted(by: { $0.key < $1.key }) {
      let messages = found[line] ?? []
      #expect(
        messages.contains { $0.contains(text) }, "\(name).swift:\(line) refused with: \(text); got \(messages)")
    }
    for (line, messages) in found where wanted[line] == nil {
      Issue.record("\(name).swift:\(line) does not compile: \(messages)")
    }
  }

  private var programs: URL { URL(filePath: #filePath).deletingLastPathComponent().appending(path: "Programs") }

  /// The wanted text by line number.
  private func wantedErrors(_ program: URL) throws -> [Int: String] {
    let lines = try String(contentsOf: program, encoding: .utf8).split(
      separator: "\n", omittingEmptySubsequences: false)
    var wanted: [Int: String] = [:]
    for (index, line) in lines.enumerated() {
      if let mark = line.range(of: "// error: ") { wanted[index + 1] = String(line[mark.upperBound...]) }
    }
    return wanted
  }

  /// The compiler's errors by line number.
  private func errors(compiling program: URL) throws -> [Int: [String]] {
    let (said, succeeded) = try compile(program)
    var found: [Int: [String]] = [:]
    for line in said.split(separator: "\n") {
      let parts = line.split(separator: ":", maxSplits: 4)
      guard parts.count == 5, parts[0] == program.path, parts[3] == " error", let number = Int(parts[1]) else {
        continue
      }
      found[number, default: []].append(String(parts[4]))
    }
    // A compiler that found no fault with the program and yet failed did not get to it.
    if found.isEmpty != succeeded { throw Failure(said: said) }
    return found
  }

  private struct Failure: Error { let said: String }

  /// What the compiler says, up to the passes that know about isolation.
  private func compile(_ program: URL) throws -> (said: String, succeeded: Bool) {
    let process = Process()
    process.executableURL = URL(filePath: "/usr/bin/env")
    process.arguments =
      try [
        "swiftc", "-swift-version", "6", "-parse-as-library", "-emit-sil", "-o", "/dev/null", "-module-name", "Program",
      ]
      + ["-I", products.appending(path: "Modules").path] + moduleMaps.flatMap { ["-Xcc", "-fmodule-map-file=\($0)"] }
      + [program.path]
    let output = Pipe()
    process.standardError = output
    process.standardOutput = output
    try process.run()
    let said = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
    process.waitUntilExit()
    return (said, process.terminationStatus == 0)
  }

  /// Where the modules that this test was linked with are.
  private var products: URL {
    get throws {
      URL(filePath: try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe"))
        .deletingLastPathComponent()
    }
  }

  /// The C modules that Tricolor's interface mentions.
  private var moduleMaps: [String] {
    get throws {
      let root = programs.deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
      return [
        try products.appending(path: "CTricolorShims.build/module.modulemap").path,
        root.appending(path: "Sources/CNUMA/module.modulemap").path,
      ]
    }
  }
}
