// The state of a simulation from cycle to cycle, and the steps of one cycle. What is modelled, and why so, is in
// CycleModel.swift.

struct ModelledProgram {
  private var pacer: Pacer
  private let globalsBytes: UInt64
  private let processors: Double
  private var allocatedBlackBefore: UInt64 = 0
  private var isFirst = true

  private static let stepNanoseconds = 500_000.0
  /// A rate in KiB per millisecond, times this, is bytes per step.
  private static let bytesPerStep = 512.0
  private static let firstLiveBytes: UInt64 = 256 << 10

  init(_ model: CycleModel) {
    pacer = Pacer(
      gcPercent: Int32(clamping: model.gcPercent ?? -1), memoryLimit: model.memoryLimitBytes ?? .max)
    pacer.boundsUnexpectedWork = false
    globalsBytes = model.globalsBytes
    processors = Double(model.processors)
  }

  /// The rate below which background marking would scan less than a byte in a step.
  static func leastScanRate(processors: Int) -> Double {
    1 / (bytesPerStep * Double(processors) * PacerConstants.backgroundUtilization)
  }

  /// One cycle from trigger to the next goal; nil when the heap outgrows the model.
  mutating func run(_ draw: CycleDraw) -> CycleOutcome? {
    var outcome = CycleOutcome()
    outcome.heapLiveBytes = pacer.heapMarked
    start(draw)
    outcome.triggerBytes = pacer.triggered
    outcome.firstAssistWorkPerByte = pacer.assistWorkPerByte
    outcome.nextHeapMarkedBytes = nextLiveBytes(draw)
    if outcome.nextHeapMarkedBytes >= CycleModel.largestHeap { return nil }
    var work = MarkWork(
      globals: globalsBytes, stacks: draw.stackBytes,
      heap: UInt64(saturating: Double(outcome.nextHeapMarkedBytes) * draw.scannableFraction))
    while work.total > 0 {
      step(draw, &work, &outcome)
      if outcome.allocatedBlackBytes >= CycleModel.largestHeap { return nil }
    }
    outcome.peakBytes = pacer.heapLive
    outcome.goalBytes = pacer.heapGoal()
    outcome.gcUtilization = utilization(outcome)
    end(outcome)
    return outcome
  }

  private mutating func start(_ draw: CycleDraw) {
    let trigger = max(pacer.trigger().trigger, pacer.heapMarked)
    pacer.maxStackScan = draw.stackBytes
    pacer.globalsScan = globalsBytes
    pacer.heapLive = trigger
    pacer.heapScan += UInt64(saturating: Double(trigger - pacer.heapMarked) * draw.scannableFraction)
    pacer.startCycle(processors: processors)
  }

  private mutating func nextLiveBytes(_ draw: CycleDraw) -> UInt64 {
    if isFirst {
      isFirst = false
      return ModelledProgram.firstLiveBytes
    }
    return UInt64(saturating: Double(pacer.heapMarked - allocatedBlackBefore) * draw.growthRate)
  }

  private mutating func step(_ draw: CycleDraw, _ work: inout MarkWork, _ outcome: inout CycleOutcome) {
    let demand = pacer.assistWorkPerByte * draw.allocationRate
    let utilization = max(demand / (demand + draw.scanRate), PacerConstants.backgroundUtilization)
    let scanRate = draw.scanRate * ModelledProgram.bytesPerStep * processors * utilization
    let allocationRate = draw.allocationRate * ModelledProgram.bytesPerStep
    var elapsed = ModelledProgram.stepNanoseconds
    var allocated = UInt64(saturating: allocationRate * processors * (1 - utilization))
    let done = work.take(UInt64(saturating: scanRate))
    if done.total < UInt64(saturating: scanRate) {
      elapsed = (Double(done.total) * ModelledProgram.stepNanoseconds / scanRate).rounded(.towardZero)
      allocated = UInt64(
        saturating: allocationRate * elapsed / ModelledProgram.stepNanoseconds * processors * (1 - utilization))
    }
    allocated = min(allocated, CycleModel.largestHeap)
    feed(draw, done, allocated)
    outcome.assistNanoseconds += Int64(
      saturating: elapsed * processors * (utilization - PacerConstants.backgroundUtilization))
    outcome.durationNanoseconds += Int64(elapsed)
    outcome.allocatedBlackBytes += allocated
  }

  private mutating func feed(_ draw: CycleDraw, _ done: MarkWork, _ allocated: UInt64) {
    pacer.heapLive += allocated
    pacer.heapScan += UInt64(saturating: Double(allocated) * draw.scannableFraction)
    pacer.heapScanWork += done.heap
    pacer.stackScanWork += done.stacks
    pacer.globalsScanWork += done.globals
    pacer.revise()
  }

  private func utilization(_ outcome: CycleOutcome) -> Double {
    if outcome.durationNanoseconds == 0 { return PacerConstants.backgroundUtilization }
    return Double(outcome.assistNanoseconds) / (Double(outcome.durationNanoseconds) * processors)
      + PacerConstants.backgroundUtilization
  }

  private mutating func end(_ outcome: CycleOutcome) {
    pacer.endCycle(
      durationNanoseconds: outcome.durationNanoseconds, processors: processors,
      assistNanoseconds: outcome.assistNanoseconds)
    pacer.resetLive(bytesMarked: outcome.nextHeapMarkedBytes + outcome.allocatedBlackBytes)
    pacer.commit(sweepDone: false)
    allocatedBlackBefore = outcome.allocatedBlackBytes
  }
}

/// Bytes to scan, by kind. Taken in the order in which a collector meets them.
private struct MarkWork {
  var globals: UInt64 = 0
  var stacks: UInt64 = 0
  var heap: UInt64 = 0

  var total: UInt64 { globals + stacks + heap }

  /// Removes up to `budget` bytes and answers what they were.
  mutating func take(_ budget: UInt64) -> MarkWork {
    var taken = MarkWork()
    taken.globals = min(globals, budget)
    taken.stacks = min(stacks, budget - taken.globals)
    taken.heap = min(heap, budget - taken.globals - taken.stacks)
    globals -= taken.globals
    stacks -= taken.stacks
    heap -= taken.heap
    return taken
  }
}
