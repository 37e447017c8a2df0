// Root handles and globals: slots outside the managed heap that keep objects alive; handles are in slabs that never move.
//
// A slot is treated like a field of an object that is scanned once, after all stacks (step 3): setting and clearing it take the
// barrier. Slots are freed by whatever thread drops the last `Root`, attached or not, so freeing goes through the grey pool
// directly. Freed slots form a list through their own words, tagged with bit 0 so that the root scan tells them from references.

import CTricolorShims
import Synchronization
import TricolorPlatform

struct RootTable: ~Copyable {
  static let slotsPerSlab = 1022
  let lock = FutexLock()
  /// Slabs of 1024 words: the next slab's address, the number of slots in use at some time, the slots.
  private var firstSlab: UnsafeMutablePointer<UInt>? = nil
  /// Address of the first free slot, 0 when there is none.
  private var firstFree: UInt = 0
  /// Handles in use. Read without the lock by the pacer.
  let count = Atomic<Int>(0)
  /// Ranges of the program's own memory that hold references: start and number of words.
  private var globals: [(UnsafeMutablePointer<UInt>, Int)] = []
  /// Ranges of which any word may refer to an object, at its start or inside (Embedding/ThreadRoots.swift).
  private var ranges: [RootRange] = []
  private let plainRanges = Atomic<Int>(0)

  /// Adds a range of slots outside the heap, which must stay mapped until it is removed.
  mutating func addGlobals(_ start: UnsafeMutablePointer<UInt>, count: Int) {
    lock.lock()
    defer { lock.unlock() }
    globals.append((start, count))
  }

  /// Whether the range that begins at `start` was known.
  mutating func removeGlobals(_ start: UnsafeMutablePointer<UInt>) -> Bool {
    lock.lock()
    defer { lock.unlock() }
    guard let index = globals.firstIndex(where: { $0.0 == start }) else { return false }
    globals.remove(at: index)
    return true
  }

  /// Whether there are ranges that the program writes without the barrier. Read without the lock.
  var hasPlainRanges: Bool { plainRanges.load(ordering: .sequentiallyConsistent) > 0 }

  /// False when a range begins there already.
  mutating func add(_ range: RootRange) -> Bool {
    lock.lock()
    defer { lock.unlock() }
    if ranges.contains(where: { $0.start == range.start }) { return false }
    ranges.append(range)
    if range.isPlain { plainRanges.wrappingAdd(1, ordering: .sequentiallyConsistent) }
    return true
  }

  /// Takes out the range that begins at `start`; nil when there is none. The lock is held.
  mutating func removeRange(at start: UInt) -> RootRange? {
    guard let index = ranges.firstIndex(where: { $0.start == start }) else { return nil }
    let range = ranges.remove(at: index)
    if range.isPlain { plainRanges.wrappingSubtract(1, ordering: .relaxed) }
    return range
  }

  /// Whether `slot` is a handle's that is in use. Linear in the number of handles, a step for each thousand.
  mutating func isHandle(_ slot: UInt) -> Bool {
    lock.lock()
    defer { lock.unlock() }
    var slab = firstSlab
    while let words = slab {
      let first = UInt(bitPattern: words + 2)
      if slot >= first, slot < first + 8 * UInt(words[1]), slot & 7 == 0 { return tricolor_load_word(slot) & 1 == 0 }
      slab = UnsafeMutablePointer(bitPattern: words[0])
    }
    return false
  }

  mutating func forEachRange(_ body: (RootRange) -> Void) {
    lock.lock()
    defer { lock.unlock() }
    for range in ranges { body(range) }
  }

  /// A new slot, holding nothing.
  mutating func take() -> UnsafeMutablePointer<UInt> {
    lock.lock()
    defer { lock.unlock() }
    count.wrappingAdd(1, ordering: .relaxed)
    if firstFree != 0 {
      let slot = UnsafeMutablePointer<UInt>(bitPattern: firstFree)!
      firstFree = slot.pointee & ~1
      tricolor_store_word(UInt(bitPattern: slot), 0)
      return slot
    }
    if firstSlab == nil || firstSlab![1] == RootTable.slotsPerSlab { addSlab() }
    let slab = firstSlab!
    slab[1] += 1
    return slab + 1 + Int(slab[1])
  }

  private mutating func addSlab() {
    let slab = UnsafeMutablePointer<UInt>.allocate(capacity: RootTable.slotsPerSlab + 2)
    slab.initialize(repeating: 0, count: RootTable.slotsPerSlab + 2)
    slab[0] = UInt(bitPattern: firstSlab)
    firstSlab = slab
  }

  /// Frees a slot; its value has been shaded by the caller if it had to be. The lock is held.
  mutating func give(_ slot: UnsafeMutablePointer<UInt>) {
    count.wrappingSubtract(1, ordering: .relaxed)
    tricolor_store_word(UInt(bitPattern: slot), firstFree | 1)
    firstFree = UInt(bitPattern: slot)
  }

  /// Calls `body` with every reference held. The lock is held throughout: taking and freeing handles waits.
  mutating func forEachReference(_ body: (UInt) -> Void) {
    forEachHandle(body)
    forEachGlobal(body)
  }

  /// Calls `body` with what every root handle holds. The lock is held throughout.
  mutating func forEachHandle(_ body: (UInt) -> Void) {
    lock.lock()
    defer { lock.unlock() }
    var slab = firstSlab
    while let words = slab {
      for i in 0..<Int(words[1]) {
        let word = tricolor_load_word(UInt(bitPattern: words + 2 + i))
        if word != 0 && word & 1 == 0 { body(word) }
      }
      slab = UnsafeMutablePointer(bitPattern: words[0])
    }
  }

  /// Calls `body` with what every slot of the program's memory holds. The lock is held throughout.
  mutating func forEachGlobal(_ body: (UInt) -> Void) {
    lock.lock()
    defer { lock.unlock() }
    for (start, count) in globals {
      for i in 0..<count {
        let word = tricolor_load_word(UInt(bitPattern: start + i))
        if word != 0 { body(word) }
      }
    }
  }

  deinit {
    var slab = firstSlab
    while let words = slab {
      slab = UnsafeMutablePointer(bitPattern: words[0])
      words.deallocate()
    }
  }
}

extension HeapCore {
  /// Makes everything that root handles hold grey (step 3, after every stack).
  func scanRoots() {
    var chunk: UnsafeMutablePointer<GreyChunk>? = nil
    let map = addressMap
    let node = state.pointee.nodes.current
    state.pointee.roots.forEachReference { reference in
      if !map.isMarked(reference) { append(reference, to: &chunk, node) }
    }
    state.pointee.grey.add(chunk, to: node)
    state.pointee.roots.forEachRange { scanStack(from: $0.start, to: $0.end) }
    state.pointee.finalizers.forEachReference { shade($0) }
  }

  /// Frees a handle's slot, from any thread: shades what it held (the deletion half of the barrier, straight into the grey pool).
  /// The lock is held from the look at the phase to the end, so that marking cannot end in between.
  func dropRoot(_ slot: UnsafeMutablePointer<UInt>) {
    if ForkedChild.isThisProcess { return }
    state.pointee.roots.lock.lock()
    defer { state.pointee.roots.lock.unlock() }
    let reference = tricolor_load_word(UInt(bitPattern: slot))
    if isMarking, reference != 0, !addressMap.isMarked(reference), !Mutation.droppedRootNotShaded.isOn {
      shade(reference)
    }
    state.pointee.roots.give(slot)
  }
}
