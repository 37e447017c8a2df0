// A modelled process around the pacer, the CPU limiter and the estimate of foreign memory together: a program that allocates, markers, memory
// that others take, and a resident set that is read only now and then. `CycleModel` is Go's model, cycle by cycle; this one goes by time,
// and has what that one lacks.
//
// Steps of a millisecond. In each, processors are split between marking (a quarter while a cycle runs, more where assists are owed) and
// allocation. Garbage is free when its cycle ends; pages of free memory go back when the process is over 95 % of its limit. A program that is not busy
// all the time uses a share of the processors and is idle for the rest.

@testable import TricolorPacing

struct ProcessModel {
  static let mebibyte = 1_048_576.0

  // The program, changed by tests at any time.
  /// Bytes allocated, and scanned, in a CPU millisecond.
  var allocationRate = 0.25 * mebibyte
  var scanRate = 1 * mebibyte
  /// What of the processors the program would use, and what of that part of its CPU sweeping takes.
  var busy = 1.0
  var sweepPerByte = 0.0
  /// What survives a cycle.
  var live: Double
  /// Memory of others.
  var foreign = 0.0
  /// What the process really gets, a fraction under a quota; and what background marking plans with, nil for just that.
  var processors: Double
  var planned: Double? = nil
  /// Readings of the resident set are this many milliseconds apart.
  var sampleInterval = 10

  // What paces it.
  var pacer: Pacer
  var limiter = CPULimiter()
  private var estimate = ForeignMemoryEstimate()
  private(set) var tuner: GrowthTuner? = nil

  // What is seen from outside.
  private(set) var milliseconds = 0
  private(set) var finishedCycles = 0
  private(set) var peakOfLastCycle = 0.0
  private(set) var goalOfLastCycle = 0.0
  /// CPU milliseconds so far.
  private(set) var collectorTime = 0.0
  private(set) var programTime = 0.0
  private(set) var sweepTime = 0.0
  private var beganWith = 0.0
  private var allocated = 0.0
  private var mapped = 0.0
  private var heap = 0.0
  private var workLeft = 0.0
  private var allocatedBlack = 0.0
  private var assistTime = 0.0
  private var began = 0
  private var reading = CPUReading()

  init(percent: Int32 = 100, limit: Double? = nil, live: Double, processors: Double = 8) {
    self.live = live
    self.processors = processors
    pacer = Pacer(gcPercent: percent, memoryLimit: limit.map { Int64($0) } ?? .max)
  }

  var resident: Double { mapped + foreign }
  var isMarking: Bool { pacer.cycleRuns }
  private var limit: Double { pacer.memoryLimit == .max ? .infinity : Double(pacer.memoryLimit) }

  mutating func run(milliseconds count: Int, watching: (ProcessModel) -> Void = { _ in }) {
    for _ in 0..<count {
      step()
      watching(self)
    }
  }

  /// Lets the percentage be chosen from now on.
  mutating func tune(target: Int = 10, memoryBytes: UInt64 = .max) {
    var tuner = GrowthTuner(.init(startPercent: Int(pacer.gcPercent), targetPercent: target))
    tuner.memoryBytes = memoryBytes
    self.tuner = tuner
    allocated = 0
  }

  private var now: UInt64 { UInt64(milliseconds) * 1_000_000 }
  private var processTime: UInt64 { UInt64((collectorTime + programTime) * 1e6) }

  /// Runs until that many more cycles have ended.
  mutating func run(cycles count: Int, watching: (ProcessModel) -> Void = { _ in }) {
    let last = finishedCycles + count
    while finishedCycles < last { run(milliseconds: 1, watching: watching) }
  }

  /// The collector's share of the CPU over the next `count` cycles.
  mutating func share(overCycles count: Int) -> Double {
    let (collector, program) = (collectorTime, programTime)
    run(cycles: count)
    return (collectorTime - collector) / (collectorTime - collector + programTime - program)
  }

  /// The collector's share of the CPU over the next `count` milliseconds.
  mutating func share(over count: Int) -> Double {
    let (collector, program) = (collectorTime, programTime)
    run(milliseconds: count)
    return (collectorTime - collector) / (collectorTime - collector + programTime - program)
  }

  private mutating func step() {
    milliseconds += 1
    if !isMarking && pacer.heapLive >= pacer.trigger().trigger { begin() }
    let share = isMarking ? markingShare : 0
    collectorTime += share * processors
    let running = min(busy, 1 - share)
    programTime += running * processors
    allocate(allocationRate * processors * running)
    if isMarking { mark(share) }
    if milliseconds % sampleInterval == 0 { sample() }
    if milliseconds % 10 == 0 { limit10() }
  }

  private var markingShare: Double {
    if limiter.isLimiting { return limiter.backgroundShare }
    let demand = pacer.assistWorkPerByte * allocationRate
    let background = PacerConstants.backgroundUtilization * (planned ?? processors) / processors
    return min(0.99, max(background, demand / (demand + scanRate)))
  }

  private mutating func allocate(_ bytes: Double) {
    heap += bytes
    allocated += bytes
    mapped = max(mapped, heap)
    pacer.heapLive += UInt64(bytes)
    if isMarking { allocatedBlack += bytes } else { pacer.heapScan += UInt64(bytes) }
    readMemory()
  }

  private mutating func begin() {
    workLeft = live
    allocatedBlack = 0
    assistTime = 0
    began = milliseconds
    beganWith = collectorTime
    pacer.startCycle(processors: processors)
  }

  private mutating func mark(_ share: Double) {
    let work = min(workLeft, scanRate * processors * share)
    workLeft -= work
    assistTime += (share - PacerConstants.backgroundUtilization) * processors
    pacer.heapScanWork += UInt64(work)
    pacer.revise()
    if workLeft <= 0 { end() }
  }

  private mutating func end() {
    peakOfLastCycle = heap
    goalOfLastCycle = Double(pacer.heapGoal())
    pacer.endCycle(
      durationNanoseconds: Int64(milliseconds - began + 1) * 1_000_000, processors: processors,
      assistNanoseconds: Int64(assistTime * 1e6))
    heap = live + allocatedBlack
    mapped = max(heap, min(mapped, 0.95 * limit - foreign))
    pacer.resetLive(bytesMarked: UInt64(heap))
    readMemory()
    pacer.commit(sweepDone: true)
    finishedCycles += 1
    chooseGrowth()
  }

  private mutating func chooseGrowth() {
    let taken = collectorTime - beganWith
    sweepTime += sweepPerByte * allocated
    collectorTime += sweepPerByte * allocated
    let cycle = GrowthTuner.Cycle(
      isYoung: false, isGrowth: !pacer.goalIsLimited, nanoseconds: UInt64(taken * 1e6), allocated: UInt64(allocated),
      growth: pacer.growthTerms, process: processTime, sweeping: UInt64(sweepTime * 1e6), time: now)
    tuner?.note(cycle)
    allocated = 0
    if let tuner { pacer.setGCPercent(Int32(clamping: tuner.choice.percent)) }
  }

  private mutating func readMemory() {
    pacer.memory = MemoryReading(
      heapFree: UInt64(mapped - heap), heapAlloc: UInt64(heap), mappedReady: UInt64(mapped),
      foreign: UInt64(estimate.bytes))
  }

  private mutating func sample() {
    estimate.update(
      residentBytes: Int64(resident), ownBytes: Int64(mapped), now: UInt64(milliseconds) * 1_000_000)
    mapped = max(heap, min(mapped, 0.95 * limit - foreign))
    readMemory()
  }

  private mutating func limit10() {
    var now = CPUReading()
    now.time = UInt64(milliseconds) * 1_000_000
    now.process = UInt64((collectorTime + programTime) * 1e6)
    now.background = UInt64(collectorTime * 1e6)
    limiter.update(from: reading, to: now, processors: processors, goalIsLimited: pacer.goalIsLimited)
    reading = now
  }

  /// Something exceptional between two revisions: this much is allocated at once.
  mutating func allocateAtOnce(_ bytes: Double) { allocate(bytes) }
}
