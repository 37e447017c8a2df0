// Finalizers that bring their object back: the program takes them from a queue when it likes, and does with the object what it likes.
//
// A finalizer is a cell (word of the program's, object, closure, whether it is in this table) of an ordinary layout. While it is attached the object is not in the
// cell but in this table, which keeps cell and closure alive and the object not. When marking would end, the objects that are unmarked
// are looked for: of the lowest priority that has any, all are marked, put into their cells, and these queued; then marking goes on.
// So an object that another finalizer's object refers to is marked by then if that one's priority is lower, and waits for its turn. Before any of
// that, once in a cycle, what the objects of ordered finalizers refer to is marked, and not they themselves: those that are
// still unmarked then are referred to by no other one. Queued cells are roots until they are taken. Weak references and ephemerons see an object that was brought back as alive.
// Priorities after Dybvig, Bruggeman and Eby, "Guardians in a generation-based garbage collector" (PLDI 1993); order after Boehm's collector.
//
// Cost: a look at one mark bit for each attached finalizer whenever marking would end. A finalizer of an old object is found by a full cycle.
//
// Invariant: a cell's object word is written while the lock is held, in the critical section that would end marking, together with
// shading the object; so nobody sees the cell with an object that is not grey or marked.

import CTricolorShims
import Synchronization
import TricolorPlatform

struct FinalizerTable: ~Copyable {
  struct Entry {
    var cell: UInt
    var object: UInt
    var priority: UInt32
    /// Whether the finalizer waits for those of all objects that refer to this one.
    var isOrdered = false
  }

  /// The words of a cell.
  static let cellBytes = 32
  static let objectOffset: UInt = 8
  static let closureOffset: UInt = 16
  private static let stateOffset: UInt = 24

  let lock = FutexLock()
  /// Queued and not yet taken. Read without the lock.
  let ready = Atomic<Int>(0)
  private var attached: [Entry] = []
  /// Cells in the order they are to be taken in, from `firstQueued` on.
  private var queue: [UInt] = []
  private var firstQueued = 0
  /// Whether what ordered objects refer to has been marked in this cycle.
  private var isOrderKept = false

  /// Makes the caller the one who attaches a cell; false when it is attached or queued.
  static func claim(_ cell: UInt) -> Bool { tricolor_replace_word(cell + stateOffset, 0, 1) }

  /// The cell is out of the table.
  static func release(_ cell: UInt) { tricolor_store_word(cell + stateOffset, 0) }

  mutating func attach(_ entry: Entry) {
    lock.lock()
    attached.append(entry)
    lock.unlock()
  }

  /// Takes a finalizer back that has not been queued; false when it is not attached. Linear in the number of attached ones.
  mutating func detach(cell: UInt) -> Bool {
    lock.lock()
    defer { lock.unlock() }
    guard let index = attached.firstIndex(where: { $0.cell == cell }) else { return false }
    attached.swapAt(index, attached.count - 1)
    attached.removeLast()
    return true
  }

  /// The next cell, 0 when there is none.
  mutating func take() -> UInt {
    lock.lock()
    defer { lock.unlock() }
    if firstQueued == queue.count { return 0 }
    let cell = queue[firstQueued]
    firstQueued += 1
    if firstQueued == queue.count {
      queue.removeAll(keepingCapacity: true)
      firstQueued = 0
    }
    ready.wrappingSubtract(1, ordering: .relaxed)
    return cell
  }

  /// A cycle begins.
  mutating func beginCycle() {
    lock.lock()
    isOrderKept = false
    lock.unlock()
  }

  /// Calls `scan` with every unmarked object of an ordered finalizer, the first time in a cycle; whether there were any.
  mutating func keepOrder(_ scan: (UInt) -> Void) -> Bool {
    lock.lock()
    defer { lock.unlock() }
    if isOrderKept { return false }
    isOrderKept = true
    let map = addressMap
    var found = false
    for entry in attached where entry.isOrdered && !map.isMarked(entry.object) {
      scan(entry.object)
      found = true
    }
    return found
  }

  /// Queues those of the lowest priority whose objects are unmarked, calling `shade` with each object; whether there were any.
  mutating func queueUnmarked(_ shade: (UInt) -> Void) -> Bool {
    lock.lock()
    defer { lock.unlock() }
    let map = addressMap
    let lowest = attached.lazy.filter { !map.isMarked($0.object) }.map(\.priority).min()
    guard let lowest else { return false }
    // Of equal priority in the order of attaching.
    var kept = 0
    for entry in attached {
      if entry.priority == lowest, !map.isMarked(entry.object) {
        tricolor_store_word(entry.cell + FinalizerTable.objectOffset, entry.object)
        queue.append(entry.cell)
        ready.wrappingAdd(1, ordering: .relaxed)
        shade(entry.object)
      } else {
        attached[kept] = entry
        kept += 1
      }
    }
    attached.removeLast(attached.count - kept)
    return true
  }

  /// Calls `body` with every cell that is kept alive.
  mutating func forEachReference(_ body: (UInt) -> Void) {
    lock.lock()
    defer { lock.unlock() }
    for entry in attached { body(entry.cell) }
    for cell in queue[firstQueued...] { body(cell) }
  }
}

extension HeapCore {
  /// At the end of marking, under the lock that it ends under: whether finalizers were queued, whose objects are grey now.
  func queueFinalizers() -> Bool {
    state.pointee.links.clear(long: false)
    if state.pointee.finalizers.keepOrder({ scanUnmarked($0) }) { return true }
    return state.pointee.finalizers.queueUnmarked { shade($0) }
  }

  /// Makes what an unmarked object refers to grey, and not the object.
  private func scanUnmarked(_ object: UInt) {
    guard let chunk = state.pointee.grey.enterEmpty() else {
      // Without memory it lives: nothing is finalized out of order.
      return shade(object)
    }
    var marker = Marker(self, holding: chunk)
    marker.rescan(object, card: object..<object + UInt(addressMap.head(of: object).pointee.cellBytes), again: false)
    marker.leave()
  }

  /// Makes a reference that a table outside the heap is about to keep, or to give up, grey if it must be: from any mutator.
  func shadeIfMarking(_ object: UInt) {
    state.pointee.roots.lock.lock()
    defer { state.pointee.roots.lock.unlock() }
    if isMarking, object != 0, !addressMap.isMarked(object) { shade(object) }
  }
}
