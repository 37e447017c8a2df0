// What a partition of the store should hold, in plain memory: 32 bytes a key, outside the heap that is being checked.
//
// An open-addressing table of hashes with linear probing; a removal closes the gap by moving entries back, so there are
// no tombstones and a probe is as long as its cluster. Two keys with one 64-bit hash would be confused; with 10^5 keys
// that is one run in 10^9.

import Harness

/// What is known of a key.
struct ShadowEntry: Equatable {
  /// Hash of the key, never 0.
  var key: UInt64
  /// Hash of the value and the lease.
  var content: UInt64
  var modified: Int
  var version: UInt32
  /// The low half of the revision that created the key.
  var created: UInt32
}

/// A table of what should be there. Used by one thread at a time.
struct ShadowTable: ~Copyable {
  private var entries: UnsafeMutablePointer<ShadowEntry>
  private var capacity: Int
  private(set) var count = 0

  init(capacity: Int = 64) {
    self.capacity = capacity
    entries = ShadowTable.makeEntries(capacity)
  }

  deinit { entries.deallocate() }

  private static func makeEntries(_ capacity: Int) -> UnsafeMutablePointer<ShadowEntry> {
    let entries = UnsafeMutablePointer<ShadowEntry>.allocate(capacity: capacity)
    entries.initialize(repeating: ShadowEntry(key: 0, content: 0, modified: 0, version: 0, created: 0), count: capacity)
    return entries
  }

  /// The hash that `key` is known by.
  static func hash(_ key: UnsafeRawBufferPointer) -> UInt64 { max(1, Checksum.hash(key)) }

  /// The hash of a value whose bytes have the hash `value`, on `lease`.
  static func content(value: UInt64, lease: Int) -> UInt64 {
    Checksum.combine(value, UInt64(bitPattern: Int64(lease)))
  }

  /// What is known of the key with this hash.
  subscript(key: UInt64) -> ShadowEntry? {
    let place = self.place(of: key)
    return entries[place].key == 0 ? nil : entries[place]
  }

  /// Remembers `entry`, in place of what was known of its key.
  mutating func set(_ entry: ShadowEntry) {
    let place = self.place(of: entry.key)
    if entries[place].key == 0 { count += 1 }
    entries[place] = entry
    if count * 4 > capacity * 3 { grow() }
  }

  /// Forgets a key; false when nothing is known of it.
  @discardableResult
  mutating func remove(_ key: UInt64) -> Bool {
    var hole = place(of: key)
    if entries[hole].key == 0 { return false }
    var next = following(hole)
    while entries[next].key != 0 {
      // An entry may move into the hole unless its home lies cyclically between the hole and itself.
      let home = self.home(of: entries[next].key)
      let isBetween = hole <= next ? (hole < home && home <= next) : (hole < home || home <= next)
      if !isBetween {
        entries[hole] = entries[next]
        hole = next
      }
      next = following(next)
    }
    entries[hole].key = 0
    count -= 1
    return true
  }

  /// Visits everything known, in no order.
  func visitAll(_ visit: (ShadowEntry) -> Void) {
    for place in 0..<capacity where entries[place].key != 0 { visit(entries[place]) }
  }

  private func home(of key: UInt64) -> Int { Int(key & UInt64(capacity - 1)) }
  private func following(_ place: Int) -> Int { (place + 1) & (capacity - 1) }

  /// Where the key is, or where it would go.
  private func place(of key: UInt64) -> Int {
    var place = home(of: key)
    while entries[place].key != 0 && entries[place].key != key { place = following(place) }
    return place
  }

  private mutating func grow() {
    let old = entries
    let oldCapacity = capacity
    capacity *= 2
    entries = ShadowTable.makeEntries(capacity)
    for place in 0..<oldCapacity where old[place].key != 0 { entries[self.place(of: old[place].key)] = old[place] }
    old.deallocate()
  }
}
