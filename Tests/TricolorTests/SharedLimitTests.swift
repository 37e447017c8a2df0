// Several heaps of one process under its limit: what each may hold, as they come, allocate and go. On a copied machine, whose limit is 57 MiB and
// where 1 MiB is resident beside them.

import Testing
import TricolorPacing
import TricolorPlatform

@testable import Tricolor

private let mebibyte = 1 << 20

extension Heap {
  fileprivate var share: Int { statistics.limitShareBytes ?? .max }

  /// Objects of a mebibyte that nothing refers to.
  fileprivate func makeGarbage(mebibytes: Int) throws {
    try onOwnThread {
      try self.withMutator { m in
        for _ in 0..<mebibytes { _ = try m.makeBytes(count: mebibyte - 64) }
      }
    }
  }
}

@Suite("Heaps under one limit")
struct SharedLimitTests {
  private let machine = Machine()
  private let limit = 64 * mebibyte / 100 * 90 + 57
  /// Each heap divides for itself and rounds.
  private let slack = 1024

  private func heap(_ change: (inout Heap.Configuration) -> Void = { _ in }) throws -> Heap {
    try machine.heap {
      $0.gcPercent = nil
      change(&$0)
    }
  }

  @Test("have it all while they are alone, divide it when another comes, and have it back when that has gone")
  func comingAndGoing() throws {
    let first = try heap()
    while first.share < limit - 2 * mebibyte { usleepBriefly() }
    var second: Heap? = try heap()
    while first.share > limit * 3 / 4 { usleepBriefly() }
    while second.map({ $0.share + first.share > limit + slack }) ?? false { usleepBriefly() }
    second = nil
    while first.share < limit - 2 * mebibyte { usleepBriefly() }
  }

  @Test("leave the room to the one that allocates, and the least to the one that does not")
  func idle() throws {
    let (busy, idle) = (try heap(), try heap())
    let live = try idle.makeLive(mebibytes: 10)
    idle.collect()
    repeat { try busy.makeGarbage(mebibytes: 20) } while idle.share > 24 * mebibyte || busy.share < 30 * mebibyte
    while idle.share < 13 * mebibyte { usleepBriefly() }
    while busy.share + idle.share > limit + slack { usleepBriefly() }
    withExtendedLifetime(live) {}
  }

  @Test("get back from each other what was filled before they came, by cycles, and keep the limit together")
  func shrinking() throws {
    let first = try heap()
    try first.makeGarbage(mebibytes: 45)
    let second = try heap()
    let live = try second.makeLive(mebibytes: 30)
    try second.makeGarbage(mebibytes: 200)
    func held(_ heap: Heap) -> Int { heap.statistics.usedBlockBytes + heap.statistics.heldFreeBytes }
    while held(first) + held(second) > limit { usleepBriefly() }
    #expect(held(second) > 30 * mebibyte)
    #expect(first.statistics.cycles > 0, "its goal has fallen below what it held")
    // What the other could free is not pressure. What was allocated while a cycle ran is, until the next one.
    second.collect()
    while second.pressureLevel != .normal { usleepBriefly() }
    withExtendedLifetime(live) {}
  }

  @Test("count what a heap with a limit of its own holds, which counts nothing but itself")
  func setApart() throws {
    let shared = try heap()
    let apart = try heap {
      $0.memoryLimit = .bytes(Int64(20 * mebibyte))
      $0.limitScope = .heap
    }
    let live = try shared.makeLive(mebibytes: 30)
    let kept = try apart.makeLive(mebibytes: 8)
    try apart.makeGarbage(mebibytes: 100)
    #expect(apart.statistics.foreignBytes == 0)
    #expect(apart.share == 20 * mebibyte)
    #expect(apart.statistics.cycles > 0)
    #expect(apart.statistics.usedBlockBytes + apart.statistics.heldFreeBytes <= 20 * mebibyte)
    while shared.share > limit - 8 * mebibyte { usleepBriefly() }
    #expect(shared.share > limit - 22 * mebibyte)
    withExtendedLifetime((live, kept)) {}
  }

  @Test("count what a heap under another limit of the process holds")
  func otherLimit() throws {
    let first = try heap()
    let other = try heap { $0.memoryLimit = .bytes(Int64(50 * mebibyte)) }
    let live = try other.makeLive(mebibytes: 20)
    while first.share > limit - 20 * mebibyte { usleepBriefly() }
    #expect(first.share > limit - 24 * mebibyte)
    withExtendedLifetime(live) {}
  }
}
