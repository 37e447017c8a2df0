// Weak references and ephemerons while a cycle marks: which have been found, and which values wait for their keys.
//
// Both are cells on the managed heap with a shape of their own. A weak cell is (target, link); an ephemeron is (word of the program's, key,
// link, value) and, where the cell has room, (next): the ephemeron after it on a chain, an ordinary reference.
// Neither target nor key is traced, and a value only once its key is marked (Hayes, "Ephemerons", OOPSLA 1997). The link belongs to
// the collector: it chains the weak cells found with an unmarked target, and the ephemerons that wait, by the hash of their key.
//
// Ephemerons that wait cost nothing while marking runs at full speed. When the grey set is first empty, and some wait, markers begin
// to look every newly marked object up; one pass over the table finds the keys marked before. So a chain of n ephemerons, each the
// key of the next, costs O(n) and not O(n^2).
//
// Invariant: once `looksUpKeys` is set and the pass is done, no ephemeron waits for a marked key, outside the lock. Who marks a key
// sets the mark and then looks in the table; who finds an ephemeron puts it in the table and then looks at the mark, under the lock.

import CTricolorShims
import Synchronization
import TricolorPlatform

/// The words of a weak cell and of an ephemeron.
@usableFromInline enum WeakCell {
  static let weakBytes = 16
  static let ephemeronBytes = 32
  static let chainedBytes = 48
  static let linkOffset: UInt = 8
  static let keyLinkOffset: UInt = 16
  static let nextOffset: UInt = 32
  @usableFromInline static var keyOffset: UInt { @inlinable get { 8 } }
  @usableFromInline static var valueOffset: UInt { @inlinable get { 24 } }
}

struct EphemeronTable: ~Copyable {
  private static let firstBuckets = 1024

  let lock = FutexLock()
  /// Ephemerons whose keys are not marked. Read without the lock.
  let waiting = Atomic<Int>(0)
  private var buckets: UnsafeMutablePointer<UInt>
  private var bucketCount = EphemeronTable.firstBuckets
  /// The weak cells found with an unmarked target.
  private var weakCells: UInt = 0

  init() {
    buckets = .allocate(capacity: bucketCount)
    buckets.initialize(repeating: 0, count: bucketCount)
  }

  deinit { buckets.deallocate() }

  mutating func addWeak(_ cell: UInt) {
    lock.lock()
    defer { lock.unlock() }
    setLink(of: cell, weakCells)
    weakCells = cell
  }

  /// Puts an ephemeron in the table; false when its key was marked meanwhile and the value is to be marked now.
  mutating func add(_ ephemeron: UInt, key: UInt) -> Bool {
    lock.lock()
    defer { lock.unlock() }
    if waiting.load(ordering: .relaxed) > 2 * bucketCount { grow() }
    let bucket = self.bucket(of: key)
    // Counted before the look at the mark: a marker that reads no waiting ephemeron has marked before that.
    waiting.wrappingAdd(1, ordering: .sequentiallyConsistent)
    if addressMap.isMarked(key) {
      waiting.wrappingSubtract(1, ordering: .relaxed)
      return false
    }
    setKeyLink(of: ephemeron, bucket.pointee)
    bucket.pointee = ephemeron
    return true
  }

  /// Takes an ephemeron that waits for `key` out of the table; 0 when there is none.
  mutating func take(key: UInt) -> UInt {
    lock.lock()
    defer { lock.unlock() }
    return unlink(from: bucket(of: key)) { $0 == key }
  }

  /// Takes all ephemerons out whose keys are marked, and calls `body` with each.
  mutating func takeMarked(_ body: (UInt) -> Void) {
    lock.lock()
    defer { lock.unlock() }
    if waiting.load(ordering: .relaxed) == 0 { return }
    let map = addressMap
    for index in 0..<bucketCount {
      while true {
        let ephemeron = unlink(from: buckets + index) { map.isMarked($0) }
        if ephemeron == 0 { break }
        body(ephemeron)
      }
    }
  }

  /// Empties the table when marking is over: clears targets that are unmarked, and all ephemerons that still wait.
  mutating func clearDead() {
    lock.lock()
    defer { lock.unlock() }
    clearWeakCells()
    if waiting.load(ordering: .relaxed) == 0 { return }
    for index in 0..<bucketCount {
      var ephemeron = buckets[index]
      while ephemeron != 0 {
        let next = keyLink(of: ephemeron)
        tricolor_store_word(ephemeron + WeakCell.keyOffset, 0)
        tricolor_store_word(ephemeron + WeakCell.valueOffset, 0)
        ephemeron = next
      }
      buckets[index] = 0
    }
    waiting.store(0, ordering: .relaxed)
  }

  private mutating func clearWeakCells() {
    let map = addressMap
    while weakCells != 0 {
      let cell = weakCells
      weakCells = link(of: cell)
      if !map.isMarked(tricolor_load_word(cell)) { tricolor_store_word(cell, 0) }
    }
  }

  private func bucket(of key: UInt) -> UnsafeMutablePointer<UInt> {
    buckets + Int((key >> 4 &* 0x9e37_79b9_7f4a_7c15) >> 32) & (bucketCount - 1)
  }

  private func link(of cell: UInt) -> UInt { tricolor_load_word(cell + WeakCell.linkOffset) }
  private func setLink(of cell: UInt, _ word: UInt) { tricolor_store_word(cell + WeakCell.linkOffset, word) }
  private func keyLink(of ephemeron: UInt) -> UInt { tricolor_load_word(ephemeron + WeakCell.keyLinkOffset) }
  private func setKeyLink(of ephemeron: UInt, _ word: UInt) {
    tricolor_store_word(ephemeron + WeakCell.keyLinkOffset, word)
  }

  private func unlink(from bucket: UnsafeMutablePointer<UInt>, where matches: (_ key: UInt) -> Bool) -> UInt {
    var previous: UInt = 0
    var ephemeron = bucket.pointee
    while ephemeron != 0 {
      let next = keyLink(of: ephemeron)
      if matches(tricolor_load_word(ephemeron + WeakCell.keyOffset)) {
        if previous == 0 { bucket.pointee = next } else { setKeyLink(of: previous, next) }
        waiting.wrappingSubtract(1, ordering: .relaxed)
        return ephemeron
      }
      previous = ephemeron
      ephemeron = next
    }
    return 0
  }

  private mutating func grow() {
    let old = (buckets, bucketCount)
    bucketCount *= 4
    buckets = .allocate(capacity: bucketCount)
    buckets.initialize(repeating: 0, count: bucketCount)
    for index in 0..<old.1 {
      var ephemeron = old.0[index]
      while ephemeron != 0 {
        let next = keyLink(of: ephemeron)
        let bucket = self.bucket(of: tricolor_load_word(ephemeron + WeakCell.keyOffset))
        setKeyLink(of: ephemeron, bucket.pointee)
        bucket.pointee = ephemeron
        ephemeron = next
      }
    }
    old.0.deallocate()
  }
}

extension HeapCore {
  /// Makes the values of all waiting ephemerons grey whose keys are marked. After this pass markers find the others by themselves.
  func resolveEphemerons() {
    if state.pointee.ephemerons.waiting.load(ordering: .relaxed) == 0 || Mutation.noKeyPass.isOn { return }
    var chunk: UnsafeMutablePointer<GreyChunk>? = nil
    let node = state.pointee.nodes.current
    state.pointee.ephemerons.takeMarked { ephemeron in
      let value = tricolor_load_word(ephemeron + WeakCell.valueOffset)
      if value != 0 { append(value, to: &chunk, node) }
    }
    state.pointee.grey.add(chunk, to: node)
  }

  /// Step 6: marking is over, and what is unmarked is dead. Clears what refers to it weakly, before anybody can allocate white again.
  func clearWeak() {
    Delay.point()
    state.pointee.ephemerons.clearDead()
    state.pointee.cleanups.collectDead()
    state.pointee.profile.collectDead()
    state.pointee.roots.lock.lock()
    state.pointee.phase.store(Phase.finished.rawValue, ordering: .sequentiallyConsistent)
    state.pointee.roots.lock.unlock()
  }

  /// The object that a weak word at `slot` refers to, 0 when it is gone: a strong read, which shades what it finds unmarked.
  ///
  /// Under the lock that marking ends under: either the object is grey before the end, and lives, or marking has ended without it and
  /// this and every later load answers 0. The slot is read again, since its object may be dead and cleared by then.
  @inline(never) func loadWeakSlowly(_ slot: UInt) -> UInt {
    state.pointee.roots.lock.lock()
    defer { state.pointee.roots.lock.unlock() }
    let word = tricolor_load_word(slot)
    if word == 0 || addressMap.isMarked(word) { return word }
    let phase = self.phase
    if phase == .clearing { return 0 }
    if isMarking && !Mutation.weakLoadNotShading.isOn { shade(word) }
    return word
  }
}

extension MutatorCore {
  /// What a weak word of this mutator's heap refers to. With the barrier off the object is either alive until this thread's stack is
  /// scanned, or its dead references have been cleared.
  func loadWeak(_ slot: UInt) -> UInt {
    let word = tricolor_load_word(slot)
    Delay.point()
    if word == 0 || state.pointee.barrierMode & BarrierMode.recording == 0 || addressMap.isMarked(word) { return word }
    return heap.loadWeakSlowly(slot)
  }
}

/// What a weak word at `slot` on the managed heap refers to, 0 when it is gone. For when a barrier of the thread may be on.
@usableFromInline @inline(never)
func loadWeakSlowly(slot: UInt) -> UInt {
  ThreadRecords.record(ofSlot: slot).map { $0.loadWeak(slot) } ?? tricolor_load_word(slot)
}
