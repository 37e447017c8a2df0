// One run from its request to its report: makes the heap, lets the workload work while the reporter watches, and gathers.

import Histogram
import Synchronization
@_spi(Simulation) import Tricolor
import TricolorPacing
import TricolorPlatform
import TricolorTelemetry

/// A finished run.
public struct FinishedRun: Sendable {
  public let report: RunReport
  /// Empty unless the request asked for recording.
  public let recording: RunRecording
  /// Why one of the files that were written meanwhile was given up; nil when all are whole.
  public let streamFailure: PlatformError?
  /// Sampled allocations up to the end of the run's work; nil unless the request asked for them.
  public let profile: AllocationProfile?
}

extension FinishedRun {
  /// Of how many allocated bytes one is hit: as Go's default.
  public static let profileRate = 512 << 10
}

/// Runs workloads.
public enum Runner {
  /// Runs to the end, or until SIGINT or SIGTERM.
  ///
  /// - Parameter streams: files that are written meanwhile, where the request asks for a recording.
  /// - Throws: `UsageError` for wrong input found late, `HeapError`, or whatever the workload failed with.
  public static func run(_ request: RunRequest, streams: RunStreams = RunStreams()) throws -> FinishedRun {
    Interrupt.catch()
    let dashboard = try request.dashboard.map { (address) throws(UsageError) in try Dashboard(address) }
    let group = try MemoryGroup.current()
    let nodes = try Topology.current().memoryNodes.count
    let workload = try request.workload.init(options: request.own)
    let simulated = try workload.simulatedNodes
    let configuration = Heap.Configuration(settings: request.settings)
    let heap =
      try simulated.map { try Heap(configuration: configuration, simulatedNodes: $0) }
      ?? Heap(configuration: configuration)
    if request.profiles { heap.profileRate = FinishedRun.profileRate }
    let context = RunContext(
      heap: heap, threads: request.threads, seed: request.seed, extent: request.extent,
      kinds: request.workload.kinds, rate: request.rate, isWatched: dashboard != nil || request.records)
    let reporter = try Reporter(
      context: context, title: request.workload.name, showsProgress: request.showsProgress,
      recordsTo: request.records ? streams : nil, obeysOrders: request.obeysOrders)
    var profile: AllocationProfile? = nil
    let result = try SnapshotTaker.watch(heap, named: request.workload.name) {
      try shown(by: dashboard, context, request) {
        try reporter.watch {
          let result = try workload.run(context)
          context.endMeasuring()
          if request.profiles { profile = heap.allocationProfile }
          return result
        }
      }
    }
    var report = context.report(request, result)
    report.cgroupLimitBytes = group?.hardLimit().map { Int(clamping: $0) }
    report.nodes = simulated ?? max(1, nodes)
    report.simulatedNodes = simulated
    report.processors = try processors(request.settings)
    let (recording, failure) = reporter.finish(
      latencies: context.state.withLock { $0.latencies }, settings: request.settingMembers)
    if request.keepsTimeline { report.timeline = recording.timeline }
    return FinishedRun(report: report, recording: recording, streamFailure: failure, profile: profile)
  }

  /// Runs `body`, shown by the dashboard if there is one.
  private static func shown(
    by dashboard: Dashboard?, _ context: RunContext, _ request: RunRequest, _ body: () throws -> WorkloadResult
  ) throws -> WorkloadResult {
    guard let dashboard else { return try body() }
    return try dashboard.show(
      context, request, ending: { Dashboard.Ending($0, isInterrupted: context.isInterrupted) }, body)
  }

  /// What the heap plans with: as many as the process may use, `GOMAXPROCS` at the most.
  private static func processors(_ settings: Settings) throws -> Double {
    let available = try Processors.current().available
    return settings.maxProcessors.map { min(Double($0), available) } ?? available
  }
}

extension RunContext {
  fileprivate func report(_ request: RunRequest, _ result: WorkloadResult) -> RunReport {
    let state = self.state.withLock { $0 }
    guard let measured = state.measured else { preconditionFailure("the runner ends measuring before it reports") }
    var report = RunReport(workload: request.workload.name, seed: seed, threads: threads)
    report.seconds = Double(measured.mark.time - state.began) / 1e9
    report.operations = result.operations ?? measured.mark.operations
    report.processCPUNanoseconds = measured.cpu - state.beganCPU
    report.kinds = zip(kinds, state.latencies).map { .init(name: $0, latency: LatencyFigures($1)) }
    report.latency = LatencyFigures(state.latencies.reduce(into: Latencies.empty()) { $0.add($1) })
    report.phases = state.finished.map {
      .init(
        name: $0.name, seconds: $0.seconds, operations: $0.operations, cycles: $0.cycles,
        residentBytes: $0.ended.statistics.residentBytes)
    }
    report.phaseTotals = state.totals.map(RunReport.PhaseTotalRow.init)
    report.collector = CollectorFigures(measured.mark.statistics)
    report.gcPercent = measured.mark.statistics.gcPercent
    report.limitBytes = measured.mark.statistics.limitBytes
    report.peakHeapBytes = heap.statistics.peakLiveBytes
    report.peakResidentBytes = CurrentProcess.peakResidentBytes()
    report.ownMarkNanosecondsPerObject = result.markNanosecondsPerObject
    report.verified = result.verified
    report.interrupted = isInterrupted
    report.figures = result.figures
    return report
  }
}
