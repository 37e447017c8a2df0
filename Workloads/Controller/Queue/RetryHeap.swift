// Entries whose reconciliation failed, until they are due again: a binary heap by due time. Each failure doubles the wait, from one tick
// of simulated time to a maximum, as the rate limiter of Kubernetes' client does.
//
// Invariant: an item is not due before its parent; items beyond `count` are zero.

import Tricolor

struct RetryItem: Managed {
  static let slot = TypeSlot()
  var due: Int
  var entry: Reference<CacheEntry>?
}

struct RetryHeap: Managed {
  static let slot = TypeSlot()
  var count = 0
  var items: Reference<ElementArray<RetryItem>>?

  private static let longestWait = 160

  static func make(_ mutator: Mutator) throws(OutOfMemory) -> Reference<RetryHeap> {
    try mutator.make(RetryHeap(items: try mutator.makeElements(of: RetryItem.self, count: 64)))
  }

  /// Ticks to wait after so many failures, at least 1.
  static func wait(failures: UInt32) -> Int { failures > 8 ? longestWait : min(longestWait, 1 << (Int(failures) - 1)) }
}

extension Reference where Target == RetryHeap {
  func add(_ entry: Reference<CacheEntry>, due: Int, _ mutator: Mutator) throws(OutOfMemory) {
    var items = self.items!
    if self.count == items.count {
      let larger = try mutator.makeElements(of: RetryItem.self, count: 2 * items.count)
      for place in 0..<self.count { larger[place].set(to: items[place]) }
      self.items = larger
      items = larger
    }
    var place = self.count
    self.count += 1
    while place > 0 && items[(place - 1) / 2].due > due {
      items[place].set(to: items[(place - 1) / 2])
      place = (place - 1) / 2
    }
    items[place].due = due
    items[place].entry = entry
  }

  /// An entry that is due at `now`, nil when none is.
  func take(at now: Int) -> Reference<CacheEntry>? {
    let items = self.items!
    guard self.count > 0, items[0].due <= now else { return nil }
    let entry = items[0].entry!
    let last = self.count - 1
    let moved = (due: items[last].due, entry: items[last].entry)
    items[last].entry = nil
    items[last].due = 0
    self.count = last
    if last > 0 { sink(moved.due, moved.entry, items, last) }
    return entry
  }

  /// Puts an item at the top and lets it sink to its place among `count`.
  private func sink(
    _ due: Int, _ entry: Reference<CacheEntry>?, _ items: Reference<ElementArray<RetryItem>>, _ count: Int
  ) {
    var place = 0
    while true {
      var child = 2 * place + 1
      if child + 1 < count && items[child + 1].due < items[child].due { child += 1 }
      if child >= count || items[child].due >= due { break }
      items[place].set(to: items[child])
      place = child
    }
    items[place].due = due
    items[place].entry = entry
  }
}

extension Reference where Target == RetryItem {
  fileprivate func set(to other: Reference<RetryItem>) {
    self.due = other.due
    self.entry = other.entry
  }
}
