// The cycle: which phases there are, what each handshake asks, and the order of steps on the collector thread.
//
// There is no global stop. Each phase change is a handshake that every mutator answers by itself at its next poll and then goes on;
// docs/protocol.md tells the whole story with the interleavings that forbid shorter versions. The lineage: Doligez, Leroy and
// Gonthier (POPL 1993/94) for the three opening handshakes, Go's hybrid barrier (proposal 17503) for scanning each stack once.
//
// Invariants, cited elsewhere by number:
//  I1  From its answer to `arm` until its answer to `sweep`, a mutator stores a reference into the heap or a root only after the
//      barrier has recorded the old value, and the new value too while its own stack is unscanned.
//  I2  When `settle` is answered by all, every store that began before its thread armed has landed.
//  I3  A mutator allocates black exactly from its own answer to `roots` until its answer to `sweep`: the mark bit of each cell is
//      set before the cell can be reached. Before that, its new objects are white and are found from its stack.
//  I4  Every white object that a scanned (black) stack refers to is reachable from a grey object through white ones
//      (the snapshot), or is marked. The deletion half keeps this true.
//  I5  Grey objects are only: entries of pooled chunks, entries held by active markers (those put aside for other nodes among them),
//      entries of mutators' barrier buffers; and, where memory for entries was refused, objects marked but not scanned, of which the
//      grey pool notes that there are some.
//  I6  Marking is over after a round of `finish` handshakes that began with no pooled and no active work and during which nobody
//      added any: then all buffers held only marked objects, so by I4 nothing white is reachable.
//  I7  No block is swept, and no mark bit cleared, between the first handshake of a cycle and the last answer of the last.
//  I8  A thread that attaches takes the mode of the handshake posted last: it is a thread with an empty stack that answered first.
//  I9  Nothing is marked before every mutator has answered `roots`: a conservative word may name a cell that another thread has taken
//      and not yet filled; marked while empty, it would never be scanned again, and that thread's stores into it take no barrier.

import Synchronization
import TricolorPlatform

/// Where the cycle is.
enum Phase: UInt8 {
  case idle
  /// Handshakes `arm` and `settle`: barriers come on.
  case arming
  /// Handshake `roots`: stacks are scanned one by one.
  case rootScanning
  case marking
  /// Marking is over; what refers weakly to unmarked objects is being cleared.
  case clearing
  /// Mutators have yet to answer `sweep`.
  case finished
}

/// What a handshake asks of a mutator.
@_spi(Testing) public enum Handshake: UInt32, Sendable {
  case none = 0
  /// Barrier on, both halves.
  case arm
  /// Nothing: an answer proves that earlier stores have landed.
  case settle
  /// Scan own stack, allocate black, insertion half off.
  case roots
  /// Flush the barrier buffer.
  case finish
  /// Barrier off, open runs given back.
  case sweep
  /// Wait until let go: for debug checks only, and no step of a cycle (Hold.swift).
  case hold = 7
}

/// Why a cycle ran.
public enum CycleCause: UInt32, Sendable, CaseIterable {
  /// The heap grew to the trigger that `GOGC` set.
  case growth
  /// The heap grew to the trigger that the memory limit set.
  case limit
  /// `collect()` or a stress mode asked for it.
  case forced
  /// Two minutes had passed since the last one.
  case periodic
}

extension HeapCore {
  /// Asks the collector thread for a cycle; returns at once. Several requests before it begins make one cycle.
  func requestCycle(_ cause: CycleCause) { request(1 << cause.rawValue) }

  /// The request for a forced cycle that may be a young one, beside the bits of the causes.
  static let wantsYoung: UInt32 = 1 << 31

  func request(_ bit: UInt32) {
    if state.pointee.wanted.load(ordering: .relaxed) & bit != 0 { return }
    let before = state.pointee.wanted.bitwiseOr(bit, ordering: .acquiringAndReleasing).oldValue
    if before & bit == 0 { state.pointee.wakeCollector.signalAll() }
  }

  /// Runs one cycle from idle to idle. Only the collector thread calls this.
  func runCycle(cause: CycleCause, mayBeYoung: Bool) {
    finishSweep()
    let remembers = state.pointee.pacing.generations.remembers
    let remembered = state.pointee.remembers.exchange(remembers, ordering: .relaxed)
    let number = state.pointee.cycle.wrappingAdd(1, ordering: .sequentiallyConsistent).newValue
    state.pointee.stopsInCycle = stopMode
    var record = CycleRecord(
      number: number, cause: cause,
      isYoung: mayBeYoung && state.pointee.pacing.nextIsYoung && state.pointee.stopsInCycle != .always,
      remembered: remembers)
    if !record.isYoung { state.pointee.fullCycleBegun.store(number, ordering: .relaxed) }
    beginMarking(&record)
    if remembers || remembered { visitCards(&record) }
    if phase == .marking { markUntilQuiet(&record) }
    endMarking(&record)
    finishSweep()
    if !record.isYoung { noteSurvivors() }
    state.pointee.grey.trim()
    settleMemory(&record)
    if state.pointee.verifiesHeap { verifyOrEnd() }
    report(record)
    if !record.isYoung { state.pointee.fullCycleDone.store(record.number, ordering: .releasing) }
    state.pointee.cyclesDone.store(record.number, ordering: .releasing)
    passStep(.over)
    state.pointee.cycleEnded.signalAll()
  }

  /// Steps 1 to 3: arm, settle, scan stacks and roots.
  private func beginMarking(_ record: inout CycleRecord) {
    record.begin(self)
    state.pointee.grey.looksUpKeys = false
    state.pointee.finalizers.beginCycle()
    state.pointee.grey.prepare(chunks: 2 + 2 * state.pointee.mutatorCount.load(ordering: .relaxed))
    state.pointee.pacing.startCycle(self, isYoung: record.isYoung)
    state.pointee.phase.store(Phase.arming.rawValue, ordering: .sequentiallyConsistent)
    shakeHands(.arm)
    if !Mutation.noSettle.isOn { shakeHands(.settle) }
    if record.isYoung && !Mutation.oldMarkedAfterRoots.isOn { markOld() }
    state.pointee.phase.store(Phase.rootScanning.rawValue, ordering: .sequentiallyConsistent)
    if state.pointee.stopsInCycle != .never { return beginMarkingHeld(&record) }
    shakeHands(.roots)
    if record.isYoung && Mutation.oldMarkedAfterRoots.isOn { markOld() }
    scanRoots()
    openMarking(&record)
  }

  /// Step 4 begins: markers may take what stacks and roots held.
  func openMarking(_ record: inout CycleRecord) {
    record.markingStarted = Clock.monotonic()
    passStep(.marking)
    state.pointee.grey.open(true)
    state.pointee.phase.store(Phase.marking.rawValue, ordering: .sequentiallyConsistent)
    wakeWorkers()
  }

  private var hasWaitingEphemerons: Bool { state.pointee.ephemerons.waiting.load(ordering: .relaxed) > 0 }

  /// Steps 4 and 5: drain the grey set, and stop after a quiet round (I6).
  private func markUntilQuiet(_ record: inout CycleRecord) {
    if state.pointee.stopsInCycle != .never { return markUntilHeld(&record) }
    markInRounds(&record, ask: { shakeHands(.finish) }, isOver: { endIfQuiet() })
  }

  /// Marks until nothing is grey, has `ask` bring in what mutators' buffers hold, and again, until `isOver`.
  func markInRounds(_ record: inout CycleRecord, ask: () -> Void, isOver: () -> Bool) {
    repeat {
      repeat {
        markInBackground(&record)
        rescanAfterOverflow(&record)
      } while !state.pointee.grey.beginRound(lookUpKeys: hasWaitingEphemerons)
      resolveEphemerons()
      passStep(.round)
      if Mutation.roundLookNotAtomic.isOn { state.pointee.grey.forgetAdded() }
      ask()
      record.rounds += 1
    } while !isOver()
  }

  /// Ends marking if the round was quiet and no finalizer has an object that is unmarked. Under the root table's lock: a weak load, and a
  /// thread that is no mutator and drops a root, look at the phase and add to the grey set under it too, so nothing is added after the end.
  func endIfQuiet() -> Bool {
    state.pointee.roots.lock.lock()
    defer { state.pointee.roots.lock.unlock() }
    guard state.pointee.grey.wasQuietRound(), !queueFinalizers() else { return false }
    state.pointee.grey.open(false)
    state.pointee.phase.store(Phase.clearing.rawValue, ordering: .sequentiallyConsistent)
    return true
  }

  /// Steps 6 and 7: weak references cleared, barriers off, runs given back, everything marked for the sweep.
  private func endMarking(_ record: inout CycleRecord) {
    record.markingEnded = Clock.monotonic()
    passStep(.clearing)
    if !Mutation.weakClearedLate.isOn { clearWeak() }
    let isChecked = state.pointee.checksMarks || state.pointee.verifiesHeap
    if isChecked { holdEverybody { endHeld(&record) } } else { endPacing(&record) }
    state.pointee.liveIsExact = isChecked
    shakeHands(.sweep, whilePosting: { beginSweepEpoch() })
    if Mutation.weakClearedLate.isOn { clearWeak() }
    if Mutation.cardsCleanedAfterSweep.isOn { cleanCards() }
    state.pointee.pacing.markedInHeap = markedInHeap(record)
    state.pointee.phase.store(Phase.idle.rawValue, ordering: .sequentiallyConsistent)
    state.pointee.sweepPermitted.store(true, ordering: .releasing)
  }

  /// The end of marking under a debug check: with nobody running, marks can be compared and bytes counted exactly.
  private func endHeld(_ record: inout CycleRecord) {
    if state.pointee.checksMarks { record.comparison = compareMarksOrEnd() }
    endPacing(&record)
  }
}
