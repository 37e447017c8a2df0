// Roots, weak references, ephemerons with chains, finalizers and cleanups for programs in other languages: words at addresses, no types.
//
// A chain of ephemerons is a list through their `next` words that begins in any slot of the heap. Who walks it takes off what is dead: the slot
// before it is changed by compare-and-swap, so that of two who do the same one does nothing. One that loses may put a dead ephemeron
// back that somebody else has taken off: it is dead for good, and the next walk takes it off again.

import CTricolorShims
import Synchronization

// MARK: Roots

extension EmbeddedMutator {
  /// The slot of a new handle that holds `object`.
  package func makeRoot(_ object: UInt) -> UInt {
    let slot = UInt(bitPattern: core.heap.state.pointee.roots.take())
    setRoot(slot, object)
    return slot
  }

  package func setRoot(_ slot: UInt, _ object: UInt) {
    core.record(slot: slot, new: object)
    tricolor_store_word(slot, object)
  }

  /// Whether `slot` is a handle in use. Linear in the number of handles, a step for each thousand.
  package func isRoot(_ slot: UInt) -> Bool { core.heap.state.pointee.roots.isHandle(slot) }
}

extension Heap {
  /// Frees a handle; false when `slot` is none in use. Linear in the number of handles, a step for each thousand.
  package func destroyRoot(_ slot: UInt) -> Bool {
    guard core.state.pointee.roots.isHandle(slot) else { return false }
    core.dropRoot(UnsafeMutablePointer(bitPattern: slot)!)
    return true
  }

  /// Makes a range roots, whose words may lead to any place in an object; false when one begins there already.
  package func addRange(start: UInt, bytes: Int, isPlain: Bool) -> Bool {
    let before = core.stopMode
    guard core.state.pointee.roots.add(RootRange(start: start, end: start + UInt(bytes), isPlain: isPlain)) else {
      return false
    }
    if core.stopMode != before { ThreadRecords.whileParked { core.awaitStopMode() } }
    return true
  }

  /// False when no range begins at `start`.
  package func removeRange(start: UInt) -> Bool { core.removeRange(at: start) }
}

// MARK: Weak references and ephemerons

extension EmbeddedMutator {
  package func makeWeak(_ object: UInt) throws(AllocationFailure) -> UnsafeMutableRawPointer {
    let cell = try allocate(.weak, bytes: WeakCell.weakBytes, zeroed: true)
    cell.assumingMemoryBound(to: UInt.self).pointee = object
    return cell
  }

  package func makeEphemeron(key: UInt, value: UInt) throws(AllocationFailure) -> UnsafeMutableRawPointer {
    let cell = try allocate(.ephemeron, bytes: WeakCell.chainedBytes, zeroed: true)
    let words = cell.assumingMemoryBound(to: UInt.self)
    words[Int(WeakCell.valueOffset) / 8] = value
    words[Int(WeakCell.keyOffset) / 8] = key
    return cell
  }
}

/// A weak reference by its address.
package enum EmbeddedWeak {
  package static func isOne(_ address: UInt) -> Bool { shape(of: address) == .weak }

  package static func load(_ weak: UInt) -> UInt { loadWeak(at: weak) }

  fileprivate static func shape(of address: UInt) -> LayoutEntry.Shape? {
    guard addressMap.cellStart(address) == address else { return nil }
    let lane = addressMap.head(of: address).pointee.lane
    return LayoutTable.entries[Int(LayoutTable.laneClasses[Int(lane)].layout.index)].shape
  }
}

/// An ephemeron by its address.
package enum EmbeddedEphemeron {
  /// Whether an ephemeron that can be on a chain begins at `address`.
  package static func isOne(_ address: UInt) -> Bool {
    EmbeddedWeak.shape(of: address) == .ephemeron
      && addressMap.head(of: address).pointee.cellBytes >= UInt64(WeakCell.chainedBytes)
  }

  package static func key(_ ephemeron: UInt) -> UInt { loadWeak(at: ephemeron + WeakCell.keyOffset) }

  package static func value(_ ephemeron: UInt) -> UInt {
    key(ephemeron) == 0 ? 0 : tricolor_load_word(ephemeron + WeakCell.valueOffset)
  }

  package static func setValue(_ ephemeron: UInt, _ value: UInt) {
    // A value stored beside a dead key would never be traced.
    if key(ephemeron) != 0 { EmbeddedStore.store(value, at: ephemeron + WeakCell.valueOffset) }
  }

  /// Gives an ephemeron that is dead or empty a key and a value, which the calling thread holds: both live through a cycle that is running.
  package static func fill(_ ephemeron: UInt, key: UInt, value: UInt) -> Bool {
    if self.key(ephemeron) != 0 { return false }
    EmbeddedStore.store(value, at: ephemeron + WeakCell.valueOffset)
    EmbeddedStore.store(key, at: ephemeron + WeakCell.keyOffset)
    tricolor_keep(key)
    tricolor_keep(value)
    return true
  }

  package static func kill(_ ephemeron: UInt) {
    EmbeddedStore.store(0, at: ephemeron + WeakCell.valueOffset)
    tricolor_store_word(ephemeron + WeakCell.keyOffset, 0)
  }

  /// Puts an ephemeron at the beginning of a chain.
  package static func push(_ ephemeron: UInt, on chain: UInt) {
    while true {
      let first = tricolor_load_word(chain)
      EmbeddedStore.store(first, at: ephemeron + WeakCell.nextOffset)
      if replace(chain, first, by: ephemeron) { return }
    }
  }

  /// The first ephemeron from the slot `place` on that is not dead, 0 when there is none; dead ones before it are taken off.
  package static func firstAlive(from place: UInt) -> UInt {
    while true {
      let ephemeron = tricolor_load_word(place)
      if ephemeron == 0 || key(ephemeron) != 0 { return ephemeron }
      _ = replace(place, ephemeron, by: tricolor_load_word(ephemeron + WeakCell.nextOffset))
    }
  }

  package static func next(_ ephemeron: UInt) -> UInt { firstAlive(from: ephemeron + WeakCell.nextOffset) }

  private static func replace(_ slot: UInt, _ old: UInt, by new: UInt) -> Bool {
    if tricolor_barrier() != 0 { EmbeddedStore.note(slot: slot, old: old, new: new) }
    return tricolor_replace_word(slot, old, new)
  }
}

// MARK: Finalizers

extension EmbeddedMutator {
  private static let finalizerLayout = Mutex<UInt32>(0)

  package func makeFinalizer() throws(AllocationFailure) -> UnsafeMutableRawPointer {
    let layout: Layout
    do throws(LayoutError) {
      layout = try EmbeddedMutator.layoutOfFinalizers()
    } catch {
      throw .layout(error)
    }
    return try allocate(layout, bytes: FinalizerTable.cellBytes, zeroed: true)
  }

  private static func layoutOfFinalizers() throws(LayoutError) -> Layout {
    try finalizerLayout.withLock { known throws(LayoutError) in
      if known == 0 {
        let references = [Int(FinalizerTable.objectOffset), Int(FinalizerTable.closureOffset)]
        known = try Layout.register(.fixed(bytes: FinalizerTable.cellBytes, references: references), name: "finalizer")
          .index
      }
      return Layout(index: known)
    }
  }

  /// Whether `address` is a finalizer.
  package static func isFinalizer(_ address: UInt) -> Bool {
    guard addressMap.cellStart(address) == address else { return false }
    let lane = addressMap.head(of: address).pointee.lane
    return LayoutTable.laneClasses[Int(lane)].layout.index == finalizerLayout.withLock { $0 }
  }

  /// Attaches a finalizer; false when it is attached or queued.
  package func attach(
    finalizer: UInt, priority: UInt32, isOrdered: Bool, object: UInt, closure: UInt
  ) -> Bool {
    guard FinalizerTable.claim(finalizer) else { return false }
    EmbeddedStore.store(0, at: finalizer + FinalizerTable.objectOffset)
    EmbeddedStore.store(closure, at: finalizer + FinalizerTable.closureOffset)
    core.heap.state.pointee.finalizers.attach(
      .init(cell: finalizer, object: object, priority: priority, isOrdered: isOrdered))
    core.heap.shadeIfMarking(finalizer)
    tricolor_keep(object)
    return true
  }

  /// False when it is not attached.
  package func detach(finalizer: UInt) -> Bool {
    guard core.heap.state.pointee.finalizers.detach(cell: finalizer) else { return false }
    core.heap.shadeIfMarking(finalizer)
    FinalizerTable.release(finalizer)
    return true
  }

  /// The next finalizer of the queue, 0 when there is none.
  package func takeFinalizer() -> UInt {
    let cell = core.heap.state.pointee.finalizers.take()
    if cell == 0 { return 0 }
    core.heap.shadeIfMarking(cell)
    FinalizerTable.release(cell)
    return cell
  }

  package static func object(ofFinalizer cell: UInt) -> UInt { tricolor_load_word(cell + FinalizerTable.objectOffset) }
  package static func closure(ofFinalizer cell: UInt) -> UInt {
    tricolor_load_word(cell + FinalizerTable.closureOffset)
  }
}

extension Heap {
  /// Finalizers that wait to be taken.
  package var queuedFinalizers: Int { core.state.pointee.finalizers.ready.load(ordering: .relaxed) }
}

// MARK: Disappearing links

extension EmbeddedMutator {
  /// False when the word at `place` is a link already.
  package func addLink(_ place: UInt, object: UInt, isLong: Bool) -> Bool {
    let heap = core.heap
    let before = heap.stopMode
    guard heap.state.pointee.links.add(place, .init(object: object, isLong: isLong)) else { return false }
    if heap.stopMode != before { ThreadRecords.whileParked { heap.awaitStopMode() } }
    tricolor_keep(object)
    return true
  }
}

extension Heap {
  /// False when the word at `place` is no link.
  package func removeLink(_ place: UInt) -> Bool { core.state.pointee.links.remove(place) }
}

// MARK: Cleanups and external bytes

extension EmbeddedMutator {
  /// Runs `action` once after the object is dead, on a thread of the heap; its number.
  package func addCleanup(to object: UInt, _ action: @escaping @Sendable () -> Void) -> Int {
    let number = core.heap.services.cleanups.add(action, core.heap)
    core.heap.state.pointee.cleanups.add(.init(object: object, number: number, bytes: 0))
    tricolor_keep(object)
    return number
  }

  /// Counts bytes from elsewhere for as long as the object lives.
  package func addExternalBytes(_ count: Int, to object: UInt) {
    core.heap.state.pointee.cleanups.add(.init(object: object, number: 0, bytes: count))
    core.heap.noteHandedOut(count, scannable: false, black: false, by: core)
    tricolor_keep(object)
  }
}

extension Heap {
  /// Takes a cleanup back; false when its object has died, or there is none of that number.
  package func cancelCleanup(_ number: Int) -> Bool {
    guard core.state.pointee.cleanups.remove(number: number) else { return false }
    services.cleanups.remove(number)
    return true
  }
}
