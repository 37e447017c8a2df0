// The thread beside the clients: ends the run when its time is up, records it for the report, shows progress, and does what the run is
// told on standard input.
//
// On a terminal one line is redrawn several times a second; elsewhere (a log, a file) a line every five seconds. Everything goes
// to standard error, so that standard output holds the report alone.

import Glibc
import Histogram
import Synchronization
import Tricolor
import TricolorPlatform
import TricolorTelemetry

/// Watches one run on a thread of its own.
final class Reporter: Sendable {
  private static let tick: UInt64 = 100_000_000
  private static let sparseTicks = 50

  private let context: RunContext
  private let title: String
  private let showsProgress: Bool
  private let isTerminal = isatty(2) == 1
  private let began = Clock.monotonic()
  /// Nil where nothing is recorded.
  private let recorder: Mutex<RunRecorder?>
  private let isStopping = Atomic<Bool>(false)
  private let wake = FutexEvent()
  private let resident: ResidentSetReader
  private let obeysOrders: Bool

  init(
    context: RunContext, title: String, showsProgress: Bool, recordsTo streams: RunStreams?, obeysOrders: Bool
  ) throws(PlatformError) {
    let recorder = try streams.map { (streams) throws(PlatformError) in try RunRecorder(context, streams) }
    self.recorder = Mutex(recorder)
    self.obeysOrders = obeysOrders
    resident = try ResidentSetReader()
    self.context = context
    self.title = title
    self.showsProgress = showsProgress
  }

  /// Runs `body` while watching.
  func watch<R>(_ body: () throws -> R) throws -> R {
    record()
    let thread = try NativeThread.start(name: "reporter") { self.run() }
    defer {
      isStopping.store(true, ordering: .relaxed)
      wake.signalAll()
      thread.join()
      if showsProgress && isTerminal { write("\r\u{1B}[K") }
    }
    return try body()
  }

  /// What was recorded, when the run is over, and why a file was given up meanwhile.
  func finish(latencies: [Histogram<UInt64>], settings: [JSONValue.Member]) -> (RunRecording, PlatformError?) {
    recorder.withLock { recorder in
      guard let recorder else { return (RunRecording(), nil) }
      return (recorder.finish(latencies: latencies, settings: settings), recorder.failure)
    }
  }

  private func record() { recorder.withLock { $0?.record() } }

  private func run() {
    var ticks = 0
    var last = (time: began, operations: 0)
    var orders = obeysOrders ? OrderReader() : nil
    while !isStopping.load(ordering: .relaxed) {
      let seen = wake.current()
      endTimeIfDue()
      orders?.obey(context)
      context.noteResident(resident.residentBytes())
      record()
      report(ticks, &last)
      ticks += 1
      wake.wait(past: seen, timeoutNanoseconds: Int64(pause))
    }
  }

  /// Until the next tick, or the end of the run's time if that is sooner.
  private var pause: UInt64 {
    guard case .nanoseconds(let most) = context.extent else { return Self.tick }
    let passed = Clock.monotonic() - context.durationBegan
    return passed < most ? min(Self.tick, most - passed) : Self.tick
  }

  private func endTimeIfDue() {
    if case .nanoseconds(let most) = context.extent, Clock.monotonic() - context.durationBegan >= most {
      context.signals.endTime()
    }
  }

  private func report(_ ticks: Int, _ last: inout (time: UInt64, operations: Int)) {
    let isDue = showsProgress && (isTerminal ? ticks % 2 == 0 : ticks % Self.sparseTicks == Self.sparseTicks - 1)
    if isDue { show(context.heap.statistics, &last) }
  }

  private func show(_ statistics: HeapStatistics, _ last: inout (time: UInt64, operations: Int)) {
    let now = (time: Clock.monotonic(), operations: context.operations)
    let passed = Double(now.time - last.time) / 1e9
    let rate = passed > 0 ? Int(Double(now.operations - last.operations) / passed) : 0
    last = now
    let line = progressLine(statistics, seconds: Double(now.time - began) / 1e9, rate: rate)
    write(isTerminal ? "\r\u{1B}[K" + String(line.prefix(terminalWidth - 1)) : line + "\n")
  }

  /// Phase, operations a second since the last line, resident memory against the limit, cycles.
  private func progressLine(_ statistics: HeapStatistics, seconds: Double, rate: Int) -> String {
    let limit = statistics.limitBytes.map { " of \(Figures.bytes($0))" } ?? ""
    let limited = statistics.cyclesByCause[.limit] ?? 0
    let phase = context.phaseName
    return "\(title)\(phase.isEmpty ? "" : " \(phase)")  \(Figures.fixed(seconds, 1)) s  "
      + "\(Figures.count(rate)) operations/s  "
      + "RSS \(Figures.bytes(statistics.residentBytes))\(limit)  \(statistics.cycles) cycles"
      + (limited > 0 ? " (\(limited) by the limit)" : "")
  }

  private var terminalWidth: Int {
    var size = winsize()
    return ioctl(2, UInt(TIOCGWINSZ), &size) == 0 && size.ws_col > 1 ? Int(size.ws_col) : 80
  }

  private func write(_ text: String) { OutputFile.writeToStandardError(text) }
}
