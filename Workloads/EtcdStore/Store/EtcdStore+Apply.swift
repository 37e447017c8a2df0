// Applying a transaction, under the writer lock: check, prepare, commit, tell.
//
// Preparing allocates everything the transaction needs, in the order in which it needs it; committing stores references
// and numbers. A transaction that runs out of memory while it prepares leaves at most empty indexes and room to spare
// behind.

import Harness
import Tricolor
import TricolorPlatform

extension EtcdStore {
  /// Applies `request`, appends `entry` to the log, and tells watchers. The writer lock is held.
  func apply(
    _ request: Reference<Request>, entry: Reference<RaftEntry>, _ response: Reference<TransactionResponse>?,
    _ state: Reference<StoreState>, _ m: Mutator
  ) throws -> TransactionOutcome {
    if let key = request.compareKey {
      let found = state.keys.find(UnsafeRawBufferPointer(key.bytes))?.current
      let modified = found?.modified ?? 0
      if modified != request.compareModified {
        state.entries.append(entry)
        response?.found = found
        return TransactionOutcome(succeeded: false, revision: state.revision, foundModified: modified)
      }
    }
    let writes = try prepare(request, state, m)
    let now = Clock.monotonic()
    state.entries.append(entry)
    if writes > 0 {
      commit(request, state, at: now)
      notify(request, state, at: now, m)
      state.batch.flushIfDue(to: backing, at: now)
      noteHalfway(state)
    }
    return TransactionOutcome(
      succeeded: true, revision: state.revision, compactionIsDue: state.historyBytes > configuration.historyBytes)
  }

  func noteHalfway(_ state: Reference<StoreState>) {
    if state.halfway == 0 && state.historyBytes > configuration.historyBytes / 2 { state.halfway = state.revision }
  }

  // MARK: Preparing

  /// Allocates all that `commit` needs and answers how many operations write anything.
  private func prepare(_ request: Reference<Request>, _ state: Reference<StoreState>, _ m: Mutator) throws -> Int {
    for place in 0..<request.operationCount where request.operation(place).lease != 0 {
      let lease = request.operation(place).lease
      guard state.leases.find(lease) != nil else { throw StoreError.leaseNotFound(lease) }
    }
    var writes = 0
    for place in 0..<request.operationCount {
      let operation = request.operation(place)
      if operation.kind == OperationKind.put {
        try preparePut(operation, sub: writes, state, m)
      } else {
        try prepareDelete(operation, sub: writes, state, m)
      }
      if operation.after != nil { writes += 1 }
    }
    try state.history.reserve(writes, m)
    try state.batch.reserve(writes, m)
    if let backing {
      for place in 0..<request.operationCount {
        if let buffered = request.operation(place).buffered { try backing.reserve(buffered.value?.count ?? 0) }
      }
    }
    return writes
  }

  private func preparePut(
    _ operation: Reference<Operation>, sub: Int, _ state: Reference<StoreState>, _ m: Mutator
  ) throws(OutOfMemory) {
    let index = try findOrInsert(operation, state, m)
    let before = index.current
    let main = state.revision + 1
    operation.index = index
    operation.before = before
    let after = try m.make(
      KeyValue(
        key: index.key, value: operation.value, created: before?.created ?? main, modified: main,
        version: (before?.version ?? 0) + 1, lease: operation.lease))
    operation.after = after
    try index.prepareCommit(deletes: false, m)
    if operation.lease != 0, operation.lease != before?.lease {
      try prepareAttach(operation, index, state, m)
    }
    operation.buffered = try buffered(after, sub: sub, m)
  }

  private func prepareAttach(
    _ operation: Reference<Operation>, _ index: Reference<KeyIndex>, _ state: Reference<StoreState>, _ m: Mutator
  ) throws(OutOfMemory) {
    let lease = state.leases.find(operation.lease).unsafelyUnwrapped
    try lease.items.unsafelyUnwrapped.reserve(m)
    operation.leaseItem = try m.make(
      LeaseItem(keyHash: Checksum.hash(index.keyBytes), key: index.key, next: nil))
  }

  private func prepareDelete(
    _ operation: Reference<Operation>, sub: Int, _ state: Reference<StoreState>, _ m: Mutator
  ) throws(OutOfMemory) {
    guard let index = state.keys.find(operation.keyBytes), let before = index.current else { return }
    operation.index = index
    operation.before = before
    let after = try m.make(
      KeyValue(key: index.key, value: nil, created: 0, modified: state.revision + 1, version: 0, lease: 0))
    operation.after = after
    try index.prepareCommit(deletes: true, m)
    operation.buffered = try buffered(after, sub: sub, m)
  }

  private func findOrInsert(
    _ operation: Reference<Operation>, _ state: Reference<StoreState>, _ m: Mutator
  ) throws(OutOfMemory) -> Reference<KeyIndex> {
    if let index = state.keys.find(operation.keyBytes) { return index }
    let new = try m.make(KeyIndex(key: operation.key, generations: nil, generationCount: 0, modified: 0))
    try state.keys.insert(new, m)
    return new
  }

  /// The pair as the backend would store it: 17 bytes of revision as key, the marshalled pair as value.
  private func buffered(
    _ pair: Reference<KeyValue>, sub: Int, _ m: Mutator
  ) throws(OutOfMemory) -> Reference<BufferedPair> {
    let key = try m.makeBytes(count: 17) { buffer in
      buffer.storeBytes(of: pair.modified.bigEndian, as: Int.self)
      buffer[8] = UInt8(ascii: "_")
      buffer.storeBytes(of: sub.bigEndian, toByteOffset: 9, as: Int.self)
    }
    return try m.make(BufferedPair(key: key, value: try pair.marshal(m)))
  }

  // MARK: Committing

  /// Makes the prepared writes visible at the next revision. Allocates nothing.
  private func commit(_ request: Reference<Request>, _ state: Reference<StoreState>, at now: UInt64) {
    let main = state.revision + 1
    var sub = 0
    for place in 0..<request.operationCount {
      let operation = request.operation(place)
      guard let after = operation.after, let index = operation.index, let buffered = operation.buffered else {
        continue
      }
      index.commit(after, main: main, sub: sub)
      moveLease(operation, after, state)
      if let before = operation.before {
        state.historyBytes += before.footprint
        state.pairBytes -= before.contentBytes
      }
      if !after.isDeletion { state.pairBytes += after.contentBytes }
      if after.isDeletion { state.historyBytes += after.footprint }
      state.history.append(after, main: main, at: now)
      state.batch.append(buffered)
      sub += 1
    }
    state.revision = main
  }

  /// Takes the key from the lease it hung on, and hangs it on its new one.
  private func moveLease(
    _ operation: Reference<Operation>, _ after: Reference<KeyValue>, _ state: Reference<StoreState>
  ) {
    let old = operation.before?.lease ?? 0
    if old != 0 && old != after.lease {
      state.leases.find(old)?.items.unsafelyUnwrapped.remove(after.keyBytes)
    }
    if let item = operation.leaseItem {
      state.leases.find(after.lease)?.items.unsafelyUnwrapped.insert(item)
    }
  }

  // MARK: Telling

  private func notify(_ request: Reference<Request>, _ state: Reference<StoreState>, at now: UInt64, _ m: Mutator) {
    let hub = state.watches
    if hub.watcherCount == 0 { return }
    var batches = WatchBatches()
    for place in 0..<request.operationCount {
      let operation = request.operation(place)
      guard let after = operation.after else { continue }
      let change = Change(pair: after, previous: operation.before, committedAt: now)
      hub.count(change)
      hub.collect(change, state: WatcherState.synced, into: &batches, m)
    }
    if batches.isIncomplete {
      hub.abandon(&batches)
      hub.recoverFromLog(from: state.revision)
    } else if batches.first != nil {
      queues.holding(m) { hub.enqueue(&batches, through: state.revision) }
      queues.announce()
    }
  }
}
