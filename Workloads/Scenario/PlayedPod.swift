// A pod on its way: not started, running, ended; what it said, and how it ended.

import Glibc
import Harness
import TricolorPacing
import TricolorPlatform

/// A pod of a scenario that is played. Used by one thread.
final class PlayedPod {
  let pod: ScenarioPod
  /// Nanoseconds after the beginning.
  let startsAt: UInt64
  private(set) var startedAt: UInt64?
  private(set) var endedAt: UInt64?
  private(set) var ending: Pod.Ending?
  /// Whether it was asked to end.
  private(set) var wasAsked = false
  private var child: Pod?
  private var output = PipeText()
  private var errors = PipeText()

  init(_ pod: ScenarioPod, startsAt: UInt64) {
    self.pod = pod
    self.startsAt = startsAt
  }

  var isWaiting: Bool { startedAt == nil }
  var isRunning: Bool { child != nil }
  /// What it writes to.
  var descriptors: [Int32] {
    guard let child else { return [] }
    return (output.isOpen ? [child.output] : []) + (errors.isOpen ? [child.errors] : [])
  }
  /// All it wrote to standard output.
  var reportText: String { String(decoding: output.bytes, as: UTF8.self) }

  func start(_ child: Pod, at now: UInt64) {
    self.child = child
    startedAt = now
  }

  /// Reads what it says and sees whether it has ended; every line of standard error goes to `tell`.
  func look(_ now: UInt64, _ tell: (String) -> Void) throws(PlatformError) {
    guard let child else { return }
    // Its end first: what it wrote before is in the pipes then.
    let ending = try child.poll()
    try output.read(child.output)
    try errors.read(child.errors)
    for line in errors.takeLines(withRest: ending != nil) { tell("[\(pod.name)] \(line)") }
    guard let ending else { return }
    self.ending = ending
    endedAt = now
    self.child = nil
    tell("\(pod.name) \(endWords)")
  }

  /// Asks it to end.
  func stop() {
    wasAsked = true
    child?.send(signal: SIGTERM)
  }

  func send(_ signal: Int32) { child?.send(signal: signal) }

  func kill() { child?.send(signal: SIGKILL) }

  /// Gives up a pod whose end cannot be found out.
  func forget() { child = nil }

  func tell(_ line: String) -> Bool { child?.tell(line) ?? false }

  func changeLimit(to bytes: Int64) throws(PlatformError) -> Bool { try child?.changeLimit(to: bytes) ?? false }

  var usage: Int64? { child?.usage() }

  // MARK: Endings

  /// How a pod ended, as the report has it.
  enum End: String {
    case neverStarted = "never started"
    case byItself = "by itself"
    case stopped
    case oomKilled = "OOM-killed"
    case byPolicy = "by policy"
    case bySignal = "by signal"
    case failed
  }

  var end: End {
    guard let ending else { return .neverStarted }
    guard let code = ending.exitCode else { return ending.oomKilled ? .oomKilled : .bySignal }
    switch code {
    case 0: return wasAsked ? .stopped : .byItself
    case LimitPolicy.exitStatus: return .byPolicy
    default: return .failed
    }
  }

  private var endWords: String {
    switch end {
    case .neverStarted: "never started"
    case .byItself: "ended by itself"
    case .stopped: "ended as it was asked to"
    case .oomKilled: "was killed by the kernel at its memory limit"
    case .byPolicy: "was ended by TRICOLOR_LIMIT_POLICY"
    case .bySignal: "was ended by signal \(ending?.signal ?? 0)"
    case .failed: "failed with exit code \(ending?.exitCode ?? 0)"
    }
  }
}
