// The parts of a heap that are ordinary Swift objects: settings, the source of memory readings, listeners. The collector thread
// holds this, never the `Heap`: if it did, it could drop the last reference to the heap and then wait for itself.

import Synchronization
import TricolorPacing
import TricolorPlatform

/// A closure in a struct of its own: a bare one in a generic place is wrapped in another thunk at every look.
struct CycleHook {
  let run: @Sendable (CycleStep) -> Void
}

final class HeapServices: Sendable {
  let core: HeapCore
  let limitSource: LimitSource
  let settings: Mutex<Settings>
  let cleanups = CleanupRunner()
  /// Set by tests only (Testing.swift).
  let cycleHook = Mutex<CycleHook?>(nil)
  /// Calls of `verify()` that the collector thread has yet to serve.
  let verifications = Mutex<[VerificationRequest]>([])
  private let listeners = Mutex<[Int: AsyncStream<CycleEvent>.Continuation]>([:])

  init(core: HeapCore, settings: Settings) throws(PlatformError) {
    self.core = core
    limitSource = try LimitSource(settings)
    self.settings = Mutex(settings)
  }

  /// Puts the current settings into force.
  func applySettings() {
    let current = settings.withLock { $0 }
    let cgroup = limitSource.cgroupLimit()
    core.apply(
      gcPercent: current.gcPercent, limit: current.memoryLimit.resolve(cgroupLimit: cgroup),
      hardLimit: current.hardLimit.resolve(cgroupLimit: cgroup))
  }

  /// Re-reads a limit that follows the cgroup.
  func followLimit() {
    let (limit, hard) = settings.withLock { ($0.memoryLimit, $0.hardLimit) }
    guard limit.followsCgroup || hard.followsCgroup else { return }
    if limitSource.cgroupLimitChanged() { applySettings() }
  }

  func makeEventStream() -> AsyncStream<CycleEvent> {
    AsyncStream { continuation in
      let id = listeners.withLock { listeners in
        let id = (listeners.keys.max() ?? 0) + 1
        listeners[id] = continuation
        return id
      }
      continuation.onTermination = { [weak self] _ in
        self?.listeners.withLock { listeners in listeners[id] = nil }
      }
    }
  }

  func publish(_ event: CycleEvent) {
    for listener in listeners.withLock({ $0 }) { listener.value.yield(event) }
  }

  func finish() {
    for listener in listeners.withLock({ $0 }) { listener.value.finish() }
  }
}

extension HeapCore {
  /// The services of this heap; alive as long as its collector thread runs and its `Heap` exists.
  var services: HeapServices { Unmanaged<HeapServices>.fromOpaque(state.pointee.services!).takeUnretainedValue() }

  /// New goals for a running heap.
  func apply(gcPercent: Int?, limit: Int64?, hardLimit: Int64?) {
    state.pointee.pacing.lock.lock()
    state.pointee.pacing.pacer.setGCPercent(Int32(clamping: gcPercent ?? -1))
    let hard = hardLimit ?? .max
    state.pointee.pacing.pacer.setMemoryLimit(min(limit ?? .max, hard))
    state.pointee.pacing.limit.store(Int(limit ?? .max), ordering: .relaxed)
    state.pointee.pacing.hardLimit.store(Int(hard), ordering: .relaxed)
    state.pointee.pacing.lock.unlock()
    repace()
  }

  func readStatistics(_ services: HeapServices) -> HeapStatistics {
    var result = HeapStatistics()
    let counters = state
    result.gcPercent = services.settings.withLock { $0.gcPercent }
    let limit = counters.pointee.pacing.limit.load(ordering: .relaxed)
    result.limitBytes = limit == Int.max ? nil : limit
    result.cyclesByCause = [
      .growth: counters.pointee.statistics.growthCycles.load(ordering: .relaxed),
      .limit: counters.pointee.statistics.limitCycles.load(ordering: .relaxed),
      .forced: counters.pointee.statistics.forcedCycles.load(ordering: .relaxed),
      .periodic: counters.pointee.statistics.periodicCycles.load(ordering: .relaxed),
    ]
    result.cycles = result.cyclesByCause.values.reduce(0, +)
    result.youngCycles = counters.pointee.statistics.youngCycles.load(ordering: .relaxed)
    readTimes(&result)
    readMemory(&result, services)
    return result
  }

  private func readTimes(_ result: inout HeapStatistics) {
    let counters = state
    result.cpu = CollectorCPU(
      background: counters.pointee.statistics.background.load(ordering: .relaxed),
      assist: counters.pointee.statistics.assist.load(ordering: .relaxed),
      idle: counters.pointee.statistics.idle.load(ordering: .relaxed),
      sweep: counters.pointee.statistics.sweep.load(ordering: .relaxed),
      scavenge: counters.pointee.statistics.scavenge.load(ordering: .relaxed))
    result.holds = counters.pointee.statistics.holds.distribution()
    result.holdCPU = counters.pointee.statistics.holdCPU.distribution()
    result.stalls = counters.pointee.statistics.stalls.distribution()
    result.timeToSafepoint = counters.pointee.statistics.timeToSafepoint.distribution()
    result.markNanoseconds = counters.pointee.statistics.markNanoseconds.load(ordering: .relaxed)
    result.slowSafepointThread = counters.pointee.statistics.slowThread.load(ordering: .relaxed)
    result.slowSafepoints = counters.pointee.statistics.slowSafepoints.load(ordering: .relaxed)
  }

  private func readMemory(_ result: inout HeapStatistics, _ services: HeapServices) {
    let counters = state
    result.liveBytes = counters.pointee.liveBytes.load(ordering: .relaxed)
    result.goalBytes = counters.pointee.pacing.goal.load(ordering: .relaxed)
    result.peakLiveBytes = counters.pointee.statistics.peakLive.load(ordering: .relaxed)
    result.markedLiveBytes = counters.pointee.pacing.markedLive.load(ordering: .relaxed)
    result.residentBytes = services.limitSource.residentBytes()
    counters.pointee.statistics.notePeakResident(result.residentBytes)
    result.peakResidentBytes = counters.pointee.statistics.peakResident.load(ordering: .relaxed)
    result.usedBlockBytes = counters.pointee.blocks.usedBlocks.load(ordering: .relaxed) * Geometry.blockBytes
    result.heldFreeBytes = counters.pointee.blocks.heldBlocks.load(ordering: .relaxed) * Geometry.blockBytes
    result.metadataBytes = metadataBytes
    result.allocatedBytes = counters.pointee.statistics.allocatedBytes.load(ordering: .relaxed)
    result.allocatedObjects = counters.pointee.statistics.allocatedObjects.load(ordering: .relaxed)
    result.markedBytes = counters.pointee.statistics.markedBytes.load(ordering: .relaxed)
    result.markedObjects = counters.pointee.statistics.markedObjects.load(ordering: .relaxed)
    result.releasedBytes = counters.pointee.blocks.releasedBytes.load(ordering: .relaxed)
    result.mutators = counters.pointee.mutatorCount.load(ordering: .relaxed)
    result.attachedMutators = counters.pointee.statistics.attachedMutators.load(ordering: .relaxed)
    result.roots = counters.pointee.roots.count.load(ordering: .relaxed)
  }
}
