// A control group of version 2 that a test makes, changes and reads: what a container's manager does from outside.

import Foundation
import Testing
import TricolorPlatform

/// Removed by `remove`, with the groups made below it; its programs have ended by then.
struct VersionTwoGroup {
  let directory: URL

  /// The unified tree, where it has the memory controller and a group may be made at its top; nil elsewhere.
  static let root: URL? = {
    let root = URL(fileURLWithPath: "/sys/fs/cgroup")
    do {
      let passed = try String(contentsOf: root.appendingPathComponent("cgroup.subtree_control"), encoding: .utf8)
      return passed.split(whereSeparator: \.isWhitespace).contains("memory") && access(root.path, W_OK) == 0
        ? root : nil
    } catch {
      return nil
    }
  }()

  /// Makes a group with the given files written.
  init(_ name: String, under parent: URL? = nil, _ files: [String: String] = [:]) throws {
    directory = try (parent ?? #require(Self.root)).appendingPathComponent("tricolor-test-\(getpid())-\(name)")
    try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: false)
    for (file, text) in files { try write(text, to: file) }
  }

  func write(_ text: String, to file: String) throws {
    try Data(text.utf8).write(to: directory.appendingPathComponent(file))
  }

  func read(_ file: String) throws -> String {
    try String(contentsOf: directory.appendingPathComponent(file), encoding: .utf8)
  }

  func number(in file: String) throws -> Int {
    try #require(Int(try read(file).trimmingCharacters(in: .whitespacesAndNewlines)), "\(file) of \(directory)")
  }

  /// The counter behind `key` in memory.events.
  func events(_ key: String) throws -> Int {
    let line = try read("memory.events").split(separator: "\n").first { $0.hasPrefix(key + " ") }
    return try #require(line.flatMap { Int($0.dropFirst(key.count + 1)) })
  }

  /// Waits until the group's programs use what `condition` asks for; a minute at most.
  func wait(untilUsage condition: (Int) -> Bool) throws {
    for _ in 0..<6000 {
      if condition(try number(in: "memory.current")) { return }
      usleep(10_000)
    }
    Issue.record("\(directory.lastPathComponent) uses \(try number(in: "memory.current")) bytes after a minute")
  }

  func remove() throws {
    guard rmdir(directory.path) == 0 else { throw POSIXError(POSIXErrorCode(rawValue: errno) ?? .EIO) }
  }
}
