// This program once more, as a child that reports on itself.

import Glibc
import TricolorPlatform

enum Child {
  struct Report {
    let residentBytes: Int
    let startNanoseconds: Int
  }

  /// Starts a child of `kind`, waits for it, and answers what it says.
  static func run(_ kind: ChildKind) throws(PlatformError) -> Report {
    var ends: [Int32] = [0, 0]
    guard pipe(&ends) == 0 else { throw PlatformError(call: "pipe", code: errno) }
    defer { close(ends[0]) }
    let child = try spawn(["tricolor-micro", "--child", kind.rawValue], output: ends)
    let text = readAll(ends[0])
    var status: Int32 = 0
    waitpid(child, &status, 0)
    let numbers = text.split(whereSeparator: \.isWhitespace).compactMap { Int($0) }
    guard status == 0, numbers.count == 2 else {
      throw PlatformError(call: "a child of kind \(kind.rawValue)", code: 0, detail: "it ended with status \(status)")
    }
    return Report(residentBytes: numbers[0], startNanoseconds: numbers[1])
  }

  /// The child's number; its output goes to the second end of the pipe, which is closed here.
  private static func spawn(_ arguments: [String], output ends: [Int32]) throws(PlatformError) -> pid_t {
    defer { close(ends[1]) }
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    posix_spawn_file_actions_adddup2(&actions, ends[1], 1)
    posix_spawn_file_actions_addclose(&actions, ends[0])
    var words: [UnsafeMutablePointer<CChar>?] = arguments.map { strdup($0) } + [nil]
    defer { for word in words { free(word) } }
    var child = pid_t()
    let code = posix_spawn(&child, "/proc/self/exe", &actions, nil, &words, environ)
    guard code == 0 else { throw PlatformError(call: "starting a child", code: code) }
    return child
  }

  private static func readAll(_ descriptor: Int32) -> String {
    var bytes: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: 256)
    while true {
      let got = read(descriptor, &chunk, chunk.count)
      if got < 0 && errno == EINTR { continue }
      if got <= 0 { return String(decoding: bytes, as: UTF8.self) }
      bytes += chunk[..<got]
    }
  }
}
