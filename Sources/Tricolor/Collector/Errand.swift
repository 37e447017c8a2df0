// What other threads want done by the collector thread between two cycles, when everything is swept: `verify()` and `snapshot()`.

import Synchronization
import TricolorPlatform

/// One of them, in a struct of its own: a bare closure in a generic place is wrapped in another thunk at every look.
struct Errand {
  let run: @Sendable (HeapCore) -> Void
}

/// The answer to an errand, when it is there.
private final class ErrandAnswer<Answer: Sendable>: Sendable {
  private let answer = Mutex<Answer?>(nil)
  private let answered = FutexEvent()

  /// Waits for the answer.
  func wait() {
    while true {
      let seen = answered.current()
      if answer.withLock({ $0 != nil }) { return }
      answered.wait(past: seen)
    }
  }

  /// The answer, once it is there.
  var result: Answer { answer.withLock { $0 }! }

  func deliver(_ result: Answer) {
    answer.withLock { $0 = result }
    answered.signalAll()
  }
}

extension HeapCore {
  /// Has the collector thread run `body` between two cycles, with everything swept, and waits for what it answers, the calling thread
  /// parked in every heap it is inside of.
  func runBetweenCycles<Answer: Sendable>(_ body: @escaping @Sendable (HeapCore) -> Answer) -> Answer {
    let answer = ErrandAnswer<Answer>()
    services.errands.withLock { $0.append(Errand { core in answer.deliver(body(core)) }) }
    state.pointee.wakeCollector.signalAll()
    ThreadRecords.whileParked { answer.wait() }
    return answer.result
  }

  /// Runs every errand there is. On the collector thread, between cycles.
  func runErrands() {
    let errands = services.errands.withLock { waiting in
      defer { waiting = [] }
      return waiting
    }
    if errands.isEmpty { return }
    finishSweep()
    for errand in errands { errand.run(self) }
  }
}
