// What a run leaves for its pictures: the cycles as the heap announced them, and readings of memory at regular times.

import Tricolor

/// One reading of memory. Bytes; nanoseconds since the run began.
public struct MemorySample: Sendable {
  public let time: UInt64
  public let liveBytes: Int
  public let goalBytes: Int
  public let residentBytes: Int
  public let limitBytes: Int?
  public let operations: Int

  /// A reading at `time`, from the heap's own counters.
  public init(time: UInt64, statistics: HeapStatistics, operations: Int) {
    self.time = time
    liveBytes = statistics.liveBytes
    goalBytes = statistics.goalBytes
    residentBytes = statistics.residentBytes
    limitBytes = statistics.limitBytes
    self.operations = operations
  }

  public init(time: UInt64, liveBytes: Int, goalBytes: Int, residentBytes: Int, limitBytes: Int?, operations: Int) {
    self.time = time
    self.liveBytes = liveBytes
    self.goalBytes = goalBytes
    self.residentBytes = residentBytes
    self.limitBytes = limitBytes
    self.operations = operations
  }

  /// A goal that a picture can show: a heap without goal (GOGC=off, no limit) has the largest number there is.
  var drawnGoal: Int? { goalBytes < 1 << 60 ? goalBytes : nil }
}

/// Cycles and readings of one run.
public struct RunRecording: Sendable {
  public var samples: [MemorySample]
  /// In the order they ended; `startedAt` counts from the heap's making, which is when the samples' time begins.
  public var cycles: [CycleEvent]

  public init(samples: [MemorySample] = [], cycles: [CycleEvent] = []) {
    self.samples = samples
    self.cycles = cycles
  }
}

extension CycleCause {
  /// The word for people and files.
  public var label: String {
    switch self {
    case .growth: "growth"
    case .limit: "limit"
    case .forced: "forced"
    case .periodic: "periodic"
    }
  }
}
