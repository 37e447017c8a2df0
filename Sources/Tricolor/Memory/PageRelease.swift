// Which pages of free blocks go back to the system, and in what order.
//
// Allocation fills the heap from its lowest address, so pages are taken from the highest: those are free for longest. Whole huge pages
// (2 MiB, aligned) go first and in one piece, since the kernel may have backed each with one page that a smaller piece would break. Then what
// is free between blocks in use. A 4 MiB chunk of which less than a thirty-second is free is left alone in the background: it is in
// busy use, its holes are filled again soon, and releasing them breaks huge pages for little (Go 1.27, mgcscavenge.go). At the limit memory
// matters more, and nothing is left alone.
//
// The lock is not held while the system works: blocks count as taken meanwhile.

import Synchronization
import TricolorPlatform

/// How much a release may take.
enum ReleaseMode {
  /// What is cheap to be without.
  case background
  /// Everything that is free.
  case forced
}

extension Arena {
  static let blocksPerHugePage = (2 << 20) / Geometry.blockBytes
  static let blocksPerChunk = 2 * blocksPerHugePage
  /// A chunk with fewer free blocks is dense.
  private static let leastFreeOfChunk = blocksPerChunk / 32

  /// Whether the blocks from `first` on are all free and some of them hold pages.
  func isReleasable(_ first: Int, _ count: Int) -> Bool {
    var held: UInt64 = 0
    for word in first / 64..<(first + count) / 64 {
      if free[word] != ~0 { return false }
      held |= resident[word]
    }
    return held != 0
  }

  func isDense(chunkAt first: Int) -> Bool {
    (first / 64..<(first + Arena.blocksPerChunk) / 64).reduce(0) { $0 + free[$1].nonzeroBitCount }
      <= Arena.leastFreeOfChunk
  }

  /// The last stretch of free blocks with pages that ends at or before `end`, not reaching below `start`.
  func lastHeld(from start: Int, to end: Int) -> Range<Int>? {
    func isHeld(_ block: Int) -> Bool { free[block >> 6] & resident[block >> 6] & (1 << UInt64(block & 63)) != 0 }
    var last = end
    while last > start {
      if free[(last - 1) >> 6] & resident[(last - 1) >> 6] == 0 {
        last = (last - 1) & ~63
      } else if isHeld(last - 1) {
        break
      } else {
        last -= 1
      }
    }
    if last <= start { return nil }
    var first = last - 1
    while first > start, isHeld(first - 1) { first -= 1 }
    return first..<last
  }
}

extension BlockAllocator {
  /// Returns the pages of `bytes` of free blocks to the system, or somewhat more. Answers the bytes released.
  mutating func release(_ bytes: Int, _ mode: ReleaseMode) throws(PlatformError) -> Int {
    var released = 0
    defer { releasedBytes.wrappingAdd(released, ordering: .relaxed) }
    for chunks in [Arena.blocksPerHugePage, Arena.blocksPerChunk] {
      var arena = arenaCount - 1
      while arena >= 0, released < bytes, heldBlocks.load(ordering: .relaxed) > 0 {
        for first in stride(from: Geometry.blocksPerArena - chunks, through: 0, by: -chunks) where released < bytes {
          released +=
            try chunks == Arena.blocksPerHugePage
            ? releaseHugePage(arena, first) : releaseHoles(arena, first, bytes - released, mode)
        }
        arena -= 1
      }
    }
    return released
  }

  private mutating func releaseHugePage(_ arena: Int, _ first: Int) throws(PlatformError) -> Int {
    lock.lock()
    defer { lock.unlock() }
    guard arenas[arena].isReleasable(first, Arena.blocksPerHugePage) else { return 0 }
    return try releaseUnlocked(arena, first..<first + Arena.blocksPerHugePage)
  }

  private mutating func releaseHoles(
    _ arena: Int, _ first: Int, _ bytes: Int, _ mode: ReleaseMode
  ) throws(PlatformError) -> Int {
    lock.lock()
    defer { lock.unlock() }
    if mode == .background && arenas[arena].isDense(chunkAt: first) { return 0 }
    var released = 0
    var end = first + Arena.blocksPerChunk
    while released < bytes, let hole = arenas[arena].lastHeld(from: first, to: end) {
      released += try releaseUnlocked(arena, hole)
      end = hole.lowerBound
    }
    return released
  }

  /// Returns the pages of free blocks. The lock is held before and after, and not meanwhile.
  private mutating func releaseUnlocked(_ arena: Int, _ blocks: Range<Int>) throws(PlatformError) -> Int {
    let first = arenas[arena].firstBlock + blocks.lowerBound
    let held = arenas[arena].take(blocks.lowerBound, blocks.count)
    noteHeld(-held, in: arena)
    lock.unlock()
    let outcome = Result { () throws(PlatformError) in
      try AddressSpace.release(
        UnsafeMutableRawPointer(bitPattern: addressMap.address(ofBlock: first))!,
        bytes: blocks.count * Geometry.blockBytes)
    }
    lock.lock()
    switch outcome {
    case .success:
      arenas[arena].giveReleased(blocks.lowerBound, blocks.count)
      return held * Geometry.blockBytes
    case .failure(let error):
      // Which of them held pages is not known any more: all count as if they did, until a release succeeds.
      arenas[arena].give(blocks.lowerBound, blocks.count)
      noteHeld(blocks.count, in: arena)
      throw error
    }
  }
}
