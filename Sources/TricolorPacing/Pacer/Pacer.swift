// When does a cycle begin, and how much marking must an allocation pay for, so that marking ends just as the heap
// reaches its goal?
//
// Two goals compete, and the smaller one holds. Growth (`GOGC`): what the last cycle marked, plus a percentage of that
// and of the roots. Limit (`GOMEMLIMIT`): what the limit leaves room for (MemoryReading.swift). The goal is computed
// when it is asked for, so that a change of memory outside the heap moves it at once.
//
// The trigger lies before the goal by the runway: what the program is expected to allocate while the markers, with a
// quarter of the processors, get through the work of the last cycle. What is expected is `consMark`, bytes allocated
// per byte scanned and CPU time, taken as the largest of the last five cycles: starting too early costs a little, too
// late makes mutators assist.
//
// The rules and constants are those of Go 1.27 (runtime/mgcpacer.go), and CycleModel drives this state machine as Go's
// own tests drive theirs, so that both agree in every integer. The part within a cycle is in Pacer+Cycle.swift.
//
// Pure: no clock, no memory of its own, trivially copyable, so it can lie in raw memory and be read or replaced as
// bytes. Not synchronised: the caller holds a lock.
//
// Invariants: trigger <= goal; `triggered` is `notTriggered` outside a cycle; `heapMarked`, `lastHeapScan` and
// `lastStackScan` change only in `resetLive`.

/// Decides when cycles begin and how much allocation has to pay for marking. All sizes are bytes.
public struct Pacer: Sendable, BitwiseCopyable {
  /// `triggered` while no cycle runs.
  public static let notTriggered = UInt64.max

  // What the heap counts.
  /// Live bytes: what the last cycle marked and everything allocated since.
  public var heapLive: UInt64 = 0
  /// The part of `heapLive` that has to be scanned.
  public var heapScan: UInt64 = 0
  /// Stack memory of all mutators: what scanning stacks could cost at most.
  public var maxStackScan: UInt64 = 0
  /// Size of the global roots now.
  public var globalsScan: UInt64 = 0
  /// Work done in the running cycle.
  public var heapScanWork: UInt64 = 0
  public var stackScanWork: UInt64 = 0
  public var globalsScanWork: UInt64 = 0
  /// Memory of the process, for the limit.
  public var memory = MemoryReading()

  // What the last cycle found.
  /// Bytes the last cycle marked.
  public var heapMarked: UInt64 = 0
  /// Heap and stack work of the last cycle.
  public var lastHeapScan: UInt64 = 0
  public var lastStackScan: UInt64 = 0
  /// The part of `heapMarked` that growth is not measured from: what young cycles have added since the last full one.
  public private(set) var promoted: UInt64 = 0
  /// `heapLive` when the running cycle began, `notTriggered` when none runs.
  public var triggered = Pacer.notTriggered

  // What is in force.
  /// `GOGC`; -1 is off.
  public private(set) var gcPercent: Int32
  /// The limit; `Int64.max` is none.
  public private(set) var memoryLimit: Int64
  private var heapMinimumOverride: UInt64?
  /// Whether a cycle of which no work at all was expected (the first, without globals) may stretch its goal only as far
  /// as any other. Go's division by zero lets it allocate as it likes there; turned off only to compare with Go.
  var boundsUnexpectedWork = true

  // What follows from it.
  /// Scan work an allocation pays per byte, and its inverse.
  public internal(set) var assistWorkPerByte = 0.0
  public internal(set) var assistBytesPerWork = 0.0
  /// Bytes allocated per byte scanned, at equal CPU time: the largest of the last five cycles.
  public internal(set) var consMark = 0.0
  var consMarkHistory = ConsMarkHistory()
  /// Share of the processors that marking took in the last cycle that taught something.
  public internal(set) var lastUtilization = 0.0
  /// The goal when the last cycle ended: what a scavenger scales the heap's size with.
  public internal(set) var lastHeapGoal: UInt64 = 0
  /// The workers of the running or last cycle.
  public internal(set) var workers = WorkerPlan(processors: 1)
  private var percentGoal: UInt64 = 0
  private var sweepTrigger: UInt64 = 0
  /// What is expected to be allocated while a cycle runs.
  public private(set) var runway: UInt64 = 0

  /// A pacer before the first cycle.
  ///
  /// - Parameters:
  ///   - gcPercent: `GOGC`; negative is off, 0 collects all the time.
  ///   - memoryLimit: bytes, at least 0; `Int64.max` is none.
  ///   - heapMinimum: the smallest goal of growth; nil is 4 MiB · `GOGC` / 100.
  public init(gcPercent: Int32, memoryLimit: Int64, heapMinimum: UInt64? = nil) {
    self.gcPercent = max(gcPercent, -1)
    self.memoryLimit = max(memoryLimit, 0)
    heapMinimumOverride = heapMinimum
    commit(sweepDone: true)
  }
}

extension Pacer {
  /// The heap size marking should end at.
  public func heapGoal() -> UInt64 { goalAndLeastTrigger().goal }

  /// What growth lets the heap have beyond what the last cycle marked, with the headroom that the limit keeps free; `UInt64.max` with growth off.
  public var mostExtra: UInt64 {
    if percentGoal == .max { return .max }
    return MemoryReading.withHeadroom(percentGoal).subtractingSaturated(heapMarked)
  }

  /// Whether the limit, not growth, sets the goal.
  public var goalIsLimited: Bool { memoryLimit != .max && limitGoal < percentGoal }

  /// Whether a cycle is due though the heap has not grown: two minutes after the last one, unless growth is off.
  public func isPeriodicCycleDue(nanosecondsSinceLast: UInt64) -> Bool {
    gcPercent >= 0 && nanosecondsSinceLast > PacerConstants.periodNanoseconds
  }

  /// Whether a limit of `bytes` leaves room for more than what lives. If not, cycles follow each other and free too little.
  public func hasRoom(under bytes: Int64) -> Bool {
    bytes == .max || memory.heapGoal(limit: UInt64(max(0, bytes)), heapMarked: heapMarked) > heapMarked
  }

  /// Whether a cycle runs.
  public var cycleRuns: Bool { triggered != Pacer.notTriggered }

  /// The smallest goal of growth.
  public var heapMinimum: UInt64 {
    heapMinimumOverride ?? PacerConstants.defaultHeapMinimum.percent(UInt64(max(gcPercent, 0)))
  }

  private var limitGoal: UInt64 { memory.heapGoal(limit: UInt64(memoryLimit), heapMarked: heapMarked) }

  /// Under the limit neither sweeping nor a least runway may raise the goal: memory comes first.
  private func goalAndLeastTrigger() -> (goal: UInt64, leastTrigger: UInt64) {
    let limitGoal = limitGoal
    if limitGoal < percentGoal { return (limitGoal, 0) }
    var goal = max(percentGoal, sweepTrigger)
    if cycleRuns { goal = max(goal, triggered.addingSaturated(PacerConstants.leastRunway)) }
    return (goal, sweepTrigger)
  }

  /// The live heap at which a cycle begins, and the goal it is for.
  public func trigger() -> (trigger: UInt64, goal: UInt64) {
    let (goal, leastTrigger) = goalAndLeastTrigger()
    if heapMarked >= goal { return (goal, goal) }
    let part = (goal - heapMarked) / PacerConstants.triggerParts
    let least = max(leastTrigger, heapMarked, part * PacerConstants.earliestTrigger + heapMarked)
    var most = part * PacerConstants.latestTrigger + heapMarked
    // Far from the goal a constant distance is enough: a big heap need not start a share of itself early.
    most = max(most, goal.subtractingSaturated(PacerConstants.defaultHeapMinimum), least)
    let aimed = runway > goal ? least : goal - runway
    return (min(max(aimed, least), most), goal)
  }
}

extension Pacer {
  /// What young cycles change, which Go's pacer does not know. Between `resetLive` and `commit`.
  ///
  /// - Parameters:
  ///   - promoted: the part of what is marked that the goal of growth is not measured from.
  ///   - scan: bytes that the next cycle is expected to scan.
  public mutating func expect(promoted: UInt64, scan: UInt64) {
    self.promoted = promoted
    lastHeapScan = scan
  }

  /// Puts a new growth goal into force. To be called when a cycle has ended and its results are in (`resetLive`).
  ///
  /// - Parameter sweepDone: whether the last cycle's garbage is swept. If not, the next cycle waits for another MiB of
  ///   allocation, so that sweeping gets a chance to finish first.
  public mutating func commit(sweepDone: Bool) {
    sweepTrigger = sweepDone ? 0 : heapLive.addingSaturated(PacerConstants.sweepDistance)
    recompute()
  }

  /// Changes `GOGC`, at once: negative is off.
  public mutating func setGCPercent(_ percent: Int32) {
    gcPercent = max(percent, -1)
    recompute()
    if cycleRuns { revise() }
  }

  /// Changes the limit, at once: `Int64.max` is none, a negative one counts as 0.
  public mutating func setMemoryLimit(_ bytes: Int64) {
    memoryLimit = max(bytes, 0)
    recompute()
    if cycleRuns { revise() }
  }

  /// Changes the smallest goal of growth, at once; nil is 4 MiB · `GOGC` / 100.
  public mutating func setHeapMinimum(_ bytes: UInt64?) {
    heapMinimumOverride = bytes
    recompute()
    if cycleRuns { revise() }
  }

  /// What growth is measured from now, for who chooses a percentage.
  public var growthTerms: GrowthTerms {
    GrowthTerms(
      grownFrom: grownFrom, base: growthBase, minimum: heapMinimumOverride,
      limitGoal: memoryLimit == .max ? nil : limitGoal)
  }

  private var grownFrom: UInt64 { heapMarked.subtractingSaturated(promoted) }

  /// Roots grow the heap's allowance, though they are not part of the heap: they are work of every cycle.
  private var growthBase: UInt64 { grownFrom.addingSaturated(lastStackScan).addingSaturated(globalsScan) }

  private mutating func recompute() {
    percentGoal = growthGoal()
    let work = Double(lastHeapScan.addingSaturated(lastStackScan).addingSaturated(globalsScan))
    let share = PacerConstants.backgroundUtilization
    runway = UInt64(saturating: consMark * (1 - share) / share * work)
  }

  private func growthGoal() -> UInt64 {
    if gcPercent < 0 { return .max }
    return max(heapMinimum, grownFrom.addingSaturated(growthBase.percent(UInt64(gcPercent))))
  }
}
