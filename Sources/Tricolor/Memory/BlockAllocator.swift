// Blocks of a heap: which are free, and which of the free ones still hold pages.
//
// Each arena has two bitmaps over its 4096 blocks: `free`, and `resident` for free blocks whose pages the system has not got back.
// Allocation is first fit from the lowest address, and those who allocate ask for resident blocks first (MemoryGate.swift), so the top of the heap
// empties and its pages can be released in large pieces; a block without pages reads zero and needs no clearing. Objects larger than an arena take adjacent
// arenas. One lock: it is taken once for many cells, and a mutator's refill usually finds a block on its lane's list instead.
//
// An arena belongs to a pool (NodeTable.swift), and who takes blocks says from which. With one node all arenas are of pool 0.

import Synchronization
import TricolorPlatform

/// One arena's free blocks.
struct Arena {
  static let words = Geometry.blocksPerArena / 64
  let index: Int
  let pool: Int
  var freeCount: Int
  let free: UnsafeMutablePointer<UInt64>
  let resident: UnsafeMutablePointer<UInt64>

  init(index: Int, pool: Int) {
    self.index = index
    self.pool = pool
    freeCount = Geometry.blocksPerArena
    free = .allocate(capacity: Arena.words)
    free.initialize(repeating: ~0, count: Arena.words)
    resident = .allocate(capacity: Arena.words)
    resident.initialize(repeating: 0, count: Arena.words)
  }

  func deallocate() {
    free.deallocate()
    resident.deallocate()
  }

  var firstBlock: Int { index * Geometry.blocksPerArena }

  /// The first `count` adjacent free blocks; with `held`, of those that hold pages. At most an arena's number.
  ///
  /// Cost: a look at each of the 64 words of the bitmap, and for one that is neither all free nor all taken a few instructions for each doubling of
  /// `count`.
  func firstFree(_ count: Int, held: Bool) -> Int? {
    // Free blocks at the end of the words looked at so far.
    var length = 0
    for word in 0..<Arena.words {
      let bits = held ? free[word] & resident[word] : free[word]
      if bits == 0 {
        length = 0
        continue
      }
      if length + (~bits).trailingZeroBitCount >= count { return word * 64 - length }
      if let first = Arena.firstRun(count, in: bits) { return word * 64 + first }
      length = bits == ~0 ? length + 64 : (~bits).leadingZeroBitCount
    }
    return nil
  }

  /// Where the first `count` adjacent bits of a word begin: each step leaves the bits that begin runs of up to twice the length.
  private static func firstRun(_ count: Int, in bits: UInt64) -> Int? {
    if count > bits.nonzeroBitCount { return nil }
    var begins = bits
    var found = 1
    while found < count && begins != 0 {
      let more = min(found, count - found)
      begins &= begins >> UInt64(more)
      found += more
    }
    return begins == 0 ? nil : begins.trailingZeroBitCount
  }

  /// Takes blocks and answers how many of them held pages.
  mutating func take(_ first: Int, _ count: Int) -> Int {
    var held = 0
    for block in first..<first + count {
      let bit: UInt64 = 1 << UInt64(block & 63)
      free[block >> 6] &= ~bit
      if resident[block >> 6] & bit != 0 { held += 1 }
      resident[block >> 6] &= ~bit
    }
    freeCount -= count
    return held
  }

  mutating func give(_ first: Int, _ count: Int) {
    for block in first..<first + count {
      let bit: UInt64 = 1 << UInt64(block & 63)
      free[block >> 6] |= bit
      resident[block >> 6] |= bit
    }
    freeCount += count
  }

  /// Gives blocks back whose pages the system has got.
  mutating func giveReleased(_ first: Int, _ count: Int) {
    for block in first..<first + count { free[block >> 6] |= 1 << UInt64(block & 63) }
    freeCount += count
  }
}

/// A run of blocks just taken.
struct BlockRun {
  let first: Int
  /// How many of its blocks held pages already; the others add to the resident set when touched.
  let held: Int
  let count: Int
  var isZero: Bool { held == 0 }
}

struct BlockAllocator: ~Copyable {
  let lock = FutexLock()
  var arenas: UnsafeMutablePointer<Arena>
  private(set) var arenaCount = 0
  private let mostArenas: Int
  /// Free blocks of each pool that hold pages. Guarded by the lock.
  private let heldInPools: UnsafeMutablePointer<Int>
  /// Blocks in use, and free blocks that hold pages. Read without the lock by the pacer.
  let usedBlocks = Atomic<Int>(0)
  let heldBlocks = Atomic<Int>(0)
  let releasedBytes = Atomic<Int>(0)
  /// Arenas whose pages the kernel refused to place.
  let refusedPlacements = Atomic<Int>(0)

  init(mostArenas: Int, pools: Int) {
    self.mostArenas = mostArenas
    arenas = .allocate(capacity: mostArenas)
    heldInPools = .allocate(capacity: pools)
    heldInPools.initialize(repeating: 0, count: pools)
  }

  deinit {
    for i in 0..<arenaCount { arenas[i].deallocate() }
    arenas.deallocate()
    heldInPools.deallocate()
  }

  /// Blocks in use, free ones that hold pages, and free ones that do not.
  var counts: (used: Int, held: Int, released: Int) {
    let used = usedBlocks.load(ordering: .relaxed)
    let held = heldBlocks.load(ordering: .relaxed)
    lock.lock()
    defer { lock.unlock() }
    return (used, held, max(0, arenaCount * Geometry.blocksPerArena - used - held))
  }

  /// Blocks in use in each of `count` pools.
  func usedInPools(_ count: Int) -> [Int] {
    if count == 1 { return [usedBlocks.load(ordering: .relaxed)] }
    var used = [Int](repeating: 0, count: count)
    lock.lock()
    defer { lock.unlock() }
    for i in 0..<arenaCount { used[arenas[i].pool] += Geometry.blocksPerArena - arenas[i].freeCount }
    return used
  }

  /// Takes `count` adjacent blocks of `pool`; with `onlyHeld`, only such as hold pages, and no more than an arena's. Nil when there are none to be had.
  ///
  /// - Parameter nodes: the heap's, by whose placement of the pool new arenas are had.
  mutating func take(
    _ count: Int, pool: Int, owner: UnsafeMutableRawPointer, onlyHeld: Bool, nodes: borrowing NodeTable
  ) throws(PlatformError) -> BlockRun? {
    lock.lock()
    defer { lock.unlock() }
    if let run = takeExisting(count, pool, onlyHeld: onlyHeld) { return run }
    if onlyHeld { return nil }
    guard try grow(for: count, pool, owner: owner, nodes) else { return nil }
    return takeExisting(count, pool, onlyHeld: false)
  }

  private mutating func takeExisting(_ count: Int, _ pool: Int, onlyHeld: Bool) -> BlockRun? {
    if onlyHeld && heldInPools[pool] < count { return nil }
    if count > Geometry.blocksPerArena { return onlyHeld ? nil : takeAcrossArenas(count, pool) }
    for i in 0..<arenaCount where arenas[i].pool == pool && arenas[i].freeCount >= count {
      if let first = arenas[i].firstFree(count, held: onlyHeld) { return take(i, first, count) }
    }
    return nil
  }

  private mutating func take(_ arena: Int, _ first: Int, _ count: Int) -> BlockRun {
    let held = arenas[arena].take(first, count)
    usedBlocks.wrappingAdd(count, ordering: .relaxed)
    noteHeld(-held, in: arena)
    return BlockRun(first: arenas[arena].firstBlock + first, held: held, count: count)
  }

  /// Whole adjacent arenas for an object that no arena can hold; what is left of the last one stays free.
  private mutating func takeAcrossArenas(_ count: Int, _ pool: Int) -> BlockRun? {
    let needed = (count + Geometry.blocksPerArena - 1) / Geometry.blocksPerArena
    var i = 0
    while i + needed <= arenaCount {
      let fits = (i..<i + needed).allSatisfy {
        arenas[$0].pool == pool && arenas[$0].freeCount == Geometry.blocksPerArena
          && arenas[$0].index == arenas[i].index + ($0 - i)
      }
      if fits {
        var held = 0
        for k in 0..<needed {
          let part = min(Geometry.blocksPerArena, count - k * Geometry.blocksPerArena)
          held += take(i + k, 0, part).held
        }
        return BlockRun(first: arenas[i].firstBlock, held: held, count: count)
      }
      i += 1
    }
    return nil
  }

  private mutating func grow(
    for count: Int, _ pool: Int, owner: UnsafeMutableRawPointer, _ nodes: borrowing NodeTable
  ) throws(PlatformError) -> Bool {
    let needed = max(1, (count + Geometry.blocksPerArena - 1) / Geometry.blocksPerArena)
    guard arenaCount + needed <= mostArenas,
      let first = try Reservation.takeArenas(needed, owner: owner, pool: pool)
    else { return false }
    for i in 0..<needed {
      place(first + i, nodes.placement(ofPool: pool), nodes.kernelNumbers)
      (arenas + arenaCount).initialize(to: Arena(index: first + i, pool: pool))
      arenaCount += 1
    }
    return true
  }

  /// A kernel that does not place an arena's pages, as a container's filter of system calls may have it, is told of once, and leaves them where
  /// they are first touched: mostly on the node that was meant.
  private func place(_ arena: Int, _ placement: ArenaPlacement, _ nodes: [Int]) {
    do throws(PlatformError) {
      try Reservation.place(arena: arena, placement, nodes: nodes)
    } catch {
      if refusedPlacements.wrappingAdd(1, ordering: .relaxed).oldValue > 0 { return }
      StandardError.write("tricolor: memory is not placed on NUMA nodes: \(error)\n")
    }
  }

  /// Gives blocks back. Their pages stay until `release` (PageRelease.swift) takes them.
  mutating func give(_ first: Int, _ count: Int) {
    lock.lock()
    defer { lock.unlock() }
    var block = first
    let end = first + count
    while block < end {
      let index = block / Geometry.blocksPerArena
      let part = min(end, (index + 1) * Geometry.blocksPerArena) - block
      let arena = (0..<arenaCount).first { arenas[$0].index == index }!
      arenas[arena].give(block - arenas[arena].firstBlock, part)
      noteHeld(part, in: arena)
      block += part
    }
    usedBlocks.wrappingSubtract(count, ordering: .relaxed)
  }

  /// Counts free blocks of an arena that hold pages from now on, or no longer. The lock is held.
  func noteHeld(_ blocks: Int, in arena: Int) {
    heldInPools[arenas[arena].pool] += blocks
    heldBlocks.wrappingAdd(blocks, ordering: .relaxed)
  }

  /// Gives all arenas back to the process's reservation. The heap is unusable afterwards.
  ///
  /// - Throws: the first refusal of the system to take pages back; the arenas it concerns stay unused from then on.
  mutating func close() throws(PlatformError) {
    lock.lock()
    defer { lock.unlock() }
    var failure: PlatformError? = nil
    for i in 0..<arenaCount {
      do throws(PlatformError) {
        try Reservation.returnArena(arenas[i].index)
      } catch {
        failure = failure ?? error
      }
    }
    if let failure { throw failure }
  }

  /// Calls `body` with every arena. Only while no block is taken or given back.
  func forEachArena(_ body: (Arena) -> Void) {
    for i in 0..<arenaCount { body(arenas[i]) }
  }

  /// Calls `body` with the first block of every arena that there is now. At any time: arenas are never taken away.
  func forEachFirstBlock(_ body: (Int) -> Void) {
    var next = 0
    while let first = firstBlock(ofArena: next) {
      body(first)
      next += 1
    }
  }

  private func firstBlock(ofArena number: Int) -> Int? {
    lock.lock()
    defer { lock.unlock() }
    return number < arenaCount ? arenas[number].firstBlock : nil
  }
}
