// The lock of the streams' queues, with word of what was queued.
//
// Order: the store's lock before this one.

import Harness
import Tricolor
import TricolorPlatform

/// Guards the streams' queues, and tells the sender that something was queued.
final class QueueLock: Sendable {
  private let lock = MutatorLock()
  private let queued = FutexEvent()

  func holding<R, E: Error>(_ m: Mutator, _ body: () throws(E) -> R) throws(E) -> R { try lock.holding(m, body) }

  /// The state of the queues, to be taken before they are looked at and given to `wait`.
  func mark() -> UInt32 { queued.current() }
  func announce() { queued.signalAll() }

  /// Waits until something is announced after `mark`, or for `nanoseconds`.
  func wait(past mark: UInt32, nanoseconds: Int64, _ m: Mutator) {
    m.blocking { _ = queued.wait(past: mark, timeoutNanoseconds: nanoseconds) }
  }
}
