// The bounded queue between the two threads of a pair: a ring of references on the managed heap, held by a root, with a lock and an
// event in native memory. A thread waits in a blocking region only, so that the collector never waits for a maker whose taker is slow.
//
// Waits end now and then to ask whether the run is over: a thread whose partner failed, or never started, must not wait for it for ever.
// A taker that gives up closes the queue in the same step in which it sees that it is empty, so no parcel is put in unseen.
//
// Invariant, under the lock: the `count` slots from `first` on hold parcels, the others nil.

import Harness
import Tricolor
import TricolorPlatform

/// A queue of parcels with one thread at each end.
final class ParcelQueue: Sendable {
  private static let capacity = 8
  private static let patienceNanoseconds: Int64 = 50_000_000

  private let ring: Root<ReferenceArray<ParcelMessage>>
  private let lock = FutexLock()
  private let changed = FutexEvent()
  nonisolated(unsafe) private var first = 0
  nonisolated(unsafe) private var count = 0
  nonisolated(unsafe) private var isClosed = false

  init(_ mutator: Mutator) throws(OutOfMemory) {
    ring = mutator.root(try mutator.makeArray(of: ParcelMessage.self, count: Self.capacity))
  }

  /// Adds a parcel, waiting while the queue is full; false when it was not added, because the taker has gone or the run ends.
  func put(_ parcel: Reference<ParcelMessage>, _ client: Client, _ mutator: Mutator) -> Bool {
    var isIn = false
    change(mutator) {
      if count < Self.capacity && !isClosed {
        ring.get(mutator)![(first + count) % Self.capacity] = parcel
        count += 1
        isIn = true
      }
      return isIn || isClosed || client.shouldStop
    }
    return isIn
  }

  /// The oldest parcel, waiting while there is none; nil when there will be none any more.
  func take(_ client: Client, _ mutator: Mutator) -> Reference<ParcelMessage>? {
    var parcel: Reference<ParcelMessage>? = nil
    change(mutator) {
      if count > 0 {
        let ring = self.ring.get(mutator)!
        parcel = ring[first]
        ring[first] = nil
        first = (first + 1) % Self.capacity
        count -= 1
        return true
      }
      isClosed = isClosed || client.shouldStop
      return isClosed
    }
    return parcel
  }

  /// No more parcels will come.
  func close(_ mutator: Mutator) {
    change(mutator) {
      isClosed = true
      return true
    }
  }

  /// Tries `attempt` with the lock held until it says that it is done, waiting for the other side in between, which is then told.
  private func change(_ mutator: Mutator, _ attempt: () -> Bool) {
    while true {
      let seen = changed.current()
      if holdingLock(mutator, attempt) { return changed.signalAll() }
      mutator.blocking { _ = changed.wait(past: seen, timeoutNanoseconds: Self.patienceNanoseconds) }
    }
  }

  private func holdingLock(_ mutator: Mutator, _ body: () -> Bool) -> Bool {
    if !lock.tryLock() { mutator.blocking { lock.lock() } }
    defer { lock.unlock() }
    return body()
  }
}
