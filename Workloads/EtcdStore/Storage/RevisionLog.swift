// Everything written since the last compaction, in order of revision: what a watcher that fell behind reads again.
//
// etcd finds these in its database file, which is ordered by revision. Here it is a chain of chunks; compaction drops
// the chunks whose records are all older, so the log holds nothing alive that the index has forgotten for longer than
// one chunk.
//
// A chunk that is dropped is emptied. Stacks are scanned conservatively, and a word that was left on one and names a dropped chunk would keep
// everything that was ever written after it: the chain only grows at its other end. Measured: 36 MiB under a limit of 247, where the thread with that
// word waited for memory.
//
// Invariant: records rise by revision along the chain; only the last chunk has room.

import Tricolor

/// One write in the log. An element of `LogChunk.records`.
struct LogRecord: Managed {
  static let slot = TypeSlot()
  var main: Int
  /// When it was committed, on the monotonic clock.
  var nanoseconds: UInt64
  var pair: Reference<KeyValue>?
}

struct LogChunk: Managed {
  static let slot = TypeSlot()
  static let capacity = 256
  var recordCount: Int
  var records: Reference<ElementArray<LogRecord>>?
  var next: Reference<LogChunk>?
}

struct RevisionLog: Managed {
  static let slot = TypeSlot()
  var head: Reference<LogChunk>?
  var tail: Reference<LogChunk>?
}

extension Reference where Target == LogChunk {
  func record(_ index: Int) -> Reference<LogRecord> { self.records.unsafelyUnwrapped[index] }
  var lastMain: Int { self.recordCount == 0 ? 0 : record(self.recordCount - 1).main }

  /// Lets go of the records and of the chunks that follow.
  func empty() {
    self.recordCount = 0
    self.records = nil
    self.next = nil
  }
}

extension Reference where Target == RevisionLog {
  /// Makes room for `count` more records.
  func reserve(_ count: Int, _ m: Mutator) throws(OutOfMemory) {
    if let tail = self.tail, let records = tail.records, tail.recordCount + count <= records.count { return }
    let records = try m.makeElements(of: LogRecord.self, count: max(count, LogChunk.capacity))
    let chunk = try m.make(LogChunk(recordCount: 0, records: records, next: nil))
    if let tail = self.tail { tail.next = chunk } else { self.head = chunk }
    self.tail = chunk
  }

  /// Adds a write; `reserve` has made room.
  func append(_ pair: Reference<KeyValue>, main: Int, at nanoseconds: UInt64) {
    let chunk = self.tail.unsafelyUnwrapped
    let record = chunk.record(chunk.recordCount)
    record.main = main
    record.nanoseconds = nanoseconds
    record.pair = pair
    chunk.recordCount += 1
  }

  /// Visits all records from revision `first` on, until `visit` answers false.
  func forEach<E: Error>(from first: Int, _ visit: (Reference<LogRecord>) throws(E) -> Bool) throws(E) {
    var next = self.head
    while let chunk = next {
      next = chunk.next
      if chunk.lastMain < first { continue }
      for index in 0..<chunk.recordCount where chunk.record(index).main >= first {
        if try !visit(chunk.record(index)) { return }
      }
    }
  }

  /// Drops the chunks that hold nothing after `revision`. No one reads the log meanwhile.
  func trim(through revision: Int) {
    while let chunk = self.head, let next = chunk.next, chunk.lastMain <= revision {
      self.head = next
      chunk.empty()
    }
    if let chunk = self.head, chunk.next == nil, chunk.lastMain <= revision {
      self.head = nil
      self.tail = nil
      chunk.empty()
    }
  }
}
