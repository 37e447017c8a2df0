// A root: a handle that keeps an object alive from outside `withMutator`, and carries it between threads and tasks.

import CTricolorShims
import Synchronization

/// Keeps an object of a heap alive until it is dropped. Sendable: make it in one `withMutator`, read it in another.
///
/// A class, so that dropping the last copy frees the slot by itself. Reading and setting need a mutator of the same heap.
/// Thread rules: any thread; concurrent `get` and `set` are atomic, the last set wins.
public final class Root<Target: ManagedObject>: Sendable {
  nonisolated(unsafe) private let slot: UnsafeMutablePointer<UInt>
  private let heap: Heap

  init(_ reference: Reference<Target>?, mutator: MutatorCore, heap: Heap) {
    self.heap = heap
    slot = mutator.heap.state.pointee.roots.take()
    store(wordOf(reference), mutator)
  }

  deinit {
    let core = heap.core
    core.shadeDropped(tricolor_load_word(UInt(bitPattern: slot)))
    core.state.pointee.roots.give(slot)
  }

  /// The object held, nil when none is.
  public func get(_ mutator: Mutator) -> Reference<Target>? {
    checkHeap(mutator)
    return loadReference(at: UInt(bitPattern: slot))
  }

  /// Holds another object, or none.
  public func set(_ reference: Reference<Target>?, _ mutator: Mutator) {
    checkHeap(mutator)
    store(wordOf(reference), mutator.core)
  }

  private func store(_ word: UInt, _ mutator: MutatorCore) {
    mutator.record(slot: UInt(bitPattern: slot), new: word)
    tricolor_store_word(UInt(bitPattern: slot), word)
  }

  private func checkHeap(_ mutator: Mutator) {
    precondition(mutator.core.heap == heap.core, "a Root was used with a mutator of another heap")
  }
}
