// Threads come and go at any time, also in the middle of a cycle.
//
// A thread that attaches takes the mode of the handshake posted last (invariant I8): it is indistinguishable from one that had been
// there with an empty stack and answered first. A thread that ends answers what is pending, gives back its runs and buffer, and
// leaves the registry under the lock that handshakes are posted under. Detaching is automatic, by a thread-specific destructor.

import CTricolorShims
import Glibc
import Synchronization
import TricolorPlatform

extension HeapCore {
  /// A record for the calling thread, in the registry and the thread's list. The thread is `outside`.
  ///
  /// - Throws: when the system has no memory for a record of some hundred KiB, or does not tell where the thread's stack is.
  func attach() throws(PlatformError) -> MutatorCore {
    ForkedChild.refuse()
    if tricolor_stack_base() == 0 { tricolor_set_stack_base(try NativeThread.currentStackBase()) }
    let mutator = try takeRecord()
    do throws(PlatformError) {
      try ThreadExit.arm(mutator)
    } catch {
      keep(mutator)
      throw error
    }
    // Another heap's hold may keep the lock, and wait for this thread.
    ThreadRecords.whileParked {
      LiveHeaps.lock.withLock { _ in
        ThreadRecords.dropOrphans()
        register(mutator)
      }
    }
    return mutator
  }

  /// Puts a record of the calling thread in the registry and the thread's list. `LiveHeaps.lock` is held.
  private func register(_ mutator: MutatorCore) {
    let record = mutator.state
    record.pointee.stackBase = tricolor_stack_base()
    record.pointee.threadID = NativeThread.currentID
    record.pointee.depth = 0
    record.pointee.parkedStack = 0
    record.pointee.frames = 0
    record.pointee.rootTracer = nil
    record.pointee.status.store(MutatorStatus.outside, ordering: .relaxed)
    state.pointee.registryLock.lock()
    adoptMode(mutator)
    record.pointee.nextInHeap = state.pointee.mutators
    state.pointee.mutators = mutator
    state.pointee.registryLock.unlock()
    state.pointee.mutatorCount.wrappingAdd(1, ordering: .relaxed)
    state.pointee.statistics.attachedMutators.wrappingAdd(1, ordering: .relaxed)
    record.pointee.nextInThread = ThreadRecords.first
    ThreadRecords.first = mutator
  }

  /// Pools a record that was taken and not used.
  private func keep(_ mutator: MutatorCore) {
    state.pointee.registryLock.lock()
    mutator.state.pointee.nextInHeap = state.pointee.pooledMutators
    state.pointee.pooledMutators = mutator
    state.pointee.registryLock.unlock()
  }

  private func takeRecord() throws(PlatformError) -> MutatorCore {
    state.pointee.registryLock.lock()
    let pooled = state.pointee.pooledMutators
    if let pooled { state.pointee.pooledMutators = pooled.state.pointee.nextInHeap }
    state.pointee.registryLock.unlock()
    if let pooled { return pooled }
    return try MutatorCore.map(heap: self)
  }

  /// The mode that goes with the handshake posted last. The registry lock is held.
  private func adoptMode(_ mutator: MutatorCore) {
    let request = state.pointee.request.load(ordering: .relaxed)
    let record = mutator.state
    record.pointee.answered.store(request, ordering: .relaxed)
    record.pointee.poll.store(state.pointee.stressesCollection ? 1 : 0, ordering: .relaxed)
    record.pointee.epoch = state.pointee.sweepEpoch.load(ordering: .acquiring)
    let handshake = Mutation.attachTakesNoMode.isOn ? .none : Handshake(rawValue: request & 7) ?? .none
    switch handshake {
    case .none, .sweep:
      record.pointee.barrierMode = rememberMode
      record.pointee.allocatesBlack = false
    case .arm, .settle:
      record.pointee.barrierMode = BarrierMode.recording | rememberModeInCycle
      record.pointee.allocatesBlack = Mutation.blackTooEarly.isOn
    case .roots, .finish:
      record.pointee.barrierMode = BarrierMode.deletion | rememberModeInCycle
      record.pointee.allocatesBlack = true
    case .hold: preconditionFailure("a thread attached during a hold, which keeps LiveHeaps.lock")
    }
  }

  /// Takes the record of an ending thread out of the registry and keeps it for the next one.
  func detach(_ mutator: MutatorCore) {
    mutator.resume(from: MutatorStatus.outside)
    state.pointee.registryLock.lock()
    defer { state.pointee.registryLock.unlock() }
    let request = state.pointee.request.load(ordering: .relaxed)
    if mutator.state.pointee.answered.load(ordering: .relaxed) != request {
      mutator.perform(Handshake(rawValue: request & 7) ?? .none, stackPointer: 0)
    }
    mutator.flushBuffer()
    mutator.closeAllRuns()
    mutator.state.pointee.status.store(MutatorStatus.outside, ordering: .sequentiallyConsistent)
    unlink(mutator)
    mutator.state.pointee.nextInHeap = state.pointee.pooledMutators
    state.pointee.pooledMutators = mutator
    state.pointee.mutatorCount.wrappingSubtract(1, ordering: .relaxed)
    state.pointee.answers.signalAll()
  }

  /// Calls `body` with every attached mutator. The registry is locked, or nobody comes or goes (a hold, the end of the heap).
  func forEachMutator(_ body: (MutatorCore) -> Void) {
    var next = state.pointee.mutators
    while let mutator = next {
      body(mutator)
      next = mutator.state.pointee.nextInHeap
    }
  }

  private func unlink(_ mutator: MutatorCore) {
    if state.pointee.mutators == mutator {
      state.pointee.mutators = mutator.state.pointee.nextInHeap
      return
    }
    var previous = state.pointee.mutators
    while let record = previous {
      if record.state.pointee.nextInHeap == mutator {
        record.state.pointee.nextInHeap = mutator.state.pointee.nextInHeap
        return
      }
      previous = record.state.pointee.nextInHeap
    }
  }
}

/// Detaches an ending thread from every heap it entered that still exists.
enum ThreadExit {
  private static let key = Mutex<ThreadKey?>(nil)

  /// Makes the process's key, once.
  ///
  /// - Throws: when no key is left.
  @discardableResult
  static func prepare() throws(PlatformError) -> ThreadKey {
    try key.withLock { known throws(PlatformError) in
      if let known { return known }
      let key = try ThreadKey { _ in ThreadExit.detachAll() }
      known = key
      return key
    }
  }

  /// Makes sure the calling thread detaches when it ends.
  static func arm(_ mutator: MutatorCore) throws(PlatformError) { try prepare().set(mutator.base) }

  private static func detachAll() {
    if ForkedChild.isThisProcess { return }
    // Of heaps entered from C and not left. Before the lock, which another heap's hold may keep while it waits for this thread.
    ThreadRecords.forEachRecord { $0.leaveForGood() }
    LiveHeaps.lock.withLock { _ in
      while let mutator = ThreadRecords.first {
        ThreadRecords.first = mutator.state.pointee.nextInThread
        if mutator.isOrphan { mutator.unmap() } else { mutator.heap.detach(mutator) }
      }
    }
    tricolor_set_barrier(0)
  }
}

/// Orders the coming and end of threads against the end of heaps and against holds. A heap that dies cannot reach into other threads' lists: it leaves the records
/// there as orphans, and each thread unmaps its own when it next attaches or ends.
enum LiveHeaps {
  static let lock = Mutex<Void>(())
}

extension MutatorCore {
  /// Whether the heap of this record is gone.
  var isOrphan: Bool { state.pointee.status.load(ordering: .acquiring) == MutatorStatus.orphan }
}

extension HeapCore {
  /// Lets go of every record: the heap is about to die. Fatal when a thread is still inside it.
  func releaseMutators() {
    LiveHeaps.lock.withLock { _ in
      forEachMutator { mutator in
        precondition(
          mutator.state.pointee.depth == 0,
          "a heap was released while thread \(mutator.state.pointee.threadID) was inside withMutator")
        mutator.state.pointee.status.store(MutatorStatus.orphan, ordering: .releasing)
      }
      while let pooled = state.pointee.pooledMutators {
        state.pointee.pooledMutators = pooled.state.pointee.nextInHeap
        pooled.unmap()
      }
    }
  }
}

extension ThreadRecords {
  /// Unmaps the calling thread's records of heaps that are gone. `LiveHeaps.lock` is held.
  static func dropOrphans() {
    var kept: MutatorCore? = nil
    var next = first
    while let mutator = next {
      next = mutator.state.pointee.nextInThread
      if mutator.isOrphan {
        mutator.unmap()
      } else {
        mutator.state.pointee.nextInThread = kept
        kept = mutator
      }
    }
    first = kept
  }
}
