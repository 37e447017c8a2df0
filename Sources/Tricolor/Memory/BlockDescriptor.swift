// What is known of a block, kept in a side table, and of a cell, derived from it.
//
// No object has a header: layout, cell size and allocation state live here. A run of several blocks (medium cells, large objects)
// is described by its first block, the head; the others are `continuation`s that say how far back the head is. The scan word, in a
// table of its own because it is all that marking needs, packs kind, cell size and reference bitmap of a small layout in 8 bytes.
//
// Which cells of a block are allocated: those below `frontier` (handed out since the last sweep, or live then), those of the open
// run below its owner's cursor, and those whose allocation bit survived the last sweep. A conservative word that hits any other
// cell is ignored, so stale memory is never traced and an unallocated cell never carries a mark into its next life.

import CTricolorShims
import Synchronization

/// The use of a block. `free` is zero, so a fresh descriptor table describes free blocks.
enum BlockKind: UInt8 {
  case free = 0
  /// Head of a run of equal cells of one lane.
  case cells
  /// Head of the run of one large object.
  case large
  /// Not the first block of its run.
  case continuation
}

/// One block's descriptor: 56 bytes.
struct BlockDescriptor {
  /// A `BlockKind`; written last when a run is set up and first when it is torn down, so that a conservative lookup by another
  /// thread sees either nothing or a complete descriptor.
  var kind: UInt8 = 0
  /// Whether cells handed out must be zeroed: false only for pages that come fresh from the system.
  var needsZeroing: Bool = true
  var lane: UInt16 = 0
  /// Blocks of this run (head), or distance to the head (continuation).
  var span: UInt32 = 0
  var cellBytes: UInt64 = 0
  var cellCount: UInt32 = 0
  /// ceil(2^32 / cellBytes): turns division into a multiplication for offsets below 2^17.
  var reciprocal: UInt32 = 0
  /// Byte offset below which every cell is allocated.
  var frontier: UInt64 = 0
  var sweptEpoch: UInt32 = 0
  /// Next block of the list this one is on, `BlockList.none` at the end.
  var next: UInt32 = 0
  /// Pages of this run (head) that hold no memory, a bit each (VacantPages.swift).
  var vacantPages: UInt32 = 0
  /// The open run of the mutator that allocates from this block, nil while none does.
  var owner: UnsafeMutablePointer<Run>? = nil
}

/// A bump range of a mutator: [cursor, limit) is free, cells below cursor are in use. The pair the allocation fast path works on.
@frozen public struct Run {
  @usableFromInline var cursor: UInt = 0
  @usableFromInline var limit: UInt = 0
}

/// How marking scans a cell, in one word: kind (3 bits), cell size in granules (13 bits), bitmap of the first 48 words.
struct ScanWord {
  static let leaf: UInt64 = 1
  static let bitmap: UInt64 = 2
  /// Words 1... of the cell are references, word 0 is the count.
  static let references: UInt64 = 3
  /// Everything else: ask the layout.
  static let described: UInt64 = 4
  /// A leaf with a block run of its own; its size is its descriptor's.
  static let largeLeaf: UInt64 = 5

  static func make(kind: UInt64, cellBytes: Int, mask: UInt64 = 0) -> UInt64 {
    let granules = UInt64(min(cellBytes / Geometry.granule, 0x1fff))
    return kind | granules << 3 | mask << 16
  }
  @inline(__always) static func kind(_ word: UInt64) -> UInt64 { word & 7 }
  static func isLeaf(_ word: UInt64) -> Bool { kind(word) == leaf || kind(word) == largeLeaf }
  /// The cell's size in bytes; for a large object its descriptor knows.
  @inline(__always) static func bytes(_ word: UInt64) -> Int { Int((word >> 3 & 0x1fff) << 4) }
  @inline(__always) static func mask(_ word: UInt64) -> UInt64 { word >> 16 }
}

/// A singly linked list of blocks through their descriptors. Guarded by its lane's lock.
struct BlockList {
  static let none = UInt32.max
  var first = BlockList.none
  var last = BlockList.none
  var count = 0

  var isEmpty: Bool { first == BlockList.none }

  mutating func push(_ block: Int) {
    let descriptor = addressMap.descriptors + block
    descriptor.pointee.next = first
    first = UInt32(block)
    if last == BlockList.none { last = first }
    count += 1
  }

  mutating func pop() -> Int? {
    if first == BlockList.none { return nil }
    let block = Int(first)
    first = addressMap.descriptors[block].next
    if first == BlockList.none { last = BlockList.none }
    count -= 1
    return block
  }

  /// Appends all of `other`, which is empty afterwards. Constant time.
  mutating func append(_ other: inout BlockList) {
    if other.isEmpty { return }
    if isEmpty {
      self = other
    } else {
      addressMap.descriptors[Int(last)].next = other.first
      last = other.last
      count += other.count
    }
    other = BlockList()
  }
}

extension AddressMap {
  /// The descriptor of the run that the object at `object`, which is alive, lies in.
  func head(of object: UInt) -> UnsafeMutablePointer<BlockDescriptor> {
    let descriptor = descriptors + block(of: object)
    return descriptor.pointee.kind == BlockKind.continuation.rawValue
      ? descriptor - Int(descriptor.pointee.span) : descriptor
  }

  /// The start of the allocated cell that `word` points into, nil when there is none. Interior pointers count. Safe against
  /// concurrent allocation; must not run while a sweep does. Cost: range compare, descriptor line, one multiplication, one bit.
  func conservativeCell(_ word: UInt) -> UInt? {
    guard contains(word), owners[Int((word &- base) >> Geometry.arenaShift)] != nil else { return nil }
    var block = self.block(of: word)
    var descriptor = descriptors + block
    var kind = BlockKind(rawValue: descriptor.pointee.kind) ?? .free
    if kind == .continuation {
      block -= Int(descriptor.pointee.span)
      descriptor = descriptors + block
      kind = BlockKind(rawValue: descriptor.pointee.kind) ?? .free
    }
    let start = address(ofBlock: block)
    switch kind {
    case .free, .continuation: return nil
    case .large: return UInt64(word - start) < descriptor.pointee.cellBytes ? start : nil
    case .cells: break
    }
    let offset = UInt64(word - start)
    let index = (offset &* UInt64(descriptor.pointee.reciprocal)) >> 32
    guard index < UInt64(descriptor.pointee.cellCount) else { return nil }
    let cell = start + UInt(index &* descriptor.pointee.cellBytes)
    return isAllocated(cell, in: descriptor, from: start) ? cell : nil
  }

  /// Whether `cell` of the cell run at `start` is allocated (see the top of the file).
  ///
  /// The owner may close the block meanwhile. It stores the frontier before it takes owner and cursor away, and they are read here in
  /// the other order: whoever misses the cursor sees the frontier that replaced it.
  private func isAllocated(_ cell: UInt, in descriptor: UnsafeMutablePointer<BlockDescriptor>, from start: UInt) -> Bool
  {
    var cursor: UInt = 0
    if let owner = descriptor.pointee.owner { cursor = tricolor_load_word(UInt(bitPattern: owner)) }
    atomicMemoryFence(ordering: .acquiring)
    let frontier = start + UInt(descriptor.pointee.frontier)
    if cell < frontier { return true }
    let end = start + UInt(descriptor.pointee.span) << Geometry.blockShift
    if cursor > start && cursor <= end && cell < cursor { return true }
    let granule = self.granule(of: cell)
    return tricolor_load_bits(allocationBits + Int(granule >> 6)) & (1 << UInt64(granule & 63)) != 0
  }
}
