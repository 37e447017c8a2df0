// A session's cache of plans: the least recently used one goes when it is full. On the managed heap: a hash table with chains, and
// a doubly linked list in order of use, so that every entry is part of cycles.
//
// Invariants: `newest` to `oldest` by `older` are all entries in order of use, and `newer` is the reverse; each is in the chain of its
// bucket; `count` is their number, at most `capacity`.

import Harness
import Tricolor

struct CachedPlan: Managed {
  static let slot = TypeSlot()
  var query: UInt64
  var plan: Reference<Plan>?
  var older: Reference<CachedPlan>? = nil
  var newer: Reference<CachedPlan>? = nil
  var next: Reference<CachedPlan>? = nil
}

struct PlanCache: Managed {
  static let slot = TypeSlot()
  var capacity: Int
  var count = 0
  var buckets: Reference<ReferenceArray<CachedPlan>>?
  var newest: Reference<CachedPlan>? = nil
  var oldest: Reference<CachedPlan>? = nil

  static func make(capacity: Int, _ mutator: Mutator) throws(OutOfMemory) -> Reference<PlanCache> {
    var buckets = 16
    while buckets < 2 * capacity { buckets *= 2 }
    let table = try mutator.makeArray(of: CachedPlan.self, count: buckets)
    return try mutator.make(PlanCache(capacity: capacity, buckets: table))
  }
}

extension Reference where Target == PlanCache {
  /// The plan of a query, which becomes the newest.
  func find(_ query: UInt64) -> Reference<Plan>? {
    var entry = self.buckets![bucket(query)]
    while let candidate = entry, candidate.query != query { entry = candidate.next }
    guard let entry else { return nil }
    unlink(entry)
    linkAsNewest(entry)
    return entry.plan
  }

  /// Adds a plan that is not in it.
  func insert(_ query: UInt64, _ plan: Reference<Plan>, _ mutator: Mutator) throws(OutOfMemory) {
    let entry = try mutator.make(CachedPlan(query: query, plan: plan))
    if self.count == self.capacity { remove(self.oldest!) }
    let buckets = self.buckets!
    entry.next = buckets[bucket(query)]
    buckets[bucket(query)] = entry
    linkAsNewest(entry)
    self.count += 1
  }

  private func remove(_ entry: Reference<CachedPlan>) {
    unlink(entry)
    let buckets = self.buckets!
    let place = bucket(entry.query)
    if buckets[place] == entry {
      buckets[place] = entry.next
    } else {
      var before = buckets[place]!
      while before.next != entry { before = before.next! }
      before.next = entry.next
    }
    self.count -= 1
  }

  private func unlink(_ entry: Reference<CachedPlan>) {
    if let newer = entry.newer { newer.older = entry.older } else { self.newest = entry.older }
    if let older = entry.older { older.newer = entry.newer } else { self.oldest = entry.newer }
    entry.newer = nil
    entry.older = nil
  }

  private func linkAsNewest(_ entry: Reference<CachedPlan>) {
    entry.older = self.newest
    if let newest = self.newest { newest.newer = entry } else { self.oldest = entry }
    self.newest = entry
  }

  private func bucket(_ query: UInt64) -> Int {
    Int(truncatingIfNeeded: Checksum.mix(query)) & (self.buckets!.count - 1)
  }
}

/// What a cache should hold, outside the managed heap: when each query was last asked for.
struct PlainCache: Sendable {
  let capacity: Int
  private var uses: [UInt64: Int] = [:]
  private var time = 0

  init(capacity: Int) { self.capacity = capacity }

  var queries: [UInt64] { uses.sorted { $0.value > $1.value }.map(\.key) }

  /// Asks for a query; whether it was there. It is the newest now.
  mutating func use(_ query: UInt64) -> Bool {
    time += 1
    let isThere = uses[query] != nil
    if !isThere && uses.count == capacity { uses[uses.min { $0.value < $1.value }!.key] = nil }
    uses[query] = time
    return isThere
  }
}
