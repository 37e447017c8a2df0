// A cache that keeps the entries used last: a dictionary, and a ring of entries in the order of their use. Each entry refers to the one
// before and the one after it, so the ring is full of cycles, which reference counting would never free. Here an entry that has been
// taken out is garbage, whatever it still refers to.
//
// Invariant: the ring's `after` links, from the anchor on, lead through all entries, the one used last first, and back to the anchor.

import Tricolor

/// One entry of the ring; the anchor is one too, without a key.
struct Entry: Managed {
  static let slot = TypeSlot()
  var key: ManagedString?
  var value: ManagedString?
  var before: Reference<Entry>?
  var after: Reference<Entry>?
}

/// A cache of texts by texts. One thread at a time.
struct LRUCache {
  private let entries: Root<ManagedDictionary<ManagedString, Reference<Entry>>>
  private let anchor: Root<Entry>
  let capacity: Int

  init(capacity: Int, _ mutator: Mutator) throws {
    self.capacity = capacity
    entries = mutator.root(try ManagedDictionary(minimumCapacity: capacity, mutator))
    let ring = try mutator.make(Entry(key: nil, value: nil, before: nil, after: nil))
    ring.before = ring
    ring.after = ring
    anchor = mutator.root(ring)
  }

  func count(_ mutator: Mutator) -> Int { entries.get(mutator)!.count }

  /// The value of `key`, which is now the one used last.
  func value(forKey key: String, _ mutator: Mutator) -> String? {
    guard let entry = entries.get(mutator)![key] else { return nil }
    unlink(entry)
    linkFirst(entry, mutator)
    return entry.value!.description
  }

  /// Sets the value of `key`; the entry that was not used for longest goes when there are more than `capacity`.
  func setValue(_ value: String, forKey key: String, _ mutator: Mutator) throws {
    let entries = entries.get(mutator)!
    let text = try ManagedString(value, mutator)
    if let entry = entries[key] {
      entry.value = text
      unlink(entry)
      linkFirst(entry, mutator)
      return
    }
    if entries.count == capacity { removeLast(mutator) }
    let name = try ManagedString(key, mutator)
    let entry = try mutator.make(Entry(key: name, value: text, before: nil, after: nil))
    try entries.updateValue(entry, forKey: name)
    linkFirst(entry, mutator)
  }

  private func removeLast(_ mutator: Mutator) {
    let last = anchor.get(mutator)!.before!
    unlink(last)
    entries.get(mutator)!.removeValue(forKey: last.key!)
  }

  private func unlink(_ entry: Reference<Entry>) {
    entry.before!.after = entry.after
    entry.after!.before = entry.before
  }

  private func linkFirst(_ entry: Reference<Entry>, _ mutator: Mutator) {
    let anchor = anchor.get(mutator)!
    entry.before = anchor
    entry.after = anchor.after
    anchor.after!.before = entry
    anchor.after = entry
  }
}
