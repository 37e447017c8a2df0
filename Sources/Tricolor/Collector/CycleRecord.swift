// What one cycle measured of itself, for the pacer, the statistics, the event stream and the `gctrace` line.

import Synchronization
import TricolorPlatform

/// A finished cycle, as users see it. Bytes and nanoseconds.
public struct CycleEvent: Sendable {
  /// Number of the cycle, from 1.
  public let number: Int
  public let cause: CycleCause
  /// Whether only what was allocated since the last cycle was marked; all else counts as alive.
  public let isYoung: Bool
  /// Nanoseconds since the heap was made.
  public let startedAt: UInt64
  public let durationNanoseconds: UInt64
  public let liveAtStart: Int
  public let liveAtEnd: Int
  public let markedBytes: Int
  public let goalBytes: Int
  public let limitBytes: Int?
  public let residentBytes: Int
  public let assistNanoseconds: UInt64
  public let backgroundNanoseconds: UInt64
  public let idleNanoseconds: UInt64
  /// Handshake rounds that termination took: one quiet round at the least.
  public let rounds: Int
}

struct CycleRecord {
  let number: Int
  let cause: CycleCause
  let isYoung: Bool
  /// Whether mutators have remembered stores from their answer to `arm` on.
  let remembered: Bool
  var started: UInt64 = 0
  var markingStarted: UInt64 = 0
  var markingEnded: UInt64 = 0
  var swept: UInt64 = 0
  var rounds = 0
  var liveAtStart = 0
  var liveAtEnd = 0
  var marked = 0
  var goal = 0
  var stackBytes = 0
  var backgroundNanoseconds: UInt64 = 0
  var idleAtStart: UInt64 = 0
  var idleNanoseconds: UInt64 = 0
  var assistNanoseconds: UInt64 = 0
  /// What re-marking found, under `GODEBUG=gccheckmark=1`.
  var comparison: MarkComparison? = nil

  init(number: Int, cause: CycleCause, isYoung: Bool, remembered: Bool) {
    self.number = number
    self.cause = cause
    self.isYoung = isYoung
    self.remembered = remembered
  }

  mutating func begin(_ heap: HeapCore) {
    started = Clock.monotonic()
    liveAtStart = heap.state.pointee.liveBytes.load(ordering: .relaxed)
    idleAtStart = heap.state.pointee.statistics.idle.load(ordering: .relaxed)
    goal = heap.state.pointee.pacing.goal.load(ordering: .relaxed)
  }
}

extension HeapCore {
  /// Closes the pacer's cycle: what lives is what was marked and what was allocated black, and after a young cycle what lived before.
  func endPacing(_ record: inout CycleRecord) {
    let state = self.state
    record.liveAtEnd = state.pointee.liveBytes.load(ordering: .relaxed)
    record.marked = markedInHeap(record) + externalBytes
    record.stackBytes = state.pointee.statistics.scannedStackBytes.load(ordering: .relaxed)
    record.idleNanoseconds = state.pointee.statistics.idle.load(ordering: .relaxed) - record.idleAtStart
    record.assistNanoseconds = state.pointee.pacing.assistNanoseconds.load(ordering: .relaxed)
    let garbage = max(0, record.liveAtEnd - record.marked)
    state.pointee.unsweptGarbage.store(garbage, ordering: .relaxed)
    state.pointee.pacing.endCycle(self, record, garbage: garbage)
    state.pointee.statistics.markNanoseconds.wrappingAdd(
      record.backgroundNanoseconds + record.idleNanoseconds + record.assistNanoseconds, ordering: .relaxed)
  }

  /// Bytes of the heap that the cycle leaves alive. Unused black cells are among them until all have answered `sweep`.
  func markedInHeap(_ record: CycleRecord) -> Int {
    state.pointee.pacing.cycleMarkedBytes.load(ordering: .relaxed) + state.pointee.blackBytes.load(ordering: .relaxed)
      + (record.isYoung ? state.pointee.pacing.markedInHeap : 0)
  }

  /// Counts the cycle and tells whoever listens.
  func report(_ record: CycleRecord) {
    let state = self.state
    if record.isYoung { state.pointee.statistics.youngCycles.wrappingAdd(1, ordering: .relaxed) }
    switch record.cause {
    case .growth: state.pointee.statistics.growthCycles.wrappingAdd(1, ordering: .relaxed)
    case .limit: state.pointee.statistics.limitCycles.wrappingAdd(1, ordering: .relaxed)
    case .forced: state.pointee.statistics.forcedCycles.wrappingAdd(1, ordering: .relaxed)
    case .periodic: state.pointee.statistics.periodicCycles.wrappingAdd(1, ordering: .relaxed)
    }
    if state.pointee.tracesCycles { GCTrace.write(record, self) }
    services.publish(event(record))
  }

  private func event(_ record: CycleRecord) -> CycleEvent {
    let limit = state.pointee.pacing.limit.load(ordering: .relaxed)
    return CycleEvent(
      number: record.number, cause: record.cause, isYoung: record.isYoung,
      startedAt: record.started - state.pointee.startTime,
      durationNanoseconds: record.markingEnded - record.started, liveAtStart: record.liveAtStart,
      liveAtEnd: record.liveAtEnd, markedBytes: record.marked, goalBytes: record.goal,
      limitBytes: limit == Int.max ? nil : limit,
      residentBytes: ownResidentBytes + state.pointee.pacing.foreignBytes.load(ordering: .relaxed),
      assistNanoseconds: record.assistNanoseconds, backgroundNanoseconds: record.backgroundNanoseconds,
      idleNanoseconds: record.idleNanoseconds, rounds: record.rounds)
  }
}

/// `GODEBUG=gctrace=1`: one line a cycle on standard error, in Go's format, so that tools that read Go's lines read these. What Go
/// calls its two pauses is here the time from the request to the last answer of the opening and of the closing handshakes; no
/// thread is stopped for that long. After Go's fields: the cause, where Go would print only "(forced)", and whether the cycle was young.
enum GCTrace {
  static func write(_ record: CycleRecord, _ heap: HeapCore) {
    let state = heap.state
    let now = record.markingEnded
    let opening = record.markingStarted - record.started
    let closing = record.swept - record.markingEnded
    let elapsed = Double(now - state.pointee.startTime)
    let spent =
      state.pointee.statistics.background.load(ordering: .relaxed)
      + state.pointee.statistics.assist.load(ordering: .relaxed)
    let percent = Int(100 * Double(spent) / max(1, elapsed * state.pointee.processors))
    let clock =
      "\(milliseconds(opening))+\(milliseconds(record.markingEnded - record.markingStarted))+\(milliseconds(closing)) ms clock"
    let cpu =
      "\(milliseconds(opening))+\(milliseconds(record.assistNanoseconds))/\(milliseconds(record.backgroundNanoseconds))/"
      + "\(milliseconds(record.idleNanoseconds))+\(milliseconds(closing)) ms cpu"
    let sizes =
      "\(record.liveAtStart >> 20)->\(record.liveAtEnd >> 20)->\(record.marked >> 20) MB, \(record.goal >> 20) MB goal, "
      + "\(record.stackBytes >> 20) MB stacks, 0 MB globals"
    let seconds = fixed(UInt64(record.started - state.pointee.startTime), unit: 1_000_000_000, digits: 3)
    let cause: String
    switch record.cause {
    case .growth: cause = ""
    case .limit: cause = " (limit)"
    case .forced: cause = " (forced)"
    case .periodic: cause = " (periodic)"
    }
    let kind = record.isYoung ? " (young)" : ""
    let comparison = record.comparison.map { ", \($0)" } ?? ""
    let line =
      "gc \(record.number) @\(seconds)s \(percent)%: \(clock), \(cpu), \(sizes), \(Int(state.pointee.processors)) P\(cause)\(kind)\(comparison)\n"
    StandardError.write(line)
  }

  /// Go's rule: whole milliseconds from 10 ms on, otherwise two significant digits.
  static func milliseconds(_ nanoseconds: UInt64) -> String {
    if nanoseconds >= 10_000_000 { return "\(nanoseconds / 1_000_000)" }
    var value = nanoseconds / 1000
    if value == 0 { return "0" }
    var digits = 3
    while value >= 100 {
      value /= 10
      digits -= 1
    }
    var unit: UInt64 = 1
    for _ in 0..<digits { unit *= 10 }
    return fixed(value, unit: unit, digits: digits)
  }

  private static func fixed(_ value: UInt64, unit: UInt64, digits: Int) -> String {
    if digits == 0 { return "\(value)" }
    var scale: UInt64 = 1
    for _ in 0..<digits { scale *= 10 }
    let fraction = value % unit * scale / unit
    let text = "\(fraction)"
    return "\(value / unit)." + String(repeating: "0", count: digits - text.count) + text
  }
}
