// Where all clients meet in every tick: what one does in a stage, others see in the next, and nobody needs a lock for it.
//
// A client that fails leaves, so that the others do not wait for it.

import Synchronization
import Tricolor
import TricolorPlatform

/// A meeting of threads that happens again and again.
final class TickBarrier: Sendable {
  private struct State {
    var members: Int
    var arrived = 0
    var round = 0
  }

  private let state: Mutex<State>
  private let event = FutexEvent()
  private let onComplete: @Sendable () -> Void

  /// - Parameter onComplete: run by the last to come, before anybody goes on.
  init(count: Int, onComplete: @escaping @Sendable () -> Void) {
    state = Mutex(State(members: count))
    self.onComplete = onComplete
  }

  /// Comes, and waits for the others in a blocking region.
  func meet(_ mutator: Mutator) {
    let round = state.withLock { state in
      state.arrived += 1
      return state.round
    }
    if completes() { return }
    mutator.blocking {
      while true {
        let seen = event.current()
        if state.withLock({ $0.round != round }) { return }
        event.wait(past: seen)
      }
    }
  }

  /// Does not come any more.
  func leave() {
    state.withLock { $0.members -= 1 }
    _ = completes()
  }

  /// Ends the round if everybody is there; whether it did.
  private func completes() -> Bool {
    let isComplete = state.withLock { state in
      guard state.arrived == state.members, state.members > 0 else { return false }
      // Whoever takes the round's arrivals ends it.
      state.arrived = 0
      return true
    }
    guard isComplete else { return false }
    onComplete()
    state.withLock { $0.round += 1 }
    event.signalAll()
    return true
  }
}
