// References to managed objects, and access to their fields.
//
// A reference is one non-null pointer, so `Reference<T>?` is eight bytes and zeroed memory is nil. It is `~BitwiseCopyable` on purpose:
// plain fields are reached through an accessor that demands `BitwiseCopyable`, so a field that is or holds a reference can only
// go through the accessors that take the barrier; anything that would slip past it does not compile. Key paths are literals at
// every use and fold to constant displacements: a load is one instruction, a store of a reference a flag test and a store.

public import CTricolorShims
public import Synchronization

/// What can stand behind a `Reference`: payload structs, and the built-in arrays and bytes.
public protocol ManagedObject {}

/// A payload struct that lives on the managed heap: plain fields and references, no class or closure fields.
///
/// Its layout is derived once, at the first allocation; a field the collector cannot describe is refused there by name.
public protocol Managed: ManagedObject {
  /// Where the type's allocation runs are found: declare it as `static let slot = TypeSlot()`.
  ///
  /// A `nonisolated(unsafe) static var` is accepted too, and costs an exclusivity check of some 8 ns at every allocation.
  static var slot: TypeSlot { get }
}

/// The place of a type's runs in every mutator's table. Zero until the type's first allocation registers it.
///
/// Not copyable, and its words are atomics, so that a constant can hold it: a constant is initialised statically and read with one
/// move, where a variable is checked for exclusive access at every read (docs/decisions.md, "A constant slot").
@frozen public struct TypeSlot: ~Copyable, Sendable {
  /// Byte offset of the run in a mutator's mapping; offset 0 holds an always empty run.
  @usableFromInline let runOffset = Atomic<UInt32>(0)
  /// Index of the layout for arrays of this element, plus one; 0 until used.
  @usableFromInline let arrayLayout = Atomic<UInt32>(0)

  @inlinable public init() {}
}

/// Registration's view of any reference type, to find reference fields by reflection.
protocol AnyReference {}

/// A reference to a managed object: valid inside the `withMutator` call that gave it, on that thread.
///
/// References cannot leave `withMutator` nor cross an `await`; the compiler refuses it. To keep an object longer, make a `Root`.
@frozen @dynamicMemberLookup
public struct Reference<Target: ManagedObject>: ~BitwiseCopyable {
  /// The object's address.
  public let address: UnsafeMutableRawPointer

  @inlinable @inline(__always)
  public init(unsafeAddress: UnsafeMutableRawPointer) { address = unsafeAddress }

  @inlinable @inline(__always) var word: UInt { UInt(bitPattern: address) }

  /// Where the field is; known to the compiler when the path is a literal that names a stored field of a known type.
  @inlinable @inline(__always)
  func slot<Value>(_ path: KeyPath<Target, Value>) -> UnsafeMutableRawPointer {
    guard let offset = MemoryLayout<Target>.offset(of: path) else { refuse(path) }
    return address + offset
  }

  /// A plain field. Cost: one move.
  @inlinable
  public subscript<Value: BitwiseCopyable>(dynamicMember path: WritableKeyPath<Target, Value>) -> Value {
    @inline(__always) get { slot(path).assumingMemoryBound(to: Value.self).pointee }
    @inline(__always) nonmutating set { slot(path).assumingMemoryBound(to: Value.self).pointee = newValue }
  }

  /// A reference field. Reading is one move; writing takes the barrier.
  @inlinable
  public subscript<Other>(dynamicMember path: WritableKeyPath<Target, Reference<Other>?>) -> Reference<Other>? {
    @inline(__always) get { loadReference(at: UInt(bitPattern: slot(path))) }
    @inline(__always) nonmutating set { storeReference(wordOf(newValue), at: UInt(bitPattern: slot(path))) }
  }

  /// A field of several references: `node.children[i] = x` takes the barrier.
  @inlinable
  public subscript<let count: Int, Other>(
    dynamicMember path: WritableKeyPath<Target, InlineArray<count, Reference<Other>?>>
  ) -> ReferenceSlots<count, Other> {
    @inline(__always) get { ReferenceSlots(base: slot(path)) }
  }
}

/// Ends the program: what is computed, or a requirement of a protocol in generic code, has no place in an object.
@usableFromInline @inline(never)
func refuse(_ path: AnyKeyPath) -> Never {
  fatalError("tricolor: \(path) is no stored field; only those can be reached through a Reference")
}

extension Reference: AnyReference {}
extension Optional: AnyReference where Wrapped: AnyReference {}

@available(
  *, unavailable, message: "a Reference is valid on its own thread, inside withMutator; make a Root to share the object"
)
extension Reference: Sendable {}

extension Reference: Equatable {
  /// Identity: whether both refer to the same object.
  @inlinable @inline(__always)
  public static func == (left: Reference, right: Reference) -> Bool { left.address == right.address }
}

extension Reference: Hashable {
  /// By identity. Objects never move.
  @inlinable public func hash(into hasher: inout Hasher) { hasher.combine(address) }
}

/// The reference slots of an inline array field.
@frozen public struct ReferenceSlots<let count: Int, Target: ManagedObject>: ~BitwiseCopyable {
  @usableFromInline let base: UnsafeMutableRawPointer

  @inlinable @inline(__always) init(base: UnsafeMutableRawPointer) { self.base = base }

  @inlinable public var indices: Range<Int> { 0..<count }

  /// Slot `index`; traps outside 0 ..< count.
  @inlinable
  public subscript(index: Int) -> Reference<Target>? {
    @inline(__always) get {
      precondition(index >= 0 && index < count, "reference slot index out of range")
      return loadReference(at: UInt(bitPattern: base + index &* 8))
    }
    @inline(__always) nonmutating set {
      precondition(index >= 0 && index < count, "reference slot index out of range")
      storeReference(wordOf(newValue), at: UInt(bitPattern: base + index &* 8))
    }
  }
}

@inlinable @inline(__always)
func loadReference<Target>(at slot: UInt) -> Reference<Target>? {
  UnsafeMutableRawPointer(bitPattern: tricolor_load_word(slot)).map { Reference(unsafeAddress: $0) }
}

@inlinable @inline(__always)
func wordOf<Target>(_ reference: Reference<Target>?) -> UInt {
  if let reference { return reference.word }
  return 0
}
