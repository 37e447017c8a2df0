// The lines of `GODEBUG`: `gctrace=1`, `gcpacertrace=1` and `scavtrace=1`, on standard error, in Go 1.27's own format to the letter, so that
// tools that read Go's lines read these.
//
// What Go's numbers mean here. Its two pauses are the time from the request to the last answer of the opening and of the closing handshakes, the
// sweep included; no thread is stopped for that long. Stacks are the bytes scanned, globals the root handles, eight bytes each. Pages are of
// 8 KiB. There is no rate of pages swept per byte allocated: a thread that allocates past the trigger sweeps a fixed piece.

import Synchronization
import TricolorPacing
import TricolorPlatform

/// Kinds of lines that are on.
struct Traces: OptionSet {
  let rawValue: UInt8
  static let cycles = Traces(rawValue: 1)
  static let pacer = Traces(rawValue: 2)
  static let scavenger = Traces(rawValue: 4)

  init(rawValue: UInt8) { self.rawValue = rawValue }

  init(_ debug: DebugSettings) {
    self = []
    if debug.gcTrace { insert(.cycles) }
    if debug.gcPacerTrace { insert(.pacer) }
    if debug.scavTrace { insert(.scavenger) }
  }
}

extension HeapCore {
  func traces(_ kind: Traces) -> Bool { Traces(rawValue: state.pointee.traces.load(ordering: .relaxed)).contains(kind) }

  /// Writes the lines that are due when a cycle has ended and been swept.
  func trace(_ record: CycleRecord) {
    if traces(.cycles) { StandardError.write(GCTrace.cycle(record, self)) }
    if let comparison = record.comparison, traces(.cycles) { StandardError.write("gccheckmark: \(comparison)\n") }
    if traces(.pacer) { StandardError.write(GCTrace.swept(record, self)) }
    if traces(.scavenger) { traceScavenger(isForced: false) }
  }

  /// Writes what went back to the system since the last such line.
  func traceScavenger(isForced: Bool) {
    let blocks = state.pointee.blocks.counts
    let kept = blocks.used + blocks.held
    let background = state.pointee.statistics.tracedBackground.exchange(0, ordering: .relaxed)
    let eager = state.pointee.statistics.tracedEager.exchange(0, ordering: .relaxed)
    let line =
      "scav \(background >> 10) KiB work (bg), \(eager >> 10) KiB work (eager), "
      + "\(blocks.released * Geometry.blockBytes >> 10) KiB now, \(blocks.used * 100 / max(1, kept))% util"
    StandardError.write(line + (isForced ? " (forced)\n" : "\n"))
  }
}

enum GCTrace {
  static func cycle(_ record: CycleRecord, _ heap: HeapCore) -> String {
    let state = heap.state
    let opening = milliseconds(record.markingStarted - record.started)
    let marking = milliseconds(record.markingEnded - record.markingStarted)
    let closing = milliseconds(record.swept - record.markingEnded)
    let spent =
      state.pointee.statistics.background.load(ordering: .relaxed)
      + state.pointee.statistics.assist.load(ordering: .relaxed)
    let elapsed = Double(record.markingEnded - state.pointee.startTime)
    let percent = Int(100 * Double(spent) / max(1, elapsed * state.pointee.processors))
    let seconds = fixed(record.started - state.pointee.startTime, unit: 1_000_000_000, digits: 3)
    let cpu =
      "\(opening)+\(milliseconds(record.assistNanoseconds))/\(milliseconds(record.backgroundNanoseconds))/"
      + "\(milliseconds(record.idleNanoseconds))+\(closing) ms cpu"
    let sizes =
      "\(record.liveAtStart >> 20)->\(record.liveAtEnd >> 20)->\(record.marked >> 20) MB, "
      + "\(state.pointee.pacing.lastGoal.load(ordering: .relaxed) >> 20) MB goal, \(record.stackBytes >> 20) MB stacks, "
      + "\(heap.globalBytes >> 20) MB globals, \(Int(state.pointee.processors.rounded(.up))) P"
    return "gc \(record.number) @\(seconds)s \(percent)%: \(opening)+\(marking)+\(closing) ms clock, \(cpu), \(sizes)"
      + (record.cause == .forced ? " (forced)\n" : "\n")
  }

  /// What the pacer decided when a cycle began.
  static func began(_ pacer: Pacer) -> String {
    "pacer: assist ratio=\(number(pacer.assistWorkPerByte)) (scan \(pacer.heapScan >> 20) MB in \(pacer.heapLive >> 20)->"
      + "\(pacer.heapGoal() >> 20) MB) workers=\(pacer.workers.dedicated)+\(number(pacer.workers.fractionalGoal))\n"
  }

  /// What a cycle came to: to be called between the pacer's `endCycle` and `resetLive`. Nothing where it learned nothing.
  static func ended(_ pacer: Pacer, consMarkBefore: Double) -> String? {
    if pacer.heapLive <= pacer.triggered { return nil }
    let expected = pacer.lastHeapScan + pacer.lastStackScan + pacer.globalsScan
    return
      "pacer: \(Int(pacer.lastUtilization * 100))% CPU (\(Int(PacerConstants.backgroundUtilization * 100)) exp.) for "
      + "\(pacer.heapScanWork)+\(pacer.stackScanWork)+\(pacer.globalsScanWork) B work (\(expected) B exp.) in "
      + "\(pacer.triggered) B -> \(pacer.heapLive) B (∆goal \(Int(clamping: pacer.heapLive) - Int(clamping: pacer.lastHeapGoal)), "
      + "cons/mark \(number(consMarkBefore)))\n"
  }

  /// What the tuner chose. Go has no such line: it stands under a name of its own, for who reads Go's to pass over.
  static func tuned(_ tuner: GrowthTuner, before: Int32) -> String {
    let choice = tuner.choice
    let share = Int((choice.collectorShare * 1000).rounded())
    return
      "tuner: GOGC \(before)->\(choice.percent) (\(choice.wantedPercent) wanted, \(choice.bound)), collection \(share / 10).\(share % 10)% of CPU "
      + "(\(tuner.setting.targetPercent) exp.), \(milliseconds(UInt64(choice.cycleNanoseconds))) ms a cycle, "
      + "\(Int(choice.allocationRate) >> 20) MB/s allocated\n"
  }

  static func swept(_ record: CycleRecord, _ heap: HeapCore) -> String {
    let live = heap.state.pointee.liveBytes.load(ordering: .relaxed)
    return
      "pacer: sweep done at heap size \(live >> 20)MB; allocated \(max(0, live - record.marked) >> 20)MB during sweep; "
      + "swept \(record.usedBlocks * Geometry.blockBytes / 8192) pages at 0 pages/byte\n"
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

  /// As Go prints a float: the shortest digits that read back, and no fraction that is zero.
  static func number(_ value: Double) -> String {
    if value.isInfinite { return value > 0 ? "+Inf" : "-Inf" }
    if value.isNaN { return "NaN" }
    if value == value.rounded(), abs(value) < 1e15 { return "\(Int(value))" }
    return "\(value)"
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
