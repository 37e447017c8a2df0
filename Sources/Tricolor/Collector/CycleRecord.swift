// What one cycle measured of itself, for the pacer, the statistics, the event stream and the `gctrace` line.

import Synchronization
import TricolorPlatform

/// A finished cycle, as users see it. Bytes and nanoseconds.
public struct CycleEvent: Sendable {
  /// Number of the cycle, from 1.
  public let number: Int
  /// Why it began.
  public let cause: CycleCause
  /// Whether only what was allocated since the last cycle was marked; all else counts as alive.
  public let isYoung: Bool
  /// Nanoseconds since the heap was made.
  public let startedAt: UInt64
  /// From its beginning to the end of marking.
  public let durationNanoseconds: UInt64
  /// Live bytes when it began.
  public let liveAtStart: Int
  /// Live bytes when marking ended, with what was allocated meanwhile.
  public let liveAtEnd: Int
  /// Bytes that it marked.
  public let markedBytes: Int
  /// The goal it was to stay below.
  public let goalBytes: Int
  /// The memory limit in force, nil when there is none.
  public let limitBytes: Int?
  /// Resident memory of the process at its end.
  public let residentBytes: Int
  /// CPU time of mutators that helped to mark.
  public let assistNanoseconds: UInt64
  /// CPU time of the collector thread and its workers.
  public let backgroundNanoseconds: UInt64
  /// CPU time of workers on processors that no mutator used.
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
  /// CPU time of the collector thread when the cycle began: handshakes and roots are part of what a small heap's cycle costs.
  var threadCPUAtStart: UInt64 = 0
  var markingStarted: UInt64 = 0
  var markingEnded: UInt64 = 0
  var swept: UInt64 = 0
  var rounds = 0
  var liveAtStart = 0
  /// Objects marked before the cycle.
  var markedObjects = 0
  var liveAtEnd = 0
  var marked = 0
  var goal = 0
  var stackBytes = 0
  /// Blocks that there were to sweep.
  var usedBlocks = 0
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
    threadCPUAtStart = Clock.threadCPU()
    markedObjects = heap.state.pointee.statistics.markedObjects.load(ordering: .relaxed)
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
    record.usedBlocks = state.pointee.blocks.usedBlocks.load(ordering: .relaxed)
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
    trace(record)
    services.publish(event(record))
  }

  /// Objects that markers have marked since the cycle of `record` began.
  func objectsMarked(in record: CycleRecord) -> Int {
    state.pointee.statistics.markedObjects.load(ordering: .relaxed) - record.markedObjects
  }

  private func event(_ record: CycleRecord) -> CycleEvent {
    let limit = state.pointee.pacing.limit.load(ordering: .relaxed)
    return CycleEvent(
      number: record.number, cause: record.cause, isYoung: record.isYoung,
      startedAt: record.started - state.pointee.startTime,
      durationNanoseconds: record.markingEnded - record.started, liveAtStart: record.liveAtStart,
      liveAtEnd: record.liveAtEnd, markedBytes: record.marked, goalBytes: record.goal,
      limitBytes: limit == Int.max ? nil : limit,
      residentBytes: ownResidentBytes + state.pointee.pacing.outside.held.load(ordering: .relaxed),
      assistNanoseconds: record.assistNanoseconds, backgroundNanoseconds: record.backgroundNanoseconds,
      idleNanoseconds: record.idleNanoseconds, rounds: record.rounds)
  }
}
