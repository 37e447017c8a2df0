// References to managed objects, and access to their fields.
//
// A reference is one non-null pointer, so `Reference<T>?` is eight bytes and zeroed memory is nil. It is `~BitwiseCopyable` on purpose:
// plain fields are reached through an accessor that demands `BitwiseCopyable`, so a field that is or holds a reference can only
// go through the accessors that take the barrier; anything that would slip past it does not compile. Key paths are literals at
// every use and fold to constant displacements: a load is one instruction, a store of a reference a flag test and a store.

public import CTricolorShims
public import Synchronization

/// What can stand behind a `Reference`: payload structs, and the built-in arrays and bytes.
public protocol ManagedObject: SendableMetatype {}

/// A payload struct that lives on the managed heap: plain fields and references, no class or closure fields.
///
/// Its layout is derived once, at the first allocation; a field the collector cannot describe is refused there by name.
public protocol Managed: ManagedObject {
  /// Where the type's allocation runs are found: declare it as `static let slot = TypeSlot()`.
  ///
  /// A `nonisolated(unsafe) static var` is accepted too, and costs an exclusivity check of some 8 ns at every allocation.
  static var slot: TypeSlot { get }

  /// Where the references in a value are, for types of which reflection cannot tell; nil, the default, derives it from the fields.
  ///
  /// For experts: a layout that misses a reference, or names what is none, corrupts the heap. `.fixed` names the size of the type and the
  /// offsets of its references; `.custom` gives a function that finds them, with which values cannot be elements of an
  /// `ElementArray`. It is read once, at the type's first allocation. Fields that are no plain values nor references are then the
  /// program's own business; counted ones (classes, closures, strings) are refused all the same.
  static var layoutByHand: Layout.Kind? { get }
}

extension Managed {
  /// Nil: the layout is derived.
  public static var layoutByHand: Layout.Kind? { nil }
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

  /// A slot of a type that nobody has allocated.
  @inlinable public init() {}
}

/// A reference to a managed object: valid inside the `withMutator` call that gave it, on that thread.
///
/// References cannot leave `withMutator` nor cross an `await`; the compiler refuses it. To keep an object longer, make a `Root`.
@frozen @dynamicMemberLookup
public struct Reference<Target: ManagedObject>: ~BitwiseCopyable {
  /// The object's address. What is read and written there directly has no barrier.
  public let address: UnsafeMutableRawPointer

  /// The reference to the object at `unsafeAddress`, which must be a live object of that type; nobody checks it.
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

  /// A reference field that is not optional. Reading is one move and a test, since memory of which nothing was made, as in a new array of
  /// elements, holds none: that ends the program. Writing takes the barrier.
  @inlinable
  public subscript<Handle: ManagedHandle>(dynamicMember path: WritableKeyPath<Target, Handle>) -> Handle {
    @inline(__always) get { Handle.loadElement(from: slot(path)) }
    @inline(__always) nonmutating set { Handle.storeElement(newValue, at: slot(path)) }
  }

  /// An optional field of a collection, a managed string or another handle. As for a reference field.
  @inlinable
  public subscript<Handle: ManagedHandle>(dynamicMember path: WritableKeyPath<Target, Handle?>) -> Handle? {
    @inline(__always) get { Handle?.loadElement(from: slot(path)) }
    @inline(__always) nonmutating set { Handle?.storeElement(newValue, at: slot(path)) }
  }

  /// A constant or computed property of a plain value. A constant costs one move; what is computed is computed of a copy of the payload.
  @inlinable
  public subscript<Value: BitwiseCopyable>(dynamicMember path: KeyPath<Target, Value>) -> Value {
    @inline(__always) get { address.assumingMemoryBound(to: Target.self).pointee[keyPath: path] }
  }

  /// A constant or computed property that is an optional reference or handle.
  @inlinable
  public subscript<Handle: ManagedHandle>(dynamicMember path: KeyPath<Target, Handle?>) -> Handle? {
    @inline(__always) get { address.assumingMemoryBound(to: Target.self).pointee[keyPath: path] }
  }

  /// A constant or computed property that is a reference or handle.
  @inlinable
  public subscript<Handle: ManagedHandle>(dynamicMember path: KeyPath<Target, Handle>) -> Handle {
    @inline(__always) get { address.assumingMemoryBound(to: Target.self).pointee[keyPath: path] }
  }

  /// Refuses every other field: one that the barrier would not see, or that is counted.
  @available(
    *, unavailable,
    message:
      "through a Reference only plain values and references are reached; a part of a struct or tuple is node[dynamicMember: \\.part.link]"
  )
  @_disfavoredOverload
  public subscript<Value>(dynamicMember path: KeyPath<Target, Value>) -> Value {
    get { refuse(path) }
    nonmutating set { refuse(path) }
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

  /// 0 ..< count.
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
