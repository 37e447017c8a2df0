// Text on the managed heap: the UTF-8 bytes of a string in a `Bytes` object, which never change.
//
// Equality, order and hashes are those of the bytes, so they need no Unicode tables and cost what `memcmp` costs. Text that is to be
// compared as `String` compares it, "é" written in either of two ways, must be normalised before.

import CTricolorShims
import Glibc

/// A string on the managed heap: immutable, UTF-8, compared by its bytes.
///
/// It is a handle of eight bytes, valid inside `withMutator`; it can be a payload's field, the element of a collection and a key. Growable
/// bytes are a `ManagedArray<UInt8>`.
@frozen public struct ManagedString: ManagedHandle, ~BitwiseCopyable {
  /// The bytes.
  public let asReference: Reference<Bytes>

  /// The text whose UTF-8 bytes `reference` refers to, which must not be changed from now on. What is not UTF-8 in it shows as U+FFFD.
  @inlinable @inline(__always)
  public init(_ reference: Reference<Bytes>) { asReference = reference }
}

@available(
  *, unavailable, message: "a managed string is valid inside withMutator of one thread; make a String, or a Root"
)
extension ManagedString: Sendable {}

extension ManagedString {
  /// A copy of `text`. Linear.
  @inlinable
  public init(_ text: some StringProtocol, _ mutator: Mutator) throws(OutOfMemory) {
    let copy = ManagedString.withUTF8(of: text) { bytes in
      Result { () throws(OutOfMemory) in try mutator.makeBytes(copying: UnsafeRawBufferPointer(bytes)) }
    }
    asReference = try copy.get()
  }

  /// The bytes of `text`, copied only when it does not lie in one piece as UTF-8.
  @inlinable
  static func withUTF8<R>(of text: some StringProtocol, _ body: (UnsafeBufferPointer<UInt8>) -> R) -> R {
    if let result = text.utf8.withContiguousStorageIfAvailable(body) { return result }
    var copy = String(text)
    return copy.withUTF8(body)
  }

  /// The UTF-8 bytes, a view. Its count is the length in bytes.
  @inlinable public var utf8: UTF8View { UTF8View(bytes: asReference) }

  /// Whether there are no bytes. Constant time.
  @inlinable public var isEmpty: Bool { asReference.count == 0 }

  /// Whether the text begins with the bytes of `prefix`. Linear in the prefix.
  public func hasPrefix(_ prefix: some StringProtocol) -> Bool {
    ManagedString.withUTF8(of: prefix) { bytes in
      asReference.count >= bytes.count
        && (bytes.isEmpty || memcmp(asReference.bytes.baseAddress!, bytes.baseAddress!, bytes.count) == 0)
    }
  }

  @usableFromInline
  func hasBytes(_ bytes: UnsafeBufferPointer<UInt8>) -> Bool {
    asReference.count == bytes.count
      && (bytes.isEmpty || memcmp(asReference.bytes.baseAddress!, bytes.baseAddress!, bytes.count) == 0)
  }

  /// The hash of a string with these bytes.
  @usableFromInline
  static func hash(of bytes: UnsafeBufferPointer<UInt8>) -> Int {
    var hasher = Hasher()
    hasher.combine(bytes: UnsafeRawBufferPointer(bytes))
    return hasher.finalize()
  }

  /// The UTF-8 bytes of a managed string.
  @frozen public struct UTF8View: RandomAccessCollection, ~BitwiseCopyable {
    @usableFromInline let bytes: Reference<Bytes>

    @inlinable init(bytes: Reference<Bytes>) { self.bytes = bytes }

    /// 0.
    @inlinable public var startIndex: Int { 0 }
    /// The number of bytes.
    @inlinable public var endIndex: Int { bytes.count }
    /// Byte `index`; ends the program outside 0 ..< count.
    @inlinable public subscript(index: Int) -> UInt8 { bytes[index] }

    /// The bytes in memory, for the duration of `body`.
    @inlinable
    public func withContiguousStorageIfAvailable<R>(
      _ body: (UnsafeBufferPointer<UInt8>) throws -> R
    ) rethrows -> R? {
      try bytes.withBytes { try body(UnsafeBufferPointer($0.assumingMemoryBound(to: UInt8.self))) }
    }
  }
}

extension ManagedString: Hashable {
  /// Whether both have the same bytes. Linear.
  @inlinable
  public static func == (left: ManagedString, right: ManagedString) -> Bool {
    left.asReference == right.asReference
      || right.hasBytes(UnsafeBufferPointer(left.asReference.bytes.assumingMemoryBound(to: UInt8.self)))
  }

  /// By the bytes. Linear.
  public func hash(into hasher: inout Hasher) {
    hasher.combine(bytes: UnsafeRawBufferPointer(asReference.bytes))
    tricolor_keep(asReference.word)
  }
}

extension ManagedString: Comparable {
  /// Whether `left` comes before `right` in the order of bytes, which is that of Unicode scalars. Linear.
  public static func < (left: ManagedString, right: ManagedString) -> Bool {
    let (first, second) = (left.asReference, right.asReference)
    let common = min(first.count, second.count)
    let order = common == 0 ? 0 : memcmp(first.bytes.baseAddress!, second.bytes.baseAddress!, common)
    return order == 0 ? first.count < second.count : order < 0
  }
}

extension ManagedString: CustomStringConvertible, CustomDebugStringConvertible {
  /// The text as a Swift string, which may leave `withMutator`. Linear.
  public var description: String { asReference.withBytes { String(decoding: $0, as: UTF8.self) } }

  /// The text in quotes.
  public var debugDescription: String { String(reflecting: description) }
}
