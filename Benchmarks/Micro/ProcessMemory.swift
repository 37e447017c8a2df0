// Resident memory, exactly: smaps_rollup walks the page tables, where statm may be off by some pages a thread.

import Glibc
import TricolorPlatform

enum ProcessMemory {
  /// What the whole process has resident.
  static func residentBytes() throws(PlatformError) -> Int { try total("Rss:") }

  /// What of that is in huge pages, which are resident as a whole.
  static func hugePageBytes() throws(PlatformError) -> Int { try total("AnonHugePages:") }

  private static func total(_ key: String) throws(PlatformError) -> Int {
    let path = "/proc/self/smaps_rollup"
    guard let file = fopen(path, "re") else { throw PlatformError(call: "open of \(path)", code: errno) }
    defer { fclose(file) }
    var line = [CChar](repeating: 0, count: 256)
    while fgets(&line, Int32(line.count), file) != nil {
      let fields = line.withUnsafeBufferPointer { String(cString: $0.baseAddress!) }.split(separator: " ")
      if fields.count > 1, fields[0] == key, let kibibytes = Int(fields[1]) { return kibibytes << 10 }
    }
    throw PlatformError(call: "reading \(path)", code: 0, detail: "it has no line that begins with \(key)")
  }

  /// What is resident of `count` bytes at `address`, both multiples of the page size.
  static func residentBytes(at address: UInt, count: Int) throws(PlatformError) -> Int {
    let page = AddressSpace.pageSize
    var pages = [UInt8](repeating: 0, count: count / page)
    guard mincore(UnsafeMutableRawPointer(bitPattern: address), count, &pages) == 0 else {
      throw PlatformError(call: "mincore of \(count) bytes", code: errno)
    }
    return pages.reduce(0) { $0 + Int($1 & 1) } * page
  }
}
