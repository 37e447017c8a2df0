// A lock that is one zeroed word anywhere in memory, for descriptors and side tables that no Swift object can live in.
//
// The three-state lock of Drepper, "Futexes are tricky": 0 free, 1 held, 2 held and somebody may sleep. It spins a little first,
// since the sections it guards are tens of instructions, then sleeps in the kernel, so that a holder that lost its processor is
// not waited for by burning the only other one. Unlocking makes a system call only when the word was 2.
//
// Invariant: a thread that sleeps has stored 2 after its last look, so the holder's exchange with 0 sees it and wakes one.

import CTricolorShims
import Synchronization

/// The storage of a lock: zeroed memory is an unlocked one. Used where it lies, as a stored `let` or through a pointer; not recursive, not
/// fair, and dead memory once nobody holds it: there is nothing to destroy.
public struct FutexLock: ~Copyable, Sendable {
  @usableFromInline let word = Atomic<UInt32>(0)

  @inlinable public init() {}
}

extension FutexLock {
  /// Takes the lock, waiting for as long as another thread holds it. A thread that already holds it waits for ever.
  @inlinable @inline(__always)
  public func lock() {
    if !tryLock() { lockSlowly() }
  }

  /// Takes the lock if it is free; never waits.
  @inlinable @inline(__always)
  public func tryLock() -> Bool {
    word.compareExchange(expected: 0, desired: 1, successOrdering: .acquiring, failureOrdering: .relaxed)
      .exchanged
  }

  /// Frees the lock; the calling thread must hold it.
  @inlinable @inline(__always)
  public func unlock() {
    if word.exchange(0, ordering: .releasing) == 2 { wakeOne() }
  }

  /// Runs `body` with the lock held, and frees it however `body` ends.
  @inlinable @inline(__always)
  public func withLock<R, E: Error>(_ body: () throws(E) -> R) throws(E) -> R {
    lock()
    defer { unlock() }
    return try body()
  }
}

extension FutexLock {
  /// One step of a busy wait: tells the processor that nothing else is to be done (about 40 ns).
  @inlinable @inline(__always)
  public static func pause() { tricolor_spin_hint() }

  private static let spins = 100

  @usableFromInline @inline(never)
  func lockSlowly() {
    for _ in 0..<FutexLock.spins {
      if word.load(ordering: .relaxed) == 0,
        word.compareExchange(expected: 0, desired: 1, successOrdering: .acquiring, failureOrdering: .relaxed)
          .exchanged
      {
        return
      }
      FutexLock.pause()
    }
    while word.exchange(2, ordering: .acquiring) != 0 {
      // Any return means: look again. The kernel refuses to sleep unless the word is still 2.
      _ = tricolor_futex_wait(address, 2, -1)
    }
  }

  @usableFromInline @inline(never)
  func wakeOne() {
    _ = tricolor_futex_wake(address, 1)
  }

  /// The word itself: an atomic is never moved while it is borrowed, and the lock lives at one address for good.
  private var address: UnsafePointer<UInt32> {
    withUnsafePointer(to: word) { UnsafeRawPointer($0).assumingMemoryBound(to: UInt32.self) }
  }
}
