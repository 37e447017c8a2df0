// What the dashboard's thread knows of the run, and its answers: the page, the samples since some number, and the metrics of this moment.

import Glibc
import Tricolor
import TricolorPlatform
import TricolorTelemetry

/// The history of one run and the answers from it. Used by one thread at a time.
final class DashboardSession {
  private let context: RunContext
  private let workload: String
  private let subtitle: String
  /// Tells this process from another that listens at the same port later.
  private let run = "\(getpid())-\(Clock.monotonic())"
  private let history: RunHistory
  private var ending: Dashboard.Ending?
  /// When samples were last asked for, 0 for never.
  private(set) var askedAt: UInt64 = 0

  init(_ context: RunContext, _ request: RunRequest) throws(PlatformError) {
    self.context = context
    workload = request.workload.name
    let threads = context.threads == 1 ? "1 client thread" : "\(context.threads) client threads"
    subtitle = "\(threads), seed \(context.seed), process \(getpid())"
    history = try RunHistory(context)
  }

  var hasEnded: Bool { ending != nil }

  /// Adds a sample of this moment, and what came meanwhile; the last one once the run has ended.
  func sample(_ ending: Dashboard.Ending?) {
    if hasEnded { return }
    history.sample()
    self.ending = ending
  }

  // MARK: Answers

  func answer(_ request: HTTPRequest) -> HTTPResponse {
    switch request.path {
    case "/": return HTTPResponse(.ok, type: "text/html; charset=utf-8", body: TimelinePage.live)
    case "/samples": return samples(request)
    case "/metrics":
      return HTTPResponse(.ok, type: "text/plain; version=0.0.4; charset=utf-8", body: metrics)
    default: return HTTPResponse(.notFound)
    }
  }

  private func samples(_ request: HTTPRequest) -> HTTPResponse {
    guard let since = Int(request.query["since"] ?? "0"), since >= 0 else {
      return HTTPResponse(
        .badRequest, type: "text/plain; charset=utf-8", body: "since: a number, 0 or more, is wanted\n")
    }
    askedAt = Clock.monotonic()
    let head: [JSONValue.Member] = [
      .init("run", .string(run)), .init("title", .string("tricolor run \(workload)")),
      .init("subtitle", .string(subtitle)),
      .init("phase", .string(context.phaseName)), .init("pressure", .string("\(context.heap.pressureLevel)")),
      .init("ended", ending.map { ["text": .string($0.text), "isGood": .bool($0.isGood)] } ?? .null),
    ]
    let body = JSONValue.object(head + history.timeline.members(after: since)).text(indented: false) + "\n"
    return HTTPResponse(.ok, type: "application/json", body: body)
  }

  private var metrics: String {
    let reading = history.reading()
    var text = PrometheusText()
    text.addInfo(
      "tricolor_run_info", "The run that this is.",
      [
        ("workload", workload), ("seed", "\(context.seed)"), ("threads", "\(context.threads)"),
      ])
    text.addGoMetrics(reading.statistics)
    text.addHeap(reading.statistics)
    text.addGauge(
      "tricolor_cgroup_limit_bytes", "The smallest hard limit of the control groups around the process.",
      reading.groupLimitBytes)
    text.addGauge(
      "tricolor_mapped_file_bytes", "Resident pages of mapped files and shared memory.", reading.mappedBytes)
    text.addGauge(
      "tricolor_pressure_level", "Memory pressure: 0 normal, 1 elevated, 2 critical.",
      Int(context.heap.pressureLevel.rawValue))
    text.addCounter("tricolor_operations_total", "Operations of the workload.", reading.operations)
    text.addDurations(
      "tricolor_operation_duration_seconds", "How long the timed operations of the workload took.",
      reading.operationCounts)
    text.addCounter(
      "tricolor_dashboard_cpu_seconds_total", "CPU time of the thread that samples and serves this.",
      nanoseconds: Clock.threadCPU())
    return text.text
  }
}
