// Who marks: the collector thread in the background, workers on processors that no mutator uses, and mutators that assist.
//
// Background marking is held to a quarter of the processors, as Go's is, and to less while the CPU limiter holds it back: on two
// processors the collector thread marks half of the time, in slices of 200 µs, and sleeps between them. Processors that no mutator runs
// on are used in full: the collector thread stops resting, and workers join, as many as there are such processors. All run at normal
// priority: a marker under SCHED_IDLE that loses its processor keeps its chunk of grey work, and with it the end of the cycle, for tens of
// milliseconds
// (docs/decisions.md, "Priority of workers"). A mutator assists when its debt is not covered by credit that the others have
// earned, in quanta of 5 to 15 µs; only past the heap goal does it stay until the debt is paid.

import Synchronization
import TricolorPlatform

extension HeapCore {
  private static let sliceNanoseconds: UInt64 = 200_000
  /// Work between looks at the clock: about 50 µs of marking.
  private static let quantum = 64 * 1024

  // MARK: Background

  /// One slice of marking on the collector thread; returns when it is over or nothing was left to take.
  func markInBackground(_ record: inout CycleRecord) {
    let began = Clock.monotonic()
    let cpu = Clock.threadCPU()
    var marked = false
    while Clock.monotonic() - began < HeapCore.sliceNanoseconds {
      guard mark(budget: HeapCore.quantum) > 0 else { break }
      marked = true
    }
    let busy = Clock.threadCPU() - cpu
    noteBackground(busy, &record)
    if state.pointee.grey.isQuiescent() { return }
    rest(afterBusy: marked ? busy : 0)
  }

  /// Counts CPU time of the collector thread.
  func noteBackground(_ nanoseconds: UInt64, _ record: inout CycleRecord) {
    record.backgroundNanoseconds += nanoseconds
    state.pointee.statistics.background.wrappingAdd(nanoseconds, ordering: .relaxed)
  }

  /// Sleeps long enough to keep to the share, or until there is something to do.
  func rest(afterBusy busy: UInt64) {
    let share = min(1, max(backgroundShare * state.pointee.processors, unusedProcessors))
    let pause = busy == 0 ? 1_000_000 : Int64(Double(busy) * (1 - share) / share)
    if pause <= 0 { return }
    if busy == 0 {
      state.pointee.grey.waitForWork(nanoseconds: pause, unlessQuiescent: true)
    } else {
      waitUnlessQuiet(pause)
    }
  }

  /// Sleeps for the share's sake: cut short only when marking is over.
  private func waitUnlessQuiet(_ nanoseconds: Int64) {
    let end = Clock.monotonic() + UInt64(nanoseconds)
    while true {
      let seen = state.pointee.grey.changed.current()
      let now = Clock.monotonic()
      if now >= end || state.pointee.grey.isQuiescent() { return }
      if !state.pointee.grey.changed.wait(past: seen, timeoutNanoseconds: Int64(end - now)) { return }
    }
  }

  /// Marks up to `budget` bytes of work; answers the work done and credits it to the pacer.
  func mark(budget: Int) -> Int {
    guard var marker = Marker(self) else { return 0 }
    marker.run(budget: budget)
    return max(1, marker.tally.work)
  }

  /// Adds what a marker did to the statistics and the pacer's accounts. The marker is still active.
  func note(_ tally: MarkTally) {
    state.pointee.statistics.markedBytes.wrappingAdd(tally.bytes, ordering: .relaxed)
    state.pointee.statistics.markedObjects.wrappingAdd(tally.objects, ordering: .relaxed)
    if tally.remoteBytes > 0 {
      state.pointee.statistics.remoteMarkedBytes.wrappingAdd(tally.remoteBytes, ordering: .relaxed)
    }
    state.pointee.pacing.cycleMarkedBytes.wrappingAdd(tally.bytes, ordering: .relaxed)
    state.pointee.pacing.scanWork.wrappingAdd(tally.work, ordering: .relaxed)
    state.pointee.pacing.credit.wrappingAdd(tally.work, ordering: .relaxed)
    revise()
  }

  // MARK: Workers

  /// Heaps smaller than this are marked by the collector thread alone: more threads would cost more than they do.
  private static let worthSharing = 4 << 20

  /// Processors that no mutator of this heap runs on at the moment; none while collection for the limit has used up its share.
  var unusedProcessors: Double {
    if isHeldBack { return 0 }
    state.pointee.registryLock.lock()
    defer { state.pointee.registryLock.unlock() }
    var running = 0
    forEachMutator { if $0.isRunning { running += 1 } }
    return max(0, state.pointee.processors - Double(running))
  }

  /// Calls for the workers, when there is work for them.
  func wakeWorkers() {
    if state.pointee.liveBytes.load(ordering: .relaxed) < HeapCore.worthSharing { return }
    state.pointee.workersWanted.signalAll()
  }

  /// The body of worker `index` (from 1; the collector thread is 0): marks while there are more unused processors than markers
  /// before it.
  func runWorker(_ index: Int) {
    var bound: UInt32 = 0
    while true {
      followBinding(&bound, thread: index)
      // Read before the look at `stopping`: a signal in between makes the wait return at once.
      let seen = state.pointee.workersWanted.current()
      if state.pointee.stopping.load(ordering: .acquiring) { return }
      while phase == .marking { helpMarking(index) }
      state.pointee.workersWanted.wait(past: seen)
    }
  }

  /// Binds the calling thread of the collector anew if that is asked for; `seen` is what it has followed.
  func followBinding(_ seen: inout UInt32, thread index: Int) {
    let asked = state.pointee.bindings.load(ordering: .acquiring)
    if asked == seen { return }
    seen = asked
    services.bindCurrentThread(index)
  }

  /// One quantum, or a short sleep when there is no processor or no work.
  private func helpMarking(_ index: Int) {
    guard unusedProcessors >= Double(index + 1) else {
      state.pointee.workersWanted.wait(past: state.pointee.workersWanted.current(), timeoutNanoseconds: 1_000_000)
      return
    }
    let began = Clock.threadCPU()
    let work = mark(budget: 4 * HeapCore.quantum)
    state.pointee.statistics.idle.wrappingAdd(Clock.threadCPU() - began, ordering: .relaxed)
    if work > 0 { return }
    if phase == .marking { state.pointee.grey.waitForWork(nanoseconds: 1_000_000, unlessQuiescent: false) }
  }
}

// MARK: Assists

extension MutatorCore {
  /// Bounds of what is marked in one go, in bytes of work. The least makes up for entering and leaving the grey pool, about a microsecond;
  /// the most is some 15 µs of marking, and what is still owed then is paid at later refills.
  private static let leastAssist = 8 << 10
  private static let mostAssist = 16 << 10

  /// Notes bytes allocated while marking; they are paid for at the next refill.
  func owe(_ bytes: Int) {
    let cycle = heap.state.pointee.cycle.load(ordering: .relaxed)
    if state.pointee.debtCycle != cycle {
      state.pointee.debtCycle = cycle
      state.pointee.assistDebt = 0
    }
    state.pointee.assistDebt += bytes
  }

  /// Pays this mutator's debt by credit others have earned, or by marking. Bounded, unless the heap is past its goal.
  func payAssist() {
    guard state.pointee.assistDebt > 0, heap.phase == .marking else { return }
    assistSlowly()
  }

  @inline(never) private func assistSlowly() {
    let began = Clock.monotonic()
    var marking: UInt64 = 0
    var waited = false
    while heap.phase == .marking, state.pointee.assistDebt > 0 {
      let ratio = heap.assistWorkPerByte
      var work = Int(ratio * Double(state.pointee.assistDebt))
      work -= heap.stealCredit(work)
      if work > 0 && heap.assistsAreOff { work = 0 }
      var idle = false
      if work > 0 {
        let start = Clock.monotonic()
        let done = heap.mark(budget: min(max(work, MutatorCore.leastAssist), MutatorCore.mostAssist))
        marking += Clock.monotonic() - start
        if done > 0 { _ = heap.stealCredit(done, always: true) }
        idle = done == 0
        work -= done
      }
      state.pointee.assistDebt = Int(Double(work) / max(ratio, 1e-6))
      if work <= 0 || !heap.isPastGoal { break }
      if idle {
        waitForProgress()
        waited = true
      }
      if state.pointee.poll.load(ordering: .relaxed) != 0 { answerPoll() }
    }
    if marking > 0 { heap.noteAssist(marking) }
    if marking > 0 || waited { heap.state.pointee.statistics.noteStall(of: state.pointee.threadID, since: began) }
  }

  /// Nothing to mark, but the heap is past its goal: the cycle is about to end, wait for that instead of growing further.
  private func waitForProgress() {
    let seen = heap.state.pointee.grey.changed.current()
    ThreadRecords.whileParked { _ = heap.state.pointee.grey.changed.wait(past: seen, timeoutNanoseconds: 200_000) }
  }
}

extension HeapCore {
  /// Takes up to `work` from the credit of background and idle marking; with `always`, exactly `work` (one's own marking, which
  /// `note` credited).
  func stealCredit(_ work: Int, always: Bool = false) -> Int {
    let available = state.pointee.pacing.credit.load(ordering: .relaxed)
    if always {
      state.pointee.pacing.credit.wrappingSubtract(work, ordering: .relaxed)
      return work
    }
    if available <= 0 || work <= 0 || Mutation.assistCreditLost.isOn { return 0 }
    let taken = min(available, work)
    state.pointee.pacing.credit.wrappingSubtract(taken, ordering: .relaxed)
    return taken
  }
}
