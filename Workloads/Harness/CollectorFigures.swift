// The heap's counters as reports need them: values that a test can make up, and that a parent process which never had a heap can
// leave at zero.

import Tricolor
import TricolorTelemetry

/// Quantiles of the heap's own duration histograms, in nanoseconds.
public struct DurationFigures: Sendable, Equatable {
  public var count = 0
  public var p50: UInt64 = 0
  public var p99: UInt64 = 0
  public var p999: UInt64 = 0
  public var max: UInt64 = 0

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
  public var cyclesByCause: [CycleCause: Int] = [:]
  public var background: UInt64 = 0
  public var assist: UInt64 = 0
  public var idle: UInt64 = 0
  public var sweep: UInt64 = 0
  public var scavenge: UInt64 = 0
  public var holds = DurationFigures()
  public var holdCPU = DurationFigures()
  public var stalls = DurationFigures()
  public var timeToSafepoint = DurationFigures()
  public var liveBytes = 0
  public var goalBytes = 0
  public var allocatedBytes = 0
  public var allocatedObjects = 0
  public var markedBytes = 0
  public var markedObjects = 0
  public var markNanoseconds: UInt64 = 0
  public var releasedBytes = 0

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
    markNanoseconds = statistics.markNanoseconds
    releasedBytes = statistics.releasedBytes
  }

  /// Finished cycles, whatever began them.
  public var cycles: Int { cyclesByCause.values.reduce(0, +) }

  /// CPU time of the collector, whoever paid.
  public var cpuNanoseconds: UInt64 { background + assist + idle + sweep + scavenge }

  func cycles(by cause: CycleCause) -> Int { cyclesByCause[cause] ?? 0 }
}
