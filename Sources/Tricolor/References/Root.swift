// Roots: handles that keep an object alive from outside `withMutator`, and carry it between threads and tasks.

import CTricolorShims
import Synchronization

/// Keeps an object of a heap alive until it goes out of scope. It cannot be copied: one owner, who may hand it on to another thread or task.
///
/// Making one takes a slot from the heap's table, constant time and no memory of `malloc` beyond that of a thousand more slots now and then;
/// its end gives the slot back, on whatever thread that is. It keeps the heap. Where several must hold one root, use `Root`.
///
/// Thread rules: any thread; concurrent `get` and `set` are atomic, the last set wins.
public struct UniqueRoot<Target: ManagedObject>: ~Copyable, Sendable {
  @usableFromInline nonisolated(unsafe) let slot: UnsafeMutablePointer<UInt>
  @usableFromInline let heap: Heap

  @usableFromInline init(_ reference: Reference<Target>?, mutator: Mutator) {
    heap = Heap.object(of: mutator.core.heap)
    slot = mutator.core.takeRoot(wordOf(reference))
  }

  deinit { heap.core.dropRoot(slot) }

  /// The object held, nil when none is. The mutator is one of the same heap, or the program ends. Constant time.
  @inlinable public func get(_ mutator: Mutator) -> Reference<Target>? {
    heap.checkOwns(mutator)
    return loadReference(at: UInt(bitPattern: slot))
  }

  /// Holds another object, or none. The mutator is one of the same heap, or the program ends. Constant time.
  public func set(_ reference: Reference<Target>?, _ mutator: Mutator) {
    heap.checkOwns(mutator)
    mutator.core.storeRoot(wordOf(reference), at: slot)
  }
}

/// Keeps an object of a heap alive until it is dropped. Sendable: make it in one `withMutator`, read it in another.
///
/// A class, so that it can be copied and dropping the last copy frees the slot by itself. `UniqueRoot` does without the class.
/// Thread rules: any thread; concurrent `get` and `set` are atomic, the last set wins.
public final class Root<Target: ManagedObject>: Sendable {
  @usableFromInline nonisolated(unsafe) let slot: UnsafeMutablePointer<UInt>
  @usableFromInline let heap: Heap

  @usableFromInline init(_ reference: Reference<Target>?, mutator: Mutator) {
    heap = Heap.object(of: mutator.core.heap)
    slot = mutator.core.takeRoot(wordOf(reference))
  }

  deinit { heap.core.dropRoot(slot) }

  /// The object held, nil when none is. The mutator is one of the same heap, or the program ends. Constant time.
  @inlinable public func get(_ mutator: Mutator) -> Reference<Target>? {
    heap.checkOwns(mutator)
    return loadReference(at: UInt(bitPattern: slot))
  }

  /// Holds another object, or none. The mutator is one of the same heap, or the program ends. Constant time.
  public func set(_ reference: Reference<Target>?, _ mutator: Mutator) {
    heap.checkOwns(mutator)
    mutator.core.storeRoot(wordOf(reference), at: slot)
  }
}

extension MutatorCore {
  /// A new slot that holds `word`.
  fileprivate func takeRoot(_ word: UInt) -> UnsafeMutablePointer<UInt> {
    let slot = heap.state.pointee.roots.take()
    storeRoot(word, at: slot)
    return slot
  }

  /// A store into a slot outside the heap, with the barrier.
  fileprivate func storeRoot(_ word: UInt, at slot: UnsafeMutablePointer<UInt>) {
    record(slot: UInt(bitPattern: slot), new: word)
    tricolor_store_word(UInt(bitPattern: slot), word)
  }
}

extension Heap {
  @usableFromInline @inline(never)
  func checkOwns(_ mutator: Mutator) {
    if mutator.core.heap != core { refuseForeignRoot() }
  }
}

/// Ends the program. Apart, so that the check that passes needs no frame.
@inline(never) private func refuseForeignRoot() -> Never {
  fatalError("tricolor: a root or channel was used with a mutator of another heap")
}

/// A reference slot in the program's own memory, for globals and tables outside the heap: one word, zero is nil.
///
/// The memory must be registered with `Heap.addGlobals` while it may hold references, and is read and written only through `load` and
/// `store`, which takes the barrier. Any thread inside `withMutator` of that heap.
public struct GlobalSlot<Target: ManagedObject> {
  private let word: UnsafeMutablePointer<UInt>

  /// The slot at `word`, which must be in a range that `Heap.addGlobals` was given.
  public init(_ word: UnsafeMutablePointer<UInt>) { self.word = word }

  /// The object held, nil when none is.
  public func load(_ mutator: Mutator) -> Reference<Target>? { loadReference(at: UInt(bitPattern: word)) }

  /// Holds another object, or none.
  public func store(_ reference: Reference<Target>?, _ mutator: Mutator) {
    mutator.core.storeRoot(wordOf(reference), at: word)
  }
}

extension Heap {
  /// Makes `count` words at `start` roots of this heap: each zero or a reference stored through `GlobalSlot`.
  public func addGlobals(_ start: UnsafeMutablePointer<UInt>, count: Int) {
    core.state.pointee.roots.addGlobals(start, count: count)
  }

  /// Ends what `addGlobals` began; false when no range begins at `start`. The words must hold nothing any more (store nil first,
  /// so that a running cycle sees what they held).
  public func removeGlobals(_ start: UnsafeMutablePointer<UInt>) -> Bool {
    core.state.pointee.roots.removeGlobals(start)
  }
}
