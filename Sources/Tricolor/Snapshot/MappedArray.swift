// Arrays of machine words in pages of their own, for what a snapshot copies and computes: some hundred megabytes at a time, which a busy
// malloc should not carry, and of which pages that nobody touches cost nothing. Zero at first; of a fixed length.
//
// Invariant: one thread fills an array, and only then do others read it.

import TricolorPlatform

package final class MappedArray<Element: BitwiseCopyable>: @unchecked Sendable {
  package let count: Int
  /// The elements, for loops.
  package let base: UnsafeMutablePointer<Element>

  /// - Throws: when the system has no memory for it.
  package init(count: Int) throws(PlatformError) {
    self.count = count
    let bytes = max(1, count) * MemoryLayout<Element>.stride
    base = try AddressSpace.map(bytes: bytes).bindMemory(to: Element.self, capacity: max(1, count))
  }

  deinit { AddressSpace.unreserve(base, bytes: max(1, count) * MemoryLayout<Element>.stride) }

  package subscript(index: Int) -> Element {
    @inline(__always) get {
      assert(index >= 0 && index < count, "element \(index) of \(count)")
      return base[index]
    }
    @inline(__always) set {
      assert(index >= 0 && index < count, "element \(index) of \(count)")
      base[index] = newValue
    }
  }
}
