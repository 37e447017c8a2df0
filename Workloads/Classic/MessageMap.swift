// A map from numbers to messages on the managed heap, made like the map it is measured against: tables of at most 1024 slots
// under a directory that doubles (extendible hashing), so that no insert pays for rehashing more than one small table.
//
// Fagin, Nievergelt, Pippenger and Strong, "Extendible hashing", TODS 1979. Inside a table: linear probing, at most 7/8 full,
// and removal that moves later entries back, so there are no tombstones to clean up.
//
// Invariants: a table of depth d is referred to by all 2^(D-d) directory slots whose top d bits are its own, D being the
// directory's depth; an entry's slot is empty exactly when its message is nil; between an entry's home and its slot no slot is
// empty.

import Tricolor

struct MapEntry: Managed {
  static let slot = TypeSlot()
  var key: Int
  var message: Reference<Bytes>?
}

struct MapTable: Managed {
  static let slot = TypeSlot()
  var entries: Reference<ElementArray<MapEntry>>?
  var count: Int
  var depth: Int
}

struct MapRoot: Managed {
  static let slot = TypeSlot()
  var directory: Reference<ReferenceArray<MapTable>>?
  var depth: Int
  var count: Int
}

/// The map; a view of its root object, valid as long as a reference is.
struct MessageMap: ~BitwiseCopyable {
  private static let slots = 1024
  private static let mostEntries = slots / 8 * 7

  let root: Reference<MapRoot>

  /// An empty map.
  init(_ mutator: Mutator) throws(OutOfMemory) {
    let directory = try mutator.makeArray(of: MapTable.self, count: 1)
    directory[0] = try Self.makeTable(depth: 0, mutator)
    root = try mutator.make(MapRoot(directory: directory, depth: 0, count: 0))
  }

  var count: Int { root.count }

  /// The message under `key`.
  func get(_ key: Int) -> Reference<Bytes>? {
    let hash = Self.hash(key)
    let entries = table(hash).entries!
    let entry = entries[Self.find(key, hash, entries)]
    return entry.message
  }

  /// Puts `message` under `key`, in place of another one.
  func set(_ key: Int, _ message: Reference<Bytes>, _ mutator: Mutator) throws(OutOfMemory) {
    let hash = Self.hash(key)
    while true {
      let table = self.table(hash)
      let entries = table.entries!
      let entry = entries[Self.find(key, hash, entries)]
      if entry.message == nil {
        if table.count == Self.mostEntries {
          try split(table, hash, mutator)
          continue
        }
        entry.key = key
        table.count += 1
        root.count += 1
      }
      entry.message = message
      return
    }
  }

  /// Removes what is under `key`; false when nothing was.
  @discardableResult
  func remove(_ key: Int) -> Bool {
    let hash = Self.hash(key)
    let table = self.table(hash)
    let entries = table.entries!
    let slot = Self.find(key, hash, entries)
    if entries[slot].message == nil { return false }
    Self.close(slot, entries)
    table.count -= 1
    root.count -= 1
    return true
  }

  // MARK: Tables

  private func table(_ hash: UInt64) -> Reference<MapTable> {
    root.directory![Self.directoryIndex(hash, depth: root.depth)]!
  }

  /// Replaces a full table by two of the next depth.
  private func split(_ table: Reference<MapTable>, _ hash: UInt64, _ mutator: Mutator) throws(OutOfMemory) {
    if table.depth == root.depth { try doubleDirectory(mutator) }
    let depth = table.depth + 1
    let low = try Self.makeTable(depth: depth, mutator)
    let high = try Self.makeTable(depth: depth, mutator)
    let entries = table.entries!
    for slot in 0..<Self.slots {
      guard let message = entries[slot].message else { continue }
      let key = entries[slot].key
      let hash = Self.hash(key)
      Self.append(key, message, hash, to: Self.bit(hash, depth) == 0 ? low : high)
    }
    replace(table, hash, low, high)
  }

  /// Points the directory's slots of `table` at the two that take its place.
  private func replace(
    _ table: Reference<MapTable>, _ hash: UInt64, _ low: Reference<MapTable>, _ high: Reference<MapTable>
  ) {
    let directory = root.directory!
    let span = 1 << (root.depth - table.depth)
    let first = Self.directoryIndex(hash, depth: root.depth) & ~(span - 1)
    for index in first..<first + span / 2 { directory[index] = low }
    for index in first + span / 2..<first + span { directory[index] = high }
  }

  private func doubleDirectory(_ mutator: Mutator) throws(OutOfMemory) {
    let old = root.directory!
    let new = try mutator.makeArray(of: MapTable.self, count: old.count * 2)
    for index in 0..<old.count {
      new[2 * index] = old[index]
      new[2 * index + 1] = old[index]
    }
    root.directory = new
    root.depth += 1
  }

  private static func makeTable(depth: Int, _ mutator: Mutator) throws(OutOfMemory) -> Reference<MapTable> {
    let entries = try mutator.makeElements(of: MapEntry.self, count: slots)
    return try mutator.make(MapTable(entries: entries, count: 0, depth: depth))
  }

  private static func append(_ key: Int, _ message: Reference<Bytes>, _ hash: UInt64, to table: Reference<MapTable>) {
    let entries = table.entries!
    let entry = entries[find(key, hash, entries)]
    entry.key = key
    entry.message = message
    table.count += 1
  }

  // MARK: Slots

  /// The slot of `key`, or the empty one where it would go.
  private static func find(_ key: Int, _ hash: UInt64, _ entries: Reference<ElementArray<MapEntry>>) -> Int {
    var slot = home(hash)
    while entries[slot].message != nil && entries[slot].key != key { slot = (slot + 1) & (slots - 1) }
    return slot
  }

  /// Empties `slot` and moves back whatever a search would no longer find.
  private static func close(_ slot: Int, _ entries: Reference<ElementArray<MapEntry>>) {
    var hole = slot
    var next = (slot + 1) & (slots - 1)
    while let message = entries[next].message {
      let key = entries[next].key
      let fromHome = (next &- home(hash(key))) & (slots - 1)
      if fromHome >= (next &- hole) & (slots - 1) {
        entries[hole].key = key
        entries[hole].message = message
        hole = next
      }
      next = (next + 1) & (slots - 1)
    }
    entries[hole].message = nil
  }

  // The top bits choose the table, the bottom bits the slot.
  private static func home(_ hash: UInt64) -> Int { Int(truncatingIfNeeded: hash) & (slots - 1) }
  private static func directoryIndex(_ hash: UInt64, depth: Int) -> Int {
    depth == 0 ? 0 : Int(hash >> UInt64(64 - depth))
  }
  private static func bit(_ hash: UInt64, _ depth: Int) -> UInt64 { hash >> UInt64(64 - depth) & 1 }

  /// Every bit of the key reaches every bit of the hash (the mix of SplitMix64).
  private static func hash(_ key: Int) -> UInt64 {
    var mixed = UInt64(bitPattern: Int64(key)) &+ 0x9E37_79B9_7F4A_7C15
    mixed = (mixed ^ mixed >> 30) &* 0xBF58_476D_1CE4_E5B9
    mixed = (mixed ^ mixed >> 27) &* 0x94D0_49BB_1331_11EB
    return mixed ^ mixed >> 31
  }
}
