// What comes out of a pipe that is read without waiting, kept: all of it, or line by line.

import Glibc

/// The bytes read so far from a non-blocking descriptor. Used by one thread.
public struct PipeText: Sendable {
  /// What was read and not taken.
  public private(set) var bytes: [UInt8] = []
  /// Whether there may be more.
  public private(set) var isOpen = true

  public init() {}

  /// Reads what is there.
  ///
  /// - Throws: when the descriptor cannot be read.
  public mutating func read(_ descriptor: Int32) throws(PlatformError) {
    var chunk = [UInt8](repeating: 0, count: 16 << 10)
    while isOpen {
      let got = Glibc.read(descriptor, &chunk, chunk.count)
      if got < 0 && errno == EINTR { continue }
      if got < 0 && errno == EAGAIN { return }
      guard got >= 0 else { throw PlatformError(call: "reading what a pod writes", code: errno) }
      isOpen = got > 0
      bytes.append(contentsOf: chunk[..<got])
    }
  }

  /// The finished lines, and takes them away; also an unfinished one at the end if it is the last.
  public mutating func takeLines(withRest isLast: Bool) -> [String] {
    let end = isLast ? bytes.endIndex : (bytes.lastIndex(of: UInt8(ascii: "\n")).map { $0 + 1 } ?? 0)
    defer { bytes.removeSubrange(..<end) }
    return bytes[..<end].split(separator: UInt8(ascii: "\n")).map { String(decoding: $0, as: UTF8.self) }
  }
}
