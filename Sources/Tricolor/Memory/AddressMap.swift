// The reserved address range and the side tables that describe it: one of each per process, shared by all heaps.
//
// One PROT_NONE reservation is cut into 64 MiB arenas, and each side table is a linear array over the whole range whose slice for
// an arena is committed together with the arena. So "is this word a heap pointer" is one compare, and the mark bit, allocation bit,
// descriptor and scan word of an address are found by shifts. Reserving costs address space only.
//
// Invariant: the fields of `addressMap` are written once, before the first heap exists, and never again.

import CTricolorShims
import Synchronization
import TricolorPlatform

/// Where the managed range and its side tables are. Copied into locals by hot loops.
struct AddressMap {
  var base: UInt = 0
  var bytes: UInt = 0
  var markBits: UnsafeMutablePointer<UInt64>! = nil
  var allocationBits: UnsafeMutablePointer<UInt64>! = nil
  var descriptors: UnsafeMutablePointer<BlockDescriptor>! = nil
  var scanWords: UnsafeMutablePointer<UInt64>! = nil
  /// A byte for each card, nonzero when it is dirty (CardTable.swift).
  var cards: UnsafeMutablePointer<UInt8>! = nil
  /// The heap that owns each arena, nil while none does.
  var owners: UnsafeMutablePointer<UnsafeMutableRawPointer?>! = nil
  /// The pool of its heap that each arena belongs to (NodeTable.swift).
  var pools: UnsafeMutablePointer<UInt8>! = nil

  @inline(__always) func contains(_ word: UInt) -> Bool { word &- base < bytes }
  @inline(__always) func granule(of address: UInt) -> UInt { (address &- base) >> Geometry.granuleShift }
  @inline(__always) func block(of address: UInt) -> Int { Int((address &- base) >> Geometry.blockShift) }
  @inline(__always) func address(ofBlock block: Int) -> UInt { base &+ UInt(block) << Geometry.blockShift }
  @inline(__always) func markWord(of address: UInt) -> UnsafeMutablePointer<UInt64> {
    markBits + Int(granule(of: address) >> 6)
  }
  @inline(__always) func markMask(of address: UInt) -> UInt64 { 1 << UInt64(granule(of: address) & 63) }

  /// Whether the cell at `address` is marked. A plain answer of the moment: workers may set the bit right after.
  @inline(__always) func isMarked(_ address: UInt) -> Bool {
    tricolor_load_bits(markWord(of: address)) & markMask(of: address) != 0
  }

  /// Sets the mark bit; true when this call was the one that set it. The plain load first makes the common case cheap.
  @inline(__always) func mark(_ address: UInt) -> Bool {
    let word = markWord(of: address)
    let mask = markMask(of: address)
    if tricolor_load_bits(word) & mask != 0 { return false }
    return tricolor_set_bits(word, mask)
  }

  /// The pool that an address of the range, or a block, belongs to.
  @inline(__always) func pool(of address: UInt) -> Int { pool(ofArena: Int((address &- base) >> Geometry.arenaShift)) }
  @inline(__always) func pool(ofBlock block: Int) -> Int { pool(ofArena: block / Geometry.blocksPerArena) }
  /// A marker may come to an arena that was taken a moment ago: atomic.
  @inline(__always) private func pool(ofArena arena: Int) -> Int { Int(tricolor_load_byte(pools + arena)) }

  /// The heap that owns `address`, nil when it lies outside every heap. Constant time.
  @inline(__always) func owner(of address: UInt) -> UnsafeMutableRawPointer? {
    contains(address) ? owners[Int((address &- base) >> Geometry.arenaShift)] : nil
  }
}

nonisolated(unsafe) var addressMap = AddressMap()

/// Hands out arenas of the one reservation.
enum Reservation {
  private struct Table: ~Copyable {
    var reserved = false
    var used: UnsafeMutablePointer<Bool>? = nil
    /// What the kernel was last told of each arena's pages. It holds for whoever has the arena next, until it is told something else.
    var placements: UnsafeMutablePointer<ArenaPlacement>? = nil
    var count = 0
  }
  private static let table = Mutex(Table())

  /// Reserves the range on first use; later calls keep the first size.
  static func prepare(bytes requested: Int) throws(PlatformError) {
    let failure: PlatformError? = table.withLock { table in
      if table.reserved { return nil }
      do throws(PlatformError) {
        try reserve(bytes: requested, into: &table)
        return nil
      } catch {
        return error
      }
    }
    if let failure { throw failure }
  }

  private static func reserve(bytes requested: Int, into table: inout Table) throws(PlatformError) {
    let arenas = max(1, requested / Geometry.arenaBytes)
    let bytes = arenas * Geometry.arenaBytes
    let blocks = bytes / Geometry.blockBytes
    let page = AddressSpace.pageSize
    let ranges = try reserve([
      (bytes, Geometry.arenaBytes), (bytes / 128, page), (bytes / 128, page),
      (blocks * MemoryLayout<BlockDescriptor>.stride, page), (blocks * 8, page),
      (blocks * Geometry.cardsPerBlock, page),
    ])
    let base = ranges[0]
    addressMap.markBits = side(ranges[1], bytes / 128)
    addressMap.allocationBits = side(ranges[2], bytes / 128)
    addressMap.descriptors = side(ranges[3], blocks * MemoryLayout<BlockDescriptor>.stride)
    addressMap.scanWords = side(ranges[4], blocks * 8)
    addressMap.cards = side(ranges[5], blocks * Geometry.cardsPerBlock)
    let owners = UnsafeMutablePointer<UnsafeMutableRawPointer?>.allocate(capacity: arenas)
    owners.initialize(repeating: nil, count: arenas)
    addressMap.owners = owners
    let pools = UnsafeMutablePointer<UInt8>.allocate(capacity: arenas)
    pools.initialize(repeating: 0, count: arenas)
    addressMap.pools = pools
    addressMap.base = UInt(bitPattern: base)
    addressMap.bytes = UInt(bytes)
    let used = UnsafeMutablePointer<Bool>.allocate(capacity: arenas)
    used.initialize(repeating: false, count: arenas)
    table.used = used
    let placements = UnsafeMutablePointer<ArenaPlacement>.allocate(capacity: arenas)
    placements.initialize(repeating: .anywhere, count: arenas)
    table.placements = placements
    table.count = arenas
    table.reserved = true
    AddressSpace.name(base, bytes: bytes, "tricolor heap")
  }

  /// Reserves ranges of the given sizes and alignments: all of them, or none.
  private static func reserve(
    _ wanted: [(bytes: Int, alignment: Int)]
  ) throws(PlatformError) -> [UnsafeMutableRawPointer] {
    var ranges: [UnsafeMutableRawPointer] = []
    do throws(PlatformError) {
      for (bytes, alignment) in wanted { ranges.append(try AddressSpace.reserve(bytes: bytes, alignment: alignment)) }
      return ranges
    } catch {
      for (start, range) in zip(ranges, wanted) { AddressSpace.unreserve(start, bytes: range.bytes) }
      throw error
    }
  }

  private static func side<T>(_ start: UnsafeMutableRawPointer, _ bytes: Int) -> UnsafeMutablePointer<T> {
    start.bindMemory(to: T.self, capacity: bytes / MemoryLayout<T>.stride)
  }

  /// Takes `count` adjacent arenas for `owner`, whose `pool` they belong to, and commits them with their side tables. Nil when the range is
  /// used up.
  ///
  /// - Throws: when the system refuses; then none is taken.
  static func takeArenas(_ count: Int, owner: UnsafeMutableRawPointer, pool: Int) throws(PlatformError) -> Int? {
    let first: Int? = table.withLock { table in
      guard let used = table.used else { return nil }
      var start = 0
      while start + count <= table.count {
        if let busy = (start..<start + count).first(where: { used[$0] }) {
          start = busy + 1
        } else {
          for arena in start..<start + count { used[arena] = true }
          return start
        }
      }
      return nil
    }
    guard let first else { return nil }
    do throws(PlatformError) {
      for arena in first..<first + count { try commit(arena: arena) }
    } catch {
      // What was committed has not been touched: it reads zero, and committing it again does nothing.
      table.withLock { for arena in first..<first + count { $0.used![arena] = false } }
      throw error
    }
    for arena in first..<first + count {
      tricolor_store_byte(addressMap.pools + arena, UInt8(pool))
      addressMap.owners[arena] = owner
    }
    return first
  }

  /// Tells the kernel where the pages of an arena that was just taken, and of its side tables, are to lie: before any is touched. `nodes` are
  /// those that `.spread` means.
  ///
  /// - Throws: when the kernel refuses; then they lie where they are first touched.
  static func place(arena: Int, _ placement: ArenaPlacement, nodes: [Int]) throws(PlatformError) {
    let before = table.withLock { $0.placements![arena] }
    if before == placement { return }
    try forEachSlice(of: arena, addressMap) { (start, bytes) throws(PlatformError) in
      switch placement {
      case .anywhere: try AddressSpace.unbind(start, bytes: bytes)
      case .node(let node): try AddressSpace.bind(start, bytes: bytes, node: node)
      case .spread: try AddressSpace.interleave(start, bytes: bytes, nodes: nodes)
      }
    }
    table.withLock { $0.placements![arena] = placement }
  }

  private static func commit(arena: Int) throws(PlatformError) {
    let map = addressMap
    try forEachSlice(of: arena, map) { (start, bytes) throws(PlatformError) in
      try AddressSpace.commit(start, bytes: bytes)
    }
  }

  /// Gives an arena back: its pages and side tables read zero afterwards.
  ///
  /// - Throws: when the system does not take pages back (they are locked in memory); then nobody will get the arena again.
  static func returnArena(_ arena: Int) throws(PlatformError) {
    let map = addressMap
    map.owners[arena] = nil
    try forEachSlice(of: arena, map) { (start, bytes) throws(PlatformError) in
      try AddressSpace.release(start, bytes: bytes)
    }
    table.withLock { $0.used![arena] = false }
  }

  /// The arena itself and its slice of each side table.
  private static func forEachSlice(
    of arena: Int, _ map: AddressMap, _ body: (UnsafeMutableRawPointer, Int) throws(PlatformError) -> Void
  ) throws(PlatformError) {
    let blocks = Geometry.blocksPerArena
    let words = blocks * Geometry.bitmapWordsPerBlock
    let memory = UnsafeMutableRawPointer(bitPattern: map.base + UInt(arena) << Geometry.arenaShift)!
    try body(memory, Geometry.arenaBytes)
    try body(UnsafeMutableRawPointer(map.markBits + arena * words), words * 8)
    try body(UnsafeMutableRawPointer(map.allocationBits + arena * words), words * 8)
    try body(
      UnsafeMutableRawPointer(map.descriptors + arena * blocks), blocks * MemoryLayout<BlockDescriptor>.stride)
    try body(UnsafeMutableRawPointer(map.scanWords + arena * blocks), blocks * 8)
    try body(
      UnsafeMutableRawPointer(map.cards + arena * blocks * Geometry.cardsPerBlock), blocks * Geometry.cardsPerBlock)
  }
}
