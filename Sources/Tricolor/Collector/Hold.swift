// The hold: all mutators stopped at once, for the checks of `GODEBUG`, for snapshots, and for programs whose stores the collector does not hear of
// (StoppedCycle.swift). Else the collector never stops the program.
//
// It is a handshake whose answer waits. A running mutator stays in its answer, its registers spilled below its frames, until the
// collector lets it go; one that is parked or outside stays `held` and waits when it wants to go on. Afterwards everything is as
// if nothing had been asked: the request and each mutator's last answer are put back, so no step of the cycle sees the hold.
//
// `LiveHeaps.lock` is held meanwhile. So threads neither come nor go, and two heaps never hold at the same time: two threads inside
// both would each wait in another one's answer. Whoever waits for that lock inside a heap is parked there (`attach`, the end of a
// heap). What is left to the program: a thread that waits inside `withMutator`, without `blocking`, for one that is held never
// reaches its poll, and the hold never comes about.

import Synchronization

extension HeapCore {
  /// Runs `body` while no mutator of this heap runs. Only the collector thread calls this.
  ///
  /// With `done`, `body` has done every mutator's part of that handshake, which counts as posted and answered afterwards.
  func holdEverybody(asIf done: Handshake? = nil, _ body: () -> Void) {
    LiveHeaps.lock.withLock { _ in
      let before = state.pointee.request.load(ordering: .relaxed)
      shakeHands(.hold)
      body()
      let after = state.pointee.request.load(ordering: .relaxed) >> 3 &+ 1
      letGo(backTo: done.map { after << 3 | $0.rawValue } ?? before)
    }
  }

  /// Takes the hold back, as if `request` were still the handshake posted last, and lets every mutator go on.
  private func letGo(backTo request: UInt32) {
    state.pointee.registryLock.lock()
    state.pointee.request.store(request, ordering: .sequentiallyConsistent)
    forEachMutator { mutator in
      mutator.state.pointee.answered.store(request, ordering: .relaxed)
      mutator.state.pointee.status.store(mutator.state.pointee.heldFrom, ordering: .sequentiallyConsistent)
    }
    state.pointee.registryLock.unlock()
    state.pointee.released.signalAll()
  }
}

extension MutatorCore {
  /// A running mutator's answer to `hold`: waits where it stands. Its frames from `stackPointer` up do not change meanwhile, and
  /// hold what was in its registers.
  func stayHeld(_ request: UInt32, stackPointer: UInt) {
    state.pointee.parkedStack = stackPointer
    state.pointee.heldFrom = MutatorStatus.running
    state.pointee.status.store(MutatorStatus.held, ordering: .sequentiallyConsistent)
    state.pointee.answered.store(request, ordering: .releasing)
    heap.state.pointee.answers.signalAll()
    while state.pointee.status.load(ordering: .sequentiallyConsistent) == MutatorStatus.held {
      heap.waitForRelease(self)
    }
    state.pointee.parkedStack = 0
  }
}
