// Leases: granted and renewed by a session, revoked or expired with all keys that hang on them.

import Tricolor

extension EtcdStore {
  /// Grants lease `id` for `lifetime` ticks of the session's clock, which shows `now`.
  ///
  /// - Throws: `StoreError` when the lease exists or the session does not; `OutOfMemory`.
  func grant(_ id: Int, lifetime: Int, session: Int, now: Int, _ m: Mutator) throws {
    guard session >= 0 && session < configuration.sessions else {
      throw StoreError.noSuchSession(session, sessions: configuration.sessions)
    }
    try lock.writing(m) {
      let lessor = state(m).leases
      guard lessor.find(id) == nil else { throw StoreError.leaseExists(id) }
      try backing?.reserve(MemoryLayout<StoredLease>.size)
      let lease = try lessor.grant(id, lifetime: lifetime, session: session, now: now, m)
      backing?.write(lease: id, StoredLease(lifetime: lifetime, session: session, expiry: lease.expiry))
    }
  }

  /// Starts the lifetime of lease `id` anew. As in etcd a renewal is not replicated and makes no revision.
  ///
  /// - Throws: `StoreError` when there is no such lease.
  func renew(_ id: Int, now: Int, _ m: Mutator) throws(StoreError) {
    try lock.writing(m) { () throws(StoreError) in
      let lessor = state(m).leases
      guard let lease = lessor.find(id) else { throw .leaseNotFound(id) }
      lessor.renew(lease, now: now)
      backing?.renew(lease: id, expiry: lease.expiry)
    }
  }

  /// Ends lease `id` and deletes its keys, in one revision.
  ///
  /// - Throws: `StoreError` when there is no such lease; `OutOfMemory`.
  func revoke(_ id: Int, _ m: Mutator) throws {
    try lock.writing(m) {
      let state = self.state(m)
      guard let lease = state.leases.find(id) else { throw StoreError.leaseNotFound(id) }
      try revoke(lease, state, m)
    }
  }

  /// Ends the lease of `session` that should have ended first, if its time has passed at `now`, and answers its number;
  /// nil when none's has.
  ///
  /// - Throws: `OutOfMemory`; the lease is still there then.
  func expireOne(session: Int, now: Int, _ m: Mutator) throws -> Int? {
    try lock.writing(m) {
      let state = self.state(m)
      guard let lease = state.leases.expired(session: session, now: now) else { return nil }
      try revoke(lease, state, m)
      state.expiredLeases += 1
      return lease.id
    }
  }

  /// Deletes the keys of `lease`, then forgets it. The writer lock is held.
  private func revoke(_ lease: Reference<Lease>, _ state: Reference<StoreState>, _ m: Mutator) throws {
    let keys = try lease.items.unsafelyUnwrapped.sortedKeys(m)
    if keys.count > 0 {
      let operations = try m.makeArray(of: Operation.self, count: keys.count)
      for index in 0..<keys.count {
        operations[index] = try m.make(
          Operation(
            kind: OperationKind.delete, lease: 0, key: keys[index], value: nil, index: nil, before: nil, after: nil,
            leaseItem: nil, buffered: nil))
      }
      let request = try m.make(Request(id: 0, compareKey: nil, compareModified: 0, operations: operations))
      let data = try m.makeBytes(count: 16) { $0.storeBytes(of: lease.id, as: Int.self) }
      let entry = try m.make(RaftEntry(index: 0, term: 0, data: data))
      _ = try apply(request, entry: entry, nil, state, m)
    }
    state.leases.remove(lease)
    backing?.forget(lease: lease.id)
  }
}
