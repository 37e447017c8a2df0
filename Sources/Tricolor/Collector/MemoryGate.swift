// Where fresh memory comes from, and what happens first when it would break the memory limit.
//
// The limit counts the whole process. A block that already holds pages costs nothing; any other must fit: before it is taken,
// pages of free blocks elsewhere are released, what is unswept is swept, and a running or new cycle is helped to its end. Only
// when a whole cycle has not made room, or the collector has used its share of CPU, does the heap grow past a soft limit.
// Under a hard limit it throws instead.
//
// Where a full cycle leaves little room, pages on which nothing lives go back first (VacantPages.swift). If that is not enough, most of the
// memory is alive or lies in holes that nothing fits: no collection frees it, and to wait for two cycles for every block would stop the program. So
// the heap may go past a soft limit by what each full cycle grants (Overdraft.swift). Never past a hard limit.

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
    if !mayGrow(by: bytes) {
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

  /// Whether a block with free cells may be allocated from at once: pages of it that went back to the system count as fresh memory.
  func mayFill(_ block: Int) -> Bool {
    let bytes = vacantBytes(of: block)
    return bytes == 0 || mayGrow(by: bytes)
  }

  /// Puts back a block that may not be filled, since a cycle must find it on its lane's list, and waits and collects as for fresh memory.
  func waitToFill(_ block: Int, lane: Int, for mutator: MutatorCore) throws(OutOfMemory) {
    let bytes = vacantBytes(of: block)
    putBack(block, lane: lane, freeCells: .some(tier: 0))
    let began = Clock.monotonic()
    defer { state.pointee.statistics.noteStall(of: mutator.state.pointee.threadID, since: began) }
    _ = try makeRoom(bytes, for: mutator, { nil })
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
    let began = Clock.monotonic()
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
      if mayGrow(by: bytes) { return nil }
    }
    if getBackFromOthers(bytes) { return nil }
    try refuseAtHardLimit(bytes)
    return waitBeforeKill(bytes, since: began, orElse)
  }

  /// Near the limit of a control group, where the kernel kills: waits for so much of the reprieve as `bytes` are of the last part of the
  /// group, so that others come to free memory, and the program's own measures to act. A block that turned up meanwhile, if there is one.
  private func waitBeforeKill(_ bytes: Int, since began: UInt64, _ orElse: () -> Int?) -> Int? {
    guard let group = services.limitSource.bindingGroup(), KillLine.isPassed(limit: group.limit, usage: group.usage)
    else { return nil }
    let share = min(1, Double(bytes) / Double(KillLine.lastPart(of: group.limit)))
    let end = began + UInt64(Double(reprieve) * share)
    while Clock.monotonic() < end {
      let seen = state.pointee.cycleEnded.current()
      if !assistsAreOff { requestCycle(.limit) }
      ThreadRecords.whileParked { _ = state.pointee.cycleEnded.wait(past: seen, timeoutNanoseconds: 10_000_000) }
      if let block = orElse() { return block }
      sampleMemory()
      if mayGrow(by: bytes) { return nil }
    }
    return nil
  }

  /// Whether `bytes` fit under the limit, or are granted beyond it; what is granted is used up by asking.
  private func mayGrow(by bytes: Int) -> Bool { bytes <= roomUnderLimit || overdraw(bytes) }

  /// Takes `bytes` from what the heap may go past its limit by. Asks for the next cycle in time, so that few have to wait for it.
  private func overdraw(_ bytes: Int) -> Bool {
    guard state.pointee.overdraft.left.load(ordering: .relaxed) >= bytes, hardRoom >= bytes,
      state.pointee.overdraft.take(bytes)
    else { return false }
    if state.pointee.overdraft.isHalfUsed && phase == .idle { requestCycle(.limit) }
    return true
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
