// One pod's life under its limit, cycle by cycle, with the pacer itself.
//
// Between cycles the program allocates at its load's rate until the heap reaches the pacer's trigger or the load changes. During one, the
// processors are split between marking and the program: a quarter marks, or more where the pacer's price of allocation demands it, and
// a program that needs what is left is slowed. The work expected is done in one step; what a grown heap adds, in three, with the
// pacer's price revised between them. When the CPU limiter says that collection has had its share, assists are off and the heap outgrows its goal.
//
// Memory: free pages stay mapped until the scavenger's plan gives them back, at once here; what a limit
// demands is given back before more is taken. A pod whose memory is more than its limit is killed, and started again after the pause that Kubernetes
// makes: 10 s, twice as long each time, at most 5 min, from the beginning after 10 min without. What is left out: processors that nobody uses and
// that help to mark, the page cache, and that a slow program is asked for less.

import TricolorPacing

/// What became of a pod, or of many.
struct PodOutcome: Sendable {
  var kills = 0
  /// Pods that were killed at least once.
  var podsKilled = 0
  var cycles = 0
  /// Seconds that a process ran.
  var seconds = 0.0
  /// Processor seconds of collection, and of all the processors there were.
  var collectorSeconds = 0.0
  var processorSeconds = 0.0
  /// Program time that was lost to collection, in processor seconds: what it needed and did not get.
  var lostSeconds = 0.0

  static func += (sum: inout PodOutcome, other: PodOutcome) {
    sum.kills += other.kills
    sum.podsKilled += other.podsKilled
    sum.cycles += other.cycles
    sum.seconds += other.seconds
    sum.collectorSeconds += other.collectorSeconds
    sum.processorSeconds += other.processorSeconds
    sum.lostSeconds += other.lostSeconds
  }
}

/// A pod and its state.
struct PodModel {
  private let group: PodGroup
  /// The kernel's limit.
  private let podLimit: Double
  private let heapLimit: Int64
  private let end: Double
  private let others: Double
  private let countedForeign: UInt64
  private var load: PodLoad
  private var pacer: Pacer
  private var limiter = CPULimiter()
  private var time: Double
  private var began: Double
  /// Pages of the heap, in use or free.
  private var mapped = 0.0
  private var lastInUse = 0.0
  private var backoff = PodModel.firstBackoff
  private(set) var outcome = PodOutcome()

  private static let firstBackoff = 10.0
  private static let longestBackoff = 300.0
  private static let healthyAfter = 600.0

  init(_ group: PodGroup, index: Int, seed: UInt64, scale: Double, percent: Int, hours: Double) {
    self.group = group
    podLimit = Double(group.limitBytes) * scale
    heapLimit = Int64(podLimit * Double(percent) / 100)
    end = hours * 3600
    others = Double(group.nonHeapBytes + group.foreignBytes)
    countedForeign = group.countsForeign ? UInt64(group.foreignBytes) : 0
    load = PodLoad(group, index: index, seed: seed)
    time = load.arrival
    began = time
    pacer = PodModel.freshPacer(group, heapLimit)
  }

  private static func freshPacer(_ group: PodGroup, _ limit: Int64) -> Pacer {
    Pacer(gcPercent: group.gcPercent.map { Int32($0) } ?? -1, memoryLimit: limit)
  }

  /// Lives to the end, or until `isCancelled` says so, which is asked now and then.
  mutating func run(isCancelled: () -> Bool) -> PodOutcome {
    while time < end {
      if outcome.cycles & 0xFFF == 0xFFF, isCancelled() { break }
      live()
    }
    outcome.podsKilled = outcome.kills > 0 ? 1 : 0
    return outcome
  }

  /// Up to the next change of load, the next cycle's end, or death.
  private mutating func live() {
    load.advance(to: time)
    let factor = load.load(time)
    let rate = group.allocationBytesPerSecond * factor
    let trigger = pacer.trigger().trigger
    let toTrigger = Double(trigger &- min(trigger, pacer.heapLive)) / rate
    let until = min(load.nextChange(after: time), time + toTrigger, end)
    allocate(rate * (until - time))
    pass(until - time, collector: 0, factor: factor)
    time = until
    if mapped + others > podLimit { return kill() }
    if until < end, pacer.heapLive >= trigger { cycle(rate, factor) }
  }

  private mutating func pass(_ seconds: Double, collector: Double, factor: Double) {
    let busy = min(1, group.busyFraction * factor)
    let program = min(busy, 1 - collector)
    outcome.seconds += seconds
    outcome.collectorSeconds += seconds * collector * group.processors
    outcome.processorSeconds += seconds * group.processors
    outcome.lostSeconds += seconds * (busy - program) * group.processors
    let nanoseconds = seconds * 1e9 * group.processors
    limiter.update(
      gcNanoseconds: Int64(nanoseconds * collector), mutatorNanoseconds: Int64(nanoseconds * program),
      processors: group.processors)
  }

  /// Rounded up, or a byte could be missing at the trigger for ever. More than kills the pod need not be counted.
  private mutating func allocate(_ bytes: Double) {
    let whole = UInt64(min(bytes, 2 * podLimit).rounded(.up))
    pacer.heapLive += whole
    pacer.heapScan += whole
    mapped = max(mapped, inUse)
    readMemory()
  }

  private var inUse: Double { Double(pacer.heapLive) * (1 + group.holes) }

  private mutating func readMemory() {
    // What is free is given back before the limit is passed.
    let room = Double(heapLimit) - Double(group.nonHeapBytes) - Double(countedForeign)
    mapped = max(inUse, min(mapped, room))
    pacer.memory = MemoryReading(
      heapFree: UInt64(mapped - inUse), heapAlloc: pacer.heapLive,
      mappedReady: UInt64(mapped) + UInt64(group.nonHeapBytes), foreign: countedForeign)
  }

  private mutating func cycle(_ rate: Double, _ factor: Double) {
    // No more lives than has been allocated.
    let work = max(PodModel.leastWork, min(load.live(time, age: time - began), Double(pacer.heapLive)))
    let beganCycle = time
    var allocated = 0.0
    var assists = 0.0
    pacer.startCycle(processors: group.processors)
    var rest = work
    let expected = Double(pacer.lastHeapScan)
    var steps = expected > 0 && work <= expected ? 1.0 : 4.0
    while rest > 0 {
      let part = steps == 4 ? min(rest, max(expected, work / 4)) : rest / max(1, steps)
      let (seconds, bytes, share) = mark(part, rate, factor)
      rest = steps <= 1 ? 0 : rest - part
      steps -= 1
      allocated += bytes
      assists += seconds * max(0, share - PacerConstants.backgroundUtilization)
      time += seconds
      pacer.heapScanWork += UInt64(part)
      allocate(bytes)
      pacer.revise()
      pass(seconds, collector: share, factor: factor)
      if mapped + others > podLimit { return kill() }
    }
    finish(live: work, allocated: allocated, seconds: time - beganCycle, assists: assists)
  }

  /// How long a part of the work takes, what the program allocates meanwhile, and the share of the processors that marks.
  private func mark(_ work: Double, _ rate: Double, _ factor: Double) -> (seconds: Double, bytes: Double, share: Double)
  {
    let busy = min(1, group.busyFraction * factor)
    let speed = group.markBytesPerSecond * group.processors
    var share = limiter.backgroundShare
    if !limiter.isLimiting {
      // Allocation at full rate owes `owed` of the processors; a program that is slowed by that owes less.
      let owed = rate * pacer.assistWorkPerByte / speed
      share = min(PodModel.mostShare, max(share, owed <= 1 - busy ? owed : owed / (busy + owed)))
    }
    let seconds = work / (speed * share)
    return (seconds, rate * min(1, (1 - share) / busy) * seconds, share)
  }

  private static let mostShare = 0.99
  /// Roots: without any work no time would pass.
  private static let leastWork = 65_536.0

  private mutating func finish(live: Double, allocated: Double, seconds: Double, assists: Double) {
    outcome.cycles += 1
    let lastGoal = pacer.heapGoal()
    pacer.endCycle(
      durationNanoseconds: Int64(seconds * 1e9), processors: group.processors,
      assistNanoseconds: Int64(assists * group.processors * 1e9))
    pacer.resetLive(bytesMarked: UInt64(live + allocated))
    readMemory()
    pacer.commit(sweepDone: true)
    let beyond = ScavengePlan.beyondGoal(
      heapBytes: UInt64(mapped), lastInUse: UInt64(lastInUse), lastGoal: lastGoal, goal: pacer.heapGoal())
    let own = mapped + Double(group.nonHeapBytes) + Double(countedForeign)
    let over = ScavengePlan.beyondLimit(residentBytes: UInt64(own), limit: UInt64(heapLimit))
    mapped = max(inUse, mapped - Double(max(beyond, over)))
    readMemory()
    lastInUse = inUse
  }

  private mutating func kill() {
    outcome.kills += 1
    if time - began > PodModel.healthyAfter { backoff = PodModel.firstBackoff }
    time += backoff
    backoff = min(2 * backoff, PodModel.longestBackoff)
    began = time
    pacer = PodModel.freshPacer(group, heapLimit)
    limiter = CPULimiter()
    mapped = 0
    lastInUse = 0
  }
}
