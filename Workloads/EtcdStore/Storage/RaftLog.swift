// The replicated log's entries that are kept in memory for followers that lag: the longest-lived copy of a request in
// etcd, and the one that makes its heap larger than its data when requests are large.
//
// A ring: a new entry takes the place of the one `retain` entries older, which is garbage from then on. Entries of a
// single member are committed at once; elections and snapshots are not modelled.

import Tricolor

/// An entry, with the marshalled request as data.
struct RaftEntry: Managed {
  static let slot = TypeSlot()
  var index: Int
  var term: Int
  var data: Reference<Bytes>?
}

struct RaftLog: Managed {
  static let slot = TypeSlot()
  var entries: Reference<ReferenceArray<RaftEntry>>?
  /// The index of the entry appended last; the first is 1.
  var lastIndex: Int
}

extension RaftLog {
  static let term = 2

  static func make(retain: Int, _ m: Mutator) throws(OutOfMemory) -> Reference<RaftLog> {
    try m.make(RaftLog(entries: try m.makeArray(of: RaftEntry.self, count: retain), lastIndex: 0))
  }
}

extension Reference where Target == RaftLog {
  /// Gives `entry` the next index and keeps it.
  func append(_ entry: Reference<RaftEntry>) {
    let ring = entries.unsafelyUnwrapped
    self.lastIndex += 1
    entry.index = self.lastIndex
    entry.term = RaftLog.term
    ring[self.lastIndex % ring.count] = entry
  }

  var retainedCount: Int { min(self.lastIndex, entries.unsafelyUnwrapped.count) }
}
