// Compaction: forget what no read at or after a revision can see.
//
// As in etcd the index is walked as a snapshot, a few keys at a time under the lock, so that writers go on in between;
// the nodes they change meanwhile are copied. What it drops is the largest wave of garbage a store makes at once.

import Synchronization
import Tricolor
import TricolorPlatform

/// What a compaction did.
struct CompactionReport: Sendable {
  let revision: Int
  var visitedKeys = 0
  var droppedRecords = 0
  var droppedKeys = 0
  var droppedBytes = 0
}

extension EtcdStore {
  private static let keysPerTurn = 256

  /// Compacts the older half of the history if it has grown beyond what the store was configured with. Nil when it has
  /// not, or another thread compacts.
  func compactHistory(_ m: Mutator) throws -> CompactionReport? {
    try compactAlone(m) { state in
      guard state.historyBytes > configuration.historyBytes, state.revision > state.compacted else { return nil }
      let target = state.halfway
      state.halfway = state.revision
      return target > state.compacted ? target : state.revision
    }
  }

  /// Compacts all history.
  func compactAll(_ m: Mutator) throws -> CompactionReport? {
    try compactAlone(m) { state in
      state.halfway = 0
      return state.revision > state.compacted ? state.revision : nil
    }
  }

  /// Forgets what no read at `revision` or later can see. Nil when another thread compacts.
  ///
  /// - Throws: `StoreError` for a revision that is compacted already or in the future; `OutOfMemory`, with part of the
  ///   keys done.
  func compact(through revision: Int, _ m: Mutator) throws -> CompactionReport? {
    try compactAlone(m) { _ in revision }
  }

  /// Compacts through the revision that `choose` answers, if any, under the lock and while nobody else compacts: one chosen before may be
  /// compacted by the time it is its turn. Nil when another thread compacts.
  private func compactAlone(
    _ m: Mutator, _ choose: (Reference<StoreState>) -> Int?
  ) throws -> CompactionReport? {
    guard !isCompacting.exchange(true, ordering: .acquiring) else { return nil }
    defer { isCompacting.store(false, ordering: .releasing) }
    let begun = try lock.writing(m) {
      let state = self.state(m)
      guard let revision = choose(state) else { return nil as (Int, Reference<KeyTree>)? }
      if revision <= state.compacted { throw StoreError.compacted(requested: revision, oldest: state.compacted) }
      if revision > state.revision { throw StoreError.future(requested: revision, current: state.revision) }
      let snapshot = try state.keys.snapshot(m)
      state.compacted = revision
      // What is dropped must be in the file to be forgotten there.
      if backing != nil { state.batch.flush(to: backing, at: Clock.monotonic()) }
      return (revision, snapshot)
    }
    guard let (revision, snapshot) = begun else { return nil }
    var report = CompactionReport(revision: revision)
    let turn = try m.makeArray(of: KeyIndex.self, count: EtcdStore.keysPerTurn)
    var filled = 0
    try snapshot.ascend(from: UnsafeRawBufferPointer(start: nil, count: 0)) { index in
      turn[filled] = index
      filled += 1
      if filled == turn.count {
        try compact(turn, filled, through: revision, &report, m)
        filled = 0
      }
      return true
    }
    try compact(turn, filled, through: revision, &report, m)
    lock.writing(m) {
      let state = self.state(m)
      state.history.trim(through: revision)
      state.compactions += 1
    }
    return report
  }

  private func compact(
    _ keys: Reference<ReferenceArray<KeyIndex>>, _ count: Int, through revision: Int, _ report: inout CompactionReport,
    _ m: Mutator
  ) throws(OutOfMemory) {
    try lock.writing(m) { () throws(OutOfMemory) in
      let state = self.state(m)
      for place in 0..<count {
        let index = keys[place].unsafelyUnwrapped
        let result = try index.compact(at: revision, forgetIn: backing, m)
        state.historyBytes -= result.droppedBytes
        report.visitedKeys += 1
        report.droppedRecords += result.droppedRecords
        report.droppedBytes += result.droppedBytes
        if result.isGone, try state.keys.remove(index.keyBytes, m) != nil { report.droppedKeys += 1 }
      }
    }
    m.poll()
  }
}
