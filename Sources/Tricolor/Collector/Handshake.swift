// Handshakes: the collector asks, every mutator answers at its next poll, nobody waits for anybody but the collector.
//
// A thread that is outside `withMutator` or parked in a blocking region is answered for: the collector moves its status to `held`
// by a compare-and-swap, does the work on its recorded stack, and lets it go. A thread that enters either sees the poll flag or is seen
// to be in (sequentially consistent on both sides). One that leaves needs no fence: if it has not seen the flag and the collector has
// not yet seen it gone, the collector looks again after `patience`.
//
// Times are measured here: how long each mutator was held (wall and thread CPU), and how long it took to answer.

import CTricolorShims
import Synchronization
import TricolorPlatform

extension HeapCore {
  /// After how many nanoseconds without an answer the collector looks again who is away.
  private static let patience: Int64 = 1_000_000

  /// Posts `handshake` and waits until every mutator has answered. `whilePosting` runs under the registry lock just before.
  func shakeHands(_ handshake: Handshake, whilePosting: () -> Void = {}) {
    state.pointee.postedAt.store(Clock.monotonic(), ordering: .relaxed)
    let sequence = post(handshake, whilePosting)
    passStep(.posted(handshake))
    while true {
      let seen = state.pointee.answers.current()
      if allAnswered(sequence, handshake) { break }
      _ = state.pointee.answers.wait(past: seen, timeoutNanoseconds: HeapCore.patience)
    }
    passStep(.answered(handshake))
  }

  private func post(_ handshake: Handshake, _ whilePosting: () -> Void) -> UInt32 {
    state.pointee.registryLock.lock()
    defer { state.pointee.registryLock.unlock() }
    whilePosting()
    let sequence = (state.pointee.request.load(ordering: .relaxed) >> 3 &+ 1) << 3 | handshake.rawValue
    state.pointee.request.store(sequence, ordering: .sequentiallyConsistent)
    forEachMutator { $0.state.pointee.poll.store(1, ordering: .sequentiallyConsistent) }
    return sequence
  }

  /// Answers for everybody who is away; false while somebody who is here has not answered.
  private func allAnswered(_ sequence: UInt32, _ handshake: Handshake) -> Bool {
    state.pointee.registryLock.lock()
    defer { state.pointee.registryLock.unlock() }
    var all = true
    forEachMutator { mutator in
      if mutator.state.pointee.answered.load(ordering: .acquiring) == sequence { return }
      if !answerFor(mutator, sequence, handshake) { all = false }
    }
    return all
  }

  /// Does an absent mutator's part; false when it is running.
  private func answerFor(_ mutator: MutatorCore, _ sequence: UInt32, _ handshake: Handshake) -> Bool {
    let status = mutator.state.pointee.status.load(ordering: .sequentiallyConsistent)
    guard status == MutatorStatus.outside || status == MutatorStatus.parked,
      mutator.state.pointee.status.compareExchange(
        expected: status, desired: MutatorStatus.held, ordering: .sequentiallyConsistent
      ).exchanged
    else { return false }
    if mutator.state.pointee.answered.load(ordering: .acquiring) != sequence {
      passStep(.holding(handshake))
      mutator.perform(
        handshake, stackPointer: Mutation.parkedNotScanned.isOn ? 0 : mutator.state.pointee.parkedStack)
      mutator.state.pointee.answered.store(sequence, ordering: .releasing)
    }
    if handshake == .hold {
      mutator.state.pointee.heldFrom = status
      return true
    }
    mutator.state.pointee.status.store(status, ordering: .sequentiallyConsistent)
    mutator.wakeIfWaiting()
    return true
  }
}

extension MutatorCore {
  /// The slow path of a poll: answers the posted handshake, if any.
  @inline(never) func answerPoll() {
    ForkedChild.refuse()
    if state.pointee.answered.load(ordering: .relaxed)
      != heap.state.pointee.request.load(ordering: .sequentiallyConsistent)
    {
      var mutator = self
      withUnsafeMutablePointer(to: &mutator) { tricolor_call_with_spilled_registers(answerHandshake, $0) }
    } else {
      clearPoll()
    }
  }

  /// A poll that may also collect: what `poll()` and allocation call, and the coming and going of threads does not.
  func safepoint() {
    if state.pointee.poll.load(ordering: .relaxed) != 0 { answerPoll() }
    if heap.state.pointee.stressesCollection { heap.stressCollect(self) }
  }

  /// Lowers the poll flag, and raises it again if a handshake came in between.
  private func clearPoll() {
    state.pointee.poll.store(heap.state.pointee.stressesCollection ? 1 : 0, ordering: .sequentiallyConsistent)
    let posted = heap.state.pointee.request.load(ordering: .sequentiallyConsistent)
    if posted != state.pointee.answered.load(ordering: .relaxed) {
      state.pointee.poll.store(1, ordering: .sequentiallyConsistent)
    }
  }

  /// Answers the posted handshake on the mutator's own thread; its registers are spilled above `stackPointer`.
  fileprivate func answer(stackPointer: UInt) {
    let wall = Clock.monotonic()
    let cpu = Clock.threadCPU()
    let request = heap.state.pointee.request.load(ordering: .sequentiallyConsistent)
    let handshake = Handshake(rawValue: request & 7) ?? .none
    Delay.point()
    perform(
      handshake,
      stackPointer: Mutation.registersNotSpilled.isOn ? stackPointer + SpilledFrame.registerBytes : stackPointer)
    Delay.point()
    setThreadBarrier()
    if handshake == .hold {
      stayHeld(request, stackPointer: stackPointer)
    } else {
      state.pointee.answered.store(request, ordering: .releasing)
    }
    clearPoll()
    heap.state.pointee.statistics.noteHold(of: state.pointee.threadID, since: wall, cpu: Clock.threadCPU() - cpu)
    let posted = heap.state.pointee.postedAt.load(ordering: .relaxed)
    heap.state.pointee.statistics.noteAnswer(
      thread: state.pointee.threadID, nanoseconds: wall > posted ? wall - posted : 0)
    heap.state.pointee.answers.signalAll()
  }

  /// One mutator's part of a handshake; on its own thread, or for it while it is held.
  func perform(_ handshake: Handshake, stackPointer: UInt) {
    switch handshake {
    case .none, .settle, .hold: break
    case .arm:
      state.pointee.barrierMode = BarrierMode.recording | heap.rememberModeInCycle
      if Mutation.blackTooEarly.isOn { blackenOpenRuns() }
    case .roots:
      if stackPointer != 0 { scanThread(from: stackPointer) }
      blackenOpenRuns()
      state.pointee.barrierMode = BarrierMode.deletion | heap.rememberModeInCycle
    case .finish:
      if !Mutation.noFlushAtFinish.isOn { flushBuffer() }
    case .sweep:
      state.pointee.barrierMode = heap.rememberMode
      state.pointee.bufferCount = 0
      closeAllRuns()
      state.pointee.allocatesBlack = false
      state.pointee.assistDebt = 0
      state.pointee.epoch = heap.state.pointee.sweepEpoch.load(ordering: .acquiring)
    }
  }

  // MARK: Coming and going

  /// Runs `body` in a blocking region of this mutator alone.
  func whileParked<R, E: Error>(_ body: () throws(E) -> R) throws(E) -> R {
    try SpilledFrame.run { (stackPointer: UInt) throws(E) -> R in
      park(stackPointer)
      defer { unpark() }
      return try body()
    }
  }

  /// Lets the collector answer for this thread; its stack from `stackPointer` up stays as it is until `unpark`.
  func park(_ stackPointer: UInt) {
    state.pointee.parkedStack = stackPointer
    suspend(to: MutatorStatus.parked)
  }

  func unpark() {
    resume(from: MutatorStatus.parked)
    state.pointee.parkedStack = 0
    state.pointee.copiedBytes = 0
  }

  /// Whether the calling thread, whose mutator this is, is inside `withMutator` and not in a blocking region.
  var isRunning: Bool { state.pointee.status.load(ordering: .relaxed) == MutatorStatus.running }

  /// Becomes `running` from outside or parked; waits while the collector holds this mutator, and answers what was posted since.
  @inline(__always) func resume(from away: UInt32) {
    Delay.point()
    let entered = state.pointee.status.compareExchange(
      expected: away, desired: MutatorStatus.running, ordering: .sequentiallyConsistent
    ).exchanged
    if !entered { waitUntilReleased(away) }
    setThreadBarrier()
    if state.pointee.poll.load(ordering: .sequentiallyConsistent) != 0 { answerPoll() }
  }

  /// Leaves for `away` (outside or parked). A handshake posted at this moment is answered by the collector, which is told to look at once
  /// unless the flag went up while the status was still on its way to memory; then it looks by itself.
  @inline(__always) func suspend(to away: UInt32) {
    state.pointee.status.store(away, ordering: .releasing)
    Delay.point()
    if state.pointee.poll.load(ordering: .relaxed) != 0 { heap.state.pointee.answers.signalAll() }
  }

  @inline(never) private func waitUntilReleased(_ away: UInt32) {
    ForkedChild.refuse()
    let began = Clock.monotonic()
    while !state.pointee.status.compareExchange(
      expected: away, desired: MutatorStatus.running, ordering: .sequentiallyConsistent
    ).exchanged {
      heap.waitForRelease(self)
    }
    heap.state.pointee.statistics.noteHold(of: state.pointee.threadID, since: began, cpu: 0)
  }

  fileprivate func wakeIfWaiting() { heap.state.pointee.released.signalAll() }

  /// The thread's barrier flag is the OR over the heaps it is inside of (docs/protocol.md, "Flags").
  func setThreadBarrier() {
    var mode: UInt8 = 0
    ThreadRecords.forEachRecord { if $0.isRunning { mode |= $0.state.pointee.barrierMode } }
    tricolor_set_barrier(mode)
  }
}

extension HeapCore {
  /// Waits a moment for the collector to let `mutator` go.
  func waitForRelease(_ mutator: MutatorCore) {
    let seen = state.pointee.released.current()
    if mutator.state.pointee.status.load(ordering: .sequentiallyConsistent) != MutatorStatus.held { return }
    _ = state.pointee.released.wait(past: seen, timeoutNanoseconds: 1_000_000)
  }
}

private func answerHandshake(_ context: UnsafeMutableRawPointer?, _ stackPointer: UInt) {
  context!.assumingMemoryBound(to: MutatorCore.self).pointee.answer(stackPointer: stackPointer)
}

/// The calling thread's mutator records, one for each heap it has entered.
enum ThreadRecords {
  static var first: MutatorCore? {
    get { tricolor_thread_mutators().map { MutatorCore(base: $0) } }
    set { tricolor_set_thread_mutators(newValue?.base) }
  }

  static func record(for heap: HeapCore) -> MutatorCore? {
    var next = first
    while let mutator = next {
      if mutator.heap == heap && !mutator.isOrphan { return mutator }
      next = mutator.state.pointee.nextInThread
    }
    return nil
  }

  /// Runs `body`, which waits for a collector, with the calling thread parked in every heap it is inside of, not only in the one it
  /// waits for. Two threads inside the same two heaps, each waiting for a cycle of another one of them, would else wait for ever.
  static func whileParked(_ body: () -> Void) {
    SpilledFrame.run { stackPointer in
      forEachRecord { mutator in
        guard mutator.isRunning else { return }
        mutator.state.pointee.isWaiting = true
        mutator.park(stackPointer)
      }
      body()
      forEachRecord { mutator in
        guard mutator.state.pointee.isWaiting else { return }
        mutator.state.pointee.isWaiting = false
        mutator.unpark()
      }
    }
  }

  /// The calling thread's record of the heap that the managed address `slot` belongs to; nil when it has not entered that heap. A thread
  /// may be inside several heaps of which only one is marking.
  static func record(ofSlot slot: UInt) -> MutatorCore? {
    guard let owner = addressMap.owner(of: slot) else { return nil }
    return record(for: HeapCore(state: owner.assumingMemoryBound(to: HeapState.self)))
  }

  /// Calls `body` with each of the calling thread's records.
  static func forEachRecord(_ body: (MutatorCore) -> Void) {
    var next = first
    while let mutator = next {
      body(mutator)
      next = mutator.state.pointee.nextInThread
    }
  }
}

/// A frame on the calling thread's stack that holds all its callee-saved registers while something runs below it.
///
/// The collector may scan the stack from there until `body` has returned, so the frame must outlive `body`, and what follows it: a
/// frame that gives way to a tail call takes with it the callers' registers that it had saved. The buffer is used after `body`, by
/// assembly that nothing may be moved across: neither this frame nor the buffer can be gone before.
enum SpilledFrame {
  /// Bytes of the buffer that the registers are stored in.
  static let registerBytes: UInt = 96

  /// Calls `body` with the address from which a scan of the stack finds every value that the callers' frames can still use.
  @inline(never)
  static func run<R, E: Error>(_ body: (_ stackPointer: UInt) throws(E) -> R) throws(E) -> R {
    var registers = InlineArray<12, UInt>(repeating: 0)
    return try withUnsafeMutablePointer(to: &registers) { (registers) throws(E) -> R in
      let words = UnsafeMutableRawPointer(registers).assumingMemoryBound(to: UInt.self)
      defer { tricolor_keep(UInt(bitPattern: words)) }
      let stackPointer = tricolor_capture_registers(words)
      if Mutation.registersNotSpilled.isOn { words.update(repeating: 0, count: 12) }
      return try body(stackPointer)
    }
  }
}
