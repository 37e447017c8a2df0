// Compaction of one key: forget what no read at or after a revision can see.
//
// The newest write at or before the revision stays, unless it is a deletion; everything before it goes. Survivors are
// copied into arrays of their own size: cutting the old ones in place would keep the dropped values alive.

import Tricolor

/// What compacting one key did.
struct KeyCompaction {
  /// Nothing is left of the key: the index may forget it.
  var isGone = false
  /// Records dropped, and the bytes of what they held.
  var droppedRecords = 0
  var droppedBytes = 0
}

extension Reference where Target == KeyIndex {
  /// Forgets all revisions that no read at `revision` or later can see, and lets `file` forget them.
  func compact(
    at revision: Int, forgetIn file: BackingFile? = nil, _ m: Mutator
  ) throws(OutOfMemory) -> KeyCompaction {
    if self.generationCount <= 1 && (lastGeneration?.recordCount ?? 0) <= 1 {
      return KeyCompaction(isGone: lastGeneration?.isEmpty ?? true)
    }
    let (firstGeneration, firstRecord) = oldestVisible(at: revision)
    var result = KeyCompaction()
    countDropped(before: firstGeneration, firstRecord, into: &result)
    if result.droppedRecords > 0 {
      let old = self.generations.unsafelyUnwrapped
      try keep(from: firstGeneration, firstRecord, m)
      if let file { old.forget(before: firstGeneration, firstRecord, in: file) }
    }
    result.isGone = self.generationCount == 1 && generation(0).isEmpty
    return result
  }

  /// The generation and the record in it that a read at `revision` needs first.
  private func oldestVisible(at revision: Int) -> (generation: Int, record: Int) {
    let last = self.generationCount - 1
    for index in 0...last {
      let generation = self.generation(index)
      if index < last && generation.record(generation.recordCount - 1).main <= revision { continue }
      return (index, generation.newestRecord(at: revision) ?? 0)
    }
    return (last, 0)
  }

  private func countDropped(before generation: Int, _ record: Int, into result: inout KeyCompaction) {
    for index in 0...generation {
      let records = index < generation ? self.generation(index).recordCount : record
      for dropped in 0..<records {
        result.droppedRecords += 1
        result.droppedBytes += self.generation(index).record(dropped).pair.unsafelyUnwrapped.footprint
      }
    }
  }

  /// Copies what stays, allocating everything before anything changes.
  private func keep(from firstGeneration: Int, _ firstRecord: Int, _ m: Mutator) throws(OutOfMemory) {
    let kept = self.generationCount - firstGeneration
    let target = try m.makeElements(of: Generation.self, count: kept)
    for index in 0..<kept {
      let source = generation(firstGeneration + index)
      let skipped = index == 0 ? firstRecord : 0
      let copy = target[index]
      copy.version = source.version
      copy.created = source.created
      copy.recordCount = source.recordCount - skipped
      if skipped == 0 {
        copy.records = source.records
      } else {
        let records = try m.makeElements(of: RevisionRecord.self, count: copy.recordCount)
        source.copyRecords(from: skipped, to: records)
        copy.records = records
      }
    }
    self.generations = target
    self.generationCount = kept
  }
}

extension Reference where Target == ElementArray<Generation> {
  /// Lets `file` forget the records before `record` of `generation`.
  fileprivate func forget(before generation: Int, _ record: Int, in file: BackingFile) {
    for index in 0...generation {
      let records = index < generation ? self[index].recordCount : record
      for dropped in 0..<records {
        file.forget(main: self[index].record(dropped).main, sub: self[index].record(dropped).sub)
      }
    }
  }
}
