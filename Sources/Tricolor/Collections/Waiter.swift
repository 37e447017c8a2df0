// Who waits at a channel: a thread asleep on an event, or a task suspended on a continuation, in a queue that both can leave.
//
// Invariant: whoever takes a waiter out of its queue, under the channel's lock, settles it, once.

import Synchronization
import TricolorPlatform

/// One wait, of a thread or a task.
final class Waiter: @unchecked Sendable {
  /// How a wait ended.
  enum Outcome: UInt8 {
    case granted = 1
    case closed, cancelled
  }

  /// What a task goes on with, nil for a thread. Guarded by the channel's lock until the waiter is in a queue.
  var continuation: UnsafeContinuation<Outcome, Never>?
  /// Whether the task was cancelled. Guarded by the channel's lock.
  var isCancelled = false
  fileprivate var next: Waiter?
  fileprivate unowned(unsafe) var previous: Waiter?
  fileprivate var isQueued = false
  /// 0 until it is settled.
  private let outcome = Atomic<UInt8>(0)
  private let settled = FutexEvent()

  /// Ends the wait. Not under the channel's lock: a resumed task may run at once.
  func settle(_ outcome: Outcome) {
    if let continuation { return continuation.resume(returning: outcome) }
    self.outcome.store(outcome.rawValue, ordering: .releasing)
    settled.signalAll()
  }

  /// Waits on the calling thread.
  func wait() -> Outcome {
    while true {
      let seen = settled.current()
      if let outcome = Outcome(rawValue: outcome.load(ordering: .acquiring)) { return outcome }
      settled.wait(past: seen)
    }
  }
}

/// Waiters in the order they came; any of them can leave in constant time.
struct WaiterQueue {
  private var first: Waiter?
  private unowned(unsafe) var last: Waiter?

  mutating func append(_ waiter: Waiter) {
    waiter.previous = last
    waiter.isQueued = true
    if let last { last.next = waiter } else { first = waiter }
    last = waiter
  }

  mutating func takeFirst() -> Waiter? {
    guard let waiter = first else { return nil }
    _ = remove(waiter)
    return waiter
  }

  /// Whether it was there.
  mutating func remove(_ waiter: Waiter) -> Bool {
    guard waiter.isQueued else { return false }
    waiter.isQueued = false
    let (previous, next) = (waiter.previous, waiter.next)
    if let next { next.previous = previous } else { last = previous }
    if let previous { previous.next = next } else { first = next }
    waiter.next = nil
    waiter.previous = nil
    return true
  }

  mutating func takeAll() -> [Waiter] {
    var all: [Waiter] = []
    while let waiter = takeFirst() { all.append(waiter) }
    return all
  }
}
