// The process's resident set, read often: /proc/self/statm kept open, parsed without allocating (some 2 µs a reading).
//
// statm and not smaps_rollup: the latter walks every resident page under the lock that page faults need. Since kernel 6.2 the
// counters behind statm are per processor and the sum is off by some pages a thread, which a limit in MiB does not notice.

import Glibc
import Synchronization

/// Reads the resident set size of the process. Safe from any thread.
public struct ResidentSetReader: ~Copyable, Sendable {
  private let file: KernelFile
  private let pageSize: Int
  private let last: Atomic<Int>
  private let failures = Atomic<Int>(0)

  /// Opens the source and reads it once.
  ///
  /// - Parameters:
  ///   - procRoot: where proc is mounted.
  ///   - pageSize: bytes in the pages that the file counts.
  /// - Throws: when there is no such file or it does not hold what it should.
  public init(procRoot: String = "/proc", pageSize: Int = AddressSpace.pageSize) throws(PlatformError) {
    let path = procRoot + "/self/statm"
    let opened = try KernelFile(path)
    guard let pages = Self.residentPages(opened) else {
      throw PlatformError(call: "reading \(path)", code: 0, detail: "its second field must be a count of pages")
    }
    file = opened
    self.pageSize = pageSize
    last = Atomic(pages * pageSize)
  }

  /// Bytes resident now; the last good reading where a read fails, which `failedReads` counts.
  public func residentBytes() -> Int {
    guard let pages = Self.residentPages(file) else {
      failures.wrappingAdd(1, ordering: .relaxed)
      return last.load(ordering: .relaxed)
    }
    let bytes = pages &* pageSize
    last.store(bytes, ordering: .relaxed)
    return bytes
  }

  /// Bytes of `residentBytes` in pages of mapped files and of shared memory; 0 where a read fails.
  public func mappedBytes() -> Int {
    let pages = file.read { text -> Int? in
      var index = 0
      for _ in 0..<2 where TextScan.number(text, at: &index) == nil { return nil }
      return TextScan.number(text, at: &index).map(Int.init)
    }
    return (pages ?? 0) &* pageSize
  }

  /// How many readings failed since the reader was made.
  public var failedReads: Int { failures.load(ordering: .relaxed) }

  private static func residentPages(_ file: KernelFile) -> Int? {
    file.read { text in
      var index = 0
      guard TextScan.number(text, at: &index) != nil else { return nil }
      return TextScan.number(text, at: &index).map(Int.init)
    }
  }
}
