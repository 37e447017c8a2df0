// That the operations a program makes all the time take no memory of malloc: roots of one owner, entering, allocation, stores, blocking
// regions, and the collections. Counted in a program of its own, where malloc is replaced.

import Foundation
import Testing

@Suite("Memory of malloc")
struct MallocTests {
  #if DEBUG
    /// In unoptimised programs each key path and closure context is an object.
    static let counts = false
  #else
    static let counts = true
  #endif

  @Test(
    "In steady state no operation on a heap calls malloc", .enabled(if: counts, "only optimised builds are counted"))
  func steadyState() throws {
    let program = URL(filePath: try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe"))
      .deletingLastPathComponent().appending(path: "tricolor-malloc-program")
    let process = Process()
    process.executableURL = program
    let output = Pipe()
    process.standardOutput = output
    try process.run()
    let said = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
    process.waitUntilExit()
    // 2: a sanitizer's allocator cannot be counted.
    if process.terminationStatus == 2 { return }
    #expect(process.terminationStatus == 0)
    let lines = said.split(separator: "\n")
    #expect(lines.count == 10)
    for line in lines { #expect(line.hasSuffix(" 0"), "in a thousand times: \(line)") }
  }
}
