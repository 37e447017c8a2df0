// `tricolor simulate --fleet`: reads the fleet, simulates on all processors with progress on standard error, prints.

import Glibc
import Harness
import Synchronization
import TricolorPlatform
import TricolorTelemetry
import TricolorTuning

/// A fleet's simulation as the command runs it. SIGINT and SIGTERM end it early; what is finished is printed.
struct FleetRun {
  let file: String
  let json: String?

  func run() throws {
    let model = try FleetFile.read(file)
    let simulation = try FleetSimulation(model)
    let output = try json.map { (path) throws(UsageError) in try OutputFile(path, option: "--json") }
    Interrupt.catch()
    let progress = FleetProgress(podHours: model.podHours)
    let outcomes = try simulation.run(
      threads: ProcessorSet.allowed()?.count ?? 1, isCancelled: { Interrupt.wasReceived },
      progress: { progress.show($0) })
    progress.end()
    let answer = FleetAnswer(outcomes, of: model)
    if let output {
      try output.write(answer.json.text() + "\n")
      if output.isStandardOutput { return }
    }
    print(answer.text, terminator: "")
  }
}

/// A line of progress: over itself twice a second on a terminal, every ten seconds otherwise.
private final class FleetProgress: Sendable {
  private let podHours: Double
  private let began = Clock.monotonic()
  private let isTerminal = isatty(2) == 1
  private let shown = Atomic<UInt64>(0)

  init(podHours: Double) { self.podHours = podHours }

  func show(_ part: Double) {
    let now = Clock.monotonic() - began
    if now - shown.load(ordering: .relaxed) < (isTerminal ? 500_000_000 : 10_000_000_000) { return }
    shown.store(now, ordering: .relaxed)
    let left = Figures.duration(UInt64(Double(now) * (1 - part) / part))
    let text = "fleet: \(Figures.percent(part)) of \(Figures.count(Int(podHours))) pod-hours, \(left) left"
    OutputFile.writeToStandardError(isTerminal ? "\r\u{1B}[K" + text : text + "\n")
  }

  func end() {
    if isTerminal { OutputFile.writeToStandardError("\r\u{1B}[K") }
    let seconds = Figures.duration(Clock.monotonic() - began)
    OutputFile.writeToStandardError("fleet: \(Interrupt.wasReceived ? "interrupted after" : "done in") \(seconds)\n")
  }
}
