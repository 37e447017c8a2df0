// The collector thread: runs cycles when asked, and between them watches memory.
//
// On each tick (10 ms while the program allocates, 100 ms otherwise) it reads the resident set and, when a cgroup limits the
// process, the cgroup's usage; moves the estimate of memory that is not the heap's; re-reads a limit that follows the cgroup; feeds
// the CPU limiter; and returns pages that the goal no longer needs, spending at most one percent of a processor on it.

import Synchronization
import TricolorPacing
import TricolorPlatform

extension HeapCore {
  private static let tick: Int64 = 10_000_000
  private static let periodNanoseconds: UInt64 = 120_000_000_000

  /// The thread's body.
  func runCollector() {
    var lastCycle = Clock.monotonic()
    while !state.pointee.stopping.load(ordering: .acquiring) {
      let seen = state.pointee.wakeCollector.current()
      serveVerifications()
      if let (cause, mayBeYoung) = takeRequest() {
        runCycle(cause: cause, mayBeYoung: mayBeYoung)
        lastCycle = Clock.monotonic()
        continue
      }
      watchMemory()
      let isDue = Clock.monotonic() - lastCycle > HeapCore.periodNanoseconds
      if isDue && !state.pointee.isDamaged.load(ordering: .relaxed) { requestCycle(.periodic) }
      _ = state.pointee.wakeCollector.wait(past: seen, timeoutNanoseconds: HeapCore.tick)
    }
  }

  /// The most urgent cause asked for, clearing all: one cycle serves every request made before it began. Only where heap growth or a
  /// test of young cycles asks may it be a young one.
  private func takeRequest() -> (CycleCause, mayBeYoung: Bool)? {
    let bits = state.pointee.wanted.exchange(0, ordering: .acquiringAndReleasing)
    if bits == 0 { return nil }
    if bits & (1 << CycleCause.forced.rawValue) != 0 { return (.forced, false) }
    if bits & HeapCore.wantsYoung != 0 { return (.forced, true) }
    if bits & (1 << CycleCause.limit.rawValue) != 0 { return (.limit, false) }
    if bits & (1 << CycleCause.periodic.rawValue) != 0 { return (.periodic, false) }
    // Growth may have been reported while the last cycle began; what it freed counts.
    let live = state.pointee.liveBytes.load(ordering: .relaxed)
    if live < state.pointee.trigger.load(ordering: .relaxed) { return nil }
    return (state.pointee.pacing.goalIsLimited.load(ordering: .relaxed) ? .limit : .growth, true)
  }

  // MARK: Memory

  private func watchMemory() {
    sampleMemory()
    repace()
    updateLimiter()
    scavenge()
  }

  /// Reads what the process really uses and moves the estimate of foreign memory.
  func sampleMemory() {
    let resident = services.limitSource.residentBytes()
    state.pointee.statistics.notePeakResident(resident)
    services.followLimit()
    state.pointee.pacing.lock.lock()
    defer { state.pointee.pacing.lock.unlock() }
    let foreign = state.pointee.pacing.foreign.update(
      residentBytes: Int64(resident), ownBytes: Int64(ownResidentBytes), now: Clock.monotonic())
    state.pointee.pacing.foreignBytes.store(Int(foreign), ordering: .relaxed)
  }

  /// Feeds the CPU limiter with what collector and program took since the last update.
  private func updateLimiter() {
    let statistics = state
    let now = Clock.monotonic()
    let spent =
      statistics.pointee.statistics.background.load(ordering: .relaxed)
      + statistics.pointee.statistics.assist.load(ordering: .relaxed)
      + statistics.pointee.statistics.scavenge.load(ordering: .relaxed)
    let pacing = state
    pacing.pointee.pacing.lock.lock()
    defer { pacing.pointee.pacing.lock.unlock() }
    let elapsed = now - pacing.pointee.pacing.lastLimiterUpdate
    let collector = spent - pacing.pointee.pacing.lastLimiterCPU
    let first = pacing.pointee.pacing.lastLimiterUpdate == 0
    pacing.pointee.pacing.lastLimiterUpdate = now
    pacing.pointee.pacing.lastLimiterCPU = spent
    if first { return }
    let available = UInt64(Double(elapsed) * state.pointee.processors)
    pacing.pointee.pacing.limiter.update(
      gcNanoseconds: Int64(min(collector, available)), mutatorNanoseconds: Int64(available - min(collector, available)),
      processors: state.pointee.processors)
    pacing.pointee.pacing.assistsOff.store(pacing.pointee.pacing.limiter.isLimiting, ordering: .relaxed)
  }

  /// After a cycle: a new estimate of foreign memory, a goal from it, and pages given back where the limit is near.
  func settleMemory(_ record: inout CycleRecord) {
    record.swept = Clock.monotonic()
    watchMemory()
  }

  /// Returns pages that the goal does not need: all that exceeds it by a tenth slowly, what exceeds 95 % of the limit at once.
  private func scavenge() {
    let held = state.pointee.blocks.heldBlocks.load(ordering: .relaxed) * Geometry.blockBytes
    if held == 0 { return }
    let resident = ownResidentBytes + state.pointee.pacing.foreignBytes.load(ordering: .relaxed)
    let limit = state.pointee.pacing.limit.load(ordering: .relaxed)
    if limit != Int.max, resident > limit / 100 * 95 {
      releaseHeld(min(held, resident - limit / 100 * 95))
      return
    }
    let retained = retainedBytes
    if resident - state.pointee.pacing.foreignBytes.load(ordering: .relaxed) <= retained { return }
    releaseHeld(min(held, ownResidentBytes - retained, HeapCore.slowRelease))
  }

  /// What the heap keeps for its next growth: what it used at the end of the last cycle, scaled by how the goal moved, and a tenth.
  private var retainedBytes: Int {
    let inUse = state.pointee.pacing.lastInUse.load(ordering: .relaxed)
    let lastGoal = state.pointee.pacing.lastGoal.load(ordering: .relaxed)
    let goal = state.pointee.pacing.goal.load(ordering: .relaxed)
    if inUse == 0 || lastGoal > HeapCore.noGoal || goal > HeapCore.noGoal { return Int.max }
    return Int(Double(inUse) * Double(goal) / Double(max(1, lastGoal)) * 1.1)
  }

  /// Goals above this are none: `GOGC=off` without a limit.
  private static let noGoal = 1 << 60

  /// What a tick may release in the background: 1 % of 10 ms at about 10 GiB/s of madvise.
  private static let slowRelease = 1 << 20
}
