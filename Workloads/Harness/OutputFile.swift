// Files the command writes: opened before the run, so that a wrong path is an error at once and not after minutes of work.

import Glibc
import TricolorPlatform

/// A file that will be written, whole or line by line, or standard output for "-".
public final class OutputFile: Sendable {
  public let path: String
  private let descriptor: Int32

  /// Opens and empties the file.
  ///
  /// - Throws: when it cannot be written, naming `option`.
  public init(_ path: String, option: String) throws(UsageError) {
    self.path = path
    if path == "-" {
      descriptor = 1
      return
    }
    descriptor = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o644)
    guard descriptor >= 0 else {
      throw UsageError("\(option): \"\(path)\" cannot be written: \(String(cString: strerror(errno)))")
    }
  }

  /// Whether this is standard output.
  public var isStandardOutput: Bool { descriptor == 1 }

  deinit {
    if descriptor > 2 { close(descriptor) }
  }

  /// Writes all of `text`.
  public func write(_ text: String) throws(PlatformError) {
    let code = OutputFile.writeAll(text, to: descriptor)
    guard code == 0 else { throw PlatformError(call: "writing \(path)", code: code) }
  }

  /// Writes all of `bytes`.
  public func write(_ bytes: [UInt8]) throws(PlatformError) {
    let code = bytes.withUnsafeBytes { OutputFile.writeAll($0, to: descriptor) }
    guard code == 0 else { throw PlatformError(call: "writing \(path)", code: code) }
  }

  /// Writes to standard error; a closed one loses it, which is what whoever closed it asked for.
  public static func writeToStandardError(_ text: String) { _ = writeAll(text, to: 2) }

  /// Writes all of `text`; 0 or errno.
  private static func writeAll(_ text: String, to descriptor: Int32) -> Int32 {
    var text = text
    return text.withUTF8 { writeAll(UnsafeRawBufferPointer($0), to: descriptor) }
  }

  private static func writeAll(_ bytes: UnsafeRawBufferPointer, to descriptor: Int32) -> Int32 {
    var rest = bytes
    while rest.count > 0 {
      let written = Glibc.write(descriptor, rest.baseAddress!, rest.count)
      if written < 0 && errno == EINTR { continue }
      if written < 0 { return errno }
      rest = UnsafeRawBufferPointer(rebasing: rest[written...])
    }
    return 0
  }
}
