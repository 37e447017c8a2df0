// What became of a scenario's actions: when each was done, or why not.

import Glibc
import TricolorPlatform
import TricolorTelemetry

/// An action of a schedule that is played.
struct PlayedAction {
  let action: ScenarioAction
  /// Nanoseconds after the beginning; nil while it is not done.
  private(set) var doneAt: UInt64?
  /// What came of it; nil before its time.
  private(set) var outcome: String?
  private var isOver = false

  init(action: ScenarioAction) { self.action = action }

  /// Whether it is to be tried.
  func isDue(_ now: UInt64) -> Bool { !isOver && action.time <= now }

  /// Does it, or tries; pods that start are started before.
  mutating func perform(on pod: PlayedPod, at now: UInt64) throws(PlatformError) {
    if !pod.isRunning && action.change != .start { return end("the pod had ended") }
    switch action.change {
    case .start: done(now, "started")
    case .stop:
      pod.stop()
      done(now, "asked to end")
    case .signal(let signal):
      pod.send(signal.number)
      done(now, "sent")
    case .limit(let bytes):
      if try pod.changeLimit(to: bytes) { return done(now, "done") }
      let usage = pod.usage.map { Figures.bytes(Int($0)) } ?? "more"
      outcome = "waits: the pod uses \(usage)"
    case .order(let order):
      if pod.tell(order.line) { done(now, "told") } else { end("the pod did not listen") }
    }
  }

  /// Another limit of the same pod has come: one that still waits is given up.
  mutating func give(wayTo other: ScenarioAction) {
    guard case .limit = action.change, case .limit = other.change, action.pod == other.pod, outcome != nil, !isOver
    else {
      return
    }
    end("not done: another limit came")
  }

  /// The scenario is over.
  mutating func giveUp(_ now: UInt64) {
    if isOver { return }
    end(outcome.map { "not done: it \($0)" } ?? "the scenario had ended")
  }

  private mutating func done(_ now: UInt64, _ words: String) {
    doneAt = now
    end(words)
  }

  private mutating func end(_ words: String) {
    outcome = words
    isOver = true
  }
}

extension ScenarioSignal {
  /// The system's number.
  var number: Int32 {
    switch self {
    case .int: SIGINT
    case .term: SIGTERM
    case .hup: SIGHUP
    case .kill: SIGKILL
    case .stop: SIGSTOP
    case .cont: SIGCONT
    case .usr1: SIGUSR1
    case .usr2: SIGUSR2
    }
  }
}
