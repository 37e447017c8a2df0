// Reading the kernel's text files: whole, and over and over through one open descriptor.
//
// The sampled ones (statm, a group's usage) are kept open and read with pread into a stack buffer: opening costs more than
// reading, and the sampler must not allocate, for it runs when memory is short.

import Glibc

/// A kernel text file kept open for repeated reading. Safe from any thread; closed when the value ends.
struct KernelFile: ~Copyable, Sendable {
  private let descriptor: Int32

  init(_ path: String) throws(PlatformError) {
    descriptor = open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { throw PlatformError(call: "open of \(path)", code: errno) }
  }

  deinit { close(descriptor) }

  /// Gives `body` up to `limit` bytes from the file's start; nil when the read fails or the file is empty. No allocation.
  func read<R>(limit: Int, _ body: (UnsafeRawBufferPointer) -> R?) -> R? {
    withUnsafeTemporaryAllocation(byteCount: limit, alignment: 8) { buffer in
      var got = 0
      repeat { got = pread(descriptor, buffer.baseAddress!, limit, 0) } while got < 0 && errno == EINTR
      return got <= 0 ? nil : body(UnsafeRawBufferPointer(rebasing: buffer[..<got]))
    }
  }

  /// The file's whole text.
  static func text(_ path: String) throws(PlatformError) -> String {
    let descriptor = open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { throw PlatformError(call: "open of \(path)", code: errno) }
    defer { close(descriptor) }
    var bytes: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: 16 << 10)
    while true {
      let got = Glibc.read(descriptor, &chunk, chunk.count)
      if got < 0 && errno == EINTR { continue }
      guard got >= 0 else { throw PlatformError(call: "read of \(path)", code: errno) }
      if got == 0 { return String(decoding: bytes, as: UTF8.self) }
      bytes.append(contentsOf: chunk[..<got])
    }
  }
}

/// Picks decimal numbers out of raw text without allocating.
enum TextScan {
  /// The number at `index`, after blanks; nil when there is none or it does not fit. `index` ends behind it.
  @inline(__always)
  static func number(_ text: UnsafeRawBufferPointer, at index: inout Int) -> Int64? {
    while index < text.count, text[index] == 0x20 || text[index] == 0x09 { index += 1 }
    let start = index
    var value: Int64 = 0
    while index < text.count, text[index] &- 0x30 < 10 {
      let (product, wide) = value.multipliedReportingOverflow(by: 10)
      let (sum, over) = product.addingReportingOverflow(Int64(text[index] &- 0x30))
      if wide || over { return nil }
      value = sum
      index += 1
    }
    return index == start ? nil : value
  }

  /// The number behind `key` at a line's start, as in "inactive_file 4096"; the key includes its separator.
  static func number(_ text: UnsafeRawBufferPointer, after key: StaticString) -> Int64? {
    key.withUTF8Buffer { key in
      var line = 0
      while line + key.count <= text.count {
        if memcmp(text.baseAddress! + line, key.baseAddress!, key.count) == 0 {
          var index = line + key.count
          return number(text, at: &index)
        }
        guard let end = memchr(text.baseAddress! + line, 0x0A, text.count - line) else { return nil }
        line = UnsafeRawPointer(end) - text.baseAddress! + 1
      }
      return nil
    }
  }
}
