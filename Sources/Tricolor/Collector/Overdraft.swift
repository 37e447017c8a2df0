// How far a heap may go past a soft limit that collection cannot keep, because too much lives or lies in holes that nothing fits.
//
// A burst that lives for a moment fits once those who allocate wait: what they made gets used up and dies meanwhile. So at first nobody goes past the
// limit by more than the block that two cycles could not find. Where cycles have left too little room for one and a half seconds in all, or what lives
// alone is more than the limit, waiting does not help. Then each full cycle that leaves less than a 128th of the blocks grants so much until the next
// one, and two and four times that when cycles fail one after the other. Grants are used at full speed; who finds them used up waits for the
// next cycle (MemoryGate.swift).
// In a control group the heap keeps to a line below the group's limit, where the kernel kills, and that comes closer with time only. Where there
// is none, or one with a much higher limit, it is granted less the further it has gone. So a program that needs room for what dies soon runs on,
// and one whose live memory grows is slowed down (docs/decisions.md, "What a full cycle grants beyond the limit").

import Synchronization
import TricolorPlatform

extension HeapCore {
  /// After a full cycle and its sweep: where there is little room, returns pages on which nothing lives. Only on the collector thread.
  func makeRoomInHoles() {
    if limitInForce == Int.max { return }
    let missing = usedBytes / HeapCore.enoughRoom - roomAfterSweep
    if missing > 0 { _ = releaseVacantPages(missing) }
  }

  /// After that, and with memory sampled: how far the heap may go past its limit until the next full cycle.
  func renewOverdraft() {
    if limitInForce == Int.max { return }
    let room = roomAfterSweep
    let step = max(Overdraft.leastBytes, usedBytes / 128)
    let now = Clock.monotonic()
    if room >= step { return state.pointee.overdraft.end(now: now) }
    let isDue = state.pointee.overdraft.noteFailure(now: now) || isBelowLive
    state.pointee.overdraft.renew(
      room: room, step: step, mostBytes: !othersOwe && isDue ? mostOverdraft(step: step) : 0)
  }

  /// What may be granted of a step: a quarter of what is left to an 18th above the limit. Further up the program goes on, slowly, by an eighth
  /// of a step, and by all of it once what lives alone is more than the limit, which no wait will change. In a control group no more than
  /// what is left to the line that is kept from the group's limit, and all of that where that limit is near the heap's own.
  private func mostOverdraft(step: Int) -> Int {
    let limit = limitInForce
    let most = max(isBelowLive ? step : step / 8, (limit / 18 + roomUnderLimit) / 4)
    guard let group = services.limitSource.bindingGroup() else { return most }
    let room = state.pointee.killLine.room(
      limit: group.limit, usage: group.usage, now: Clock.monotonic(), reprieve: reprieve)
    return group.limit <= limit + limit / 8 ? room : min(room, most)
  }

  /// Whether what the last cycle has left alive, and what is not ours, exceed the limit.
  var isBelowLive: Bool {
    state.pointee.pacing.markedLive.load(ordering: .relaxed) > roomUnderLimit + usedBytes - vacantBytes
  }

  /// In what time the last part of the control group is given out.
  var reprieve: UInt64 { isBelowLive ? KillLine.shortReprieve : KillLine.reprieve }

  /// The room under the limit is to be this part of the blocks in use, if it can be had.
  private static let enoughRoom = 16

  /// What can be allocated without going past the limit.
  private var roomAfterSweep: Int {
    roomUnderLimit + state.pointee.blocks.heldBlocks.load(ordering: .relaxed) * Geometry.blockBytes
  }
}

/// By how much a heap may go past a soft limit that cycles cannot keep, until the next full one.
struct Overdraft: ~Copyable {
  /// Bytes that may still be taken.
  let left = Atomic<Int>(0)
  /// What the last full cycle granted.
  private let granted = Atomic<Int>(0)
  /// How often in a row full cycles have left too little room, up to `mostFailures + 1`. This and the next two are the collector thread's.
  private let failures = Atomic<Int>(0)
  /// When the last full cycle ended.
  private let renewed = Atomic<UInt64>(0)
  /// For how long cycles have left too little, in nanoseconds, less half of the time in which they have left enough. Up to twice the patience, so
  /// that some good cycles among many bad ones do not begin the waiting anew.
  private let shortage = Atomic<Int>(0)
  private static let mostFailures = 2
  static let leastBytes = 4 * Geometry.blockBytes
  /// The shortage from which on cycles grant something, and what one cycle adds at most. Nanoseconds.
  static let patience = 1_500_000_000
  static let longestInterval = patience / 4
  /// What one cycle adds, or takes off, at most unless it and the one before have left too little: the time between them may have been quiet.
  static let shortInterval = patience / 100

  /// A full cycle that ended `now` has left too little room; whether cycles have for so long that the heap need not wait any more.
  func noteFailure(now: UInt64) -> Bool {
    let before = failures.load(ordering: .relaxed)
    let short = min(
      shortage.load(ordering: .relaxed)
        + interval(to: now, most: before == 0 ? Overdraft.shortInterval : Overdraft.longestInterval),
      2 * Overdraft.patience)
    failures.store(min(before + 1, Overdraft.mostFailures + 1), ordering: .relaxed)
    shortage.store(short, ordering: .relaxed)
    return short >= Overdraft.patience
  }

  /// The time since the full cycle before; `most` where it was longer.
  private func interval(to now: UInt64, most: Int) -> Int {
    Int(min(now - renewed.exchange(now, ordering: .relaxed), UInt64(most)))
  }

  /// That cycle has left `room`, which is less than `step`. No more than `mostBytes` may be granted.
  func renew(room: Int, step: Int, mostBytes: Int) {
    grant(max(0, min(step << (failures.load(ordering: .relaxed) - 1) - max(0, room), mostBytes)))
  }

  /// A full cycle that ended `now` has left room enough.
  func end(now: UInt64) {
    failures.store(0, ordering: .relaxed)
    let relief = interval(to: now, most: 2 * Overdraft.shortInterval) / 2
    shortage.store(max(0, shortage.load(ordering: .relaxed) - relief), ordering: .relaxed)
    grant(0)
  }

  private func grant(_ bytes: Int) {
    granted.store(bytes, ordering: .relaxed)
    left.store(bytes, ordering: .relaxed)
  }

  func take(_ bytes: Int) -> Bool {
    if left.wrappingSubtract(bytes, ordering: .relaxed).newValue >= 0 { return true }
    left.wrappingAdd(bytes, ordering: .relaxed)
    return false
  }

  var isHalfUsed: Bool { left.load(ordering: .relaxed) < granted.load(ordering: .relaxed) / 2 }
}

/// The line that a heap past its limit keeps to below the limit of its control group, where the kernel kills. It lies at 95 % of that at first, and comes
/// closer only with time: whatever a cycle gives back below it can be used at full speed until the next one, while memory that stays, and
/// would soon reach the group's limit, is slowed down.
struct KillLine: BitwiseCopyable {
  /// The time in which the last part of the group is given out, in nanoseconds; and where what lives is more than the limit already.
  static let reprieve: UInt64 = 10_000_000_000
  static let shortReprieve: UInt64 = 3_000_000_000
  private static let longestStep: UInt64 = 100_000_000
  /// Bytes; 0 while there is room enough.
  private var line = 0
  private var moved: UInt64 = 0

  /// What is given out slowly.
  static func lastPart(of limit: Int) -> Int { max(1, limit / 20) }

  /// Whether the last part is in use.
  static func isPassed(limit: Int, usage: Int) -> Bool { usage > limit - lastPart(of: limit) }

  /// What may be used up to the line, moved to where it is `now`. All in bytes. It ends a hundredth below the limit.
  mutating func room(limit: Int, usage: Int, now: UInt64, reprieve: UInt64 = reprieve) -> Int {
    let first = limit - KillLine.lastPart(of: limit)
    if usage < limit - limit / 10 || line < first || line > limit {
      line = first
    } else {
      let part = Double(min(now - moved, KillLine.longestStep)) / Double(reprieve)
      line = min(limit - limit / 100, line + Int(Double(KillLine.lastPart(of: limit)) * part))
    }
    moved = now
    return max(0, line - usage)
  }
}
