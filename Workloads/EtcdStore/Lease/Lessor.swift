// All leases by their number, and for each session a queue of them by the time they end.
//
// Time is counted by the session that granted the lease (a workload's client counts its operations), so that a run ends
// in the same state however its threads interleave. Sessions are few and fixed. Everything here is called with the
// store's writer lock held.
//
// Invariant: every lease is in exactly one bucket and one queue, and knows its place in the queue.

import Tricolor

/// A session's leases as a binary heap, the one that ends first in front.
struct ExpiryQueue: Managed {
  static let slot = TypeSlot()
  var leases: Reference<ReferenceArray<Lease>>?
  var leaseCount = 0
}

struct Lessor: Managed {
  static let slot = TypeSlot()
  static let bucketCount = 1_024
  var buckets: Reference<ReferenceArray<Lease>>?
  var queues: Reference<ReferenceArray<ExpiryQueue>>?
  var leaseCount: Int
}

extension Lessor {
  static func make(sessions: Int, _ m: Mutator) throws(OutOfMemory) -> Reference<Lessor> {
    let queues = try m.makeArray(of: ExpiryQueue.self, count: sessions)
    for session in 0..<sessions { queues[session] = try m.make(ExpiryQueue()) }
    let buckets = try m.makeArray(of: Lease.self, count: bucketCount)
    return try m.make(Lessor(buckets: buckets, queues: queues, leaseCount: 0))
  }
}

extension Reference where Target == Lessor {
  private func bucket(_ id: Int) -> Int { Int((UInt64(truncatingIfNeeded: id) &* 0x9E37_79B9_7F4A_7C15) >> 54) }

  func queue(_ session: Int) -> Reference<ExpiryQueue> { self.queues.unsafelyUnwrapped[session].unsafelyUnwrapped }

  /// The lease `id`, nil when there is none.
  func find(_ id: Int) -> Reference<Lease>? {
    var next = self.buckets.unsafelyUnwrapped[bucket(id)]
    while let lease = next {
      if lease.id == id { return lease }
      next = lease.nextInBucket
    }
    return nil
  }

  /// Adds a lease that `find` does not know.
  func grant(
    _ id: Int, lifetime: Int, session: Int, now: Int, _ m: Mutator
  ) throws(OutOfMemory) -> Reference<Lease> {
    try queue(session).reserve(m)
    let (expiry, overflow) = now.addingReportingOverflow(lifetime)
    let lease = try m.make(
      Lease(
        id: id, lifetime: lifetime, expiry: overflow ? .max : expiry, session: session, place: 0,
        items: try LeaseItems.make(m), nextInBucket: self.buckets.unsafelyUnwrapped[bucket(id)]))
    self.buckets.unsafelyUnwrapped[bucket(id)] = lease
    queue(session).insert(lease)
    self.leaseCount += 1
    return lease
  }

  /// Starts the lifetime of `lease` anew.
  func renew(_ lease: Reference<Lease>, now: Int) {
    let (expiry, overflow) = now.addingReportingOverflow(lease.lifetime)
    lease.expiry = overflow ? .max : expiry
    queue(lease.session).restoreOrder(from: lease.place)
  }

  /// Forgets `lease`; its keys are the caller's business.
  func remove(_ lease: Reference<Lease>) {
    queue(lease.session).remove(lease)
    let table = self.buckets.unsafelyUnwrapped
    let index = bucket(lease.id)
    var previous: Reference<Lease>? = nil
    var next = table[index]
    while let other = next {
      next = other.nextInBucket
      if other == lease {
        if let previous { previous.nextInBucket = next } else { table[index] = next }
        self.leaseCount -= 1
        return
      }
      previous = other
    }
  }

  /// A lease of `session` that has ended by `now`, nil when there is none.
  func expired(session: Int, now: Int) -> Reference<Lease>? {
    guard let first = queue(session).first, first.expiry <= now else { return nil }
    return first
  }
}

extension Reference where Target == ExpiryQueue {
  var first: Reference<Lease>? { self.leaseCount == 0 ? nil : leaseAt(0) }

  private func leaseAt(_ place: Int) -> Reference<Lease> { leases.unsafelyUnwrapped[place].unsafelyUnwrapped }

  fileprivate func reserve(_ m: Mutator) throws(OutOfMemory) {
    let capacity = leases?.count ?? 0
    guard self.leaseCount == capacity else { return }
    let grown = try m.makeArray(of: Lease.self, count: max(8, capacity * 2))
    if let leases {
      for index in 0..<self.leaseCount { grown[index] = leases[index] }
    }
    leases = grown
  }

  fileprivate func insert(_ new: Reference<Lease>) {
    self.leaseCount += 1
    put(new, at: self.leaseCount - 1)
    restoreOrder(from: self.leaseCount - 1)
  }

  fileprivate func remove(_ old: Reference<Lease>) {
    let place = old.place
    let last = leaseAt(self.leaseCount - 1)
    leases.unsafelyUnwrapped[self.leaseCount - 1] = nil
    self.leaseCount -= 1
    if last != old {
      put(last, at: place)
      restoreOrder(from: place)
    }
  }

  private func put(_ lease: Reference<Lease>, at place: Int) {
    leases.unsafelyUnwrapped[place] = lease
    lease.place = place
  }

  /// Moves the lease at `place`, whose expiry has changed, to where it belongs.
  fileprivate func restoreOrder(from place: Int) {
    let moved = leaseAt(place)
    var hole = place
    while hole > 0, leaseAt((hole - 1) / 2).expiry > moved.expiry {
      put(leaseAt((hole - 1) / 2), at: hole)
      hole = (hole - 1) / 2
    }
    while hole * 2 + 1 < self.leaseCount {
      var smaller = hole * 2 + 1
      if smaller + 1 < self.leaseCount && leaseAt(smaller + 1).expiry < leaseAt(smaller).expiry { smaller += 1 }
      if leaseAt(smaller).expiry >= moved.expiry { break }
      put(leaseAt(smaller), at: hole)
      hole = smaller
    }
    put(moved, at: hole)
  }
}
