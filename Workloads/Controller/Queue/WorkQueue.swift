// The queue of nodes to reconcile: first in, first out, and an entry that is in it already is not added again, as in Kubernetes' client.
// (Its set of entries being processed has no counterpart: a site has one worker.)
//
// Invariant: the `count` slots from `first` on hold entries whose state says `isQueued`, the others nil.

import Tricolor

struct WorkQueue: Managed {
  static let slot = TypeSlot()
  var first = 0
  var count = 0
  var ring: Reference<ReferenceArray<CacheEntry>>?

  static func make(_ mutator: Mutator) throws(OutOfMemory) -> Reference<WorkQueue> {
    try mutator.make(WorkQueue(ring: try mutator.makeArray(of: CacheEntry.self, count: 64)))
  }
}

extension Reference where Target == WorkQueue {
  /// Adds a node's entry unless it is there.
  func add(_ entry: Reference<CacheEntry>, _ mutator: Mutator) throws(OutOfMemory) {
    let state = entry.state!
    if state.isQueued { return }
    state.isQueued = true
    var ring = self.ring!
    if self.count == ring.count {
      let larger = try mutator.makeArray(of: CacheEntry.self, count: 2 * ring.count)
      for place in 0..<self.count { larger[place] = ring[(self.first + place) % ring.count] }
      self.ring = larger
      self.first = 0
      ring = larger
    }
    ring[(self.first + self.count) % ring.count] = entry
    self.count += 1
  }

  /// The oldest entry, nil when there is none.
  func take() -> Reference<CacheEntry>? {
    if self.count == 0 { return nil }
    let ring = self.ring!
    let entry = ring[self.first]!
    ring[self.first] = nil
    self.first = (self.first + 1) % ring.count
    self.count -= 1
    entry.state!.isQueued = false
    return entry
  }
}
