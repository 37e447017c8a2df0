// The statistics under the names and units of Go's runtime/metrics, so that dashboards and alerts made for Go services read a heap of ours.
//
// A metric that Go has and that has no meaning here (tiny allocations, goroutines, spans) is left out rather than answered with a zero. What
// differs: pauses are intervals in which one thread was held at a handshake; `dedicated` is the collector thread. As in Go, sweeping counts
// as `user`, `total` CPU is processors times wall time, and classes of memory add up to their total. Stacks are the system's here and so not
// memory of the heap. What has died is counted as it is swept, and sizes are those of cells.

/// What a metric measures.
public enum MetricValue: Sendable, Equatable {
  /// A count, or bytes.
  case unsigned(UInt64)
  /// Seconds, or a share.
  case float(Double)
  /// How values are distributed.
  case histogram(MetricHistogram)
}

/// How often values fell between bounds: `counts[i]` of them at or above `bounds[i]` and below `bounds[i + 1]`.
public struct MetricHistogram: Sendable, Equatable {
  /// How many values fell into each bucket.
  public let counts: [UInt64]
  /// The bounds between buckets, one more than there are counts.
  public let bounds: [Double]
}

/// A value under Go's name for it, as `/gc/heap/goal:bytes`.
public struct Metric: Sendable, Equatable {
  /// The metric's name.
  public let name: String
  /// Its value at this moment.
  public let value: MetricValue
}

extension HeapStatistics {
  /// All metrics that Go has and a heap has, by name. Makes strings and arrays: tens of microseconds.
  public var metrics: [Metric] {
    (processorTime + collection + memory + pauses).map { Metric(name: $0.0, value: $0.1) }.sorted { $0.name < $1.name }
  }

  private typealias Named = (String, MetricValue)

  private static func seconds(_ nanoseconds: UInt64) -> MetricValue { .float(Double(nanoseconds) / 1e9) }

  private static func count(_ value: Int) -> MetricValue { .unsigned(UInt64(max(0, value))) }

  private var processorTime: [Named] {
    let total = Double(elapsedNanoseconds) / 1e9 * processors
    let collecting = cpu.assist + cpu.background + cpu.idle + holdCPUNanoseconds
    let used = Double(processCPUNanoseconds) / 1e9
    let idle = max(0, total - used)
    let collector = Double(collecting + cpu.scavenge) / 1e9
    return [
      ("/cpu/classes/gc/mark/assist:cpu-seconds", Self.seconds(cpu.assist)),
      ("/cpu/classes/gc/mark/dedicated:cpu-seconds", Self.seconds(cpu.background)),
      ("/cpu/classes/gc/mark/idle:cpu-seconds", Self.seconds(cpu.idle)),
      ("/cpu/classes/gc/pause:cpu-seconds", Self.seconds(holdCPUNanoseconds)),
      ("/cpu/classes/gc/total:cpu-seconds", Self.seconds(collecting)),
      ("/cpu/classes/idle:cpu-seconds", .float(idle)),
      ("/cpu/classes/scavenge/assist:cpu-seconds", Self.seconds(cpu.scavengeForAllocation)),
      (
        "/cpu/classes/scavenge/background:cpu-seconds",
        Self.seconds(cpu.scavenge - min(cpu.scavenge, cpu.scavengeForAllocation))
      ),
      ("/cpu/classes/scavenge/total:cpu-seconds", Self.seconds(cpu.scavenge)),
      ("/cpu/classes/total:cpu-seconds", .float(total)),
      ("/cpu/classes/user:cpu-seconds", .float(max(0, total - idle - collector))),
    ]
  }

  private var collection: [Named] {
    let forced = cyclesByCause[.forced] ?? 0
    return [
      ("/gc/cleanups/executed:cleanups", Self.count(executedCleanups)),
      ("/gc/cleanups/queued:cleanups", Self.count(queuedCleanups)),
      ("/gc/cycles/automatic:gc-cycles", Self.count(cycles - forced)),
      ("/gc/cycles/forced:gc-cycles", Self.count(forced)),
      ("/gc/cycles/total:gc-cycles", Self.count(cycles)),
      ("/gc/gogc:percent", gcPercent.map(Self.count) ?? .unsigned(.max)),
      ("/gc/gomemlimit:bytes", .unsigned(UInt64(limitBytes ?? .max))),
      ("/gc/heap/allocs-by-size:bytes", Self.bySize(allocatedBySize)),
      ("/gc/heap/allocs:bytes", Self.count(allocatedBytes)),
      ("/gc/heap/allocs:objects", Self.count(allocatedObjects)),
      ("/gc/heap/frees-by-size:bytes", Self.bySize(freedBySize)),
      ("/gc/heap/frees:bytes", Self.count(freedBytes)),
      ("/gc/heap/frees:objects", Self.count(freedObjects)),
      ("/gc/heap/goal:bytes", Self.count(goalBytes)),
      ("/gc/heap/live:bytes", Self.count(markedLiveBytes)),
      ("/gc/heap/objects:objects", Self.count(allocatedObjects - freedObjects)),
      ("/gc/limiter/last-enabled:gc-cycle", Self.count(limiterLastCycle)),
      ("/gc/scan/globals:bytes", Self.count(globalScanBytes)),
      ("/gc/scan/heap:bytes", Self.count(heapScanBytes)),
      ("/gc/scan/stack:bytes", Self.count(stackScanBytes)),
      ("/gc/scan/total:bytes", Self.count(globalScanBytes + heapScanBytes + stackScanBytes)),
      ("/sched/gomaxprocs:threads", Self.count(Int(processors.rounded(.up)))),
    ]
  }

  private var memory: [Named] {
    let objects = min(usedBlockBytes - vacantBytes, liveBytes - externalBytes + unsweptBytes)
    return [
      ("/memory/classes/heap/free:bytes", Self.count(heldFreeBytes)),
      ("/memory/classes/heap/objects:bytes", Self.count(objects)),
      ("/memory/classes/heap/released:bytes", Self.count(unbackedBytes + vacantBytes)),
      ("/memory/classes/heap/unused:bytes", Self.count(usedBlockBytes - vacantBytes - objects)),
      ("/memory/classes/metadata/other:bytes", Self.count(metadataBytes)),
      (
        "/memory/classes/total:bytes", Self.count(heldFreeBytes + usedBlockBytes + unbackedBytes + metadataBytes)
      ),
    ]
  }

  private var pauses: [Named] {
    let held = MetricValue.histogram(Self.histogram(holdCounts))
    return [
      ("/gc/pauses:seconds", held),
      ("/sched/pauses/stopping/gc:seconds", .histogram(Self.histogram(timeToSafepointCounts))),
      ("/sched/pauses/total/gc:seconds", held),
    ]
  }

  private static func bySize(_ counts: [Int]) -> MetricValue {
    .histogram(MetricHistogram(counts: counts.map { UInt64(max(0, $0)) }, bounds: SizeCounts.bounds))
  }

  private static func histogram(_ durations: DurationCounts) -> MetricHistogram {
    let upper = durations.counts.indices.map { Double(DurationCounts.upperBound(of: $0) + 1) / 1e9 }
    return MetricHistogram(counts: durations.counts.map { UInt64($0) }, bounds: [0] + upper.dropLast() + [.infinity])
  }
}
