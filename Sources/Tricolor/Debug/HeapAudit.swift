// One examination of a whole heap while everybody is held: blocks first, since the walk over objects must be able to trust them.
//
// The order: open runs of mutators, blocks (this decides which are sound), lists, counters, then the walk (HeapWalk.swift), which
// looks only into sound blocks, so that damage is reported and never followed. An audit's tables lie outside the managed heap and
// are dropped with it. Nothing here is on a path of a running program; the work is single-threaded and may allocate.
//
// It runs at two moments. *Idle*: after a sweep, when no mark is set. *Marked*: after marking has ended and what was weak is cleared,
// before `sweep` is posted: marks are complete and every mutator allocates black.

import CTricolorShims
import Synchronization

final class HeapAudit {
  enum Moment { case idle, marked }

  /// What the audit knows of a block.
  struct BlockUse {
    /// Its head block plus one; 0 when it is free or damaged.
    var head: UInt32 = 0
    var isDamaged = false
    /// The place of its open run among `openRuns` plus one; 0 when no mutator has it open.
    var openRun: UInt32 = 0
    /// On how many lists and in how many open runs its head was seen.
    var places: UInt8 = 0
  }

  /// A block that a mutator allocates from.
  struct OpenRun {
    let mutator: MutatorCore
    let slot: Int
    var lane: Int { Geometry.lane(ofSlot: slot) }
    var pointer: UnsafeMutablePointer<Run> { mutator.run(slot) }
    var run: Run { pointer.pointee }
  }

  let heap: HeapCore
  let moment: Moment
  let map = addressMap
  var faults = FaultList()

  /// The heap's arenas by index, and the range of blocks from the first to the last of them.
  var arenas: [Int: Arena] = [:]
  let extent: Range<Int>
  /// By block, from the extent's start on.
  let uses: UnsafeMutablePointer<BlockUse>
  var openRuns: [OpenRun] = []

  /// Bytes of allocated cells in sound blocks.
  var allocatedBytes = 0
  var vacantPages = 0

  // The walk's state (HeapWalk.swift).
  var nodes: [WalkNode] = []
  let seen: SideBits
  /// Unmarked objects that a stack word points to.
  var onStack: Set<UInt> = []
  /// References that a custom trace function has just reported.
  var traced: [UInt] = []

  init(_ heap: HeapCore, at moment: Moment) {
    self.heap = heap
    self.moment = moment
    var arenas: [Int: Arena] = [:]
    heap.state.pointee.blocks.forEachArena { arenas[$0.index] = $0 }
    self.arenas = arenas
    let first = arenas.keys.min() ?? 0
    let end = arenas.isEmpty ? 0 : arenas.keys.max()! + 1
    extent = first * Geometry.blocksPerArena..<end * Geometry.blocksPerArena
    uses = .allocate(capacity: max(1, extent.count))
    uses.initialize(repeating: BlockUse(), count: extent.count)
    seen = SideBits(blocks: extent)
  }

  deinit { uses.deallocate() }

  /// Examines everything.
  func run() {
    auditMutators()
    auditBlocks()
    auditLists()
    auditCounts()
    walk()
  }

  func verification(withCensus: Bool) -> HeapVerification {
    HeapVerification(
      faults: faults.kept, faultCount: faults.count, reachedObjects: nodes.count, census: withCensus ? takeCensus() : []
    )
  }

  // MARK: Small questions

  func use(_ block: Int) -> UnsafeMutablePointer<BlockUse> { uses + (block - extent.lowerBound) }

  /// The open run in the run of `head`, if a mutator has one.
  func openRun(inHead head: Int) -> OpenRun? {
    let place = Int(use(head).pointee.openRun)
    return place == 0 ? nil : openRuns[place - 1]
  }

  /// Whether `block` lies in an arena of this heap.
  func owns(_ block: Int) -> Bool { extent.contains(block) && arenas[block / Geometry.blocksPerArena] != nil }

  func isInFreeMap(_ block: Int) -> Bool {
    guard let arena = arenas[block / Geometry.blocksPerArena] else { return false }
    let index = block - arena.firstBlock
    return arena.free[index >> 6] & (1 << UInt64(index & 63)) != 0
  }

  /// The layout of the cells of sound block `head`.
  func layout(ofHead head: Int) -> Layout { LayoutTable.laneClasses[Int(map.descriptors[head].lane)].layout }

  func name(ofBlock block: Int) -> String { "block at \(hex(map.address(ofBlock: block)))" }
  func name(ofLane lane: Int) -> String {
    let laneClass = LayoutTable.laneClasses[lane]
    let size = laneClass.cellBytes == 0 ? "large" : "\(laneClass.cellBytes) bytes"
    return "lane \(lane) (\(LayoutTable.name(of: laneClass.layout.index)), \(size))"
  }
}

func hex<Number: BinaryInteger>(_ number: Number) -> String { "0x" + String(number, radix: 16) }

/// A bitmap of its own over the granules of a range of blocks: the shape of the mark bits, in memory of the audit's.
final class SideBits {
  private let words: UnsafeMutablePointer<UInt64>
  private let firstWord: Int

  init(blocks: Range<Int>) {
    firstWord = blocks.lowerBound * Geometry.bitmapWordsPerBlock
    let count = max(1, blocks.count * Geometry.bitmapWordsPerBlock)
    words = .allocate(capacity: count)
    words.initialize(repeating: 0, count: count)
  }

  deinit { words.deallocate() }

  /// Word `word` of the process's bitmaps.
  subscript(word: Int) -> UInt64 { words[word - firstWord] }

  /// Sets the bit of `granule`; false when it was set.
  func insert(granule: UInt) -> Bool {
    let word = words + (Int(granule >> 6) - firstWord)
    let bit: UInt64 = 1 << UInt64(granule & 63)
    if word.pointee & bit != 0 { return false }
    word.pointee |= bit
    return true
  }
}
