// One reading of a run for its pictures: what resident memory consists of, and what the CPU was spent on.
//
// Memory is cut into layers that add up to what is resident, so that a picture can stack them: nothing is counted twice, and what is
// nobody's own is foreign. CPU and operations are totals since the run began, so that the difference of any two samples, neighbours or not,
// is right; a thinned history then loses detail and no sums. Latencies are those of the time since the sample before.

import Tricolor

/// A reading. Bytes; nanoseconds.
public struct TimelineSample: Sendable, Equatable {
  /// Time since the run began.
  public var time: UInt64 = 0

  // MARK: Memory, in layers

  /// What the last cycle found alive on the heap.
  public var liveBytes = 0
  /// What was allocated since, alive or not.
  public var newBytes = 0
  /// Of blocks in use: dead objects, cells nobody has taken, and the heap's own tables.
  public var unusedBytes = 0
  /// Free blocks that hold pages.
  public var freeBytes = 0
  /// Memory of the process that is not the heap's and no file: malloc, stacks, reference-counted objects.
  public var foreignBytes = 0
  /// Resident pages of mapped files.
  public var fileBytes = 0
  /// All of the process, as the limit counts it.
  public var residentBytes = 0

  // MARK: Lines over it

  /// Where the heap is to end; nil for nowhere.
  public var goalBytes: Int?
  /// The memory limit in force; nil for none.
  public var limitBytes: Int?
  /// The hard limit of the control groups around the process; nil for none.
  public var groupLimitBytes: Int?

  // MARK: CPU time since the run began

  /// What there was to be had: processors times time.
  public var availableNanoseconds: UInt64 = 0
  /// The program's own: all that is not the collector's.
  public var mutatorNanoseconds: UInt64 = 0
  /// Threads that marked for the memory they took.
  public var assistNanoseconds: UInt64 = 0
  /// The collector thread.
  public var backgroundNanoseconds: UInt64 = 0
  /// Markers on processors that nobody used.
  public var idleNanoseconds: UInt64 = 0
  /// Turning marks into free cells.
  public var sweepNanoseconds: UInt64 = 0
  /// Returning pages to the system.
  public var scavengeNanoseconds: UInt64 = 0
  /// The share of CPU that collection may take near the limit, in percent.
  public var capPercent = 0

  // MARK: Work

  /// Operations since the run began.
  public var operations = 0
  /// Cycles that had ended.
  public var cycles = 0

  // MARK: Latency since the sample before; nil where there was none

  /// The longest interval in which the collector held a mutator.
  public var holdNanoseconds: UInt64?
  /// The longest stall: holds, assists, sweeping for allocation, waits for memory.
  public var stallNanoseconds: UInt64?
  /// What 99 of 100 operations did not exceed.
  public var operationNanoseconds: UInt64?

  /// Nothing, at the beginning.
  public init() {}

  /// Time, memory, CPU and cycles from a reading of the heap's counters.
  ///
  /// - Parameters:
  ///   - availableNanoseconds: CPU time there was to be had since the heap was made.
  ///   - fileBytes: resident pages of mapped files.
  init(statistics: HeapStatistics, availableNanoseconds: UInt64, fileBytes: Int) {
    time = statistics.elapsedNanoseconds
    self.availableNanoseconds = availableNanoseconds
    cycles = statistics.cycles
    setMemory(statistics, mapped: fileBytes)
    setCPU(statistics)
  }

  private mutating func setMemory(_ statistics: HeapStatistics, mapped: Int) {
    residentBytes = statistics.residentBytes
    goalBytes = statistics.goalBytes < 1 << 60 ? statistics.goalBytes : nil
    limitBytes = statistics.limitBytes
    // External memory counts as live for the pace and lies outside the heap's blocks.
    let blocks = statistics.usedBlockBytes - statistics.vacantBytes
    let held = min(blocks, max(0, statistics.liveBytes - statistics.externalBytes))
    liveBytes = min(held, max(0, statistics.markedLiveBytes - statistics.externalBytes))
    newBytes = held - liveBytes
    unusedBytes = blocks - held + statistics.metadataBytes
    freeBytes = statistics.heldFreeBytes
    let others = max(0, residentBytes - blocks - statistics.metadataBytes - freeBytes)
    fileBytes = min(others, max(0, mapped))
    foreignBytes = others - fileBytes
  }

  private mutating func setCPU(_ statistics: HeapStatistics) {
    let cpu = statistics.cpu
    mutatorNanoseconds = statistics.processCPUNanoseconds - min(statistics.processCPUNanoseconds, cpu.total)
    assistNanoseconds = cpu.assist
    backgroundNanoseconds = cpu.background
    idleNanoseconds = cpu.idle
    sweepNanoseconds = cpu.sweep
    scavengeNanoseconds = cpu.scavenge
  }

  /// One sample for this one and the next: totals and time are those of the later, memory that of the larger resident set, latencies the
  /// longer.
  func merged(with next: TimelineSample) -> TimelineSample {
    var result = next
    if residentBytes > next.residentBytes { result.takeMemory(self) }
    result.holdNanoseconds = Self.longer(holdNanoseconds, next.holdNanoseconds)
    result.stallNanoseconds = Self.longer(stallNanoseconds, next.stallNanoseconds)
    result.operationNanoseconds = Self.longer(operationNanoseconds, next.operationNanoseconds)
    return result
  }

  private mutating func takeMemory(_ other: TimelineSample) {
    liveBytes = other.liveBytes
    newBytes = other.newBytes
    unusedBytes = other.unusedBytes
    freeBytes = other.freeBytes
    foreignBytes = other.foreignBytes
    fileBytes = other.fileBytes
    residentBytes = other.residentBytes
    goalBytes = other.goalBytes
    limitBytes = other.limitBytes
    groupLimitBytes = other.groupLimitBytes
  }

  private static func longer(_ a: UInt64?, _ b: UInt64?) -> UInt64? { [a, b].compactMap { $0 }.max() }
}

extension TimelineSample {
  /// The names of `row`, in its order. Pages read samples by these names.
  public static let columns = [
    "time", "live", "new", "unused", "free", "foreign", "files", "resident", "goal", "limit", "groupLimit", "available",
    "mutator", "assist", "background", "idle", "sweep", "scavenge", "cap", "operations", "cycles", "hold", "stall",
    "operation",
  ]

  /// The sample as an array without names: a history has hundreds of them.
  public var row: JSONValue {
    .array(
      [
        .unsigned(time), .integer(liveBytes), .integer(newBytes), .integer(unusedBytes), .integer(freeBytes),
        .integer(foreignBytes), .integer(fileBytes), .integer(residentBytes), .optional(goalBytes),
        .optional(limitBytes), .optional(groupLimitBytes),
      ]
        + [
          availableNanoseconds, mutatorNanoseconds, assistNanoseconds, backgroundNanoseconds, idleNanoseconds,
          sweepNanoseconds, scavengeNanoseconds,
        ].map { .unsigned($0) } + [.integer(capPercent), .integer(operations), .integer(cycles)]
        + [holdNanoseconds, stallNanoseconds, operationNanoseconds].map { $0.map { .unsigned($0) } ?? .null })
  }
}
