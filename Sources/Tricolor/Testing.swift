// What tests of the heap need and programs must not use: looking at single cells, and holding the collector between two steps of a
// cycle so that an interleaving of threads can be written down and always happens. Imported by `@_spi(Testing) import Tricolor`.
//
// The hook costs one uncontended lock at each of a dozen points of a cycle, on the collector thread; nothing here is on any path
// of a mutator.

import CTricolorShims
import Synchronization

/// The points of a cycle at which the collector thread can be held, in the order it passes them.
@_spi(Testing) public enum CycleStep: Hashable, Sendable {
  /// The handshake is posted: mutators answer from now on.
  case posted(Handshake)
  /// The collector holds a mutator that is away and is about to answer it for its thread. The registry's lock is held.
  case holding(Handshake)
  /// Every mutator has answered it.
  case answered(Handshake)
  /// Stacks and root handles are scanned; marking begins after this.
  case marking
  /// Nothing is grey: a round of `finish` begins.
  case round
  /// Marking has ended; weak references are cleared after this.
  case clearing
  /// The cycle has ended and everything is swept.
  case over
}

@_spi(Testing) extension Heap {
  /// Calls `hook` on the collector thread at every step of every cycle; the cycle goes on when it returns. Nil for none.
  public func onCycleStep(_ hook: (@Sendable (CycleStep) -> Void)?) {
    services.cycleHook.withLock { $0 = hook }
  }

  /// Whether a cycle has been asked for that has not begun.
  public var isCycleWanted: Bool { core.state.pointee.wanted.load(ordering: .acquiring) != 0 }

  /// The start of the allocated cell of this heap that `address` points into, as a conservative scan would find it; nil when it
  /// points to no object. Only while no sweep runs, as after `collect()`.
  public func cell(containing address: UInt) -> UInt? {
    guard addressMap.owner(of: address) == UnsafeMutableRawPointer(core.state) else { return nil }
    return addressMap.conservativeCell(address)
  }

  /// Whether the object at `address` is marked, at this moment.
  public func isMarked(_ address: UInt) -> Bool { addressMap.isMarked(address) }

  /// The bytes of the cell that an object of `bytes` bytes of variable size gets; nil when it gets blocks of its own.
  public static func cellBytes(for bytes: Int) -> Int? {
    bytes > Geometry.largestCell ? nil : SizeClass.bytes(SizeClass.index(for: bytes))
  }

  /// The byte offsets of the references in a payload type, as registration finds them. Throws where it would end the program.
  public static func referenceOffsets<T>(of type: T.Type) throws(LayoutError) -> [Int] {
    try PayloadLayout.referenceOffsets(of: type)
  }

  /// Lanes (pairs of layout and cell size) that the process has made.
  public static var laneCount: Int { LayoutTable.laneCount }

  /// Bytes of a block, the unit that memory is taken in.
  public static var blockBytes: Int { Geometry.blockBytes }

  /// Marks what is grey now, as a worker does; the work done, 0 when nothing was grey. From any thread, while the heap is marking.
  public func markAsWorker() -> Int { core.mark(budget: .max) }

  /// A store of a reference with time between its two steps: `between` runs after the barrier has recorded and before the store.
  public static func store(_ new: UInt, at slot: UnsafeMutableRawPointer, between: () -> Void) {
    let slot = UInt(bitPattern: slot)
    if tricolor_barrier() != 0 { barrierSlowly(slot: slot, new: new) }
    between()
    tricolor_store_word(slot, new)
  }
}

extension HeapCore {
  /// Tells a test, if one listens, where the cycle is. Runs on the collector thread.
  func passStep(_ step: CycleStep) {
    if let hook = services.cycleHook.withLock({ $0 }) { hook(step) }
  }
}
