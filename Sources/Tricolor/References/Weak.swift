// Weak references and ephemerons as a program sees them: objects on the managed heap, referred to like any other.
//
// A weak field is a field of type `Reference<Weak<T>>?`; a weak handle for other threads is a `Root<Weak<T>>`. What dies is decided once
// for each cycle, so no two reads disagree: once a read answers nil every later one does, and an object that a read has given is
// alive for as long as the thread holds it. Cleared targets cost the collector one store each; cells that are not cleared, a look.

public import CTricolorShims

/// An object that refers to another one without keeping it alive.
public enum Weak<Referent: ManagedObject>: WeakObject {}

/// An object that keeps `Value` alive as long as `Key` is alive by other means; a value may refer to its own key.
public enum Ephemeron<Key: ManagedObject, Value: ManagedObject>: EphemeronObject {}

/// What `Weak` is to the accessors below.
public protocol WeakObject: ManagedObject {
  /// The type of the object referred to.
  associatedtype Referent: ManagedObject
}

/// What `Ephemeron` is to the accessors below.
public protocol EphemeronObject: ManagedObject {
  /// The type of the key.
  associatedtype Key: ManagedObject
  /// The type of the value.
  associatedtype Value: ManagedObject
}

extension Mutator {
  /// A weak reference to `referent`.
  public func makeWeak<Referent>(_ referent: Reference<Referent>) throws(OutOfMemory) -> Reference<Weak<Referent>> {
    let cell = try allocate(.weak, bytes: WeakCell.weakBytes)
    cell.assumingMemoryBound(to: UInt.self).pointee = wordOf(referent)
    return Reference(unsafeAddress: cell)
  }

  /// An ephemeron that maps `key` to `value`.
  public func makeEphemeron<Key, Value>(
    key: Reference<Key>, value: Reference<Value>?
  ) throws(OutOfMemory) -> Reference<Ephemeron<Key, Value>> {
    let cell = try allocate(.ephemeron, bytes: WeakCell.ephemeronBytes)
    let words = cell.assumingMemoryBound(to: UInt.self)
    words[Int(WeakCell.valueOffset) / 8] = wordOf(value)
    words[Int(WeakCell.keyOffset) / 8] = wordOf(key)
    return Reference(unsafeAddress: cell)
  }
}

extension Reference where Target: WeakObject {
  /// The object, nil once it is dead. A strong read: what it answers is alive.
  @inlinable public var referent: Reference<Target.Referent>? {
    @inline(__always) get { referenceOf(loadWeak(at: word)) }
  }
}

extension Reference where Target: EphemeronObject {
  /// The key, nil once it is dead.
  @inlinable public var key: Reference<Target.Key>? {
    @inline(__always) get { referenceOf(loadWeak(at: word + WeakCell.keyOffset)) }
  }

  /// The value, nil once the key is dead. Setting takes the barrier; after the key's death it has no effect.
  @inlinable public var value: Reference<Target.Value>? {
    @inline(__always) get {
      loadWeak(at: word + WeakCell.keyOffset) == 0 ? nil : loadReference(at: word + WeakCell.valueOffset)
    }
    @inline(__always) nonmutating set {
      // A value stored beside a dead key would never be traced, and the next store would record it as if it were alive.
      if loadWeak(at: word + WeakCell.keyOffset) != 0 {
        storeReference(wordOf(newValue), at: word + WeakCell.valueOffset)
      }
    }
  }
}

/// Loads a weak word. Idle cost: a load of the thread's barrier flag, a branch, the load.
@inlinable @inline(__always)
func loadWeak(at slot: UInt) -> UInt {
  _fastPath(tricolor_barrier() == 0) ? tricolor_load_word(slot) : loadWeakSlowly(slot: slot)
}

@inlinable @inline(__always)
func referenceOf<Target>(_ word: UInt) -> Reference<Target>? {
  UnsafeMutableRawPointer(bitPattern: word).map { Reference(unsafeAddress: $0) }
}
