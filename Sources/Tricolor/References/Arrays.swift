// The built-in variable-sized objects: bytes, arrays of references, arrays of fixed elements.
//
// Each begins with its count: 8 bytes before references and bytes, 16 before elements. They have no payload type; `Bytes`,
// `ReferenceArray` and `ElementArray` only name what a `Reference` points to. Counts never change.

public import CTricolorShims

/// Bytes without references: keys, values, messages.
public enum Bytes: ManagedObject {}

/// A fixed-size array of optional references, all nil at first.
public enum ReferenceArray<Element: ManagedObject>: ReferenceArrayObject {}

/// A fixed-size array of payload structs, zeroed at first.
public enum ElementArray<Element: Managed>: ElementArrayObject {}

/// What `ReferenceArray` is to the accessors below.
public protocol ReferenceArrayObject: ManagedObject {
  /// What the slots refer to.
  associatedtype Element: ManagedObject
}

/// What `ElementArray` is to the accessors below.
public protocol ElementArrayObject: ManagedObject {
  /// The payload of each element.
  associatedtype Element: Managed
}

extension Reference where Target == Bytes {
  /// Number of bytes.
  @inlinable @inline(__always) public var count: Int { address.assumingMemoryBound(to: Int.self).pointee }

  /// The bytes in memory: good for as long as something else keeps the object alive, as `withBytes` does.
  @inlinable @inline(__always) public var bytes: UnsafeMutableRawBufferPointer {
    UnsafeMutableRawBufferPointer(start: address + 8, count: count)
  }

  /// Byte `index`; traps outside 0 ..< count.
  @inlinable
  public subscript(index: Int) -> UInt8 {
    @inline(__always) get {
      precondition(index >= 0 && index < count, "byte index out of range")
      return (address + 8).load(fromByteOffset: index, as: UInt8.self)
    }
    @inline(__always) nonmutating set {
      precondition(index >= 0 && index < count, "byte index out of range")
      (address + 8).storeBytes(of: newValue, toByteOffset: index, as: UInt8.self)
    }
  }

  /// The bytes, for the duration of `body`. The object stays alive during the call.
  @inlinable @inline(__always)
  public func withBytes<R, E: Error>(_ body: (UnsafeMutableRawBufferPointer) throws(E) -> R) throws(E) -> R {
    let result = try body(bytes)
    tricolor_keep(word)
    return result
  }
}

extension Reference where Target: ReferenceArrayObject {
  /// Number of slots.
  @inlinable @inline(__always) public var count: Int { address.assumingMemoryBound(to: Int.self).pointee }

  /// Slot `index`; traps outside 0 ..< count. Writing takes the barrier.
  @inlinable
  public subscript(index: Int) -> Reference<Target.Element>? {
    @inline(__always) get {
      precondition(index >= 0 && index < count, "reference array index out of range")
      return loadReference(at: word &+ 8 &+ UInt(bitPattern: index) &<< 3)
    }
    @inline(__always) nonmutating set {
      precondition(index >= 0 && index < count, "reference array index out of range")
      storeReference(wordOf(newValue), at: word &+ 8 &+ UInt(bitPattern: index) &<< 3)
    }
  }
}

extension Reference where Target: ElementArrayObject {
  /// Number of elements.
  @inlinable @inline(__always) public var count: Int { address.assumingMemoryBound(to: Int.self).pointee }

  /// Element `index` in place; traps outside 0 ..< count. The result points into the array and, on the stack, keeps it alive;
  /// it must not be stored in the heap, where references are to whole objects.
  @inlinable
  public subscript(index: Int) -> Reference<Target.Element> {
    @inline(__always) get {
      precondition(index >= 0 && index < count, "element array index out of range")
      return Reference<Target.Element>(unsafeAddress: address + 16 + index &* MemoryLayout<Target.Element>.stride)
    }
  }
}
