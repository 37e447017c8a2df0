// The heap's counters as reports need them: values that a test can make up, and that a parent process which never had a heap can
// leave at zero.

import Tricolor
import TricolorTelemetry

/// Quantiles of the heap's own duration histograms, in nanoseconds.
public struct DurationFigures: Sendable, Equatable {
  /// How many there were.
  public var count = 0
  public var p50: UInt64 = 0
  public var p99: UInt64 = 0
  public var p999: UInt64 = 0
  public var max: UInt64 = 0

  /// Those of nothing.
  public init() {}

  init(_ distribution: DurationDistribution) {
    count = distribution.count
    p50 = distribution.p50
    p99 = distribution.p99
    p999 = distribution.p999
    max = distribution.max
  }

  var json: JSONValue {
    [
      "count": .integer(count), "p50": .unsigned(p50), "p99": .unsigned(p99), "p999": .unsigned(p999),
      "max": .unsigned(max),
    ]
  }
}

/// A heap's counters at one moment. Bytes and nanoseconds.
public struct CollectorFigures: Sendable, Equatable {
  /// Finished cycles by what began them.
  public var cyclesByCause: [CycleCause: Int] = [:]

  /// CPU time of the collector thread.
  public var background: UInt64 = 0
  /// CPU time of mutators that marked for the memory they took.
  public var assist: UInt64 = 0
  /// CPU time of markers on idle processors.
  public var idle: UInt64 = 0
  /// CPU time of turning marks into free cells.
  public var sweep: UInt64 = 0
  /// CPU time of returning pages to the system.
  public var scavenge: UInt64 = 0

  /// Every interval in which the collector held a mutator, by wall clock.
  public var holds = DurationFigures()
  /// The same intervals by the thread's CPU time.
  public var holdCPU = DurationFigures()
  /// Holds, assists, sweeping for allocation, waits for memory.
  public var stalls = DurationFigures()
  /// From a handshake's request to each mutator's answer.
  public var timeToSafepoint = DurationFigures()

  /// What the last cycle found live and what was allocated since.
  public var liveBytes = 0
  /// Where the heap should end, the largest integer for nowhere.
  public var goalBytes = 0
  /// Bytes allocated so far.
  public var allocatedBytes = 0
  /// Objects allocated so far.
  public var allocatedObjects = 0
  /// Bytes marked by all cycles.
  public var markedBytes = 0
  /// Objects marked by all cycles.
  public var markedObjects = 0
  /// Of `allocatedBytes` and `markedBytes`: on another NUMA node than the thread's. Nil where memory is not placed on several nodes
  /// there are, and nobody knows.
  public var remoteAllocatedBytes: Int? = 0
  public var remoteMarkedBytes: Int? = 0
  /// CPU time of marking.
  public var markNanoseconds: UInt64 = 0
  /// Bytes returned to the system.
  public var releasedBytes = 0

  /// All zero.
  public init() {}

  init(_ statistics: HeapStatistics) {
    cyclesByCause = statistics.cyclesByCause
    background = statistics.cpu.background
    assist = statistics.cpu.assist
    idle = statistics.cpu.idle
    sweep = statistics.cpu.sweep
    scavenge = statistics.cpu.scavenge
    holds = DurationFigures(statistics.holds)
    holdCPU = DurationFigures(statistics.holdCPU)
    stalls = DurationFigures(statistics.stalls)
    timeToSafepoint = DurationFigures(statistics.timeToSafepoint)
    liveBytes = statistics.liveBytes
    goalBytes = statistics.goalBytes
    allocatedBytes = statistics.allocatedBytes
    allocatedObjects = statistics.allocatedObjects
    markedBytes = statistics.markedBytes
    markedObjects = statistics.markedObjects
    remoteAllocatedBytes = statistics.nodes.arePlaced ? statistics.nodes.remoteAllocatedBytes : nil
    remoteMarkedBytes = statistics.nodes.arePlaced ? statistics.nodes.remoteMarkedBytes : nil
    markNanoseconds = statistics.markNanoseconds
    releasedBytes = statistics.releasedBytes
  }

  /// Finished cycles, whatever began them.
  public var cycles: Int { cyclesByCause.values.reduce(0, +) }

  /// CPU time of the collector, whoever paid.
  public var cpuNanoseconds: UInt64 { background + assist + idle + sweep + scavenge }

  func cycles(by cause: CycleCause) -> Int { cyclesByCause[cause] ?? 0 }
}
