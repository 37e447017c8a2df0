// Sizes and shifts of the managed address range. Everything else in Memory/ is written in terms of these.
//
// 16-byte granules make one mark bit a granule (1/128 of the heap) and leave four tag bits in a reference. 16 KiB blocks keep the
// waste of many layouts times many mutators low and still give a 56-byte descriptor a share of 0.34 %: with two bitmaps and cards
// of 2 KiB the side metadata is 1.95 % of the heap. 64 MiB arenas are the unit that is bound to a NUMA node (docs/decisions.md, "Block size").

/// Compile-time geometry of the heap: all sizes in bytes.
enum Geometry {
  static let granuleShift: UInt = 4
  static let granule = 16
  static let blockShift: UInt = 14
  static let blockBytes = 1 << 14
  static let cardShift: UInt = 11
  static let cardBytes = 1 << 11
  static let arenaShift: UInt = 26
  static let arenaBytes = 1 << 26
  static let blocksPerArena = arenaBytes / blockBytes
  /// 64-bit words of one bitmap that cover a block.
  static let bitmapWordsPerBlock = blockBytes / granule / 64
  /// Cards of a block, a byte each: eight, so that one word says whether any of them is dirty.
  static let cardsPerBlock = blockBytes / cardBytes
  /// Bytes of side tables for a block: two bitmaps, its descriptor, its scan word, its cards.
  static let sideBytesPerBlock = 2 * bitmapWordsPerBlock * 8 + MemoryLayout<BlockDescriptor>.stride + 8 + cardsPerBlock
  /// The largest cell that shares its block run with others; anything bigger owns its run.
  static let largestCell = 32 * 1024
  /// Most blocks a run of shared cells may span.
  static let mostBlocksPerRun = 8
  /// The bytes a mutator takes at once, zeroed: small enough to stay in the first-level cache between zeroing and use.
  static let runQuantum = 8 * 1024
  /// Lanes (pairs of layout and cell size) a process can have.
  static let mostLanes = 1 << laneBits
  private static let laneBits = 12

  /// The lane of a mutator's slot, and its bank (MutatorState.swift).
  @inline(__always) static func lane(ofSlot slot: Int) -> Int { slot & (mostLanes - 1) }
  @inline(__always) static func bank(ofSlot slot: Int) -> Int { slot >> laneBits }
  /// The slot for cells of `lane` on the node with index `node`.
  static func slot(lane: Int, node: Int) -> Int { lane + (1 + node) * mostLanes }
}

/// The granularity of allocation: bytes rounded up to whole granules, one granule at least.
@inlinable @inline(__always)
func roundedToGranules(_ bytes: Int) -> Int { max(16, (bytes + 15) & ~15) }

/// Size classes of variable-sized objects (leaves and arrays): steps of 16 bytes up to 256, then eight steps a doubling up to
/// 32 KiB, so that internal waste stays below a ninth. (Four steps cost a store of 1 KiB messages, whose cells are 1032 bytes, a
/// quarter of its memory.) The first step is halved: what people store is a power of two more often than anything else, and with its
/// count lies just above one. There 15 cells fill as many blocks as 14 of the next size (docs/decisions.md, "Size classes").
enum SizeClass {
  static let count = 16 + 7 * stepsPerDoubling
  static let stepsPerDoubling = 9

  /// The cell size of class `index` (0 ..< count).
  static func bytes(_ index: Int) -> Int {
    if index < 16 { return (index + 1) * 16 }
    let (doubling, step) = (index - 16).quotientAndRemainder(dividingBy: stepsPerDoubling)
    return (256 << doubling) + (step == 0 ? 16 : step * 32) << doubling
  }

  /// The smallest class that holds `bytes` (1 ... Geometry.largestCell). Constant time.
  static func index(for bytes: Int) -> Int {
    if bytes <= 256 { return max(0, (bytes + 15) / 16 - 1) }
    let log = Int.bitWidth - 1 - (bytes - 1).leadingZeroBitCount
    let sixteenths = (bytes - 1) >> (log - 4) - 16
    let step = sixteenths == 0 ? 0 : sixteenths / 2 + 1
    return 16 + (log - 8) * stepsPerDoubling + step
  }
}
