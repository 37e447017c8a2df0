// What the kernel says about the collector's threads of this process.

import Glibc
import Testing
import TricolorPlatform

enum CollectorThreads {
  /// The processors that threads with this name may run on, each in the kernel's form; waits half a minute at most until `condition` holds.
  static func processors(of name: String, until condition: ([String]) -> Bool = { !$0.isEmpty }) throws -> [String] {
    var found: [String] = []
    for _ in 0..<3000 {
      found = try threads().filter { $0.name == name }.map(\.processors)
      if condition(found) { break }
      usleep(10_000)
    }
    return found
  }

  private static func threads() throws -> [(name: String, processors: String)] {
    let directory = try #require(opendir("/proc/self/task"))
    defer { closedir(directory) }
    var found: [(name: String, processors: String)] = []
    while let entry = readdir(directory) {
      let task = withUnsafePointer(to: &entry.pointee.d_name) {
        $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
      }
      guard task.first != ".", let file = fopen("/proc/self/task/\(task)/status", "r") else { continue }
      defer { fclose(file) }
      var line = [CChar](repeating: 0, count: 256)
      var (name, processors) = ("", "")
      while fgets(&line, 256, file) != nil {
        let text = String(decoding: line.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
        let value = text.drop { $0 != "\t" }.dropFirst().prefix { $0 != "\n" }
        if text.hasPrefix("Name:") { name = String(value) }
        if text.hasPrefix("Cpus_allowed_list:") { processors = String(value) }
      }
      found.append((name, processors))
    }
    return found
  }
}
