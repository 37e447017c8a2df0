// What a heap measured of itself: counters and histograms that threads add to without locks, and the snapshot a user reads.
//
// Histograms are log-linear: 16 steps a doubling (at most 6 % error) from 1 ns to 2^40 ns in 640 counters, so that recording is one
// atomic add and the largest value is exact.

import Synchronization
import TricolorPacing
import TricolorPlatform

/// A histogram of durations in nanoseconds, in raw memory, recorded by any thread.
struct DurationHistogram: ~Copyable {
  private let counts: UnsafeMutablePointer<Atomic<Int>>
  private let largest = Atomic<UInt64>(0)
  private let sum = Atomic<UInt64>(0)

  init() {
    counts = .allocate(capacity: DurationCounts.bucketCount)
    for i in 0..<DurationCounts.bucketCount { (counts + i).initialize(to: Atomic(0)) }
  }

  deinit { counts.deallocate() }

  func record(_ nanoseconds: UInt64) {
    counts[DurationCounts.bucket(of: nanoseconds)].wrappingAdd(1, ordering: .relaxed)
    sum.wrappingAdd(nanoseconds, ordering: .relaxed)
    var seen = largest.load(ordering: .relaxed)
    while nanoseconds > seen {
      let result = largest.compareExchange(expected: seen, desired: nanoseconds, ordering: .relaxed)
      if result.exchanged { break }
      seen = result.original
    }
  }

  /// All durations recorded, together.
  var totalNanoseconds: UInt64 { sum.load(ordering: .relaxed) }

  /// The longest recorded.
  var longestNanoseconds: UInt64 { largest.load(ordering: .relaxed) }

  /// How many fell into each bucket.
  func read() -> DurationCounts {
    DurationCounts(totalNanoseconds: totalNanoseconds) { counts[$0].load(ordering: .relaxed) }
  }

  func distribution() -> DurationDistribution { read().distribution(longest: longestNanoseconds) }
}

/// How many durations fell into each of 640 buckets, 16 a doubling from 1 ns to 2^40 ns: two readings of the same counters tell how the
/// durations between them were distributed.
public struct DurationCounts: Sendable, Equatable {
  /// How many buckets there are.
  public static let bucketCount = 640
  /// No durations.
  public static let none = DurationCounts(totalNanoseconds: 0) { _ in 0 }

  /// By bucket, the shortest durations first.
  public private(set) var counts: [Int]
  /// All durations together.
  public private(set) var totalNanoseconds: UInt64

  /// What `count` answers for each bucket.
  public init(totalNanoseconds: UInt64, _ count: (Int) -> Int) {
    counts = (0..<DurationCounts.bucketCount).map(count)
    self.totalNanoseconds = totalNanoseconds
  }

  /// The bucket that a duration falls into.
  public static func bucket(of nanoseconds: UInt64) -> Int {
    if nanoseconds < 16 { return Int(nanoseconds) }
    let log = 63 - nanoseconds.leadingZeroBitCount
    return min(bucketCount - 1, (log - 3) * 16 + Int(nanoseconds >> UInt64(log - 4)) - 16)
  }

  /// The longest duration that falls into `bucket`, in nanoseconds.
  public static func upperBound(of bucket: Int) -> UInt64 {
    if bucket < 32 { return UInt64(bucket) }
    let log = bucket / 16 + 3
    return (UInt64(bucket % 16 + 17) << UInt64(log - 4)) - 1
  }

  /// The durations that came after an earlier reading of the same counters.
  public func since(_ earlier: DurationCounts) -> DurationCounts {
    DurationCounts(totalNanoseconds: totalNanoseconds &- earlier.totalNanoseconds) { counts[$0] - earlier.counts[$0] }
  }

  /// Their quantiles, at most 6 % too large.
  ///
  /// - Parameter longest: the longest of them in nanoseconds, where it is known; otherwise the end of its bucket stands for it.
  public func distribution(longest: UInt64? = nil) -> DurationDistribution {
    let total = counts.reduce(0, +)
    guard total > 0, let last = counts.lastIndex(where: { $0 > 0 }) else { return DurationDistribution() }
    let maximum = longest ?? DurationCounts.upperBound(of: last)
    func quantile(_ fraction: Double) -> UInt64 {
      let rank = max(1, Int((Double(total) * fraction).rounded(.up)))
      var passed = 0
      for (bucket, count) in counts.enumerated() {
        passed += count
        if passed >= rank { return min(maximum, DurationCounts.upperBound(of: bucket)) }
      }
      return maximum
    }
    return DurationDistribution(
      count: total, p50: quantile(0.5), p99: quantile(0.99), p999: quantile(0.999), max: maximum)
  }
}

/// Quantiles of a set of durations, in nanoseconds.
public struct DurationDistribution: Sendable, Equatable {
  /// How many durations there were.
  public var count = 0
  /// Half of them are no longer than this.
  public var p50: UInt64 = 0
  /// 99 of 100 are no longer than this.
  public var p99: UInt64 = 0
  /// 999 of 1000 are no longer than this.
  public var p999: UInt64 = 0
  /// The longest, exactly; the quantiles are up to 6 % too large.
  public var max: UInt64 = 0
}

/// CPU time the collector took, in nanoseconds, by who paid.
public struct CollectorCPU: Sendable, Equatable {
  /// The collector thread while marking.
  public var background: UInt64 = 0
  /// Mutators that allocated ahead of the pacer.
  public var assist: UInt64 = 0
  /// Workers on processors that no mutator used.
  public var idle: UInt64 = 0
  /// Turning marks into free cells, in the background and for allocations.
  public var sweep: UInt64 = 0
  /// Returning pages to the system.
  public var scavenge: UInt64 = 0
  /// What of `scavenge` was done by allocations that needed the room.
  public var scavengeForAllocation: UInt64 = 0

  /// All of it together; `scavengeForAllocation` is a part of `scavenge`.
  public var total: UInt64 { background + assist + idle + sweep + scavenge }
}

/// What lies where, and who works on it, on a machine with several NUMA nodes. Bytes.
public struct NodeStatistics: Sendable, Equatable {
  /// The nodes that memory comes from, by the kernel's numbers.
  public var numbers: [Int] = []
  /// Whether memory is placed on nodes: false under `TRICOLOR_NUMA=off`, and what is remote is not known then.
  public var arePlaced = true
  /// Of `allocatedBytes`: on another node than the one the allocating thread ran on when it took the block.
  public var remoteAllocatedBytes = 0
  /// Of `markedBytes`: on another node than the one the marker ran on. What is spread over all nodes counts as local.
  public var remoteMarkedBytes = 0
  /// Blocks that were taken from another node because the one they were meant for was full.
  public var fallbackBytes = 0
  /// Blocks in use on each node, in the order of `numbers`, and where there are several nodes, spread over all.
  public var usedBytes: [Int] = []
  /// Pieces of 64 MiB that the kernel refused to place.
  public var refusedPlacements = 0
}

/// A consistent-enough reading of a heap's counters. Bytes, nanoseconds and counts.
public struct HeapStatistics: Sendable {
  /// `GOGC` in force, nil for off: what is set, or under `TRICOLOR_TUNE=on` what the heap has chosen.
  public var gcPercent: Int?
  /// What the heap chose for `GOGC` last, and why; nil where it does not choose.
  public var growthChoice: GrowthChoice?
  /// The memory limit in force; nil when there is none.
  public var limitBytes: Int?
  /// The limit at which allocation throws; nil when there is none.
  public var hardLimitBytes: Int?
  /// What of the limit the heap may hold, with other heaps under it; nil when there is none.
  public var limitShareBytes: Int?
  /// By how many percent signs of the kernel make the limit smaller for the goal (memory pressure, memory.high, the cgroup's limit met).
  public var tightenedPercent = 0
  /// Whether live objects and memory outside the heap leave no room below the limit.
  public var limitIsUnmet = false
  /// The number of the last cycle in which the CPU limiter was on, 0 for none.
  public var limiterLastCycle = 0
  /// Processors the collector plans with, a fraction under a CPU quota.
  public var processors = 0.0
  /// Time since the heap was made.
  public var elapsedNanoseconds: UInt64 = 0
  /// CPU time of the whole process since it began.
  public var processCPUNanoseconds: UInt64 = 0
  /// Finished cycles by cause.
  public var cyclesByCause: [CycleCause: Int] = [:]
  /// Finished cycles of all causes.
  public var cycles = 0
  /// Cycles that marked only what was allocated since the one before: part of `cycles`.
  public var youngCycles = 0
  /// CPU time that collection took since the heap was made.
  public var cpu = CollectorCPU()
  /// Every interval in which the collector held a mutator (handshake work), by wall clock.
  public var holds = DurationDistribution()
  /// The same intervals by CPU time of the thread that was held.
  public var holdCPU = DurationDistribution()
  /// The sum of the intervals of `holdCPU`.
  public var holdCPUNanoseconds: UInt64 = 0
  /// Holds, assists, sweeping for allocation and waits for memory.
  public var stalls = DurationDistribution()
  /// From the posting of a handshake to a running mutator's answer.
  public var timeToSafepoint = DurationDistribution()
  /// The counters behind `holds`.
  public var holdCounts = DurationCounts.none
  /// The counters behind `stalls`.
  public var stallCounts = DurationCounts.none
  /// The counters behind `timeToSafepoint`.
  public var timeToSafepointCounts = DurationCounts.none
  /// Bytes marked by the last cycle plus handed out since.
  public var liveBytes = 0
  /// Bytes that the last cycle found alive.
  public var markedLiveBytes = 0
  /// Where the heap is to end the next cycle; the largest integer for nowhere.
  public var goalBytes = 0
  /// The largest `liveBytes` there has been.
  public var peakLiveBytes = 0
  /// Resident memory of the whole process.
  public var residentBytes = 0
  /// The largest `residentBytes` that the heap has seen.
  public var peakResidentBytes = 0
  /// Bytes of blocks in use.
  public var usedBlockBytes = 0
  /// The part of `usedBlockBytes` that holds no pages: near the limit, pages on which nothing lives go back to the system.
  public var vacantBytes = 0
  /// Bytes of free blocks that hold pages.
  public var heldFreeBytes = 0
  /// Bytes of side tables and buffers.
  public var metadataBytes = 0
  /// Bytes of free blocks without pages, in arenas the heap has taken.
  public var unbackedBytes = 0
  /// Memory of the process that is not the heap's, as last estimated.
  public var foreignBytes = 0
  /// Bytes outside the heap that its objects keep (`addExternalBytes`).
  public var externalBytes = 0
  /// Dead objects in blocks that are not swept yet.
  public var unsweptBytes = 0
  /// Bytes of objects with references, which the next cycle may have to scan.
  public var heapScanBytes = 0
  /// Bytes of stacks that the last full scan of them looked at.
  public var stackScanBytes = 0
  /// Bytes of root handles and registered globals.
  public var globalScanBytes = 0
  /// Bytes of all objects that were ever allocated, up to what open runs have yet to report.
  public var allocatedBytes = 0
  /// How many objects were ever allocated, up to what open runs have yet to report.
  public var allocatedObjects = 0
  /// Bytes that cycles have found dead, counted as their blocks are swept: all of them when `collect()` returns.
  public var freedBytes = 0
  /// How many objects those were.
  public var freedObjects = 0
  /// Objects by size class (`SizeCounts`), for `metrics`.
  var allocatedBySize: [Int] = []
  var freedBySize: [Int] = []
  /// Cleanups whose objects have died.
  public var queuedCleanups = 0
  /// Those of them that have been taken to be run.
  public var executedCleanups = 0
  /// Bytes of all objects that cycles have marked.
  public var markedBytes = 0
  /// How many objects cycles have marked.
  public var markedObjects = 0
  /// What lies where on a machine with several NUMA nodes.
  public var nodes = NodeStatistics()
  /// Wall time spent marking, over all cycles.
  public var markNanoseconds: UInt64 = 0
  /// Bytes that were returned to the system, each time counted.
  public var releasedBytes = 0
  /// Threads that are attached now.
  public var mutators = 0
  /// Threads that have attached since the heap was made.
  public var attachedMutators = 0
  /// Root handles in use.
  public var roots = 0
  /// Mutators that took longer than 10 ms to answer a handshake.
  public var slowSafepoints = 0
  /// The thread (its kernel id) that was slow last, 0 when none was.
  public var slowSafepointThread: Int32 = 0
}

/// The live counters behind `HeapStatistics`.
struct StatisticsCounters: ~Copyable {
  let allocatedBytes = Atomic<Int>(0)
  let remoteAllocatedBytes = Atomic<Int>(0)
  let remoteMarkedBytes = Atomic<Int>(0)
  let fallbackBytes = Atomic<Int>(0)
  let markedBytes = Atomic<Int>(0)
  let markedObjects = Atomic<Int>(0)
  let peakLive = Atomic<Int>(0)
  let peakResident = Atomic<Int>(0)
  let scannedStackBytes = Atomic<Int>(0)
  let freedBytes = Atomic<Int>(0)
  let allocated = SizeCounts()
  let freed = SizeCounts()
  let background = Atomic<UInt64>(0)
  let assist = Atomic<UInt64>(0)
  let idle = Atomic<UInt64>(0)
  let sweep = Atomic<UInt64>(0)
  let scavenge = Atomic<UInt64>(0)
  let scavengeForAllocation = Atomic<UInt64>(0)
  let markNanoseconds = Atomic<UInt64>(0)
  let slowSafepoints = Atomic<Int>(0)
  let slowThread = Atomic<Int32>(0)
  /// Bytes returned in the background and for allocations since the last line of `scavtrace`.
  let tracedBackground = Atomic<Int>(0)
  let tracedEager = Atomic<Int>(0)
  let failedReleases = Atomic<Int>(0)
  let attachedMutators = Atomic<Int>(0)
  let growthCycles = Atomic<Int>(0)
  let youngCycles = Atomic<Int>(0)
  let limitCycles = Atomic<Int>(0)
  let forcedCycles = Atomic<Int>(0)
  let periodicCycles = Atomic<Int>(0)
  let holds = DurationHistogram()
  let holdCPU = DurationHistogram()
  let stalls = DurationHistogram()
  let timeToSafepoint = DurationHistogram()
  let stallRecorder = StallRecorder()

  func notePeakLive(_ bytes: Int) { raise(peakLive, bytes) }
  func notePeakResident(_ bytes: Int) { raise(peakResident, bytes) }

  @inline(__always) private func raise(_ peak: borrowing Atomic<Int>, _ value: Int) {
    if value > peak.load(ordering: .relaxed) { peak.max(value, ordering: .relaxed) }
  }

  /// The collector has held `thread` since `began`; `cpu` nanoseconds of that it computed.
  func noteHold(of thread: Int32, since began: UInt64, cpu: UInt64) {
    holds.record(noteStall(of: thread, since: began))
    holdCPU.record(cpu)
  }

  /// A mutator took `nanoseconds` to reach its safepoint; more than 10 ms is counted, with the slowest thread's name.
  func noteAnswer(thread: Int32, nanoseconds: UInt64) {
    timeToSafepoint.record(nanoseconds)
    if nanoseconds > 10_000_000 {
      slowSafepoints.wrappingAdd(1, ordering: .relaxed)
      slowThread.store(thread, ordering: .relaxed)
    }
  }

  /// `thread` could not go on from `began` until now; returns for how many nanoseconds.
  @discardableResult
  func noteStall(of thread: Int32, since began: UInt64) -> UInt64 {
    let ended = Clock.monotonic()
    stalls.record(ended - began)
    stallRecorder.record(thread, from: began, to: ended)
    return ended - began
  }
}
