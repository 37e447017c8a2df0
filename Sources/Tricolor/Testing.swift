// What tests of the heap need and programs must not use: looking at single cells, and holding the collector between two steps of a
// cycle so that an interleaving of threads can be written down and always happens. Imported by `@_spi(Testing) import Tricolor`.
//
// The hook costs one uncontended lock at each of a dozen points of a cycle, on the collector thread; nothing here is on any path
// of a mutator.

import CTricolorShims
import Synchronization
import TricolorPlatform

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
  /// The index of the node whose memory an address of this heap lies in; the number of nodes for what is spread over all.
  public static func pool(of address: UInt) -> Int { addressMap.pool(of: address) }

  /// Lets a node count as full, or not, until the collector next looks; on made-up nodes for good.
  public func pretendFull(node: Int, _ isFull: Bool) { core.state.pointee.nodes.pretendFull(node, isFull) }

  /// Calls `hook` on the collector thread at every step of every cycle; the cycle goes on when it returns. Nil for none.
  public func onCycleStep(_ hook: (@Sendable (CycleStep) -> Void)?) {
    services.cycleHook.withLock { $0 = hook.map { CycleHook(run: $0) } }
  }

  /// Whether a cycle has been asked for that has not begun.
  public var isCycleWanted: Bool { core.state.pointee.wanted.load(ordering: .acquiring) != 0 }

  /// The number of the last cycle that has ended. One load.
  public var cyclesDone: Int { core.state.pointee.cyclesDone.load(ordering: .acquiring) }

  /// Runs a cycle that begins after this call, a young one if the settings and the cycles before allow it, and returns when it has ended
  /// and been swept. From inside `withMutator` or not, as `collect()`; `statistics.youngCycles` tells whether it was young.
  public func collectYoung() {
    ForkedChild.refuse()
    ThreadRecords.whileParked { core.collectAndWait(mayBeYoung: true) }
  }

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

  /// How often grey work found no memory and objects were marked without being scanned.
  public var markStackOverflows: Int { core.state.pointee.grey.overflows.load(ordering: .relaxed) }

  /// Bytes of a block, the unit that memory is taken in.
  public static var blockBytes: Int { Geometry.blockBytes }

  /// Keeps a stall that no thread had; times in nanoseconds since the heap was made.
  public func recordStall(_ thread: Int32, from began: UInt64, to ended: UInt64) {
    let start = core.state.pointee.startTime
    core.state.pointee.statistics.stallRecorder.record(thread, from: start + began, to: start + ended)
  }

  /// Marks what is grey now, as a worker does, up to about `budget` bytes of work; the work done, 0 when nothing was grey. From any
  /// thread, while the heap is marking.
  public func markAsWorker(budget: Int = .max) -> Int { core.mark(budget: budget) }

  /// A store of a reference with time between its two steps: `between` runs after the barrier has recorded and before the store.
  public static func store(_ new: UInt, at slot: UnsafeMutableRawPointer, between: () -> Void) {
    let slot = UInt(bitPattern: slot)
    if tricolor_barrier() != 0 { barrierSlowly(slot: slot, new: new) }
    between()
    tricolor_store_word(slot, new)
  }
}

/// Damage that a verification must name. It is done to a heap whose mutators are away or only use other parts of it; a heap with
/// damage of blocks, bits or lists is good for verification and for its own end, and not for another cycle.
@_spi(Testing) public enum HeapDamage: Sendable {
  /// Writes a word of the heap without the barrier.
  case word(UInt, at: UInt)
  /// Inverts the allocation bit, or the mark bit, of an address.
  case allocationBit(at: UInt)
  case markBit(at: UInt)
  /// Writes a field of the descriptor of an address's block.
  case kind(UInt8, at: UInt)
  case lane(UInt16, at: UInt)
  case span(UInt32, at: UInt)
  case cellBytes(UInt64, at: UInt)
  case frontier(UInt64, at: UInt)
  /// Writes the scan word of an address's block.
  case scanWord(UInt64, at: UInt)
  /// Takes the first block off the full list, or the first partial list with blocks, of the lane of an address's block.
  case unlisted(laneOf: UInt)
  /// Makes the last block of that list lead back to its first.
  case knottedList(laneOf: UInt)
  /// Adds to the counter of live bytes.
  case liveBytes(Int)
}

@_spi(Testing) extension Heap {
  /// Does `damage`, at once. From then on the heap runs no periodic cycle.
  public func inflict(_ damage: HeapDamage) {
    core.state.pointee.isDamaged.store(true, ordering: .relaxed)
    let map = addressMap
    func descriptor(_ address: UInt) -> UnsafeMutablePointer<BlockDescriptor> {
      map.descriptors + map.block(of: address)
    }
    func bit(_ bits: UnsafeMutablePointer<UInt64>, _ address: UInt) {
      bits[Int(map.granule(of: address) >> 6)] ^= map.markMask(of: address)
    }
    switch damage {
    case .word(let word, let address): tricolor_store_word(address, word)
    case .allocationBit(let address): bit(map.allocationBits, address)
    case .markBit(let address): bit(map.markBits, address)
    case .kind(let kind, let address): descriptor(address).pointee.kind = kind
    case .lane(let lane, let address): descriptor(address).pointee.lane = lane
    case .span(let span, let address): descriptor(address).pointee.span = span
    case .cellBytes(let bytes, let address): descriptor(address).pointee.cellBytes = bytes
    case .frontier(let frontier, let address): descriptor(address).pointee.frontier = frontier
    case .scanWord(let word, let address): map.scanWords[map.block(of: address)] = word
    case .unlisted(let address): changeList(ofLaneOf: address) { _ = $0.pop() }
    case .knottedList(let address):
      changeList(ofLaneOf: address) { map.descriptors[Int($0.last)].next = $0.first }
    case .liveBytes(let bytes): core.state.pointee.liveBytes.wrappingAdd(bytes, ordering: .relaxed)
    }
  }

  /// Changes the first list that has blocks, of the lane of an address's block.
  private func changeList(ofLaneOf address: UInt, _ change: (inout BlockList) -> Void) {
    let block = addressMap.block(of: address)
    let lists = core.state.pointee.lane(Int(addressMap.descriptors[block].lane), ofBlock: block)
    if !lists.pointee.full.isEmpty { return change(&lists.pointee.full) }
    for tier in 0..<FreeCells.tiers where !lists.pointee.partial[tier].isEmpty {
      return change(&lists.pointee.partial[tier])
    }
  }
}

extension HeapCore {
  /// Tells a test, if one listens, where the cycle is. Runs on the collector thread.
  func passStep(_ step: CycleStep) {
    if let hook = services.cycleHook.withLock({ $0 }) { hook.run(step) }
  }
}
