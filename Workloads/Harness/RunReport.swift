// What is known of a run at its end, and how it becomes the JSON object that scripts read.
//
// The keys, their order and their units are a contract (docs, "tricolor run --json"): every report has all of them, also the one
// that a parent process writes for a run the kernel killed. Seconds, operations, CPU and the heap's counters end where the
// workload ended measuring; peaks are of the whole process.

import Tricolor
import TricolorTelemetry

/// The figures of one run. Bytes and nanoseconds.
public struct RunReport: Sendable {
  /// A phase of the run.
  public struct PhaseRow: Sendable {
    public var name: String
    /// Wall time it took.
    public var seconds: Double
    /// Operations counted in it.
    public var operations: Int
    /// Cycles that ended in it.
    public var cycles: Int
    /// Resident bytes at its end.
    public var residentBytes: Int
  }

  /// What all runs of the phases with one name came to.
  public struct PhaseTotalRow: Sendable {
    public var name: String
    /// How often it ran.
    public var times = 1
    /// Wall time of all runs.
    public var seconds = 0.0
    /// Operations counted in it.
    public var operations = 0
    /// Latencies of its timed operations, of whatever kind.
    public var latency = LatencyFigures()
    /// Cycles that ended in it.
    public var cycles = 0
    /// CPU time of the collector in it, whoever paid.
    public var collectorCPUNanoseconds: UInt64 = 0
    /// Bytes allocated in it.
    public var allocatedBytes = 0
    /// The largest resident set seen in it, ten times a second.
    public var peakResidentBytes = 0
    /// Resident bytes and the heap's live bytes at its last end.
    public var residentBytes = 0
    public var liveBytes = 0

    /// A phase that has not run.
    public init(name: String) { self.name = name }

    init(_ total: PhaseTotal) {
      name = total.name
      times = total.times
      seconds = total.seconds
      operations = total.operations
      latency = LatencyFigures(total.latencies)
      cycles = total.cycles
      collectorCPUNanoseconds = total.collectorCPU
      allocatedBytes = total.allocatedBytes
      peakResidentBytes = total.peakResidentBytes
      residentBytes = total.residentBytes
      liveBytes = total.liveBytes
    }
  }

  /// The latencies of one kind of operation.
  public struct KindRow: Sendable {
    public var name: String
    public var latency: LatencyFigures
  }

  /// The workload's name.
  public var workload: String
  /// What its random numbers began with.
  public var seed: UInt64
  /// Client threads.
  public var threads: Int
  /// Wall time until measuring ended.
  public var seconds = 0.0
  /// Operations until then, as the workload counts them.
  public var operations = 0
  /// Latencies of all timed operations.
  public var latency = LatencyFigures()
  /// Latencies by kind, in the workload's order.
  public var kinds: [KindRow] = []
  /// Phases in the order they ran.
  public var phases: [PhaseRow] = []
  /// Phases by name, each with all its runs.
  public var phaseTotals: [PhaseTotalRow] = []
  /// `GOGC` at the end, nil for off.
  public var gcPercent: Int?
  /// The memory limit at the end, nil for none.
  public var limitBytes: Int?
  /// The hard limit of the control group around the process, nil for none.
  public var cgroupLimitBytes: Int?
  /// The heap's counters where measuring ended.
  public var collector = CollectorFigures()
  /// Processors the collector planned with.
  public var processors = 1.0
  /// CPU time of all threads until measuring ended.
  public var processCPUNanoseconds: UInt64 = 0
  /// The largest live size of the heap, to the end of the check.
  public var peakHeapBytes = 0
  /// The largest resident set of the whole process.
  public var peakResidentBytes = 0
  /// NUMA nodes the heap may use.
  public var nodes = 1
  /// How many of them are made up: all, or nil for real ones.
  public var simulatedNodes: Int?
  /// The workload's own measurement, where it has one.
  public var ownMarkNanosecondsPerObject: Double?
  /// Whether the workload's check of its own data held.
  public var verified = false
  /// Whether the kernel killed the run at its control group's limit.
  public var oomKilled = false
  /// Whether `TRICOLOR_LIMIT_POLICY` ended the run because its memory limit could not be met.
  public var endedByLimitPolicy = false
  /// Whether SIGINT or SIGTERM ended the run early.
  public var interrupted = false
  /// The workload's own figures.
  public var figures: JSONValue = [:]
  /// The recorded timeline; nil where none was asked for, and the object of `--json` has no such key then.
  public var timeline: JSONValue?

  /// A report in which nothing has happened yet.
  public init(workload: String, seed: UInt64, threads: Int) {
    self.workload = workload
    self.seed = seed
    self.threads = threads
  }
}

extension RunReport {
  /// What a reader must know before any figure of nodes: that they are made up. Nil for real ones.
  var simulationNotice: String? {
    simulatedNodes.map {
      "SIMULATED: \($0) NUMA nodes are made up. No page is placed and no access is slower than another; what is said of nodes is the heap's account"
    }
  }

  /// Operations over wall time, 0 for a run of no time.
  public var operationsPerSecond: Double { seconds > 0 ? Double(operations) / seconds : 0 }

  /// Share of the CPU that the run could have used (wall time times processors) that went to the collector.
  public var gcCPUFraction: Double {
    let available = seconds * 1e9 * processors
    return available > 0 ? Double(collector.cpuNanoseconds) / available : 0
  }

  /// Peak resident bytes over the limit.
  public var overshootBytes: Int { limitBytes.map { max(0, peakResidentBytes - $0) } ?? 0 }

  /// CPU time of marking per object: the workload's own measurement, or the heap's account; 0 where nothing was marked.
  public var markNanosecondsPerObject: Double {
    if let ownMarkNanosecondsPerObject { return ownMarkNanosecondsPerObject }
    return collector.markedObjects > 0 ? Double(collector.markNanoseconds) / Double(collector.markedObjects) : 0
  }

  /// The object of `tricolor run --json`.
  public var json: JSONValue {
    let recorded = timeline.map { [JSONValue.Member("timeline", $0)] } ?? []
    return .object(runMembers + collectorMembers + memoryMembers + outcomeMembers + recorded)
  }

  private var runMembers: [JSONValue.Member] {
    [
      .init("workload", .string(workload)), .init("seed", .unsigned(seed)), .init("threads", .integer(threads)),
      .init("seconds", .float(seconds)), .init("operations", .integer(operations)),
      .init("operationsPerSecond", .float(operationsPerSecond)),
      .init("operationNanoseconds", .object(latency.members)), .init("gogc", .optional(gcPercent)),
      .init("limitBytes", .optional(limitBytes)), .init("cgroupLimitBytes", .optional(cgroupLimitBytes)),
    ]
  }

  private var collectorMembers: [JSONValue.Member] {
    let safepoint = collector.timeToSafepoint
    return [
      .init("gcCycles", .integer(collector.cycles)),
      .init("forcedCycles", .integer(collector.cycles(by: .forced))),
      .init("gcCPUFraction", .float(gcCPUFraction)),
      .init(
        "gcCPUNanoseconds",
        [
          "background": .unsigned(collector.background), "assist": .unsigned(collector.assist),
          "idle": .unsigned(collector.idle),
          "sweep": .unsigned(collector.sweep), "scavenge": .unsigned(collector.scavenge),
        ]), .init("processCPUNanoseconds", .unsigned(processCPUNanoseconds)),
      .init("pauseNanoseconds", collector.holds.json), .init("pauseCPUNanoseconds", collector.holdCPU.json),
      .init("mutatorStallNanoseconds", collector.stalls.json),
      .init(
        "timeToSafepointNanoseconds",
        ["p50": .unsigned(safepoint.p50), "p99": .unsigned(safepoint.p99), "max": .unsigned(safepoint.max)]),
    ]
  }

  private var memoryMembers: [JSONValue.Member] {
    [
      .init("heapLiveBytes", .integer(collector.liveBytes)), .init("heapGoalBytes", .integer(collector.goalBytes)),
      .init("peakHeapBytes", .integer(peakHeapBytes)), .init("peakRSSBytes", .integer(peakResidentBytes)),
      .init("rssOvershootBytes", .integer(overshootBytes)),
      .init("allocatedBytes", .integer(collector.allocatedBytes)),
      .init("allocatedObjects", .integer(collector.allocatedObjects)),
      .init("markedBytes", .integer(collector.markedBytes)),
      .init("markedObjects", .integer(collector.markedObjects)),
      .init("markNanosecondsPerObject", .float(markNanosecondsPerObject)),
      .init("releasedBytes", .integer(collector.releasedBytes)), .init("numa", numa),
    ]
  }

  /// Null where memory is not placed on the nodes there are: then nobody knows what is remote.
  private var numa: JSONValue {
    let (remoteAllocated, remoteMarked) = (collector.remoteAllocatedBytes, collector.remoteMarkedBytes)
    return [
      "nodes": .integer(nodes), "localAllocatedBytes": .optional(remoteAllocated.map { collector.allocatedBytes - $0 }),
      "remoteAllocatedBytes": .optional(remoteAllocated),
      "localMarkedBytes": .optional(remoteMarked.map { collector.markedBytes - $0 }),
      "remoteMarkedBytes": .optional(remoteMarked),
    ]
  }

  private var outcomeMembers: [JSONValue.Member] {
    [.init("verified", .bool(verified)), .init("oomKilled", .bool(oomKilled)), .init("result", result)]
  }

  /// The workload's own figures, then what the harness knows beyond the contract's keys: phases, kinds, cycles by cause.
  private var result: JSONValue {
    var members: [JSONValue.Member] = []
    if case .object(let own) = figures { members = own }
    if let simulationNotice { members.append(.init("simulationNotice", .string(simulationNotice))) }
    members.append(.init("interrupted", .bool(interrupted)))
    members.append(.init("endedByLimitPolicy", .bool(endedByLimitPolicy)))
    members.append(
      .init(
        "cyclesByCause",
        .object(CycleCause.allCases.map { .init($0.label, .integer(collector.cycles(by: $0))) })))
    members.append(
      .init(
        "kinds",
        .object(
          kinds.map { .init($0.name, $0.latency.json) })
      ))
    members.append(.init("phases", .array(phases.map(\.json))))
    members.append(.init("phaseTable", .array(phaseTotals.map(phaseTotal))))
    return .object(members)
  }
}

extension RunReport {
  /// Share of the CPU to be had that went to the collector while the phase ran.
  func gcCPUFraction(_ phase: PhaseTotalRow) -> Double {
    let available = phase.seconds * 1e9 * processors
    return available > 0 ? Double(phase.collectorCPUNanoseconds) / available : 0
  }

  private func phaseTotal(_ phase: PhaseTotalRow) -> JSONValue {
    [
      "name": .string(phase.name), "times": .integer(phase.times), "seconds": .float(phase.seconds),
      "operations": .integer(phase.operations), "operationsPerSecond": .float(phase.operationsPerSecond),
      "operationNanoseconds": .object(phase.latency.members), "gcCycles": .integer(phase.cycles),
      "gcCPUFraction": .float(gcCPUFraction(phase)), "allocatedBytes": .integer(phase.allocatedBytes),
      "heapLiveBytes": .integer(phase.liveBytes), "peakRSSBytes": .integer(phase.peakResidentBytes),
      "rssBytes": .integer(phase.residentBytes),
    ]
  }
}

extension RunReport.PhaseTotalRow {
  /// Operations over wall time, 0 for a phase of no time.
  public var operationsPerSecond: Double { seconds > 0 ? Double(operations) / seconds : 0 }
}

extension RunReport.PhaseRow {
  var json: JSONValue {
    [
      "name": .string(name), "seconds": .float(seconds), "operations": .integer(operations),
      "cycles": .integer(cycles), "rssBytes": .integer(residentBytes),
    ]
  }
}
