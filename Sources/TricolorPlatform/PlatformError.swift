// The one error type of the operating system layer: which call failed, on what, and the kernel's reason in words.
//
// A typed error keeps `throws(PlatformError)` free of existential boxes, so the heap may throw it from where it must not allocate
// more than it has to.

import Glibc

/// A system call that did not do what the heap asked of it.
public struct PlatformError: Error, CustomStringConvertible, Sendable {
  /// The call and what it was asked for: "mmap of 64 MiB".
  public let call: String
  /// The kernel's `errno`, 0 where the failure is not the kernel's (a file that says something unexpected).
  public let code: Int32
  /// What went wrong, and where it helps what is allowed.
  public let detail: String

  /// An error with its own words; `code` 0 when no system call failed.
  public init(call: String, code: Int32, detail: String) {
    self.call = call
    self.code = code
    self.detail = detail
  }

  /// An error in the kernel's words for `code`.
  public init(call: String, code: Int32) {
    self.init(call: call, code: code, detail: String(cString: strerror(code)))
  }

  public var description: String { "\(call) failed: \(detail)" }
}

/// Bytes in the largest binary unit that divides them, for messages: 67108864 is "64 MiB", 1000 is "1000 bytes".
func describe(bytes: Int) -> String {
  let units = ["KiB", "MiB", "GiB", "TiB"]
  var value = bytes
  var unit: String? = nil
  for name in units where value != 0 && value % 1024 == 0 {
    value /= 1024
    unit = name
  }
  return "\(value) \(unit ?? "bytes")"
}
