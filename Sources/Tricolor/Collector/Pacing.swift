// Between the pure pacer and the running heap: feeds it what refills and markers counted, publishes what it answers.
//
// The pacer itself (TricolorPacing) is arithmetic under one lock; what hot paths need of it, the trigger and the assist ratio, is
// published in atomics. Inputs are gathered when a cycle begins and ends, when credit is flushed, and on the collector's tick.

import Synchronization
import TricolorPacing
import TricolorPlatform

struct PacingState: ~Copyable {
  let lock = FutexLock()
  var pacer: Pacer
  var limiter: CPULimiter
  var foreign = ForeignMemoryEstimate()
  var tightening = LimitTightening()
  /// Work done by all markers in this cycle, and how much of it nobody has used to pay for allocation.
  let scanWork = Atomic<Int>(0)
  let credit = Atomic<Int>(0)
  let cycleMarkedBytes = Atomic<Int>(0)
  let assistNanoseconds = Atomic<UInt64>(0)
  /// `Pacer.assistWorkPerByte`, as bits.
  let ratioBits = Atomic<UInt64>(0)
  let goal = Atomic<Int>(Int.max)
  let goalIsLimited = Atomic<Bool>(false)
  let assistsOff = Atomic<Bool>(false)
  /// What the CPU limiter leaves background marking of the processors, as bits.
  let backgroundShareBits = Atomic<UInt64>(PacerConstants.backgroundUtilization.bitPattern)
  /// The limit in bytes, `Int.max` when there is none.
  let limit = Atomic<Int>(Int.max)
  let hardLimit = Atomic<Int>(Int.max)
  /// Memory that the limit counts and that is not ours, as last estimated; our claim on the limit, and what it follows from.
  let outside = OutsideMemory()
  let claim = PublishedClaim()
  var cost = CollectionCost()
  /// What the last cycle left alive.
  let markedLive = Atomic<Int>(0)
  /// Which cycle is to be young, whether the next one is, and whether this one is. The collector thread's, but for the first, which
  /// the lock guards.
  var generations: GenerationPolicy
  /// Chooses the pacer's percentage; nil where the program does.
  var tuner: GrowthTuner?
  var nextIsYoung = false
  var cycleIsYoung = false
  /// The part of what the last cycle left alive that lies in the heap, and the part of that which is to be scanned.
  var markedInHeap = 0
  var scannableMarked = 0
  /// Block bytes in use and the goal at the end of the last cycle: what the scavenger measures against.
  let lastInUse = Atomic<Int>(0)
  let lastGoal = Atomic<Int>(Int.max)
  /// The limit that the goal is computed from: the smaller of both, less what the kernel's signs take off.
  let goalLimit = Atomic<Int>(Int.max)
  /// By how much the kernel's signs make the limit smaller, and whether the limit cannot be met: for those who ask.
  let tightenedPercent = Atomic<Int>(0)
  let limitIsUnmet = Atomic<Bool>(false)
  /// What the CPU limiter was last fed with, and the number of the cycle in which it was last on.
  var limiterReading: CPUReading
  let limiterLastOn = Atomic<Int>(0)

  init(settings: Settings) {
    pacer = Pacer(
      gcPercent: Int32(clamping: settings.gcPercent ?? -1), memoryLimit: Int64.max, heapMinimum: settings.minimumHeap)
    limiter = CPULimiter(capPercent: settings.gcCPULimit)
    generations = GenerationPolicy(mode: settings.youngCycles)
    limiterReading = CPUReading()
    limiterReading.time = Clock.monotonic()
    limiterReading.process = Clock.processCPU()
  }
}

extension PacingState {
  /// Work the cycle expects per byte allocated, as of the last revision.
  var assistWorkPerByte: Double { Double(bitPattern: ratioBits.load(ordering: .relaxed)) }

  /// What the tuner has chosen; nil without one. Takes the lock.
  var choice: GrowthChoice? {
    lock.lock()
    defer { lock.unlock() }
    return tuner?.choice
  }

  /// A cycle begins: what was live then is what marking will find at most.
  mutating func startCycle(_ heap: HeapCore, isYoung: Bool) {
    lock.lock()
    cycleIsYoung = isYoung
    scanWork.store(0, ordering: .relaxed)
    credit.store(0, ordering: .relaxed)
    cycleMarkedBytes.store(0, ordering: .relaxed)
    assistNanoseconds.store(0, ordering: .relaxed)
    heap.state.pointee.blackBytes.store(0, ordering: .relaxed)
    heap.state.pointee.statistics.scannedStackBytes.store(0, ordering: .relaxed)
    read(heap)
    pacer.startCycle(processors: heap.state.pointee.processors)
    publish(heap)
    let line = heap.traces(.pacer) ? GCTrace.began(pacer) : nil
    lock.unlock()
    if let line { StandardError.write(line) }
  }

  /// The counters of the running heap, into the pacer. The lock is held.
  mutating func read(_ heap: HeapCore) {
    pacer.heapLive = UInt64(max(0, heap.state.pointee.liveBytes.load(ordering: .relaxed)))
    let scannable = heap.state.pointee.scannableBytes.load(ordering: .relaxed)
    pacer.heapScan = UInt64(max(0, scannable - (cycleIsYoung ? scannableMarked : 0)))
    pacer.heapScanWork = UInt64(max(0, scanWork.load(ordering: .relaxed)))
    let stacks = UInt64(max(0, heap.state.pointee.statistics.scannedStackBytes.load(ordering: .relaxed)))
    pacer.stackScanWork = stacks
    pacer.globalsScan = UInt64(heap.globalBytes)
    pacer.maxStackScan = max(pacer.maxStackScan, stacks)
    pacer.memory = heap.memoryReading(foreign: outside.entitled.load(ordering: .relaxed))
  }

  /// The answers hot paths read. The lock is held.
  mutating func publish(_ heap: HeapCore) {
    ratioBits.store(pacer.assistWorkPerByte.bitPattern, ordering: .relaxed)
    let (trigger, newGoal) = pacer.trigger()
    goal.store(Int(clamping: newGoal), ordering: .relaxed)
    goalIsLimited.store(pacer.goalIsLimited, ordering: .relaxed)
    heap.state.pointee.trigger.store(Int(clamping: trigger), ordering: .relaxed)
  }

  /// Puts the limit in force, less what the kernel's signs take off, before the pacer. The lock is held.
  mutating func setGoalLimit(_ heap: HeapCore) {
    let limit = tightening.tightened(Int64(heap.limitInForce))
    tightenedPercent.store(tightening.percent, ordering: .relaxed)
    if limit == pacer.memoryLimit { return }
    pacer.setMemoryLimit(limit)
    goalLimit.store(Int(limit), ordering: .relaxed)
    read(heap)
    publish(heap)
  }

  /// The cycle's marking is over.
  mutating func endCycle(_ heap: HeapCore, _ record: CycleRecord, garbage: Int) {
    lock.lock()
    read(heap)
    lastInUse.store(heap.usedBytes + heap.externalBytes, ordering: .relaxed)
    lastGoal.store(Int(clamping: pacer.heapGoal()), ordering: .relaxed)
    // Wall time of assists on more threads than processors can exceed what there is: the share is kept below one.
    let duration = record.markingEnded - record.markingStarted
    let available = Double(duration) * heap.state.pointee.processors
    let background = min(0.5, Double(record.backgroundNanoseconds) / max(1, available))
    let assists = min(Double(assistNanoseconds.load(ordering: .relaxed)), available * (0.95 - background))
    let consMark = pacer.consMark
    pacer.endCycle(
      durationNanoseconds: Int64(duration), processors: heap.state.pointee.processors,
      assistNanoseconds: Int64(assists), idleNanoseconds: Int64(record.idleNanoseconds),
      backgroundUtilization: background)
    let allocated = max(0, record.liveAtEnd - markedLive.load(ordering: .relaxed))
    let line = heap.traces(.pacer) ? GCTrace.ended(pacer, consMarkBefore: consMark) : nil
    pacer.resetLive(bytesMarked: UInt64(record.marked))
    heap.state.pointee.liveBytes.wrappingSubtract(garbage, ordering: .relaxed)
    markedLive.store(record.marked, ordering: .relaxed)
    scannableMarked = Int(pacer.heapScan) + (record.isYoung ? scannableMarked : 0)
    heap.state.pointee.scannableBytes.store(scannableMarked, ordering: .relaxed)
    chooseNext(record, allocated: UInt64(allocated), objects: UInt64(max(0, heap.objectsMarked(in: record))))
    pacer.commit(sweepDone: true)
    let nanoseconds =
      Clock.threadCPU() - record.threadCPUAtStart + record.idleNanoseconds + record.assistNanoseconds
    cost.noteCycle(liveBytes: UInt64(max(0, record.marked)), nanoseconds: nanoseconds)
    let tuned = tune(heap, record, allocated: UInt64(allocated), nanoseconds: nanoseconds)
    publishClaim(heap)
    publish(heap)
    lock.unlock()
    if let line { StandardError.write(line) }
    if let tuned { StandardError.write(tuned) }
  }
}

extension PacingState {
  /// Feeds the CPU limiter with what collector and program took since the last time, if that was long enough ago. The lock is held.
  mutating func updateLimiter(_ heap: HeapCore) {
    let now = Clock.monotonic()
    guard CPULimiter.needsUpdate(elapsedNanoseconds: Int64(now - limiterReading.time)) else { return }
    var reading = CPUReading()
    reading.time = now
    reading.process = Clock.processCPU()
    reading.background = heap.state.pointee.statistics.background.load(ordering: .relaxed)
    reading.assist = heap.state.pointee.statistics.assist.load(ordering: .relaxed)
    reading.idle = heap.state.pointee.statistics.idle.load(ordering: .relaxed)
    reading.sweep = heap.state.pointee.statistics.sweep.load(ordering: .relaxed)
    reading.scavenge = heap.state.pointee.statistics.scavenge.load(ordering: .relaxed)
    limiter.update(
      from: limiterReading, to: reading, processors: heap.state.pointee.processors, goalIsLimited: pacer.goalIsLimited)
    limiterReading = reading
    assistsOff.store(limiter.isLimiting, ordering: .relaxed)
    backgroundShareBits.store(limiter.backgroundShare.bitPattern, ordering: .relaxed)
    if limiter.isLimiting { limiterLastOn.store(heap.state.pointee.cycle.load(ordering: .relaxed), ordering: .relaxed) }
  }

  /// Puts a percentage of growth in force: the one that is set, or, where the heap is to choose, that as the beginning. A tuner that is at
  /// work with the same setting goes on. The lock is held.
  mutating func setGrowth(_ settings: Settings, memoryBytes: UInt64) {
    guard settings.tunes, let percent = settings.gcPercent else {
      tuner = nil
      return pacer.setGCPercent(Int32(clamping: settings.gcPercent ?? -1))
    }
    let setting = GrowthTuner.Setting(
      startPercent: percent, targetPercent: min(settings.tuneTarget, settings.gcCPULimit))
    if tuner?.setting != setting {
      tuner = GrowthTuner(setting)
      pacer.setGCPercent(Int32(clamping: percent))
    }
    tuner!.memoryBytes = memoryBytes
  }

  /// Lets the tuner, if there is one, choose the percentage of growth; the line of `gcpacertrace` about a choice. The lock is held.
  private mutating func tune(
    _ heap: HeapCore, _ record: CycleRecord, allocated: UInt64, nanoseconds: UInt64
  ) -> String? {
    guard tuner != nil else { return nil }
    let before = pacer.gcPercent
    let hasChosen = tuner!.note(
      GrowthTuner.Cycle(
        isYoung: record.isYoung, isGrowth: record.cause == .growth, nanoseconds: nanoseconds, allocated: allocated,
        growth: pacer.growthTerms, process: Clock.processCPU(),
        sweeping: heap.sweepingNanoseconds, time: Clock.monotonic()))
    guard hasChosen else { return nil }
    pacer.setGCPercent(Int32(clamping: tuner!.choice.percent))
    return heap.traces(.pacer) ? GCTrace.tuned(tuner!, before: before) : nil
  }

  /// Decides what the next cycle will be, and tells the pacer.
  private mutating func chooseNext(_ record: CycleRecord, allocated: UInt64, objects: UInt64) {
    let work = pacer.lastHeapScan
    generations.note(
      GenerationPolicy.Cycle(
        isYoung: record.isYoung, work: work + objects * HeapCore.workOfObject + HeapCore.workOfAnyCycle,
        allocated: allocated,
        marked: UInt64(record.marked), isChosen: record.cause != .forced && record.cause != .periodic))
    let promoted = UInt64(max(0, record.marked - Int(generations.fullMarked)))
    pacer.expect(promoted: promoted, scan: work)
    pacer.commit(sweepDone: true)
    nextIsYoung =
      record.remembered
      && generations.nextIsYoung(
        marked: UInt64(record.marked), goal: pacer.heapGoal(), isLimited: pacer.goalIsLimited)
    pacer.expect(promoted: promoted, scan: nextIsYoung ? expectedOfYoung(record, work) : UInt64(scannableMarked))
  }

  /// The work of a young cycle to come: that of the last one, or, after a full cycle, an eighth of that one's.
  private func expectedOfYoung(_ record: CycleRecord, _ work: UInt64) -> UInt64 {
    record.isYoung ? work : work / 8
  }
}

extension HeapCore {
  /// What a cycle costs that scans nothing, in bytes scanned: handshakes, stacks and roots.
  fileprivate static let workOfAnyCycle: UInt64 = 256 << 10
  /// What marking an object costs before it is scanned: that of a leaf is 25 to 40 ns, a scanned byte half of one.
  fileprivate static let workOfObject: UInt64 = 64

  var assistWorkPerByte: Double { state.pointee.pacing.assistWorkPerByte }
  var assistsAreOff: Bool { state.pointee.pacing.assistsOff.load(ordering: .relaxed) }
  /// Whether collection for the limit has used up its share of the CPU.
  var isHeldBack: Bool { assistsAreOff && state.pointee.pacing.goalIsLimited.load(ordering: .relaxed) }
  /// The share of the processors that marks in the background.
  var backgroundShare: Double {
    Double(bitPattern: state.pointee.pacing.backgroundShareBits.load(ordering: .relaxed))
  }
  /// CPU time of the collector that growth does not change: sweeping, and returning pages.
  var sweepingNanoseconds: UInt64 {
    state.pointee.statistics.sweep.load(ordering: .relaxed)
      &+ state.pointee.statistics.scavenge.load(ordering: .relaxed)
  }
  /// Root handles to scan, in bytes.
  var globalBytes: Int { max(0, state.pointee.roots.count.load(ordering: .relaxed)) * 8 }
  var isPastGoal: Bool {
    state.pointee.liveBytes.load(ordering: .relaxed) > state.pointee.pacing.goal.load(ordering: .relaxed)
  }

  /// Recomputes the assist ratio, unless somebody else is at it.
  func revise() {
    guard phase == .marking || phase == .rootScanning, state.pointee.pacing.lock.tryLock() else { return }
    defer { state.pointee.pacing.lock.unlock() }
    state.pointee.pacing.read(self)
    state.pointee.pacing.pacer.revise()
    state.pointee.pacing.publish(self)
    state.pointee.pacing.updateLimiter(self)
  }

  /// Feeds the CPU limiter between cycles; within one, `revise` does.
  func updateLimiter() {
    state.pointee.pacing.lock.lock()
    defer { state.pointee.pacing.lock.unlock() }
    state.pointee.pacing.updateLimiter(self)
  }

  /// Recomputes goal and trigger between cycles, when memory outside the heap or the limit changed.
  func repace() {
    state.pointee.pacing.lock.lock()
    defer { state.pointee.pacing.lock.unlock() }
    state.pointee.pacing.read(self)
    if phase == .marking { state.pointee.pacing.pacer.revise() }
    state.pointee.pacing.publish(self)
  }

  func noteAssist(_ nanoseconds: UInt64) {
    state.pointee.pacing.assistNanoseconds.wrappingAdd(nanoseconds, ordering: .relaxed)
    state.pointee.statistics.assist.wrappingAdd(nanoseconds, ordering: .relaxed)
  }

  /// The heap's own memory, in the terms of Go's limit arithmetic. Half of the free cells between live objects count as free memory: all of
  /// them can be allocated without growing, but a hole serves one size class only (docs/decisions.md, "Half of the holes count as room").
  func memoryReading(foreign: Int) -> MemoryReading {
    let held = state.pointee.blocks.heldBlocks.load(ordering: .relaxed) * Geometry.blockBytes
    let used = usedBytes - vacantBytes
    let live = state.pointee.liveBytes.load(ordering: .relaxed)
    let garbage = state.pointee.unsweptGarbage.load(ordering: .relaxed)
    let objects = max(0, min(used + externalBytes, live + garbage))
    let holes = used + externalBytes - objects
    return MemoryReading(
      heapFree: UInt64(held + holes / 2), heapAlloc: UInt64(objects),
      mappedReady: UInt64(used + held + externalBytes + metadataBytes), foreign: UInt64(max(0, foreign)))
  }

  /// Side tables, mutator records and mark stacks that hold pages, estimated from what is in use.
  var metadataBytes: Int {
    let blocks =
      state.pointee.blocks.usedBlocks.load(ordering: .relaxed)
      + state.pointee.blocks.heldBlocks.load(ordering: .relaxed)
    let mutators = state.pointee.mutatorCount.load(ordering: .relaxed)
    return blocks * Geometry.sideBytesPerBlock + mutators * 32 * 1024
      + state.pointee.grey.mappedBytes.load(ordering: .relaxed)
  }

  /// Bytes of all blocks in use.
  var usedBytes: Int { state.pointee.blocks.usedBlocks.load(ordering: .relaxed) * Geometry.blockBytes }

  /// Bytes outside the heap that its objects keep.
  var externalBytes: Int { state.pointee.cleanups.externalBytes.load(ordering: .relaxed) }

  /// What the heap itself keeps resident, external bytes included.
  var ownResidentBytes: Int {
    let blocks =
      state.pointee.blocks.usedBlocks.load(ordering: .relaxed)
      + state.pointee.blocks.heldBlocks.load(ordering: .relaxed)
    return blocks * Geometry.blockBytes - vacantBytes + externalBytes + metadataBytes
  }
}
