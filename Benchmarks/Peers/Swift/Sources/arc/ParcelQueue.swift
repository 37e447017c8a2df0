// The bounded queue between the two threads of a pair: a ring under a lock, with a condition, as in all languages. Only one of the two
// threads can wait at a time.

import Glibc

/// Safe from any thread; lock and condition stay in memory for the program's whole life.
final class ParcelQueue: @unchecked Sendable {
  private static let capacity = 8

  private let lock = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
  private let changed = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)
  private var parcels = [Parcel?](repeating: nil, count: capacity)
  private var first = 0
  private var count = 0

  init() {
    pthread_mutex_init(lock, nil)
    pthread_cond_init(changed, nil)
  }

  /// Adds a parcel, waiting while the queue is full.
  func put(_ parcel: consuming Parcel) {
    pthread_mutex_lock(lock)
    while count == Self.capacity { pthread_cond_wait(changed, lock) }
    parcels[(first + count) % Self.capacity] = parcel
    count += 1
    pthread_cond_signal(changed)
    pthread_mutex_unlock(lock)
  }

  /// Takes the oldest parcel, waiting while there is none.
  func take() -> Parcel {
    pthread_mutex_lock(lock)
    defer { pthread_mutex_unlock(lock) }
    while count == 0 { pthread_cond_wait(changed, lock) }
    let parcel = parcels[first].take()!
    first = (first + 1) % Self.capacity
    count -= 1
    pthread_cond_signal(changed)
    return parcel
  }
}
