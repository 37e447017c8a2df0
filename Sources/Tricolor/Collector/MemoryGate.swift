// Where fresh memory comes from, and what happens first when it would break the memory limit.
//
// The limit counts the whole process. A block that already holds pages costs nothing; any other must fit: before it is taken,
// pages of free blocks elsewhere are released, what is unswept is swept, and a running or new cycle is helped to its end. Only
// when a whole cycle has not made room, or the collector has used its share of CPU, does the heap grow past a soft limit.
// Under a hard limit it throws instead.
//
// A limit below what lives cannot be met, and two cycles for every block would stop the program. So where the last cycle has left more
// alive than the limit has room for, the heap may overdraw it by twice as much as the time before, a 32nd of its size at most,
// until the next try. Holes between live objects can fill the room as well, which no collection frees. For them the heap may overdraw a
// limit that is a share of its control group's, up to `MemoryLimit.ceiling`: further up the kernel kills.

import Synchronization
import TricolorPlatform

/// Where the next cells come from.
enum FreshMemory {
  /// A new run, and whether it reads zero.
  case run(Int, isZero: Bool)
  /// A block with free cells turned up meanwhile.
  case other(Int)
}

extension HeapCore {
  /// `blocks` adjacent blocks of `pool`, or whatever `orElse` finds once memory had to be made free. Waits and collects as the limit
  /// demands. Of another pool, where that spares the limit or the node is full.
  func acquireRun(
    blocks: Int, pool: Int, for mutator: MutatorCore, orElse: () -> Int?
  ) throws(OutOfMemory) -> FreshMemory {
    if let run = try take(blocks, pool, onlyHeld: true) { return .run(run.first, isZero: false) }
    let bytes = blocks * Geometry.blockBytes
    if bytes > roomUnderLimit && !overdraw(bytes) {
      if let run = try takeElsewhere(blocks, pool, onlyHeld: true) { return .run(run.first, isZero: false) }
      let began = Clock.monotonic()
      defer { state.pointee.statistics.noteStall(of: mutator.state.pointee.threadID, since: began) }
      if let block = try makeRoom(bytes, for: mutator, orElse) { return .other(block) }
    }
    if isFull(pool), let run = try takeElsewhere(blocks, pool, onlyHeld: false) {
      state.pointee.statistics.fallbackBytes.wrappingAdd(bytes, ordering: .relaxed)
      return .run(run.first, isZero: run.isZero)
    }
    if let run = try take(blocks, pool, onlyHeld: false) { return .run(run.first, isZero: run.isZero) }
    if let run = try takeAnywhere(blocks) { return .run(run.first, isZero: run.isZero) }
    throw OutOfMemory(requestedBytes: bytes, reason: "the reserved address range is used up")
  }

  /// Blocks of whichever pool has any: there are no addresses left for another arena of the one they are wanted from.
  private func takeAnywhere(_ blocks: Int) throws(OutOfMemory) -> BlockRun? {
    for pool in 0..<state.pointee.nodes.poolCount {
      if let run = try take(blocks, pool, onlyHeld: false) { return run }
    }
    return nil
  }

  private func isFull(_ pool: Int) -> Bool { pool < state.pointee.nodes.count && state.pointee.nodes.isFull(pool) }

  /// Blocks of the nearest other pool that has any, and whose node is not full unless they hold pages already.
  private func takeElsewhere(_ blocks: Int, _ pool: Int, onlyHeld: Bool) throws(OutOfMemory) -> BlockRun? {
    guard pool < state.pointee.nodes.count else { return nil }
    for place in stride(from: 1, to: state.pointee.nodes.count, by: 1) {
      let other = state.pointee.nodes.node(place, nearest: pool)
      if !onlyHeld && isFull(other) { continue }
      if let run = try take(blocks, other, onlyHeld: onlyHeld) { return run }
    }
    return nil
  }

  /// Whether `blocks` fresh blocks would break the limit.
  func isTight(blocks: Int) -> Bool {
    blocks * Geometry.blockBytes > roomUnderLimit && state.pointee.blocks.heldBlocks.load(ordering: .relaxed) < blocks
  }

  private func take(_ blocks: Int, _ pool: Int, onlyHeld: Bool) throws(OutOfMemory) -> BlockRun? {
    do {
      return try state.pointee.blocks.take(
        blocks, pool: pool, owner: UnsafeMutableRawPointer(state), onlyHeld: onlyHeld, nodes: state.pointee.nodes)
    } catch {
      throw OutOfMemory(requestedBytes: blocks * Geometry.blockBytes, reason: "\(error)")
    }
  }

  /// Bytes the process may still grow by, by the last estimate of what is not ours.
  var roomUnderLimit: Int {
    room(under: limitInForce)
  }

  /// Tries to make room for `bytes`. A block of the wanted lane if the sweep found one; nil when the caller may take fresh memory,
  /// because there is room now or because nothing more can be done.
  private func makeRoom(_ bytes: Int, for mutator: MutatorCore, _ orElse: () -> Int?) throws(OutOfMemory) -> Int? {
    sampleMemory()
    if bytes <= roomUnderLimit { return nil }
    releaseHeld(bytes - roomUnderLimit)
    if bytes <= roomUnderLimit { return nil }
    // A full cycle that began after this: young ones leave what has died old, and may follow each other without a gap.
    let wanted = state.pointee.cyclesDone.load(ordering: .acquiring) + 2
    while state.pointee.fullCycleDone.load(ordering: .acquiring) < wanted {
      if assistsAreOff { break }
      helpCycle(mutator, until: wanted)
      if let block = orElse() { return block }
      sampleMemory()
      if state.pointee.blocks.heldBlocks.load(ordering: .relaxed) > 0 { releaseHeld(bytes) }
      if bytes <= roomUnderLimit {
        state.pointee.overdraft.endEpisode()
        return nil
      }
    }
    if getBackFromOthers(bytes) { return nil }
    try refuseAtHardLimit(bytes)
    let isStuck = state.pointee.overdraft.noteFailure()
    let roomForHoles = room(under: state.pointee.pacing.ceiling.load(ordering: .relaxed))
    if isBelowLive || isStuck && roomForHoles >= bytes { state.pointee.overdraft.grant(heapBytes: usedBytes) }
    return nil
  }

  /// Whether what the last cycle has left alive, and what is not ours, exceed the limit already.
  private var isBelowLive: Bool {
    let live = state.pointee.pacing.markedLive.load(ordering: .relaxed)
    return live > roomUnderLimit + usedBytes
  }

  /// Takes `bytes` from what the heap may overdraw its limit by. Never past a hard limit.
  private func overdraw(_ bytes: Int) -> Bool {
    guard state.pointee.overdraft.left.load(ordering: .relaxed) >= bytes, hardRoom >= bytes else { return false }
    return state.pointee.overdraft.take(bytes)
  }

  /// Helps the running cycle and waits for it to move on. Until a full one with at least the number `wanted` has begun, asks for one.
  private func helpCycle(_ mutator: MutatorCore, until wanted: Int) {
    let isNext = phase == .idle || state.pointee.cyclesDone.load(ordering: .relaxed) >= wanted - 1
    if isNext && state.pointee.fullCycleBegun.load(ordering: .relaxed) < wanted { requestCycle(.limit) }
    let seen = state.pointee.cycleEnded.current()
    if phase == .marking, mark(budget: 256 * 1024) > 0 {
      if mutator.state.pointee.poll.load(ordering: .relaxed) != 0 { mutator.answerPoll() }
      return
    }
    ThreadRecords.whileParked { _ = state.pointee.cycleEnded.wait(past: seen, timeoutNanoseconds: 500_000) }
  }

  /// Bytes up to the hard limit, `Int.max` without one.
  private var hardRoom: Int { room(under: state.pointee.pacing.hardLimit.load(ordering: .relaxed)) }

  /// Bytes from what the process is estimated to use up to `limit`, `Int.max` where that is none.
  private func room(under limit: Int) -> Int {
    if limit == Int.max { return Int.max }
    return limit - ownResidentBytes - state.pointee.pacing.outside.held.load(ordering: .relaxed)
  }

  private func refuseAtHardLimit(_ bytes: Int) throws(OutOfMemory) {
    if bytes > hardRoom {
      let hard = state.pointee.pacing.hardLimit.load(ordering: .relaxed)
      let resident = hard - hardRoom
      throw OutOfMemory(
        requestedBytes: bytes, reason: "\(resident) bytes are resident and the hard limit is \(hard) bytes")
    }
  }

  /// Releases pages of free blocks now, for an allocation. A refusal of the system leaves them resident, which the next reading will show.
  @discardableResult
  func releaseHeld(_ bytes: Int) -> Int {
    let began = Clock.threadCPU()
    let released = release(bytes, .forced)
    state.pointee.statistics.scavengeForAllocation.wrappingAdd(Clock.threadCPU() - began, ordering: .relaxed)
    state.pointee.statistics.tracedEager.wrappingAdd(released, ordering: .relaxed)
    return released
  }

  /// Returns pages of free blocks; the bytes returned.
  func release(_ bytes: Int, _ mode: ReleaseMode) -> Int {
    let began = Clock.threadCPU()
    defer { state.pointee.statistics.scavenge.wrappingAdd(Clock.threadCPU() - began, ordering: .relaxed) }
    do {
      return try state.pointee.blocks.release(bytes, mode)
    } catch {
      state.pointee.statistics.failedReleases.wrappingAdd(1, ordering: .relaxed)
      return 0
    }
  }
}

/// By how much a heap may go past a soft limit that cycles could not keep.
struct Overdraft: ~Copyable {
  /// Bytes that may still be taken, and what was granted last.
  let left = Atomic<Int>(0)
  private let granted = Atomic<Int>(0)
  /// How often in a row cycles have made no room.
  private let failures = Atomic<Int>(0)
  private static let failuresWhenStuck = 8

  /// Grants twice as much as the last time, one block at first and a 32nd of the heap at most. Threads that do so at once grant once.
  func grant(heapBytes: Int) {
    let most = max(Geometry.blockBytes, heapBytes / 32)
    let next = min(most, max(Geometry.blockBytes, 2 * granted.load(ordering: .relaxed)))
    granted.store(next, ordering: .relaxed)
    left.store(next - Geometry.blockBytes, ordering: .relaxed)
  }

  func take(_ bytes: Int) -> Bool {
    if left.wrappingSubtract(bytes, ordering: .relaxed).newValue >= 0 { return true }
    left.wrappingAdd(bytes, ordering: .relaxed)
    return false
  }

  /// Cycles have made no room; whether that has become the rule.
  func noteFailure() -> Bool { failures.wrappingAdd(1, ordering: .relaxed).newValue >= Overdraft.failuresWhenStuck }

  /// There is room again: the next time begins with one block.
  func endEpisode() {
    failures.store(0, ordering: .relaxed)
    granted.store(0, ordering: .relaxed)
    left.store(0, ordering: .relaxed)
  }
}
