// The history of one key since the last compaction, after etcd's keyIndex: generations, each from a creation to a
// deletion, each with its revisions in order.
//
// A write first prepares (allocates all it may need), then commits without allocating, so running out of memory never
// leaves half a write behind. Growing doubles the array and leaves the old one as garbage, as append does in Go.
//
// Invariants: revisions rise strictly within and across generations; every generation but the last ends in a deletion;
// the last one is empty exactly when the key does not exist now.

import Tricolor

/// From a creation to a deletion. An element of `KeyIndex.generations`.
struct Generation: Managed {
  static let slot = TypeSlot()
  /// Writes so far, the deletion included.
  var version: Int
  var created: Int
  var records: Reference<ElementArray<RevisionRecord>>?
  var recordCount: Int
}

/// A key of the index and its history.
struct KeyIndex: Managed {
  static let slot = TypeSlot()
  var key: Reference<Bytes>?
  var generations: Reference<ElementArray<Generation>>?
  var generationCount: Int
  /// The revision written last.
  var modified: Int
}

extension Reference where Target == Generation {
  var isEmpty: Bool { self.recordCount == 0 }

  func record(_ index: Int) -> Reference<RevisionRecord> { self.records.unsafelyUnwrapped[index] }

  /// The newest record not after `revision`, counted from the front; nil when all are newer.
  func newestRecord(at revision: Int) -> Int? {
    var index = self.recordCount - 1
    while index >= 0 {
      if record(index).main <= revision { return index }
      index -= 1
    }
    return nil
  }

  /// Makes room for one more record.
  fileprivate func reserve(_ m: Mutator) throws(OutOfMemory) {
    let capacity = self.records?.count ?? 0
    if self.recordCount < capacity { return }
    let grown = try m.makeElements(of: RevisionRecord.self, count: max(1, capacity * 2))
    copyRecords(from: 0, to: grown)
    self.records = grown
  }

  /// Copies the records from `first` on into `target`.
  func copyRecords(from first: Int, to target: Reference<ElementArray<RevisionRecord>>) {
    for index in first..<max(first, self.recordCount) {
      let source = record(index)
      let copy = target[index - first]
      copy.main = source.main
      copy.sub = source.sub
      copy.pair = source.pair
    }
  }
}

extension Reference where Target == KeyIndex {
  var keyBytes: UnsafeRawBufferPointer { UnsafeRawBufferPointer(self.key.unsafelyUnwrapped.bytes) }

  func generation(_ index: Int) -> Reference<Generation> { self.generations.unsafelyUnwrapped[index] }

  /// The last generation, nil in an index that never held anything.
  var lastGeneration: Reference<Generation>? { self.generationCount == 0 ? nil : generation(self.generationCount - 1) }

  /// What the key is now, nil when it does not exist.
  var current: Reference<KeyValue>? {
    guard let last = lastGeneration, !last.isEmpty else { return nil }
    return last.record(last.recordCount - 1).pair
  }

  /// What the key was at `revision`, nil when it did not exist then.
  func value(at revision: Int) -> Reference<KeyValue>? {
    var index = self.generationCount - 1
    while index >= 0 {
      let generation = self.generation(index)
      if !generation.isEmpty, generation.record(0).main <= revision {
        guard let newest = generation.newestRecord(at: revision) else { return nil }
        let pair = generation.record(newest).pair.unsafelyUnwrapped
        return pair.isDeletion ? nil : pair
      }
      index -= 1
    }
    return nil
  }

  /// Allocates what the next `commit` may need.
  func prepareCommit(deletes: Bool, _ m: Mutator) throws(OutOfMemory) {
    let needed = max(1, self.generationCount) + (deletes ? 1 : 0)
    let capacity = self.generations?.count ?? 0
    if needed > capacity {
      let grown = try m.makeElements(of: Generation.self, count: max(needed, capacity * 2))
      for index in 0..<self.generationCount { copyGeneration(index, to: grown[index]) }
      self.generations = grown
    }
    try generation(max(0, self.generationCount - 1)).reserve(m)
  }

  fileprivate func copyGeneration(_ index: Int, to copy: Reference<Generation>) {
    let source = generation(index)
    copy.version = source.version
    copy.created = source.created
    copy.records = source.records
    copy.recordCount = source.recordCount
  }

  /// Adds a revision; `prepareCommit` has made room. A deletion ends the generation.
  func commit(_ pair: Reference<KeyValue>, main: Int, sub: Int) {
    if self.generationCount == 0 { self.generationCount = 1 }
    let last = generation(self.generationCount - 1)
    if last.isEmpty { last.created = main }
    let record = last.record(last.recordCount)
    record.main = main
    record.sub = sub
    record.pair = pair
    last.recordCount += 1
    last.version += 1
    self.modified = main
    if pair.isDeletion { self.generationCount += 1 }
  }

  /// Takes over a key as another store left it: one generation that holds its last write alone.
  func restore(_ pair: Reference<KeyValue>, main: Int, sub: Int) {
    commit(pair, main: main, sub: sub)
    let last = generation(self.generationCount - 1)
    last.created = pair.created
    last.version = pair.version
  }
}
