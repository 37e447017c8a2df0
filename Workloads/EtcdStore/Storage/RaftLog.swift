// The replicated log's entries that are kept in memory for followers that lag: the longest-lived copy of a request in
// etcd, and the one that makes its heap larger than its data when requests are large.
//
// A ring: a new entry takes the place of the one as many entries older as the ring has places, which is garbage from then on. While
// memory is short fewer are kept. Entries of a single member are committed at once; elections and snapshots are not modelled.

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
  /// The indices of the oldest entry kept and of the one appended last; the first is 1.
  var firstIndex: Int
  var lastIndex: Int
  /// How many are kept, at most as many as the ring has places.
  var retain: Int
}

extension RaftLog {
  static let term = 2

  static func make(retain: Int, _ m: Mutator) throws(OutOfMemory) -> Reference<RaftLog> {
    try m.make(
      RaftLog(
        entries: try m.makeArray(of: RaftEntry.self, count: retain), firstIndex: 1, lastIndex: 0, retain: retain))
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
    self.firstIndex = max(self.firstIndex, self.lastIndex - ring.count + 1)
    cut()
  }

  /// Keeps a share of the entries it has places for, one at least, from now on.
  func keep(oneIn share: Int) {
    self.retain = max(1, entries.unsafelyUnwrapped.count / share)
    cut()
  }

  private func cut() {
    let ring = entries.unsafelyUnwrapped
    while retainedCount > self.retain {
      ring[self.firstIndex % ring.count] = nil
      self.firstIndex += 1
    }
  }

  var retainedCount: Int { self.lastIndex - self.firstIndex + 1 }
}
