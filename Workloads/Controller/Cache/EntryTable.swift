// The cache's map from names to entries: buckets with chains, as many as the site has objects, so that it need not grow.

import Harness
import Tricolor

/// A view of a table's buckets.
struct EntryTable: ~BitwiseCopyable {
  let buckets: Reference<ReferenceArray<CacheEntry>>

  static func makeBuckets(
    entries: Int, _ mutator: Mutator
  ) throws(OutOfMemory) -> Reference<ReferenceArray<CacheEntry>> {
    var count = 16
    while count < entries { count *= 2 }
    return try mutator.makeArray(of: CacheEntry.self, count: count)
  }

  func find(_ name: UnsafeRawBufferPointer, _ hash: UInt64) -> Reference<CacheEntry>? {
    var entry = buckets[place(hash)]
    while let candidate = entry {
      if candidate.nameHash == hash && candidate.name!.holds(name) { return candidate }
      entry = candidate.next
    }
    return nil
  }

  /// Adds an entry whose name is not there.
  func insert(_ entry: Reference<CacheEntry>) {
    let place = place(entry.nameHash)
    entry.next = buckets[place]
    buckets[place] = entry
  }

  /// Takes out an entry that is there.
  func remove(_ entry: Reference<CacheEntry>) {
    let place = place(entry.nameHash)
    if buckets[place] == entry {
      buckets[place] = entry.next
    } else {
      var before = buckets[place]!
      while before.next != entry { before = before.next! }
      before.next = entry.next
    }
    entry.next = nil
  }

  private func place(_ hash: UInt64) -> Int { Int(truncatingIfNeeded: hash) & (buckets.count - 1) }
}
