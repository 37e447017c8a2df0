// Taking over the keys of another store, as etcd does when it starts from a snapshot: revisions, versions and leases
// stay as they were, but only the last write of each key exists, so everything before the snapshot's revision counts as
// compacted.

import Harness
import Tricolor

/// A key as it was in the other store.
struct RestoredKey {
  var key: UnsafeRawBufferPointer
  var value: UnsafeRawBufferPointer
  var created: Int
  var modified: Int
  var version: Int
  var lease: Int
}

extension EtcdStore {
  /// Adds a key to a store that no one else uses yet. Keys come in rising order; `finishRestore` ends.
  ///
  /// A lease that is not there is granted to session 0 for ever.
  ///
  /// - Throws: `StoreError.restoreOutOfOrder` for a key that the store has already; `OutOfMemory`.
  func restore(_ restored: RestoredKey, _ m: Mutator) throws {
    try lock.writing(m) {
      let state = self.state(m)
      guard !restored.key.isEmpty else { throw StoreError.emptyKey }
      guard state.keys.find(restored.key) == nil else { throw StoreError.restoreOutOfOrder }
      let key = try m.makeBytes(copying: restored.key)
      let index = try m.make(KeyIndex(key: key, generations: nil, generationCount: 0, modified: 0))
      let pair = try m.make(
        KeyValue(
          key: key, value: try m.makeBytes(copying: restored.value), created: restored.created,
          modified: restored.modified, version: restored.version, lease: restored.lease))
      try index.prepareCommit(deletes: false, m)
      if restored.lease != 0 { try attach(key, to: restored.lease, state, m) }
      try state.keys.insert(index, m)
      state.pairBytes += pair.contentBytes
      let sub = backing?.unusedSub(of: restored.modified) ?? 0
      index.restore(pair, main: restored.modified, sub: sub)
      if let backing {
        let marshalled = try pair.marshal(m)
        try backing.reserve(marshalled.count)
        backing.write(main: restored.modified, sub: sub, UnsafeRawBufferPointer(marshalled.bytes))
      }
    }
  }

  /// Ends a restore: the store stands at the other one's `revision`.
  func finishRestore(revision: Int, _ m: Mutator) {
    lock.writing(m) {
      let state = self.state(m)
      state.revision = revision
      state.compacted = revision
    }
  }

  /// Hangs a key on a lease; one that is not there is granted for ever.
  func attach(_ key: Reference<Bytes>, to id: Int, _ state: Reference<StoreState>, _ m: Mutator) throws {
    if state.leases.find(id) == nil {
      try backing?.reserve(MemoryLayout<StoredLease>.size)
      let lease = try state.leases.grant(id, lifetime: .max, session: 0, now: 0, m)
      backing?.write(lease: id, StoredLease(lifetime: .max, session: 0, expiry: lease.expiry))
    }
    let items = state.leases.find(id).unsafelyUnwrapped.items.unsafelyUnwrapped
    try items.reserve(m)
    items.insert(
      try m.make(LeaseItem(keyHash: Checksum.hash(UnsafeRawBufferPointer(key.bytes)), key: key, next: nil)))
  }
}
