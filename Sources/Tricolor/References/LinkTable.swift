// Disappearing links: words anywhere that hold a disguised reference, which the collector clears when the object is found unreachable.
//
// The program reads them by plain loads, of which the collector hears nothing. So a heap with links stops the program briefly at least: they are
// cleared in the hold at the end of marking, when what is unmarked is unreachable, before anybody can read them again. A long link is
// cleared when its object is gone for good, a short one before finalizers bring the object back. A link inside an object goes with it.

import CTricolorShims
import Synchronization
import TricolorPlatform

struct LinkTable: ~Copyable {
  struct Entry {
    var object: UInt
    var isLong: Bool
  }

  private let lock = FutexLock()
  /// By the address of the word.
  private var entries: [UInt: Entry] = [:]
  private let used = Atomic<Bool>(false)

  /// Whether there ever was a link.
  var isUsed: Bool { used.load(ordering: .sequentiallyConsistent) }

  /// False when the word is a link already.
  mutating func add(_ place: UInt, _ entry: Entry) -> Bool {
    lock.lock()
    defer { lock.unlock() }
    if entries[place] != nil { return false }
    entries[place] = entry
    used.store(true, ordering: .sequentiallyConsistent)
    return true
  }

  /// False when the word is no link.
  mutating func remove(_ place: UInt) -> Bool {
    lock.lock()
    defer { lock.unlock() }
    return entries.removeValue(forKey: place) != nil
  }

  /// Clears the long or the short links of unmarked objects. Everybody is held, or there are none.
  mutating func clear(long: Bool) {
    lock.lock()
    defer { lock.unlock() }
    if entries.isEmpty { return }
    let map = addressMap
    var dead: [UInt] = []
    for (place, entry) in entries {
      if let holder = map.cellStart(place), !map.isMarked(holder) {
        // Only at the very end: a finalizer may still bring the holder back.
        if long { dead.append(place) }
      } else if entry.isLong == long && !map.isMarked(entry.object) {
        tricolor_store_word(place, 0)
        dead.append(place)
      }
    }
    for place in dead { entries[place] = nil }
  }
}
