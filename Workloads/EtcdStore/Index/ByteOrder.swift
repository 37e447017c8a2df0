// Byte order of keys: the one order the index, the dump and paging agree on.

import Glibc

/// Comparison of keys as unsigned bytes, a prefix before what it is a prefix of.
enum ByteOrder {
  /// Negative, zero or positive as `left` comes before, equals or comes after `right`.
  @inline(__always)
  static func compare(_ left: UnsafeRawBufferPointer, _ right: UnsafeRawBufferPointer) -> Int {
    let common = min(left.count, right.count)
    if common > 0 {
      let order = memcmp(left.baseAddress!, right.baseAddress!, common)
      if order != 0 { return Int(order) }
    }
    return left.count - right.count
  }

  @inline(__always)
  static func equal(_ left: UnsafeRawBufferPointer, _ right: UnsafeRawBufferPointer) -> Bool {
    left.count == right.count && compare(left, right) == 0
  }
}
