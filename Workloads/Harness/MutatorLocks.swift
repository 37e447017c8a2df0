// Locks for data that client threads share, and how a mutator waits for them.
//
// A thread that waits inside `withMutator` would keep the collector waiting for its handshake, so every wait happens in a blocking
// region; only an attempt that succeeds at once does without.

import Glibc
import Tricolor
import TricolorPlatform

/// A lock that one mutator holds at a time. Not recursive, not fair.
public final class MutatorLock: Sendable {
  private let lock = FutexLock()

  public init() {}

  /// Runs `body` with the lock held; waits for it in a blocking region.
  @inline(__always)
  public func holding<R, E: Error>(_ mutator: Mutator, _ body: () throws(E) -> R) throws(E) -> R {
    if !lock.tryLock() { mutator.blocking { lock.lock() } }
    defer { lock.unlock() }
    return try body()
  }
}

/// A lock for one writer or many readers; a waiting writer keeps new readers out. Not recursive.
public final class MutatorReadWriteLock: Sendable {
  nonisolated(unsafe) private let lock = UnsafeMutablePointer<pthread_rwlock_t>.allocate(capacity: 1)

  public init() {
    var attributes = pthread_rwlockattr_t()
    pthread_rwlockattr_init(&attributes)
    pthread_rwlockattr_setkind_np(&attributes, Int32(PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP))
    check(pthread_rwlock_init(lock, &attributes))
    pthread_rwlockattr_destroy(&attributes)
  }

  deinit {
    pthread_rwlock_destroy(lock)
    lock.deallocate()
  }

  /// Runs `body` with the lock held for reading.
  public func reading<R, E: Error>(_ mutator: Mutator, _ body: () throws(E) -> R) throws(E) -> R {
    if !spins({ pthread_rwlock_tryrdlock(lock) }) { mutator.blocking { check(pthread_rwlock_rdlock(lock)) } }
    defer { pthread_rwlock_unlock(lock) }
    return try body()
  }

  /// Runs `body` with the lock held for writing.
  public func writing<R, E: Error>(_ mutator: Mutator, _ body: () throws(E) -> R) throws(E) -> R {
    if !spins({ pthread_rwlock_trywrlock(lock) }) { mutator.blocking { check(pthread_rwlock_wrlock(lock)) } }
    defer { pthread_rwlock_unlock(lock) }
    return try body()
  }

  /// Tries for some 10 µs, as long as a sleep in the kernel and the way back take; whether `attempt` has succeeded (with 0).
  @inline(__always)
  private func spins(_ attempt: () -> Int32) -> Bool {
    for _ in 0..<16 {
      if attempt() == 0 { return true }
      for _ in 0..<16 { FutexLock.pause() }
    }
    return false
  }

  private func check(_ code: Int32) {
    precondition(code == 0, "a read-write lock failed: \(String(cString: strerror(code)))")
  }
}
