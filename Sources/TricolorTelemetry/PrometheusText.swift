// A heap's counters in Prometheus' text format, version 0.0.4.
//
// What Go has keeps the name that Go programs export it under (client_golang: "/gc/heap/goal:bytes" is go_gc_heap_goal_bytes, and a metric
// that only rises ends in _total), so that dashboards and alerts made for Go services read a heap of ours. What Go does not have begins with
// tricolor_. Buckets of durations are doublings from 1 µs to 8.6 s: ten times fewer than are counted, and enough for quantiles within a
// factor of two.

import Tricolor

/// Writes metrics.
public struct PrometheusText: Sendable {
  /// Counter, gauge or histogram, as the TYPE line says.
  enum Kind: String, Sendable { case counter, gauge, histogram }

  /// The text so far: whole families.
  public private(set) var text = ""

  /// No metrics.
  public init() {}

  // MARK: Go's

  /// All metrics of Go's runtime/metrics that a heap has.
  public mutating func addGoMetrics(_ statistics: HeapStatistics) {
    for metric in statistics.metrics {
      guard let known = GoMetricHelp.table[metric.name] else {
        preconditionFailure("no description of the metric \(metric.name)")
      }
      let name = PrometheusText.goName(metric.name, isCumulative: known.kind == .counter)
      switch metric.value {
      case .unsigned(let value): add(name, known.kind, known.help, [("", "\(value)")])
      case .float(let value): add(name, known.kind, known.help, [("", "\(value)")])
      case .histogram: addGoHistogram(name, metric, known.help, statistics)
      }
    }
  }

  private mutating func addGoHistogram(
    _ name: String, _ metric: Metric, _ help: String, _ statistics: HeapStatistics
  ) {
    switch metric.name {
    case "/gc/pauses:seconds", "/sched/pauses/total/gc:seconds": addDurations(name, help, statistics.holdCounts)
    case "/sched/pauses/stopping/gc:seconds": addDurations(name, help, statistics.timeToSafepointCounts)
    case "/gc/heap/allocs-by-size:bytes": addSizes(name, metric, help, sum: statistics.allocatedBytes)
    case "/gc/heap/frees-by-size:bytes": addSizes(name, metric, help, sum: statistics.freedBytes)
    default: preconditionFailure("no sum is known for the histogram \(metric.name)")
    }
  }

  /// The name of client_golang for one of Go's: "/gc/cycles/total:gc-cycles" is go_gc_cycles_total_gc_cycles_total.
  static func goName(_ name: String, isCumulative: Bool) -> String {
    "go" + name.map { "/-:".contains($0) ? "_" : String($0) }.joined() + (isCumulative ? "_total" : "")
  }

  // MARK: The heap's own

  /// What a heap measures and Go does not.
  public mutating func addHeap(_ statistics: HeapStatistics) {
    addCounter(
      "tricolor_cycles_total", "Finished cycles by what began them.", label: "cause",
      CycleCause.allCases.map { ($0.label, statistics.cyclesByCause[$0] ?? 0) })
    addCounter("tricolor_young_cycles_total", "Cycles that marked only what was new.", statistics.youngCycles)
    addDurations(
      "tricolor_stall_seconds", "Holds, assists, sweeping for allocation and waits for memory, by thread.",
      statistics.stallCounts)
    addCounter(
      "tricolor_sweep_cpu_seconds_total", "CPU time of turning marks into free cells.",
      nanoseconds: statistics.cpu.sweep)
    addCounter("tricolor_marked_bytes_total", "Bytes that cycles have marked.", statistics.markedBytes)
    addCounter("tricolor_marked_objects_total", "Objects that cycles have marked.", statistics.markedObjects)
    addCounter(
      "tricolor_released_bytes_total", "Bytes returned to the system, each time counted.", statistics.releasedBytes)
    addCounter(
      "tricolor_slow_safepoints_total", "Threads that took longer than 10 ms to answer a handshake.",
      statistics.slowSafepoints)
    addMemory(statistics)
    addGauge("tricolor_mutators", "Threads that are attached.", statistics.mutators)
    addGauge("tricolor_roots", "Root handles in use.", statistics.roots)
  }

  private mutating func addMemory(_ statistics: HeapStatistics) {
    addGauge("tricolor_resident_bytes", "Memory of the process as the limit counts it.", statistics.residentBytes)
    addGauge(
      "tricolor_resident_peak_bytes", "The largest that tricolor_resident_bytes was.", statistics.peakResidentBytes)
    addGauge(
      "tricolor_heap_bytes", "What the last cycle found alive and what was allocated since.", statistics.liveBytes)
    addGauge(
      "tricolor_foreign_bytes", "Memory of the process that is not the heap's, as the pacer reckons with it.",
      statistics.foreignBytes)
    addGauge("tricolor_external_bytes", "Memory outside the heap that its objects keep.", statistics.externalBytes)
    addGauge("tricolor_memory_limit_bytes", "The memory limit in force.", statistics.limitBytes)
    addGauge("tricolor_hard_limit_bytes", "The limit at which allocation fails.", statistics.hardLimitBytes)
    addRatio(
      "tricolor_limit_tightened_ratio", "What of the limit the goal leaves free because the kernel reports a shortage.",
      Double(statistics.tightenedPercent) / 100)
    addGauge("tricolor_limit_unmet", "1 while the limit cannot be met.", statistics.limitIsUnmet ? 1 : 0)
    addCounter("process_cpu_seconds_total", "CPU time of the process.", nanoseconds: statistics.processCPUNanoseconds)
  }

  // MARK: Any

  /// A value that only rises.
  public mutating func addCounter(_ name: String, _ help: String, _ value: Int) {
    add(name, .counter, help, [("", "\(value)")])
  }

  /// CPU or wall time that only grows, in nanoseconds.
  public mutating func addCounter(_ name: String, _ help: String, nanoseconds: UInt64) {
    add(name, .counter, help, [("", seconds(nanoseconds))])
  }

  /// A value that only rises, for each value of a label.
  public mutating func addCounter(_ name: String, _ help: String, label: String, _ values: [(String, Int)]) {
    add(name, .counter, help, values.map { ("{\(label)=\"\(PrometheusText.escaped($0.0))\"}", "\($0.1)") })
  }

  /// A value that rises and falls; nothing is written for nil.
  public mutating func addGauge(_ name: String, _ help: String, _ value: Int?) {
    if let value { add(name, .gauge, help, [("", "\(value)")]) }
  }

  /// A share, between 0 and 1.
  public mutating func addRatio(_ name: String, _ help: String, _ value: Double) {
    add(name, .gauge, help, [("", "\(value)")])
  }

  /// What describes the run, as labels of a constant 1.
  public mutating func addInfo(_ name: String, _ help: String, _ labels: [(String, String)]) {
    let pairs = labels.map { "\($0.0)=\"\(PrometheusText.escaped($0.1))\"" }
    add(name, .gauge, help, [("{\(pairs.joined(separator: ","))}", "1")])
  }

  /// Durations, in buckets of doublings.
  public mutating func addDurations(_ name: String, _ help: String, _ durations: DurationCounts) {
    var lines: [(String, String)] = []
    var passed = 0
    var bucket = 0
    for power in 10...33 {
      let bound = UInt64(1) << UInt64(power)
      while bucket < DurationCounts.bucketCount, DurationCounts.upperBound(of: bucket) < bound {
        passed += durations.counts[bucket]
        bucket += 1
      }
      lines.append(("_bucket{le=\"\(seconds(bound))\"}", "\(passed)"))
    }
    let total = durations.counts.reduce(0, +)
    addHistogram(name, help, lines, sum: seconds(durations.totalNanoseconds), count: total)
  }

  private mutating func addSizes(_ name: String, _ metric: Metric, _ help: String, sum: Int) {
    guard case .histogram(let histogram) = metric.value else { return }
    var passed: UInt64 = 0
    var lines: [(String, String)] = []
    for (count, end) in zip(histogram.counts, histogram.bounds.dropFirst()) {
      passed += count
      // Sizes are integers: below `end` is at most one byte less.
      if end.isFinite { lines.append(("_bucket{le=\"\(end - 1)\"}", "\(passed)")) }
    }
    addHistogram(name, help, lines, sum: "\(sum)", count: Int(clamping: passed))
  }

  private mutating func addHistogram(
    _ name: String, _ help: String, _ buckets: [(String, String)], sum: String, count: Int
  ) {
    let ends = [("_bucket{le=\"+Inf\"}", "\(count)"), ("_sum", sum), ("_count", "\(count)")]
    add(name, .histogram, help, buckets + ends)
  }

  private mutating func add(_ name: String, _ kind: Kind, _ help: String, _ lines: [(String, String)]) {
    text += "# HELP \(name) \(help)\n# TYPE \(name) \(kind.rawValue)\n"
    for (suffix, value) in lines { text += "\(name)\(suffix) \(value)\n" }
  }

  private func seconds(_ nanoseconds: UInt64) -> String { "\(Double(nanoseconds) / 1e9)" }

  /// A label's value between quotation marks.
  static func escaped(_ text: String) -> String {
    text.map { $0 == "\\" ? "\\\\" : $0 == "\"" ? "\\\"" : $0 == "\n" ? "\\n" : String($0) }.joined()
  }
}

/// What each of Go's metrics means here, and whether it only rises.
enum GoMetricHelp {
  static let table: [String: (kind: PrometheusText.Kind, help: String)] = [
    "/cpu/classes/gc/mark/assist:cpu-seconds": (.counter, "CPU time of threads that marked for the memory they took."),
    "/cpu/classes/gc/mark/dedicated:cpu-seconds": (.counter, "CPU time of the collector thread."),
    "/cpu/classes/gc/mark/idle:cpu-seconds": (.counter, "CPU time of markers on processors nobody used."),
    "/cpu/classes/gc/pause:cpu-seconds": (.counter, "CPU time of handshakes, in the threads that were held."),
    "/cpu/classes/gc/total:cpu-seconds": (.counter, "CPU time of marking and of handshakes."),
    "/cpu/classes/idle:cpu-seconds": (.counter, "CPU time that the process could have had and did not use."),
    "/cpu/classes/scavenge/assist:cpu-seconds": (
      .counter, "CPU time of returning pages for allocations that needed the room."
    ),
    "/cpu/classes/scavenge/background:cpu-seconds": (.counter, "CPU time of returning pages in the background."),
    "/cpu/classes/scavenge/total:cpu-seconds": (.counter, "CPU time of returning pages to the system."),
    "/cpu/classes/total:cpu-seconds": (.counter, "Processors times wall time."),
    "/cpu/classes/user:cpu-seconds": (.counter, "CPU time of the program, sweeping included."),
    "/gc/cleanups/executed:cleanups": (.counter, "Cleanups that were taken to be run."),
    "/gc/cleanups/queued:cleanups": (.counter, "Cleanups whose objects have died."),
    "/gc/cycles/automatic:gc-cycles": (.counter, "Finished cycles that the pacer began."),
    "/gc/cycles/forced:gc-cycles": (.counter, "Finished cycles that the program asked for."),
    "/gc/cycles/total:gc-cycles": (.counter, "Finished cycles."),
    "/gc/gogc:percent": (.gauge, "GOGC in force; the largest 64-bit number when it is off."),
    "/gc/gomemlimit:bytes": (.gauge, "The memory limit in force; the largest signed 64-bit number when there is none."),
    "/gc/heap/allocs-by-size:bytes": (.histogram, "Objects allocated, by the size of their cells."),
    "/gc/heap/allocs:bytes": (.counter, "Bytes allocated on the heap."),
    "/gc/heap/allocs:objects": (.counter, "Objects allocated on the heap."),
    "/gc/heap/frees-by-size:bytes": (.histogram, "Objects freed, by the size of their cells."),
    "/gc/heap/frees:bytes": (.counter, "Bytes that sweeping found dead."),
    "/gc/heap/frees:objects": (.counter, "Objects that sweeping found dead."),
    "/gc/heap/goal:bytes": (.gauge, "Where the heap is to end the next cycle."),
    "/gc/heap/live:bytes": (.gauge, "Bytes that the last cycle found alive."),
    "/gc/heap/objects:objects": (.gauge, "Objects on the heap, alive or not yet swept."),
    "/gc/limiter/last-enabled:gc-cycle": (
      .gauge, "The last cycle in which the limiter of the collector's CPU was on; 0 for none."
    ),
    "/gc/pauses:seconds": (.histogram, "Intervals in which the collector held one thread."),
    "/gc/scan/globals:bytes": (.gauge, "Bytes of root handles and globals."),
    "/gc/scan/heap:bytes": (.gauge, "Bytes of objects with references."),
    "/gc/scan/stack:bytes": (.gauge, "Bytes of stacks that the last scan of all looked at."),
    "/gc/scan/total:bytes": (.gauge, "Bytes that a cycle may have to scan."),
    "/memory/classes/heap/free:bytes": (.gauge, "Free blocks that hold pages."),
    "/memory/classes/heap/objects:bytes": (.gauge, "Objects alive or not yet swept."),
    "/memory/classes/heap/released:bytes": (.gauge, "Free blocks whose pages the system has."),
    "/memory/classes/heap/unused:bytes": (.gauge, "Free cells in blocks in use."),
    "/memory/classes/metadata/other:bytes": (.gauge, "The heap's own tables."),
    "/memory/classes/total:bytes": (.gauge, "All memory mapped for the heap."),
    "/sched/gomaxprocs:threads": (.gauge, "Processors that the collector plans with."),
    "/sched/pauses/stopping/gc:seconds": (.histogram, "From a handshake's request to each running thread's answer."),
    "/sched/pauses/total/gc:seconds": (.histogram, "Intervals in which the collector held one thread."),
  ]
}
