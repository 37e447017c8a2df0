// Where fresh memory comes from, and what happens first when it would break the memory limit.
//
// The limit counts the whole process. A block that already holds pages costs nothing; any other must fit: before it is taken,
// pages of free blocks elsewhere are released, what is unswept is swept, and a running or new cycle is helped to its end. Only
// when a whole cycle has not made room, or the collector has used its share of CPU, does the heap grow past a soft limit.
// Under a hard limit it throws instead.

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
  /// `blocks` adjacent blocks, or whatever `orElse` finds once memory had to be made free. Waits and collects as the limit demands.
  func acquireRun(
    blocks: Int, for mutator: MutatorCore, orElse: () -> Int?
  ) throws(OutOfMemory) -> FreshMemory {
    if let run = try take(blocks, onlyHeld: true) { return .run(run.first, isZero: false) }
    let bytes = blocks * Geometry.blockBytes
    if bytes > roomUnderLimit {
      let began = Clock.monotonic()
      defer { state.pointee.statistics.noteStall(Clock.monotonic() - began) }
      if let block = try makeRoom(bytes, for: mutator, orElse) { return .other(block) }
    }
    guard let run = try take(blocks, onlyHeld: false) else {
      throw OutOfMemory(requestedBytes: bytes, reason: "the reserved address range is used up")
    }
    return .run(run.first, isZero: run.isZero)
  }

  /// Whether `blocks` fresh blocks would break the limit.
  func isTight(blocks: Int) -> Bool {
    blocks * Geometry.blockBytes > roomUnderLimit && state.pointee.blocks.heldBlocks.load(ordering: .relaxed) < blocks
  }

  private func take(_ blocks: Int, onlyHeld: Bool) throws(OutOfMemory) -> BlockRun? {
    do {
      return try state.pointee.blocks.take(blocks, owner: UnsafeMutableRawPointer(state), onlyHeld: onlyHeld)
    } catch {
      throw OutOfMemory(requestedBytes: blocks * Geometry.blockBytes, reason: "\(error)")
    }
  }

  /// Bytes the process may still grow by, by the last estimate of what is not ours.
  var roomUnderLimit: Int {
    let limit = min(
      state.pointee.pacing.limit.load(ordering: .relaxed), state.pointee.pacing.hardLimit.load(ordering: .relaxed))
    if limit == Int.max { return Int.max }
    return limit - ownResidentBytes - state.pointee.pacing.foreignBytes.load(ordering: .relaxed)
  }

  /// Tries to make room for `bytes`. A block of the wanted lane if the sweep found one; nil when the caller may take fresh memory,
  /// because there is room now or because nothing more can be done.
  private func makeRoom(_ bytes: Int, for mutator: MutatorCore, _ orElse: () -> Int?) throws(OutOfMemory) -> Int? {
    sampleMemory()
    if bytes <= roomUnderLimit { return nil }
    releaseHeld(bytes - roomUnderLimit)
    if bytes <= roomUnderLimit { return nil }
    let first = state.pointee.cyclesDone.load(ordering: .acquiring)
    while state.pointee.cyclesDone.load(ordering: .acquiring) < first + 2 {
      if assistsAreOff { break }
      helpCycle(mutator, bytes: bytes, until: first + 2)
      if let block = orElse() { return block }
      sampleMemory()
      if state.pointee.blocks.heldBlocks.load(ordering: .relaxed) > 0 { releaseHeld(bytes) }
      if bytes <= roomUnderLimit { return nil }
    }
    try refuseAtHardLimit(bytes)
    return nil
  }

  /// Helps the running cycle, or asks for one, and waits for it to move on.
  private func helpCycle(_ mutator: MutatorCore, bytes: Int, until cycle: Int) {
    if phase == .idle { requestCycle(.limit) }
    let seen = state.pointee.cycleEnded.current()
    if phase == .marking, mark(budget: 256 * 1024) > 0 {
      if mutator.state.pointee.poll.load(ordering: .relaxed) != 0 { mutator.answerPoll() }
      return
    }
    ThreadRecords.whileParked { _ = state.pointee.cycleEnded.wait(past: seen, timeoutNanoseconds: 500_000) }
  }

  private func refuseAtHardLimit(_ bytes: Int) throws(OutOfMemory) {
    let hard = state.pointee.pacing.hardLimit.load(ordering: .relaxed)
    let resident = ownResidentBytes + state.pointee.pacing.foreignBytes.load(ordering: .relaxed)
    if hard != Int.max, resident + bytes > hard {
      throw OutOfMemory(
        requestedBytes: bytes, reason: "\(resident) bytes are resident and the hard limit is \(hard) bytes")
    }
  }

  /// Releases pages of free blocks now. A refusal of the system leaves them resident, which the next reading will show.
  @discardableResult
  func releaseHeld(_ bytes: Int) -> Int {
    let began = Clock.threadCPU()
    defer { state.pointee.statistics.scavenge.wrappingAdd(Clock.threadCPU() - began, ordering: .relaxed) }
    do {
      return try state.pointee.blocks.release(bytes)
    } catch {
      state.pointee.statistics.failedReleases.wrappingAdd(1, ordering: .relaxed)
      return 0
    }
  }
}
