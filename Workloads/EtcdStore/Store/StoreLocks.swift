// The store's two locks, and how a mutator waits for them.
//
// A thread that waits inside `withMutator` would keep the collector waiting for its handshake, so every wait happens in
// a blocking region; only an attempt that succeeds at once does without. Order: store lock before queue lock.

import Glibc
import Tricolor
import TricolorPlatform

/// One writer or many readers; a waiting writer keeps new readers out.
final class StoreLock: Sendable {
  nonisolated(unsafe) private let lock = UnsafeMutablePointer<pthread_rwlock_t>.allocate(capacity: 1)

  init() {
    var attributes = pthread_rwlockattr_t()
    pthread_rwlockattr_init(&attributes)
    pthread_rwlockattr_setkind_np(&attributes, Int32(PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP))
    let code = pthread_rwlock_init(lock, &attributes)
    precondition(code == 0, "pthread_rwlock_init failed: \(String(cString: strerror(code)))")
    pthread_rwlockattr_destroy(&attributes)
  }

  deinit {
    pthread_rwlock_destroy(lock)
    lock.deallocate()
  }

  func reading<R, E: Error>(_ m: Mutator, _ body: () throws(E) -> R) throws(E) -> R {
    if pthread_rwlock_tryrdlock(lock) != 0 {
      m.blocking { check(pthread_rwlock_rdlock(lock)) }
    }
    defer { pthread_rwlock_unlock(lock) }
    return try body()
  }

  func writing<R, E: Error>(_ m: Mutator, _ body: () throws(E) -> R) throws(E) -> R {
    if pthread_rwlock_trywrlock(lock) != 0 {
      m.blocking { check(pthread_rwlock_wrlock(lock)) }
    }
    defer { pthread_rwlock_unlock(lock) }
    return try body()
  }

  private func check(_ code: Int32) {
    precondition(code == 0, "the store's lock failed: \(String(cString: strerror(code)))")
  }
}

/// Guards the streams' queues, and tells the sender that something was queued.
final class QueueLock: Sendable {
  nonisolated(unsafe) private let lock = UnsafeMutablePointer<FutexLock>.allocate(capacity: 1)
  nonisolated(unsafe) private let queued = UnsafeMutablePointer<FutexEvent>.allocate(capacity: 1)

  init() {
    lock.initialize(to: FutexLock())
    queued.initialize(to: FutexEvent())
  }

  deinit {
    lock.deinitialize(count: 1)
    lock.deallocate()
    queued.deinitialize(count: 1)
    queued.deallocate()
  }

  func holding<R, E: Error>(_ m: Mutator, _ body: () throws(E) -> R) throws(E) -> R {
    if !lock.pointee.tryLock() { m.blocking { lock.pointee.lock() } }
    defer { lock.pointee.unlock() }
    return try body()
  }

  /// The state of the queues, to be taken before they are looked at and given to `wait`.
  func mark() -> UInt32 { queued.pointee.current() }
  func announce() { queued.pointee.signalAll() }

  /// Waits until something is announced after `mark`, or for `nanoseconds`.
  func wait(past mark: UInt32, nanoseconds: Int64, _ m: Mutator) {
    m.blocking { _ = queued.pointee.wait(past: mark, timeoutNanoseconds: nanoseconds) }
  }
}
