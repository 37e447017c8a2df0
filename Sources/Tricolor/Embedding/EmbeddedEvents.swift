// The steps of a cycle as programs in other languages hear of them: begin and end of cycles and handshakes, on the collector thread.

import Synchronization
import TricolorPlatform

/// Something that happened in a cycle.
package struct EmbeddedEvent {
  package enum Kind: UInt32 {
    case cycleBegin, handshakeBegin, handshakeEnd, markingBegin, markingEnd, finalizers, cycleEnd
  }

  package let kind: Kind
  /// The number of the handshake, 0 where there is none.
  package var handshake: UInt32 = 0
  package let cycle: Int
  /// Since the heap was made.
  package let nanoseconds: UInt64
  /// Finalizers that wait.
  package var count = 0
}

extension Heap {
  /// Calls `body` on the collector thread with every event from now on; nil for nobody.
  package func onEvent(_ body: (@Sendable (EmbeddedEvent) -> Void)?) {
    guard let body else { return onCycleStep(nil) }
    let core = self.core
    onCycleStep { step in core.forEachEvent(at: step, body) }
  }
}

extension HeapCore {
  fileprivate func forEachEvent(at step: CycleStep, _ body: (EmbeddedEvent) -> Void) {
    let cycle = state.pointee.cycle.load(ordering: .relaxed)
    func tell(_ kind: EmbeddedEvent.Kind, _ handshake: Handshake = .none, count: Int = 0) {
      body(
        EmbeddedEvent(
          kind: kind, handshake: handshake.rawValue, cycle: cycle,
          nanoseconds: Clock.monotonic() - state.pointee.startTime, count: count))
    }
    switch step {
    case .posted(let handshake):
      if handshake == .arm { tell(.cycleBegin) }
      tell(.handshakeBegin, handshake)
    case .answered(let handshake): tell(.handshakeEnd, handshake)
    case .marking: tell(.markingBegin)
    case .clearing:
      tell(.markingEnd)
      let waiting = state.pointee.finalizers.ready.load(ordering: .relaxed)
      if waiting > 0 { tell(.finalizers, count: waiting) }
    case .over: tell(.cycleEnd)
    case .holding, .round: break
    }
  }
}
