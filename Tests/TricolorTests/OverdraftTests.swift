// How far a heap may go past a soft limit that collection cannot keep.

import Testing
@testable import Tricolor

@Suite("What a heap may go past its limit by")
struct OverdraftTests {
  private static let step = 1 << 20

  /// A full cycle that leaves `room`, when the heap need not wait.
  private func fail(
    _ overdraft: borrowing Overdraft, at now: UInt64, room: Int, step: Int = OverdraftTests.step, mostBytes: Int = .max
  ) {
    _ = overdraft.noteFailure(now: now)
    overdraft.renew(room: room, step: step, mostBytes: mostBytes)
  }

  @Test("is nothing while full cycles leave room, and what is missing from a step when one has not")
  func begins() {
    let overdraft = Overdraft()
    let before = overdraft.take(1)
    fail(overdraft, at: 0, room: OverdraftTests.step / 4)
    let granted = overdraft.left.load(ordering: .relaxed)
    overdraft.end(now: 1)
    let after = overdraft.take(1)
    #expect(!before && !after)
    #expect(granted == OverdraftTests.step / 4 * 3)
  }

  @Test("doubles twice while cycles fail one after the other, and begins anew after one that has not")
  func doubles() {
    let overdraft = Overdraft()
    var grants: [Int] = []
    for cycle in 0..<5 {
      if cycle == 4 { overdraft.end(now: 4) }
      fail(overdraft, at: UInt64(cycle), room: -5 * OverdraftTests.step)
      grants.append(overdraft.left.load(ordering: .relaxed) / OverdraftTests.step)
    }
    #expect(grants == [1, 2, 4, 4, 1])
  }

  @Test("is never more than may be granted, nor less than nothing", arguments: [(1000, 1000), (-1000, 0)])
  func isBounded(most: Int, granted: Int) {
    let overdraft = Overdraft()
    fail(overdraft, at: 0, room: 0, mostBytes: most)
    let left = overdraft.left.load(ordering: .relaxed)
    #expect(left == granted)
  }

  @Test("is due once cycles have failed for as long as the patience, and not by time in which nothing was asked for")
  func isDue() {
    let overdraft = Overdraft()
    let step = Overdraft.patience / 10
    let isDue = (20...31).map { overdraft.noteFailure(now: UInt64($0 * step)) }
    #expect(isDue == Array(repeating: false, count: 10) + [true, true])
    let another = Overdraft()
    let isDueRarely = (0..<99).map {
      another.end(now: UInt64(2 * $0 * step))
      return another.noteFailure(now: UInt64((2 * $0 + 1) * step))
    }
    #expect(!isDueRarely.contains(true))
  }

  @Test("becomes due by no single interval, however long it was")
  func isNotDueByOneInterval() {
    let overdraft = Overdraft()
    let isDue = (0...4).map { overdraft.noteFailure(now: UInt64($0 * 100 * Overdraft.patience)) }
    #expect(isDue == [false, false, false, false, true])
  }

  @Test("is due at last where two of three cycles fail, and not where one of three does", arguments: [true, false])
  func mostCyclesFail(fails: Bool) {
    let overdraft = Overdraft()
    let step = Overdraft.shortInterval
    let isDue = (1...1000).map { cycle in
      if (cycle % 3 == 0) == fails {
        overdraft.end(now: UInt64(cycle * step))
        return false
      }
      return overdraft.noteFailure(now: UInt64(cycle * step))
    }
    #expect(isDue.contains(true) == fails)
  }

  @Test("stays due after some cycles that left room, and waits again after as many as the shortage was long")
  func isForgotten() {
    let overdraft = Overdraft()
    var now: UInt64 = 0
    func wait() -> UInt64 {
      now += UInt64(2 * Overdraft.shortInterval)
      return now
    }
    for _ in 0...200 { _ = overdraft.noteFailure(now: wait()) }
    for _ in 0..<Overdraft.patience / Overdraft.shortInterval { overdraft.end(now: wait()) }
    let stillDue = overdraft.noteFailure(now: wait())
    for _ in 0..<3 { overdraft.end(now: wait()) }
    let later = overdraft.noteFailure(now: wait())
    #expect(stillDue && !later)
  }

  @Test("is taken in parts, and half of it used is told")
  func isTaken() {
    let overdraft = Overdraft()
    fail(overdraft, at: 0, room: 0, step: 100)
    let taken = [50, 20, 31, 30, 1].map { (overdraft.take($0), overdraft.isHalfUsed) }
    #expect(taken.map(\.0) == [true, true, false, true, false])
    #expect(taken.map(\.1) == [false, true, true, true, true])
  }
}

@Suite("The line that a heap keeps to below the limit of its control group")
struct KillLineTests {
  private static let limit = 1_000_000

  @Test("lies at 95 % of the limit at first, and leaves no less than nothing")
  func first() {
    var line = KillLine()
    #expect(line.room(limit: KillLineTests.limit, usage: 920_000, now: 1) == 30_000)
    var other = KillLine()
    #expect(other.room(limit: KillLineTests.limit, usage: 960_000, now: 1) == 0)
  }

  @Test("comes closer to the limit by a tenth of the last part in a second, and stays a hundredth away")
  func comesCloser() {
    var line = KillLine()
    let rooms = (0..<2000).map {
      line.room(limit: KillLineTests.limit, usage: 940_000, now: UInt64(1 + $0) * 10_000_000)
    }
    #expect(rooms[0] == 10_000)
    #expect(rooms[100] == 15_000)
    #expect(zip(rooms, rooms.dropFirst()).allSatisfy { $0 <= $1 })
    #expect(rooms.last! == 50_000)
  }

  @Test("comes no closer for a long time without a cycle than for a tenth of a second")
  func longTime() {
    var line = KillLine()
    _ = line.room(limit: KillLineTests.limit, usage: 940_000, now: 0)
    #expect(line.room(limit: KillLineTests.limit, usage: 940_000, now: 3_600_000_000_000) == 10_500)
  }

  @Test("is passed when less than a twentieth of the limit is left")
  func isPassed() {
    #expect(!KillLine.isPassed(limit: KillLineTests.limit, usage: 950_000))
    #expect(KillLine.isPassed(limit: KillLineTests.limit, usage: 950_001))
  }

  @Test("lies where it was at first when a tenth is free again, and at another limit", arguments: [true, false])
  func beginsAnew(hasRoom: Bool) {
    var line = KillLine()
    for tick in 0..<100 { _ = line.room(limit: KillLineTests.limit, usage: 940_000, now: UInt64(tick) * 100_000_000) }
    if hasRoom {
      #expect(line.room(limit: KillLineTests.limit, usage: 890_000, now: 0) == 60_000)
    } else {
      #expect(line.room(limit: 2 * KillLineTests.limit, usage: 1_880_000, now: 0) == 20_000)
      #expect(line.room(limit: KillLineTests.limit, usage: 940_000, now: 0) == 10_000)
    }
  }
}
