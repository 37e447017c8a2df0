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
  /// Where memory and threads go; what the process might use when the heap was made.
  private let plan: Mutex<PlacementPlan>
  private let processorsAtStart = ProcessorSet.allowed()
  let cleanups = CleanupRunner()
  /// Set by tests (Testing.swift) and by the C interface's listener (Embedding/EmbeddedEvents.swift).
  let cycleHook = Mutex<CycleHook?>(nil)
  /// What the collector thread has yet to do between two cycles.
  let errands = Mutex<[Errand]>([])
  let pressure = PressureListeners()
  /// The collector thread and the marking workers, in this order.
  private let threads = Mutex<[NativeThread]>([])
  private let listeners = Mutex<[Int: AsyncStream<CycleEvent>.Continuation]>([:])

  init(core: HeapCore, settings: Settings, plan: PlacementPlan, limitSource: LimitSource) {
    self.core = core
    self.limitSource = limitSource
    self.plan = Mutex(plan)
    self.settings = Mutex(settings)
  }

  /// Puts the current settings into force.
  func applySettings() {
    let current = settings.withLock { $0 }
    limitSource.configure(current)
    let cgroup = limitSource.cgroupLimit()
    core.apply(
      current, memoryBytes: limitSource.memoryBytes(cgroupLimit: cgroup),
      limit: current.memoryLimit.resolve(cgroupLimit: cgroup),
      hardLimit: current.hardLimit.resolve(cgroupLimit: cgroup))
  }

  /// Puts other settings for nodes and processors into force: for memory that is taken from now on, and for threads when they next look.
  ///
  /// - Throws: for a node or processor that this process may not use; then nothing changes.
  func replan(_ settings: Settings) throws(SettingsError) {
    try plan.withLock { (plan) throws(SettingsError) in
      let changed = try plan.following(settings)
      if changed == plan { return }
      plan = changed
      core.state.pointee.nodes.follow(settings.numa)
      core.state.pointee.bindings.wrappingAdd(1, ordering: .releasing)
    }
  }

  /// Binds the calling thread, the `index`th of the collector's, as the settings say. One that cannot be bound stays where it may be.
  func bindCurrentThread(_ index: Int) {
    guard let processors = plan.withLock({ $0.threads(index + 1)[index] }) ?? processorsAtStart else { return }
    do throws(PlatformError) {
      try NativeThread.confineCurrent(to: processors)
    } catch {
      StandardError.write("tricolor: \(error)\n")
    }
  }

  var limitPolicy: LimitPolicy { settings.withLock { $0.limitPolicy } }

  /// Re-reads a limit that follows the cgroup.
  func followLimit() {
    limitSource.lookUpIfDue(at: Clock.monotonic())
    let follows = settings.withLock { $0.memoryLimit.followsCgroup || $0.hardLimit.followsCgroup || $0.tunes }
    guard follows else { return }
    if limitSource.cgroupLimitChanged() { applySettings() }
  }

  // MARK: Processors and threads

  /// Reads what processors the process may use, and starts workers for those it did not have before. A system that does not tell, or
  /// has no room for a thread, leaves things as they are until the next time.
  func followProcessors() {
    do throws(PlatformError) {
      let available = try Processors.current().available
      core.state.pointee.processors = HeapServices.planned(settings.withLock { $0 }, available: available)
      try startWorkers()
    } catch {
      return
    }
  }

  /// The processors to plan with: as many as `GOMAXPROCS` says, and no more than there are.
  static func planned(_ settings: Settings, available: Double) -> Double {
    settings.maxProcessors.map { min(Double($0), available) } ?? available
  }

  /// Starts the collector thread, and as many workers as there are processors beside it.
  func startThreads() throws(PlatformError) {
    let core = self.core
    try threads.withLock { (threads) throws(PlatformError) in
      threads.append(try NativeThread.start(name: "tricolor-gc", priority: .normal) { core.runCollector() })
    }
    try startWorkers()
  }

  private func startWorkers() throws(PlatformError) {
    let core = self.core
    let wanted = Heap.collectorThreads(settings.withLock { $0 }, core.state.pointee.processors) - 1
    try threads.withLock { (threads) throws(PlatformError) in
      // None before the collector thread, and none after the end has begun.
      while !threads.isEmpty, threads.count <= wanted, !core.state.pointee.stopping.load(ordering: .acquiring) {
        let index = threads.count
        threads.append(
          try NativeThread.start(name: "tricolor-mark-\(index)", priority: .normal) { core.runWorker(index) })
      }
    }
  }

  /// Waits for all threads, which have been told to stop.
  func joinThreads() {
    threads.withLock { $0.first }?.join()
    // The collector thread alone starts others.
    for worker in threads.withLock({ $0 }).dropFirst() { worker.join() }
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
    pressure.finish()
  }
}

extension HeapCore {
  /// The services of this heap; alive as long as its collector thread runs and its `Heap` exists.
  var services: HeapServices { Unmanaged<HeapServices>.fromOpaque(state.pointee.services!).takeUnretainedValue() }

  /// New goals for a running heap.
  func apply(_ settings: Settings, memoryBytes: UInt64, limit: Int64?, hardLimit: Int64?) {
    state.pointee.traces.store(Traces(settings.debug).rawValue, ordering: .relaxed)
    state.pointee.pacing.lock.lock()
    state.pointee.pacing.setGrowth(settings, memoryBytes: memoryBytes)
    state.pointee.pacing.pacer.setHeapMinimum(settings.minimumHeap)
    state.pointee.pacing.limiter.setCapPercent(settings.gcCPULimit)
    state.pointee.pacing.claim.countsProcess.store(settings.limitScope == .process, ordering: .relaxed)
    state.pointee.pacing.limit.store(Int(limit ?? .max), ordering: .relaxed)
    state.pointee.pacing.hardLimit.store(Int(hardLimit ?? .max), ordering: .relaxed)
    state.pointee.pacing.setGoalLimit(self)
    state.pointee.pacing.lock.unlock()
    repace()
    // The new goal may lie below what there is: the tick begins the cycle.
    state.pointee.wakeCollector.signalAll()
  }

  func readStatistics(_ services: HeapServices) -> HeapStatistics {
    var result = HeapStatistics()
    let counters = state
    result.growthChoice = state.pointee.pacing.choice
    result.gcPercent = result.growthChoice?.percent ?? services.settings.withLock { $0.gcPercent }
    let limit = counters.pointee.pacing.limit.load(ordering: .relaxed)
    result.limitBytes = limit == Int.max ? nil : limit
    let hard = counters.pointee.pacing.hardLimit.load(ordering: .relaxed)
    result.hardLimitBytes = hard == Int.max ? nil : hard
    result.limitShareBytes = limitShare
    result.tightenedPercent = counters.pointee.pacing.tightenedPercent.load(ordering: .relaxed)
    result.limitIsUnmet = counters.pointee.pacing.limitIsUnmet.load(ordering: .relaxed)
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
      scavenge: counters.pointee.statistics.scavenge.load(ordering: .relaxed),
      scavengeForAllocation: counters.pointee.statistics.scavengeForAllocation.load(ordering: .relaxed))
    result.processors = counters.pointee.processors
    result.elapsedNanoseconds = Clock.monotonic() - counters.pointee.startTime
    result.processCPUNanoseconds = Clock.processCPU()
    result.holdCPUNanoseconds = counters.pointee.statistics.holdCPU.totalNanoseconds
    result.holdCounts = counters.pointee.statistics.holds.read()
    result.stallCounts = counters.pointee.statistics.stalls.read()
    result.timeToSafepointCounts = counters.pointee.statistics.timeToSafepoint.read()
    result.limiterLastCycle = counters.pointee.pacing.limiterLastOn.load(ordering: .relaxed)
    result.queuedCleanups = counters.pointee.cleanups.queued.load(ordering: .relaxed)
    result.executedCleanups = counters.pointee.cleanups.taken.load(ordering: .relaxed)
    result.holds = result.holdCounts.distribution(
      longest: counters.pointee.statistics.holds.longestNanoseconds)
    result.holdCPU = counters.pointee.statistics.holdCPU.distribution()
    result.stalls = result.stallCounts.distribution(
      longest: counters.pointee.statistics.stalls.longestNanoseconds)
    result.timeToSafepoint = result.timeToSafepointCounts.distribution(
      longest: counters.pointee.statistics.timeToSafepoint.longestNanoseconds)
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
    result.vacantBytes = vacantBytes
    result.heldFreeBytes = counters.pointee.blocks.heldBlocks.load(ordering: .relaxed) * Geometry.blockBytes
    result.metadataBytes = metadataBytes
    result.unbackedBytes = counters.pointee.blocks.counts.released * Geometry.blockBytes
    result.foreignBytes = counters.pointee.pacing.outside.held.load(ordering: .relaxed)
    result.externalBytes = externalBytes
    result.unsweptBytes = counters.pointee.unsweptGarbage.load(ordering: .relaxed)
    result.heapScanBytes = max(0, counters.pointee.scannableBytes.load(ordering: .relaxed))
    result.stackScanBytes = counters.pointee.statistics.scannedStackBytes.load(ordering: .relaxed)
    result.globalScanBytes = globalBytes
    result.freedBytes = counters.pointee.statistics.freedBytes.load(ordering: .relaxed)
    result.freedBySize = counters.pointee.statistics.freed.byClass()
    result.freedObjects = result.freedBySize.reduce(0, +)
    result.allocatedBytes = counters.pointee.statistics.allocatedBytes.load(ordering: .relaxed)
    result.allocatedBySize = counters.pointee.statistics.allocated.byClass()
    result.allocatedObjects = result.allocatedBySize.reduce(0, +)
    result.markedBytes = counters.pointee.statistics.markedBytes.load(ordering: .relaxed)
    result.markedObjects = counters.pointee.statistics.markedObjects.load(ordering: .relaxed)
    result.nodes = nodeStatistics
    result.releasedBytes = counters.pointee.blocks.releasedBytes.load(ordering: .relaxed)
    result.mutators = counters.pointee.mutatorCount.load(ordering: .relaxed)
    result.attachedMutators = counters.pointee.statistics.attachedMutators.load(ordering: .relaxed)
    result.roots = counters.pointee.roots.count.load(ordering: .relaxed)
  }
}
