// What a traced program's collections would have been with other settings: the pacer walks along the course of allocation.
//
// Goal and trigger are the pacer's own (TricolorPacing has Go's rules), fed with what was alive, what marking took and how
// long, at the places where its cycles fall. During marking the program allocates as fast as it did in the cycle recorded there; assists
// keep that below the goal, unless there is more to scan than in the last cycle. What has no pointers is marked unseen, so there is more to
// scan only where both what lives and the time to mark it have grown. Where there is no room at all, a little passes.
//
// Not modelled: that a program which waits for its collector asks for less, and Go's limiter, which lets memory go past the limit rather than take
// more than half of the processors for collection. A setting that would need all of them is not followed to the end.

import Glibc
import TricolorPacing

/// Settings of a Go program's collector.
public struct GoSetting: Sendable, Equatable {
  /// `GOGC`, nil for off.
  public var gcPercent: Int?
  /// `GOMEMLIMIT` in bytes, nil for none.
  public var limit: Int?

  public init(gcPercent: Int?, limit: Int?) {
    self.gcPercent = gcPercent
    self.limit = limit
  }
}

/// Memory of a Go program that is not its heap's objects, in bytes: what the runtime counts against `GOMEMLIMIT`, as a fixed
/// part and one in proportion to the heap; and what it does not know of.
public struct NonHeapMemory: Sendable, Equatable {
  public var fixed: Double
  public var share: Double
  public var outside: Double

  public init(fixed: Double, share: Double, outside: Double) {
    self.fixed = fixed
    self.share = share
    self.outside = outside
  }

  /// What the runtime counts beside a heap of `heap` bytes.
  func counted(heap: Double) -> Double { fixed + share * heap }
}

/// What a setting costs and takes, over a whole trace.
public struct ReplayOutcome: Sendable, Equatable {
  /// Collections.
  public var cycles = 0
  /// Processor time of all of them, in nanoseconds.
  public var cpuNanoseconds = 0.0
  /// The largest heap, in bytes.
  public var peakHeap = 0.0
  /// The largest use of memory, with all that is not heap, in bytes.
  public var peakMemory = 0.0

  public init() {}
}

/// A walk of the pacer along a course of allocation.
struct GoReplay {
  private let course: AllocationCourse
  private let memory: NonHeapMemory
  private var pacer: Pacer
  // Each goes forwards only, and what they are asked lies at different distances ahead.
  private var walk: AllocationCourse.Walk
  private var periods: AllocationCourse.Walk
  /// Bytes allocated when the last cycle ended, and when that was.
  private var position = 0.0
  private var lastTime: Double
  private var lastCost = 0.0
  private var nextForced = 0
  private(set) var outcome = ReplayOutcome()

  /// - Parameter phase: 0..<1, how far the smallest goal is stretched on the way to its double. From there on goals follow from each other, so
  ///   cycles fall elsewhere; where they fall among a program's bursts is chance.
  init(_ course: AllocationCourse, _ setting: GoSetting, _ memory: NonHeapMemory, phase: Double) {
    self.course = course
    self.memory = memory
    pacer = Pacer(
      gcPercent: setting.gcPercent.map { Int32(clamping: $0) } ?? -1,
      memoryLimit: setting.limit.map { Int64($0) } ?? .max)
    pacer.setHeapMinimum(GoReplay.whole(Double(pacer.heapMinimum) * exp2(phase)))
    pacer.globalsScan = GoReplay.whole(course.roots)
    walk = AllocationCourse.Walk(course)
    periods = AllocationCourse.Walk(course)
    lastTime = course.places[0].time
    pacer.resetLive(bytesMarked: GoReplay.whole(course.firstMarked))
    hold(heap: course.firstMarked)
    pacer.commit(sweepDone: true)
  }

  /// Goes to the end of the course; the time it takes grows with the cycles.
  ///
  /// - Parameter ceiling: memory in bytes at which there is no need to go on.
  mutating func run(ceiling: Double) -> ReplayOutcome {
    let most = course.nanoseconds * course.processors
    while let begin = nextBegin() {
      collect(from: begin)
      if outcome.cpuNanoseconds > most || outcome.peakMemory > ceiling || outcome.cycles == GoReplay.mostCycles {
        return outcome
      }
    }
    note(heap: Double(pacer.heapMarked) + course.length - position)
    return outcome
  }

  /// Where cycles cost nothing that is printed.
  private static let mostCycles = 100_000
  /// Go lets a tenth pass, but an etcd in continuous collection had heaps of 0.2 to 2 % (lists of everything) and 5 to 8 % (10 MiB; pages and puts) above what
  /// lived.
  private static let overrun = 0.02
  /// What a cycle lets through at the least: goroutines finish what they are at.
  private static let leastAllocated = 65_536.0

  /// Where the next cycle begins: where the heap reaches its trigger, two minutes are over, or the program asks for it.
  private mutating func nextBegin() -> Double? {
    let trigger = pacer.trigger().trigger
    var begin = position + max(0, Double(trigger) - Double(pacer.heapMarked))
    if pacer.gcPercent >= 0 {
      begin = min(begin, max(position, periods.allocated(at: lastTime + Double(PacerConstants.periodNanoseconds))))
    }
    while nextForced < course.forced.count, course.forced[nextForced] < position { nextForced += 1 }
    if nextForced < course.forced.count, course.forced[nextForced] <= begin {
      begin = course.forced[nextForced]
      nextForced += 1
    }
    return begin < course.length ? begin : nil
  }

  private mutating func collect(from begin: Double) {
    let before = Double(pacer.heapMarked) + begin - position
    let place = walk.place(begin)
    pacer.heapLive = GoReplay.whole(before)
    pacer.heapScan = pacer.heapLive
    hold(heap: before)
    pacer.startCycle(processors: course.processors)
    let allocated = meanwhile(place, heap: before)
    pacer.heapLive += GoReplay.whole(allocated)
    pacer.heapScanWork = GoReplay.whole(place.live)
    hold(heap: before + allocated)
    pacer.endCycle(
      durationNanoseconds: Int64(place.wall), processors: course.processors, assistNanoseconds: 0,
      idleNanoseconds: Int64(max(0, place.cost - GoReplay.background * place.wall * course.processors)))
    note(heap: before + allocated)
    pacer.resetLive(bytesMarked: GoReplay.whole(place.live + allocated))
    hold(heap: place.live + allocated)
    pacer.commit(sweepDone: true)
    position = begin + allocated
    lastTime = place.time + place.wall
    lastCost = place.cost
    outcome.cycles += 1
    outcome.cpuNanoseconds += place.cost
  }

  private static let background = PacerConstants.backgroundUtilization

  /// What is allocated while marking runs: what the program asks for in that time, but no more than assists let through. They keep it
  /// below the goal, which is stretched where there is more to scan than last time; where there is no room at all, `overrun` is what passes.
  private mutating func meanwhile(_ place: AllocationCourse.Place, heap: Double) -> Double {
    let wanted = place.pace * place.wall
    let goal = Double(pacer.heapGoal())
    let room = goal - heap
    let grown = place.live / max(1, Double(pacer.heapMarked))
    let growth = lastCost > 0 ? max(1, min(grown, place.cost / lastCost)) : 1
    let most = room > 0 ? room * growth : goal * GoReplay.overrun
    return min(max(min(wanted, most), GoReplay.leastAllocated), course.length - place.allocated)
  }

  private mutating func hold(heap: Double) {
    pacer.memory = MemoryReading(
      heapAlloc: GoReplay.whole(heap), mappedReady: GoReplay.whole(heap + memory.counted(heap: heap)))
  }

  /// Sizes of a trace are below 2^50, but what is allocated along it has no such bound.
  private static func whole(_ bytes: Double) -> UInt64 { UInt64(min(max(bytes, 0), 4e18)) }

  private mutating func note(heap: Double) {
    outcome.peakHeap = max(outcome.peakHeap, heap)
    outcome.peakMemory = max(outcome.peakMemory, heap + memory.counted(heap: heap) + memory.outside)
  }
}
