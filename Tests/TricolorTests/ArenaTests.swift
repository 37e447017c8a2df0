// The search for adjacent free blocks in an arena.

import Testing

@testable import Tricolor

@Suite("An arena's free blocks")
struct ArenaTests {
  @Test("The first run of any length is found, among all free blocks and among those that hold pages", arguments: 0..<8)
  func firstRun(part: Int) {
    for round in 0..<12 {
      let seed = UInt64(part * 100 + round)
      var random = SplitMix(seed)
      let arena = Arena(index: 0, pool: 0)
      defer { arena.deallocate() }
      for word in 0..<Arena.words {
        arena.free[word] = pattern(&random)
        arena.resident[word] = pattern(&random)
      }
      for count in [1, 2, 3, 5, 7, 31, 32, 33, 62, 63, 64, 65, 66, 127, 128, 129, 200, 640, Geometry.blocksPerArena] {
        for held in [false, true] {
          #expect(
            arena.firstFree(count, held: held) == slowly(arena, count, held: held), "seed \(seed), \(count), \(held)")
        }
      }
    }
  }

  @Test("A run is found at both ends of the arena, and one that is longer than the arena's free blocks is not")
  func ends() {
    let arena = Arena(index: 0, pool: 0)
    defer { arena.deallocate() }
    #expect(arena.firstFree(Geometry.blocksPerArena, held: false) == 0)
    #expect(arena.firstFree(1, held: true) == nil)
    arena.free[0] &= ~1
    #expect(arena.firstFree(Geometry.blocksPerArena, held: false) == nil)
    #expect(arena.firstFree(Geometry.blocksPerArena - 1, held: false) == 1)
    for word in 0..<Arena.words - 2 { arena.free[word] = 0 }
    arena.free[Arena.words - 2] = 1 << 63
    #expect(arena.firstFree(65, held: false) == Geometry.blocksPerArena - 65)
    #expect(arena.firstFree(66, held: false) == nil)
  }

  /// Words of all kinds: none, all, few, most, and stretches of either.
  private func pattern(_ random: inout SplitMix) -> UInt64 {
    func word() -> UInt64 { UInt64(random.next(below: 1 << 32)) << 32 | UInt64(random.next(below: 1 << 32)) }
    switch random.next(below: 8) {
    case 0: return 0
    case 1, 2: return ~0
    case 3: return word() & word()
    case 4: return word() | word()
    case 5: return ~0 << UInt64(random.next(below: 64))
    case 6: return ~0 >> UInt64(random.next(below: 64))
    default: return word() | word() | word()
    }
  }

  /// Block by block.
  private func slowly(_ arena: Arena, _ count: Int, held: Bool) -> Int? {
    var length = 0
    for block in 0..<Geometry.blocksPerArena {
      let bit: UInt64 = 1 << UInt64(block & 63)
      let isWanted = arena.free[block >> 6] & bit != 0 && (!held || arena.resident[block >> 6] & bit != 0)
      length = isWanted ? length + 1 : 0
      if length == count { return block - count + 1 }
    }
    return nil
  }
}
