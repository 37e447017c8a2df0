// The collector thread: runs cycles when asked, and between them watches memory.
//
// On each tick (10 ms while the program allocates or memory is near its limit, 100 ms otherwise) it reads the resident set and, when a
// cgroup limits the process, the cgroup's usage; moves the estimate of memory that is not the heap's; re-reads a limit that follows the cgroup
// and, once a second, the processors it may use; feeds the CPU limiter; looks at the limit (LimitWatch.swift); and returns pages: what
// exceeds 95 % of the limit at once, what the goal no longer needs in at most one percent of the processors' time.
//
// Memory that others take can use up the room of a program that does not allocate on the heap meanwhile, and so never comes to its trigger:
// the tick begins a cycle for it.

import Synchronization
import TricolorPacing
import TricolorPlatform

extension HeapCore {
  private static let shortTick: Int64 = 10_000_000
  private static let longTick: Int64 = 100_000_000
  private static let processorInterval: UInt64 = 1_000_000_000

  /// The thread's body.
  func runCollector() {
    var lastCycle = Clock.monotonic()
    var bound: UInt32 = 0
    while !state.pointee.stopping.load(ordering: .acquiring) {
      let seen = state.pointee.wakeCollector.current()
      followBinding(&bound, thread: 0)
      runErrands()
      if let (cause, mayBeYoung) = takeRequest() {
        runCycle(cause: cause, mayBeYoung: mayBeYoung)
        lastCycle = Clock.monotonic()
        continue
      }
      let isNear = watchMemory()
      requestDueCycle(nanosecondsSinceLast: Clock.monotonic() - lastCycle)
      _ = state.pointee.wakeCollector.wait(
        past: seen, timeoutNanoseconds: isNear ? HeapCore.shortTick : HeapCore.longTick)
    }
  }

  /// Asks for a cycle that no allocation will ask for: the periodic one, or one for memory that others took.
  private func requestDueCycle(nanosecondsSinceLast nanoseconds: UInt64) {
    if state.pointee.isDamaged.load(ordering: .relaxed) { return }
    state.pointee.pacing.lock.lock()
    let isDue = state.pointee.pacing.pacer.isPeriodicCycleDue(nanosecondsSinceLast: nanoseconds)
    state.pointee.pacing.lock.unlock()
    if isDue { requestCycle(.periodic) }
    if state.pointee.pacing.goalIsLimited.load(ordering: .relaxed),
      state.pointee.liveBytes.load(ordering: .relaxed) >= state.pointee.trigger.load(ordering: .relaxed),
      mayFindGarbage
    {
      requestCycle(.growth)
    }
  }

  /// Whether enough has been allocated since the last cycle for another one: with nothing new it would find nothing.
  var mayFindGarbage: Bool {
    state.pointee.liveBytes.load(ordering: .relaxed)
      > state.pointee.pacing.markedLive.load(ordering: .relaxed) + HeapCore.worthACycle
  }

  /// Allocation since the last cycle for which memory that others took, or want back, begins one.
  static let worthACycle = 1 << 20

  /// The most urgent cause asked for, clearing all: one cycle serves every request made before it began. Only where heap growth or a
  /// test of young cycles asks may it be a young one.
  ///
  /// While collection for the limit has used up its share of the CPU, a cycle for the limit waits.
  private func takeRequest() -> (CycleCause, mayBeYoung: Bool)? {
    let asked = state.pointee.wanted.load(ordering: .relaxed)
    if asked == 0 { return nil }
    let forced: UInt32 = 1 << CycleCause.forced.rawValue
    let periodic: UInt32 = 1 << CycleCause.periodic.rawValue
    if isHeldBack, asked & (forced | HeapCore.wantsYoung | periodic) == 0 { return nil }
    let bits = state.pointee.wanted.exchange(0, ordering: .acquiringAndReleasing)
    if bits & forced != 0 { return (.forced, false) }
    if bits & HeapCore.wantsYoung != 0 { return (.forced, true) }
    if bits & (1 << CycleCause.limit.rawValue) != 0 { return (.limit, false) }
    if bits & periodic != 0 { return (.periodic, false) }
    // Growth may have been reported while the last cycle began; what it freed counts.
    let live = state.pointee.liveBytes.load(ordering: .relaxed)
    if live < state.pointee.trigger.load(ordering: .relaxed) { return nil }
    return (state.pointee.pacing.goalIsLimited.load(ordering: .relaxed) ? .limit : .growth, true)
  }

  // MARK: Memory

  /// Looks at memory; whether to look again soon.
  @discardableResult private func watchMemory() -> Bool {
    let resident = sampleMemory()
    followProcessors()
    state.pointee.nodes.lookAtMemory()
    repace()
    updateLimiter()
    watchLimit(residentBytes: resident)
    let isReturning = scavenge()
    let live = state.pointee.liveBytes.load(ordering: .relaxed)
    defer { state.pointee.watch.liveBefore = live }
    let limit = limitInForce
    return isReturning || live != state.pointee.watch.liveBefore || (limit != Int.max && resident > limit / 4 * 3)
  }

  /// Reads what the process really uses and moves the estimate of memory that is not the heap's; what the limit counts, in bytes.
  @discardableResult func sampleMemory() -> Int {
    let resident = services.limitSource.residentBytes()
    state.pointee.statistics.notePeakResident(resident)
    services.followLimit()
    state.pointee.pacing.lock.lock()
    defer { state.pointee.pacing.lock.unlock() }
    state.pointee.pacing.readOutside(self, resident: resident)
    return state.pointee.pacing.claim.countsProcess.load(ordering: .relaxed) ? resident : ownResidentBytes
  }

  /// Reads again, once a second, what processors the process may use.
  private func followProcessors() {
    let now = Clock.monotonic()
    if now < state.pointee.watch.processorsRead + HeapCore.processorInterval { return }
    state.pointee.watch.processorsRead = now
    services.followProcessors()
  }

  /// After a cycle: a new estimate of foreign memory, a goal from it, and pages given back where the limit is near.
  func settleMemory(_ record: inout CycleRecord) {
    record.swept = Clock.monotonic()
    if record.isYoung {
      watchMemory()
    } else {
      makeRoomInHoles()
      watchMemory()
      renewOverdraft()
    }
  }

  // MARK: Returning pages

  /// Returns pages: at once what exceeds 95 % of the limit, and in the time that may be spent on it what the goal does not need; whether
  /// some are left for the next tick.
  private func scavenge() -> Bool {
    state.pointee.watch.budget.earn(at: Clock.monotonic(), processors: state.pointee.processors)
    let overLimit = min(excessOverLimit, state.pointee.blocks.heldBlocks.load(ordering: .relaxed) * Geometry.blockBytes)
    if overLimit > 0 {
      state.pointee.statistics.tracedBackground.wrappingAdd(release(overLimit, .forced), ordering: .relaxed)
    }
    var excess = excessOverGoal
    while excess > 0, state.pointee.blocks.heldBlocks.load(ordering: .relaxed) > 0, state.pointee.watch.budget.isLeft {
      let began = Clock.threadCPU()
      let released = release(min(excess, HeapCore.piece), .background)
      state.pointee.watch.budget.spend(nanoseconds: Clock.threadCPU() - began)
      if released == 0 { return false }
      state.pointee.statistics.tracedBackground.wrappingAdd(released, ordering: .relaxed)
      excess = excessOverGoal
    }
    return excess > 0 && state.pointee.blocks.heldBlocks.load(ordering: .relaxed) > 0
  }

  /// What is asked of the system at a time.
  private static let piece = 256 << 10

  private var excessOverLimit: Int {
    let limit = state.pointee.pacing.goalLimit.load(ordering: .relaxed)
    if limit == Int.max { return 0 }
    let resident = ownResidentBytes + state.pointee.pacing.outside.held.load(ordering: .relaxed)
    return Int(clamping: ScavengePlan.beyondLimit(residentBytes: UInt64(max(0, resident)), limit: UInt64(limit)))
  }

  private var excessOverGoal: Int {
    let blocks = state.pointee.blocks.counts
    let excess = ScavengePlan.beyondGoal(
      heapBytes: UInt64((blocks.used + blocks.held) * Geometry.blockBytes),
      lastInUse: UInt64(max(0, state.pointee.pacing.lastInUse.load(ordering: .relaxed))),
      lastGoal: UInt64(max(0, state.pointee.pacing.lastGoal.load(ordering: .relaxed))),
      goal: UInt64(max(0, state.pointee.pacing.goal.load(ordering: .relaxed))))
    return Int(clamping: excess)
  }
}
