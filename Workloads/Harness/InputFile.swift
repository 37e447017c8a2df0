// Files that a person names on the command line, read whole. What cannot be read is wrong input, in the system's words.

import Glibc

/// Reads files named on the command line.
public enum InputFile {
  /// All bytes of the file at `path`.
  ///
  /// - Throws: when it cannot be opened or read.
  public static func bytes(_ path: String) throws(UsageError) -> [UInt8] {
    let descriptor = open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { throw refusal(path) }
    defer { close(descriptor) }
    var bytes: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: 64 << 10)
    while true {
      let got = read(descriptor, &chunk, chunk.count)
      if got < 0 && errno == EINTR { continue }
      guard got >= 0 else { throw refusal(path) }
      if got == 0 { return bytes }
      bytes.append(contentsOf: chunk[..<got])
    }
  }

  private static func refusal(_ path: String) -> UsageError {
    UsageError("\"\(path)\" cannot be read: \(String(cString: strerror(errno)))")
  }
}
