// Stopping, and starting again from the file: as etcd does, every record of it is read in the order of revisions, and the index, its histories, the
// log of revisions and the leases are made anew of what they say.
//
// What a crash would need besides (the entries of the replicated log that no batch has written yet) is not modelled: stopping writes the batch.

import Tricolor
import TricolorPlatform

extension EtcdStore {
  /// Writes what is buffered to the file and lets go of everything on the heap. Nobody may use the store from then on.
  func stop(_ m: Mutator) {
    lock.writing(m) {
      let state = self.state(m)
      state.batch.flush(to: backing, at: Clock.monotonic())
      backing?.note(revision: state.revision, compacted: state.compacted)
    }
    root.set(nil, m)
  }

  /// The store whose records `file` has.
  ///
  /// - Throws: `StoreError.malformedRequest` for a record that is none; `OutOfMemory`.
  /// - Returns: the store, and how many records were read.
  static func recovered(
    from file: BackingFile, _ configuration: StoreConfiguration, _ m: Mutator
  ) throws -> (store: EtcdStore, records: Int) {
    let store = try EtcdStore(configuration, backing: file, m)
    let state = store.state(m)
    let found = file.recover()
    for (id, lease) in found.leases {
      _ = try state.leases.grant(
        id, lifetime: lease.lifetime, session: lease.session, now: lease.expiry - lease.lifetime, m)
    }
    let now = Clock.monotonic()
    for record in found.records {
      let pair = try KeyValue.decode(file.content(of: record), m)
      try store.takeIn(pair, record, state, compacted: found.compacted, at: now, m)
      m.poll()
    }
    state.revision = found.revision
    state.compacted = found.compacted
    try store.attachAll(state, m)
    return (store, found.records.count)
  }

  /// Adds a record behind all that were added before.
  private func takeIn(
    _ pair: Reference<KeyValue>, _ record: RecordPlace, _ state: Reference<StoreState>, compacted: Int,
    at now: UInt64, _ m: Mutator
  ) throws {
    let index: Reference<KeyIndex>
    if let known = state.keys.find(pair.keyBytes) {
      index = known
      pair.key = known.key
    } else {
      index = try m.make(KeyIndex(key: pair.key, generations: nil, generationCount: 0, modified: 0))
      try state.keys.insert(index, m)
    }
    let before = index.current
    try index.prepareCommit(deletes: pair.isDeletion, m)
    if before == nil && !pair.isDeletion {
      index.restore(pair, main: record.main, sub: record.sub)
    } else {
      index.commit(pair, main: record.main, sub: record.sub)
    }
    if let before {
      state.historyBytes += before.footprint
      state.pairBytes -= before.contentBytes
    }
    if pair.isDeletion { state.historyBytes += pair.footprint } else { state.pairBytes += pair.contentBytes }
    if record.main > compacted {
      try state.history.reserve(1, m)
      state.history.append(pair, main: record.main, at: now)
    }
    state.revision = record.main
    noteHalfway(state)
  }

  /// Hangs every key on its lease.
  private func attachAll(_ state: Reference<StoreState>, _ m: Mutator) throws {
    try state.keys.ascend(from: UnsafeRawBufferPointer(start: nil, count: 0)) { index in
      if let pair = index.current, pair.lease != 0, let key = pair.key { try attach(key, to: pair.lease, state, m) }
      m.poll()
      return true
    }
  }
}

extension KeyValue {
  /// The pair that `marshal` made these bytes of.
  ///
  /// - Throws: `StoreError.malformedRequest`; `OutOfMemory`.
  static func decode(_ bytes: UnsafeRawBufferPointer, _ m: Mutator) throws -> Reference<KeyValue> {
    let pair = try m.make(KeyValue(key: nil, value: nil, created: 0, modified: 0, version: 0, lease: 0))
    var reader = WireReader(bytes)
    while try reader.next() {
      switch reader.field {
      case PairField.key: pair.key = try m.makeBytes(copying: reader.content)
      case PairField.value: pair.value = try m.makeBytes(copying: reader.content)
      case PairField.created: pair.created = reader.integer
      case PairField.modified: pair.modified = reader.integer
      case PairField.version: pair.version = reader.integer
      case PairField.lease: pair.lease = reader.integer
      default: continue
      }
    }
    guard pair.key != nil else { throw StoreError.malformedRequest(offset: bytes.count) }
    if !pair.isDeletion && pair.value == nil { pair.value = try m.makeBytes(count: 0) }
    return pair
  }
}
