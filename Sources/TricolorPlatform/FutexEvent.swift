// Waiting for "something happened since I looked", in raw memory: a counter that only rises, and how many threads wait.
//
// A waiter reads the counter, checks its condition, and waits past what it read; a signal between the two moves the counter and
// the wait returns at once, so no wake-up is lost and no lock is needed. Signalling costs one atomic add when nobody waits.
//
// Invariant: a waiter counts itself before the kernel compares the counter, and a signaller moves the counter before it looks
// for waiters, both sequentially consistent: one of them always sees the other. The counter may wrap; only a wait across
// exactly 2^32 signals could miss one.

import CTricolorShims
import Glibc
import Synchronization

/// The storage of an event: zeroed memory is an event that was never signalled. Used where it lies.
public struct FutexEvent: ~Copyable, Sendable {
  @usableFromInline let counter = Atomic<UInt32>(0)
  @usableFromInline let waiters = Atomic<UInt32>(0)

  @inlinable public init() {}
}

extension FutexEvent {
  /// The number of signals so far, to be read before the condition is checked and given to `wait(past:)`.
  @inlinable @inline(__always)
  public func current() -> UInt32 { counter.load(ordering: .acquiring) }

  /// Counts a signal and wakes every waiter. What the caller wrote before is visible to the woken.
  public func signalAll() {
    counter.wrappingAdd(1, ordering: .sequentiallyConsistent)
    guard waiters.load(ordering: .sequentiallyConsistent) != 0 else { return }
    _ = tricolor_futex_wake(address, .max)
  }

  /// Waits until the counter has moved past `seen`.
  ///
  /// - Parameter timeoutNanoseconds: how long at most; negative waits without end, 0 only looks.
  /// - Returns: false when time ran out first.
  @discardableResult
  public func wait(past seen: UInt32, timeoutNanoseconds: Int64 = -1) -> Bool {
    if current() != seen { return true }
    let deadline = timeoutNanoseconds < 0 ? nil : Clock.monotonic() + UInt64(timeoutNanoseconds)
    waiters.wrappingAdd(1, ordering: .sequentiallyConsistent)
    defer { waiters.wrappingSubtract(1, ordering: .relaxed) }
    while true {
      var remaining: Int64 = -1
      if let deadline {
        let now = Clock.monotonic()
        guard now < deadline else { return current() != seen }
        remaining = Int64(deadline - now)
      }
      _ = tricolor_futex_wait(address, seen, remaining)
      if current() != seen { return true }
    }
  }

  /// The counter itself: an atomic is never moved while it is borrowed, and the event lives at one address for good.
  private var address: UnsafePointer<UInt32> {
    withUnsafePointer(to: counter) { UnsafeRawPointer($0).assumingMemoryBound(to: UInt32.self) }
  }
}
