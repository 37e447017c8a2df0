// Reading the kernel's text files: whole, and over and over through one open descriptor.
//
// The sampled ones (statm, a group's usage) are kept open and read with pread into a buffer on the stack: opening costs more
// than reading, and a sampler must not allocate, for it runs when memory is short. The kernel makes the text anew for each read
// from offset 0, so an open descriptor never shows an old value.

import Glibc

/// A kernel text file kept open for repeated reading. Safe from any thread; closed when the last reference goes.
final class KernelFile: Sendable {
  private let descriptor: Int32

  init(_ path: String) throws(PlatformError) {
    descriptor = KernelFile.openForReading(path)
    guard descriptor >= 0 else { throw PlatformError(call: "open of \(path)", code: errno) }
  }

  deinit { close(descriptor) }

  /// The open file, or nil when the kernel has no such file or does not show it to this process.
  static func ifPresent(_ path: String) throws(PlatformError) -> KernelFile? {
    do {
      return try KernelFile(path)
    } catch  where meansAbsent(error.code) {
      return nil
    }
  }

  /// Gives `body` the file's first 4 KiB; nil when the read fails (the group is gone) or the file is empty. No allocation.
  func read<R>(_ body: (UnsafeRawBufferPointer) -> R?) -> R? {
    var storage = InlineArray<512, UInt64>(repeating: 0)
    var span = storage.mutableSpan
    return span.withUnsafeMutableBytes { buffer in
      var got = 0
      repeat {
        got = FaultInjection.allows(.readFile) ? pread(descriptor, buffer.baseAddress!, buffer.count, 0) : -1
      } while got < 0 && errno == EINTR
      return got <= 0 ? nil : body(UnsafeRawBufferPointer(rebasing: buffer[..<got]))
    }
  }

  /// The file's whole text; nil when there is no such file, or it is not shown to this process.
  static func text(_ path: String) throws(PlatformError) -> String? {
    let descriptor = openForReading(path)
    guard descriptor >= 0 else {
      if meansAbsent(errno) { return nil }
      throw PlatformError(call: "open of \(path)", code: errno)
    }
    defer { close(descriptor) }
    var bytes: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: 16 << 10)
    while true {
      let got = FaultInjection.allows(.readFile) ? Glibc.read(descriptor, &chunk, chunk.count) : -1
      if got < 0 && errno == EINTR { continue }
      if got < 0 && meansAbsent(errno) { return nil }
      guard got >= 0 else { throw PlatformError(call: "read of \(path)", code: errno) }
      if got == 0 { return String(decoding: bytes, as: UTF8.self) }
      bytes.append(contentsOf: chunk[..<got])
    }
  }

  /// Writes `text` in one call, as the kernel's control files want it.
  static func write(_ text: String, to path: String) throws(PlatformError) {
    let descriptor = open(path, O_WRONLY | O_CLOEXEC)
    guard descriptor >= 0 else { throw PlatformError(call: "open of \(path) for writing", code: errno) }
    defer { close(descriptor) }
    guard Glibc.write(descriptor, text, text.utf8.count) == text.utf8.count else {
      throw PlatformError(call: "write of \"\(text)\" to \(path)", code: errno)
    }
  }

  static func isDirectory(_ path: String) -> Bool {
    var status = stat()
    return stat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFDIR
  }

  static func exists(_ path: String) -> Bool { access(path, F_OK) == 0 }

  /// A descriptor, or -1 with errno set.
  private static func openForReading(_ path: String) -> Int32 {
    FaultInjection.allows(.openFile) ? open(path, O_RDONLY | O_CLOEXEC) : -1
  }

  private static func meansAbsent(_ code: Int32) -> Bool {
    [ENOENT, ENOTDIR, ENODEV, EOPNOTSUPP, EACCES].contains(code)
  }
}
