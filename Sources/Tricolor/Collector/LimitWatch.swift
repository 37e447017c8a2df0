// What the collector thread makes of the limit on each tick: the kernel's signs tighten the goal, the level of pressure is told to the
// application, and when the limit cannot be met that is said once and the policy's clock runs. The arithmetic is in TricolorPacing/Limit.
//
// All state here is the collector thread's own.

import Glibc
import Synchronization
import TricolorPacing
import TricolorPlatform

/// What the collector thread remembers from tick to tick.
struct LimitWatch: BitwiseCopyable {
  var gauge = PressureGauge()
  var episode = LimitEpisode()
  var budget = ScavengeBudget()
  var signsRead: UInt64 = 0
  var processorsRead: UInt64 = 0
  var stalledPercent: Double? = nil
  /// Live bytes at the last tick: whether the program allocates.
  var liveBefore = 0
}

extension HeapCore {
  /// The smaller of both limits in bytes, `Int.max` without one.
  var limitInForce: Int {
    min(state.pointee.pacing.limit.load(ordering: .relaxed), state.pointee.pacing.hardLimit.load(ordering: .relaxed))
  }

  /// Follows the limit, given what the process holds.
  func watchLimit(residentBytes: Int) {
    let now = Clock.monotonic()
    readSigns(residentBytes: residentBytes, now: now)
    watchEpisode(residentBytes: residentBytes, now: now)
    watchPressure(residentBytes: residentBytes, now: now)
  }

  private func readSigns(residentBytes: Int, now: UInt64) {
    if now < state.pointee.watch.signsRead + LimitTightening.interval || limitInForce == Int.max { return }
    state.pointee.watch.signsRead = now
    guard let reading = services.limitSource.shortage() else { return }
    state.pointee.watch.stalledPercent = reading.stalledPercent
    state.pointee.pacing.lock.lock()
    defer { state.pointee.pacing.lock.unlock() }
    state.pointee.pacing.tightening.update(
      reading, residentBytes: UInt64(max(0, residentBytes)), limit: UInt64(limitInForce), now: now)
    state.pointee.pacing.setGoalLimit(self)
  }

  // MARK: When it cannot be met

  private func watchEpisode(residentBytes: Int, now: UInt64) {
    let limit = limitInForce
    state.pointee.pacing.lock.lock()
    let isStarved = !state.pointee.pacing.pacer.hasRoom(under: limit == Int.max ? .max : Int64(limit))
    state.pointee.pacing.lock.unlock()
    let isUnmet =
      limit != Int.max && LimitEpisode.isUnmet(unavoidableBytes: UInt64(unavoidableBytes), limit: UInt64(limit))
    let policy = services.limitPolicy
    switch state.pointee.watch.episode.update(
      isUnmet: isUnmet, isStarved: isStarved, patience: policy.patience, now: now)
    {
    case .began: StandardError.write("tricolor: \(unmetLimit(residentBytes)); \(consequence(policy))\n")
    case .ended(let lasted):
      StandardError.write("tricolor: the memory limit can be met again after \(GCTrace.milliseconds(lasted)) ms\n")
    case .expired(let lasted): failFast(residentBytes, after: lasted)
    case nil: break
    }
    state.pointee.pacing.limitIsUnmet.store(state.pointee.watch.episode.isOn, ordering: .relaxed)
  }

  private func unmetLimit(_ residentBytes: Int) -> String {
    let live = state.pointee.pacing.markedLive.load(ordering: .relaxed)
    let foreign = state.pointee.pacing.outside.held.load(ordering: .relaxed)
    return "the memory limit of \(limitInForce >> 20) MiB cannot be met: \(live >> 20) MiB live on the heap in "
      + "\(usedBytes >> 20) MiB of blocks, \(foreign >> 20) MiB outside it, \(residentBytes >> 20) MiB in all"
  }

  private func consequence(_ policy: LimitPolicy) -> String {
    if state.pointee.pacing.hardLimit.load(ordering: .relaxed) == limitInForce {
      return "allocation fails from here on"
    }
    switch policy {
    case .soft:
      return
        "memory may exceed it, collection takes \(services.settings.withLock { $0.gcCPULimit }) % of the CPU at most"
    case .failFast(let patience): return "the process ends if that lasts \(patience / 1_000_000) ms"
    }
  }

  /// Ends the process without running any of its exit handlers: what they wait for may be what waits for memory.
  private func failFast(_ residentBytes: Int, after nanoseconds: UInt64) -> Never {
    StandardError.write(
      "tricolor: ended by TRICOLOR_LIMIT_POLICY after \(nanoseconds / 1_000_000) ms: \(unmetLimit(residentBytes))\n")
    _exit(LimitPolicy.exitStatus)
  }

  // MARK: Pressure

  private func watchPressure(residentBytes: Int, now: UInt64) {
    let limit = limitInForce
    var reading: PressureReading? = nil
    if limit != Int.max {
      reading = PressureReading(
        limitBytes: UInt64(limit), residentBytes: UInt64(max(0, residentBytes)),
        unavoidableBytes: UInt64(unavoidableBytes), collectorIsLimited: isHeldBack,
        kernelReports: state.pointee.pacing.tightenedPercent.load(ordering: .relaxed) > 0)
    }
    guard state.pointee.watch.gauge.update(reading, now: now) else { return }
    services.pressure.publish(
      PressureEvent(
        level: state.pointee.watch.gauge.level, limitBytes: limit == Int.max ? nil : limit,
        residentBytes: residentBytes,
        unavoidableBytes: unavoidableBytes, liveBytes: state.pointee.pacing.markedLive.load(ordering: .relaxed),
        foreignBytes: state.pointee.pacing.outside.held.load(ordering: .relaxed),
        goalBytes: state.pointee.pacing.goal.load(ordering: .relaxed),
        stalledPercent: state.pointee.watch.stalledPercent, collectorIsLimited: isHeldBack))
  }

  /// What no collection frees: what the last cycle found alive, side tables, and memory that is not the heap's.
  private var unavoidableBytes: Int {
    max(0, state.pointee.pacing.markedLive.load(ordering: .relaxed)) + metadataBytes
      + max(0, state.pointee.pacing.outside.unavoidable.load(ordering: .relaxed))
  }
}

extension LimitPolicy {
  /// How long the policy waits in an episode, in nanoseconds; nil for ever.
  var patience: UInt64? {
    switch self {
    case .soft: nil
    case .failFast(let nanoseconds): UInt64(nanoseconds)
    }
  }
}
