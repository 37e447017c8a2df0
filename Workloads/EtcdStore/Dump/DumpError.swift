// What can be wrong with a dump: always with the file, and the byte where reading stopped.

import Glibc

/// A dump that cannot be read or is not what `etcdctl get "" --prefix -w json` prints.
public struct DumpError: Error, CustomStringConvertible, Sendable, Equatable {
  /// What went wrong.
  public enum Problem: Sendable, Equatable {
    /// A system call failed with this error number.
    case unreadable(code: Int32)
    /// Something else should stand here.
    case malformed(expected: String, found: String)
  }

  public let path: String
  /// How many bytes of the file come before the place.
  public let offset: Int
  public let problem: Problem

  public var description: String {
    switch problem {
    case .unreadable(let code):
      return "\(path) cannot be read at byte \(offset): \(String(cString: strerror(code)))"
    case .malformed(let expected, let found):
      return "\(path) is not an etcd dump: at byte \(offset) there is \(found); expected: \(expected)"
    }
  }
}
