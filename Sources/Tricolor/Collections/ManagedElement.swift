// What a collection on the managed heap can hold: values without references, and values that are one reference.
//
// The two are told apart by a constant of the element's type, which folds away once the collection is specialised: a collection of
// integers is a leaf that the collector never looks into, a collection of references has the barrier in every store.
//
// Invariant: whether a type is a handle decides the layout of the memory it is stored in, so no type is both `BitwiseCopyable` and a
// handle (`Reference` is not, and a struct around one is not either).

import CTricolorShims

/// A value that a managed collection can hold: a number, a `Reference`, a `ManagedString` or another collection.
///
/// A plain struct or enum of the program joins in with an empty extension, `extension Point: ManagedElement {}`, if it is
/// `BitwiseCopyable`: such a type has no references, so the collector need not look at it. Its alignment may be 16 at most.
///
/// The requirements are for the collections; none is to be implemented or called by programs.
public protocol ManagedElement: SendableMetatype {
  /// Whether a value is one reference, which the collector must find.
  static var isManagedReference: Bool { get }
  /// The value in a slot that holds one.
  static func loadElement(from slot: UnsafeMutableRawPointer) -> Self
  /// Puts `element` into a slot, through the barrier if it is a reference.
  static func storeElement(_ element: Self, at slot: UnsafeMutableRawPointer)
}

extension ManagedElement where Self: BitwiseCopyable {
  /// False: the value holds no reference.
  @inlinable @inline(__always) public static var isManagedReference: Bool { false }

  /// One load.
  @inlinable @inline(__always)
  public static func loadElement(from slot: UnsafeMutableRawPointer) -> Self {
    slot.assumingMemoryBound(to: Self.self).pointee
  }

  /// One store.
  @inlinable @inline(__always)
  public static func storeElement(_ element: Self, at slot: UnsafeMutableRawPointer) {
    slot.assumingMemoryBound(to: Self.self).pointee = element
  }
}

extension Int: ManagedElement {}
extension Int8: ManagedElement {}
extension Int16: ManagedElement {}
extension Int32: ManagedElement {}
extension Int64: ManagedElement {}
extension Int128: ManagedElement {}
extension UInt: ManagedElement {}
extension UInt8: ManagedElement {}
extension UInt16: ManagedElement {}
extension UInt32: ManagedElement {}
extension UInt64: ManagedElement {}
extension UInt128: ManagedElement {}
extension Float: ManagedElement {}
extension Double: ManagedElement {}
extension Bool: ManagedElement {}
extension Unicode.Scalar: ManagedElement {}

/// A value that is one reference to a managed object: `Reference` itself, the managed collections, and structs of a program that
/// give an object an interface of its own.
///
/// A conforming struct has one stored property, a `Reference` or another handle, so that it is eight bytes and its optional is too.
/// Fields of payload structs may be handles and optional handles: they are read and written through the barrier as references are.
public protocol ManagedHandle: ManagedElement {
  /// The type of the object that is referred to.
  associatedtype Object: ManagedObject
  /// The reference that the handle is.
  var asReference: Reference<Object> { get }
  /// The handle of an object.
  init(_ reference: Reference<Object>)
}

extension ManagedHandle {
  /// True: the value is a reference.
  @inlinable @inline(__always) public static var isManagedReference: Bool { true }

  /// One load.
  @inlinable @inline(__always)
  public static func loadElement(from slot: UnsafeMutableRawPointer) -> Self {
    guard let reference: Reference<Object> = loadReference(at: UInt(bitPattern: slot)) else { refuseMissingReference() }
    return Self(reference)
  }

  /// A store with the barrier.
  @inlinable @inline(__always)
  public static func storeElement(_ element: Self, at slot: UnsafeMutableRawPointer) {
    storeReference(element.asReference.word, at: UInt(bitPattern: slot))
  }
}

extension Reference: ManagedHandle {
  /// Itself.
  @inlinable @inline(__always) public var asReference: Reference<Target> { self }

  /// The same reference.
  @inlinable @inline(__always) public init(_ reference: Reference<Target>) { self = reference }
}

extension Optional: ManagedElement where Wrapped: ManagedHandle {
  /// True: the value is a reference, or zero.
  @inlinable @inline(__always) public static var isManagedReference: Bool { true }

  /// One load.
  @inlinable @inline(__always)
  public static func loadElement(from slot: UnsafeMutableRawPointer) -> Wrapped? {
    loadReference(at: UInt(bitPattern: slot)).map { Wrapped($0) }
  }

  /// A store with the barrier.
  @inlinable @inline(__always)
  public static func storeElement(_ element: Wrapped?, at slot: UnsafeMutableRawPointer) {
    storeReference(wordOf(element?.asReference), at: UInt(bitPattern: slot))
  }
}

/// Ends the program: memory that must hold a reference holds none, as in an array of payloads that nobody has filled in yet.
@usableFromInline @inline(never)
func refuseMissingReference() -> Never {
  fatalError("tricolor: a reference that is not optional was read before one was stored; declare it optional")
}

extension Mutator {
  /// A root that holds the object of `handle`. See `Root`.
  @inlinable public func root<Handle: ManagedHandle>(_ handle: Handle) -> Root<Handle.Object> {
    Root(handle.asReference, mutator: self)
  }
}

extension Root where Target: ManagedHandle, Target.Object == Target {
  /// The collection held, nil when none is.
  @inlinable public func get(_ mutator: Mutator) -> Target? {
    let reference: Reference<Target>? = get(mutator)
    return reference.map { Target($0) }
  }

  /// Holds another collection, or none.
  @inlinable public func set(_ collection: Target?, _ mutator: Mutator) { set(collection?.asReference, mutator) }
}
