// Plays a scenario: one thread starts the pods, does what the schedule says, listens to what pods say, and sees how each ends.
//
// What may have to wait does not hold up the rest: a limit below what a pod uses is tried again until it fits, as a kubelet does. A pod that has
// not ended by itself `patience` after the scenario's end, or after an interrupt, is asked to; one that does not listen is killed. Pods die with
// this process, whatever ends it.

import Glibc
import Harness
import TricolorPlatform
import TricolorTelemetry

/// One scenario being played. Used by one thread.
public final class ScenarioPlayer {
  /// How long pods may take to check their data and report, and then to obey SIGTERM.
  private static let patience: UInt64 = 20_000_000_000
  private static let longestWait: UInt64 = 50_000_000

  private let scenario: Scenario
  private let command: PodCommand
  private let showsProgress: Bool
  private var pods: [PlayedPod]
  private var actions: [PlayedAction]
  private var began: UInt64 = 0
  private var isInterrupted = false
  /// When pods that still run are asked to end and when they are killed, after the beginning.
  private var askAt: UInt64
  private var killAt: UInt64

  /// - Parameter executable: the path of `tricolor`.
  public init(_ scenario: Scenario, executable: String, showsProgress: Bool) {
    self.scenario = scenario
    command = PodCommand(executable: executable)
    self.showsProgress = showsProgress
    pods = scenario.pods.map { PlayedPod($0, startsAt: scenario.start(of: $0)) }
    actions = scenario.schedule.map { PlayedAction(action: $0) }
    askAt = scenario.duration + ScenarioPlayer.patience
    killAt = askAt + ScenarioPlayer.patience
  }

  /// Asks the command whether it takes what the scenario gives its pods.
  ///
  /// - Throws: `ScenarioError` for what is not allowed.
  public func check() throws { try command.check(scenario) }

  /// Plays it to the end, or until SIGINT or SIGTERM.
  ///
  /// - Throws: `PlatformError` when no control group may be made here, or the system fails otherwise. No pod is left.
  public func play() throws -> ScenarioReport {
    Interrupt.catch()
    let groups = try PodGroups(limitBytes: scenario.limitBytes)
    do {
      began = Clock.monotonic()
      while try step(groups) { wait() }
      for index in actions.indices { actions[index].giveUp(now) }
      let report = ScenarioReport(
        scenario, pods: pods, actions: actions, seconds: Double(now) / 1e9, isInterrupted: isInterrupted,
        version: groups.version == .v1 ? 1 : 2, peakUsageBytes: try groups.peakUsage())
      try groups.remove()
      return report
    } catch {
      endAll()
      try groups.remove()
      throw error
    }
  }

  /// Nanoseconds since the beginning.
  private var now: UInt64 { Clock.monotonic() - began }

  /// Does what is due; false when all is over.
  private func step(_ groups: borrowing PodGroups) throws -> Bool {
    if Interrupt.wasReceived && !isInterrupted { interrupt() }
    for pod in pods { try pod.look(now, tell) }
    if !isInterrupted {
      for pod in pods where pod.isWaiting && pod.startsAt <= now { try start(pod, groups) }
      for index in actions.indices where actions[index].isDue(now) { try perform(index) }
    }
    if now >= askAt { askAll() }
    return pods.contains { $0.isRunning || ($0.isWaiting && !isInterrupted) }
  }

  private func start(_ pod: PlayedPod, _ groups: borrowing PodGroups) throws {
    let left = scenario.duration > now ? scenario.duration - now : 0
    let child = try groups.start(
      pod.pod.name, limitBytes: pod.pod.limitBytes, executable: command.executable,
      arguments: command.arguments(pod.pod, left: left, isQuiet: !showsProgress),
      environment: command.environment(pod.pod))
    pod.start(child, at: now)
    tell("\(pod.pod.name) starts: \(pod.pod.workload) in \(Figures.bytes(Int(pod.pod.limitBytes)))")
  }

  private func perform(_ index: Int) throws {
    let action = actions[index].action
    guard let pod = pods.first(where: { $0.pod.name == action.pod }) else { return }
    let hadTried = actions[index].outcome != nil
    if !hadTried { for other in actions.indices where other != index { actions[other].give(wayTo: action) } }
    try actions[index].perform(on: pod, at: now)
    if !hadTried || actions[index].doneAt != nil, let outcome = actions[index].outcome {
      tell("\(action.pod): \(action.text): \(outcome)")
    }
  }

  private func interrupt() {
    isInterrupted = true
    for pod in pods { pod.stop() }
    (askAt, killAt) = (now + ScenarioPlayer.patience, now + ScenarioPlayer.patience)
    tell("interrupted: all pods are asked to end")
  }

  private func askAll() {
    for pod in pods where pod.isRunning {
      if now >= killAt { pod.kill() } else if !pod.wasAsked { pod.stop() }
    }
  }

  /// Kills all pods and waits for their ends.
  private func endAll() {
    for pod in pods { pod.kill() }
    while pods.contains(where: \.isRunning) {
      for pod in pods {
        do { try pod.look(now, tell) } catch { pod.forget() }
      }
      wait()
    }
  }

  /// Until a pod says something, the next action is due, or `longestWait`.
  private func wait() {
    let times =
      actions.lazy.filter { $0.outcome == nil }.map(\.action.time) + pods.lazy.filter(\.isWaiting).map(\.startsAt)
    let next = times.filter { $0 > self.now }.min() ?? .max
    let nanoseconds = min(ScenarioPlayer.longestWait, next > now ? next - now : 0)
    var files = pods.flatMap(\.descriptors).map { pollfd(fd: $0, events: Int16(POLLIN), revents: 0) }
    poll(&files, nfds_t(files.count), Int32(nanoseconds / 1_000_000) + 1)
  }

  private func tell(_ text: String) {
    guard showsProgress else { return }
    let time = Figures.padded(Figures.fixed(Double(now) / 1e9, 1), 6)
    OutputFile.writeToStandardError("\(time) s  \(text)\n")
  }
}
