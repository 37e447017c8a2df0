// One list of an index: entries in no order, each of which knows its place, so that one is removed by moving the last into its place.
//
// Invariants: the first `count` places hold entries, the others nil; the entry at place p has p in its `places[index]`.

import Tricolor

struct EntryList: Managed {
  static let slot = TypeSlot()
  var count = 0
  var entries: Reference<ReferenceArray<CacheEntry>>? = nil
}

/// Which of an entry's two places a list uses.
enum IndexPlace: Int {
  case first, second
}

extension Reference where Target == EntryList {
  func append(_ entry: Reference<CacheEntry>, _ index: IndexPlace, _ mutator: Mutator) throws(OutOfMemory) {
    let count = self.count
    if count == self.entries?.count ?? 0 {
      let larger = try mutator.makeArray(of: CacheEntry.self, count: max(4, 2 * count))
      for place in 0..<count { larger[place] = self.entries![place] }
      self.entries = larger
    }
    self.entries![count] = entry
    entry.setPlace(index, count)
    self.count = count + 1
  }

  /// Removes an entry of the list.
  func remove(_ entry: Reference<CacheEntry>, _ index: IndexPlace) {
    let entries = self.entries!
    let last = self.count - 1
    let place = entry.place(index)
    let moved = entries[last]!
    entries[place] = moved
    moved.setPlace(index, place)
    entries[last] = nil
    self.count = last
  }

  /// Whether each entry knows its place and `belongs`, and nothing is behind the last.
  func isSound(_ index: IndexPlace, _ belongs: (Reference<CacheEntry>) -> Bool) -> Bool {
    guard let entries = self.entries else { return self.count == 0 }
    for place in 0..<entries.count {
      guard place < self.count else {
        if entries[place] != nil { return false }
        continue
      }
      guard let entry = entries[place], entry.place(index) == place, belongs(entry) else { return false }
    }
    return true
  }
}

extension Reference where Target == CacheEntry {
  func place(_ index: IndexPlace) -> Int { Int(self.places[index.rawValue]) }

  func setPlace(_ index: IndexPlace, _ place: Int) {
    var places = self.places
    places[index.rawValue] = Int32(place)
    self.places = places
  }
}
