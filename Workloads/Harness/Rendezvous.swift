// Where the clients of one `runClients` meet at the end of their work, so that measuring ends once for all of them.
//
// A client that ends without coming, by an error or because its workload does not ask, is not waited for. The meeting is over
// when nobody is missing; where nobody came there was none, and nothing happens.

import Synchronization
import TricolorPlatform

/// A meeting of a fixed number of threads, once.
final class Rendezvous: Sendable {
  private struct State {
    var missing: Int
    var someCame = false
    var isOver = false
  }

  private let state: Mutex<State>
  private let event = FutexEvent()
  private let onComplete: @Sendable () -> Void

  /// `onComplete` runs before anybody is let go.
  init(count: Int, onComplete: @escaping @Sendable () -> Void) {
    state = Mutex(State(missing: count))
    self.onComplete = onComplete
  }

  /// Comes, and waits for the others.
  func meet() {
    countOne(came: true)
    while true {
      let seen = event.current()
      if state.withLock({ $0.isOver }) { return }
      event.wait(past: seen)
    }
  }

  /// Ends without coming.
  func leave() { countOne(came: false) }

  private func countOne(came: Bool) {
    let completes = state.withLock { state in
      state.missing -= 1
      state.someCame = state.someCame || came
      return state.missing == 0 && state.someCame
    }
    guard completes else { return }
    onComplete()
    state.withLock { $0.isOver = true }
    event.signalAll()
  }
}
