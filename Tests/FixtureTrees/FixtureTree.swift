// A small file tree in a temporary directory that stands for the /proc, /sys and control groups of another machine.

import Glibc

/// Made from paths and contents, removed when the last reference goes.
package final class FixtureTree: Sendable {
  package let root: String

  /// Paths ending in "/" become empty directories.
  package init(_ files: [String: String]) {
    let directory = CurrentDirectory.temporary + "/tricolor-fixture-XXXXXX"
    var template = Array(directory.utf8CString)
    precondition(mkdtemp(&template) != nil, "mkdtemp of \(directory) failed: \(String(cString: strerror(errno)))")
    root = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    for (path, text) in files { write(text, to: path) }
  }

  deinit { Self.removeTree(root) }

  package var procRoot: String { root + "/proc" }
  package var sysRoot: String { root + "/sys" }

  /// Writes or replaces a file, and makes the directories above it.
  package func write(_ text: String, to path: String) {
    let components = path.split(separator: "/")
    var directory = root
    for component in path.hasSuffix("/") ? components[...] : components.dropLast() {
      directory += "/" + component
      mkdir(directory, 0o755)
    }
    guard !path.hasSuffix("/") else { return }
    let file = fopen(root + "/" + path, "w")
    precondition(file != nil, "fopen of \(root)/\(path) failed: \(String(cString: strerror(errno)))")
    fputs(text, file)
    fclose(file)
  }

  package func remove(_ path: String) { Self.removeTree(root + "/" + path) }

  private static func removeTree(_ path: String) {
    if let directory = opendir(path) {
      while let entry = readdir(directory) {
        let name = withUnsafePointer(to: &entry.pointee.d_name) {
          $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
        }
        if name != "." && name != ".." { removeTree(path + "/" + name) }
      }
      closedir(directory)
      rmdir(path)
    } else {
      unlink(path)
    }
  }
}

enum CurrentDirectory {
  static var temporary: String { getenv("TMPDIR").map { String(cString: $0) } ?? "/tmp" }
}
