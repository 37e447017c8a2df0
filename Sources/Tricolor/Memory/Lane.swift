// A lane serves the cells of one layout and one size. Its class (sizes, scan word) is process-wide and constant; each heap keeps
// the lane's block lists. Every block a lane owns is on exactly one list or owned by exactly one mutator.
//
// Lists: `partial` blocks are swept and have free cells; `full` ones have none; `unswept` ones carry the marks of the last cycle
// and wait for the sweep. At the end of a cycle the heap's sweep epoch advances and `partial` and `full` move to `unswept` in constant
// time; a block that a mutator gives back later goes to `unswept` when its own epoch is older than the heap's.

import TricolorPlatform

/// The constants of a lane.
struct LaneClass {
  let layout: Layout
  /// Cell size in bytes; 0 when every object of the lane is large and has its own run.
  let cellBytes: Int
  let blocksPerRun: Int
  let cellsPerRun: Int
  let reciprocal: UInt32
  let scanWord: UInt64
  let hasReferences: Bool

  init(layout: Layout, entry: LayoutEntry, cellBytes: Int) {
    self.layout = layout
    hasReferences = entry.hasReferences
    scanWord = entry.scanWord(cellBytes: cellBytes)
    if cellBytes > Geometry.largestCell {
      self.cellBytes = 0
      blocksPerRun = 0
      cellsPerRun = 1
      reciprocal = 0
    } else {
      self.cellBytes = cellBytes
      blocksPerRun = Self.blocks(for: cellBytes)
      cellsPerRun = blocksPerRun * Geometry.blockBytes / cellBytes
      reciprocal = UInt32((UInt64(1) << 32 + UInt64(cellBytes) - 1) / UInt64(cellBytes))
    }
  }

  /// The fewest blocks that waste at most a sixteenth of the run at its end, or the best of all sizes tried.
  private static func blocks(for cellBytes: Int) -> Int {
    var best = 1
    var bestWaste = Double.infinity
    for blocks in 1...Geometry.mostBlocksPerRun where blocks * Geometry.blockBytes >= cellBytes {
      let bytes = blocks * Geometry.blockBytes
      let waste = Double(bytes % cellBytes) / Double(bytes)
      if waste <= 1.0 / 16 { return blocks }
      if waste < bestWaste { (best, bestWaste) = (blocks, waste) }
    }
    return best
  }
}

/// How full a swept block is, in eighths. Fuller blocks are allocated from first, so that the others get the time to become wholly
/// free: without that order, a lane whose objects are mostly short-lived keeps several times the blocks it needs for ever.
enum FreeCells {
  static let tiers = 8
  case none
  /// 0 (nearly empty) ..< `tiers` (nearly full).
  case some(tier: Int)

  init(live: Int, of cells: Int) {
    self = live >= cells ? .none : .some(tier: live * FreeCells.tiers / cells)
  }
}

/// A heap's state of one lane, in raw memory.
struct Lane: ~Copyable {
  let lock = FutexLock()
  var partial = InlineArray<8, BlockList>(repeating: BlockList())
  var full = BlockList()
  var unswept = BlockList()

  /// Puts a block without owner where it belongs. The lane's lock is held.
  mutating func put(_ block: Int, freeCells: FreeCells, epoch: UInt32) {
    if addressMap.descriptors[block].sweptEpoch != epoch {
      unswept.push(block)
      return
    }
    switch freeCells {
    case .none: full.push(block)
    case .some(let tier): partial[tier].push(block)
    }
  }

  /// A block with free cells for a mutator of sweep epoch `epoch`. The lane's lock is held.
  ///
  /// A mutator that has yet to answer the `sweep` handshake still allocates black. It gets no block that another one has made in the
  /// new epoch and given back: the marks it would set there no sweep would clear, and the next cycle would take them for its own.
  mutating func takePartial(epoch: UInt32) -> Int? {
    for tier in stride(from: FreeCells.tiers - 1, through: 0, by: -1) where !partial[tier].isEmpty {
      let isOfEpoch = addressMap.descriptors[Int(partial[tier].first)].sweptEpoch == epoch
      return isOfEpoch || Mutation.blockOfNewEpoch.isOn ? partial[tier].pop() : nil
    }
    return nil
  }

  /// Everything waits for the sweep of the epoch just begun. The lane's lock is held.
  mutating func beginEpoch() {
    for tier in 0..<FreeCells.tiers { unswept.append(&partial[tier]) }
    unswept.append(&full)
  }
}
