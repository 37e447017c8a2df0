// Marking: the loop that turns grey edges into marked, scanned objects.
//
// A LIFO stack of edges feeds a FIFO ring of 16: an edge is prefetched (mark word, and the object unless it is a leaf) when it
// enters the ring and looked at when it leaves, sixteen edges later. Measured on 4 M objects of 32 bytes in random order this is
// 4 to 5 times faster than without (docs/decisions.md, "Prefetch ring"); the technique is Cher, Hosking and Vijaykumar's
// (ASPLOS 2004). What an object holds comes from its block's scan word, so no object is touched twice and leaves not at all.
//
// No allocation, no reference counting, no existential: raw pointers and machine words only.

import CTricolorShims
import Synchronization
import TricolorPlatform

/// What a marker did: flushed to the heap's counters when it leaves.
struct MarkTally {
  /// Bytes of objects with references that were scanned: the pacer's unit of work.
  var work = 0
  var bytes = 0
  var objects = 0

  mutating func add(_ other: MarkTally) {
    work += other.work
    bytes += other.bytes
    objects += other.objects
  }
}

/// One marker at work: a chunk of grey entries and a prefetch ring. Lives on its thread's stack during one `mark` call.
struct Marker {
  static let ringSize = 16
  /// Array references scanned before the rest of the array goes back on the stack.
  static let arrayPiece = 512
  /// Entries a single object may push without a check.
  static let slack = 64

  private let map = addressMap
  private let base: UInt
  private let markBits: UnsafeMutablePointer<UInt64>
  private let scanWords: UnsafeMutablePointer<UInt64>
  private let heap: HeapCore
  private var chunk: UnsafeMutablePointer<GreyChunk>
  private var floor: UnsafeMutablePointer<UInt>
  private var ceiling: UnsafeMutablePointer<UInt>
  private var top: UnsafeMutablePointer<UInt>
  private(set) var tally = MarkTally()
  /// Whether weak references and ephemerons are traced as strong ones: only while the heap is walked (Overflow.swift).
  private var tracesWeak = false
  private let looksUpKeys: Bool

  /// What a budget is spent on: bytes scanned, and a granule for every object, so that leaves are not free.
  @inline(__always) private var cost: Int { tally.work &+ tally.objects << 4 }

  /// Becomes an active marker of `heap`; nil when there is no grey work to take.
  init?(_ heap: HeapCore) {
    guard let chunk = heap.state.pointee.grey.enter() else { return nil }
    self.init(heap, holding: chunk)
  }

  /// An active marker of `heap` that holds `chunk`.
  init(_ heap: HeapCore, holding chunk: UnsafeMutablePointer<GreyChunk>) {
    self.heap = heap
    self.chunk = chunk
    looksUpKeys = heap.state.pointee.grey.looksUpKeys
    base = map.base
    markBits = map.markBits
    scanWords = map.scanWords
    floor = GreyChunk.entries(chunk)
    ceiling = floor + GreyChunk.capacity
    top = floor + chunk.pointee.count
  }

  /// Marks until `budget` bytes of work are done or nothing grey is left to take, then leaves the pool.
  mutating func run(budget: Int) {
    withUnsafeTemporaryAllocation(of: UInt.self, capacity: Marker.ringSize) { ring in
      let ring = ring.baseAddress!
      ring.initialize(repeating: 0, count: Marker.ringSize)
      repeat {
        drain(ring, budget: budget)
      } while cost < budget && refill()
    }
    leave()
  }

  /// Scans every marked object again, marks what that finds, and leaves the pool.
  mutating func runOverMarkedObjects() {
    tracesWeak = true
    withUnsafeTemporaryAllocation(of: UInt.self, capacity: Marker.ringSize) { ring in
      let ring = ring.baseAddress!
      ring.initialize(repeating: 0, count: Marker.ringSize)
      heap.forEachMarkedObject { object in
        // Counted when it was marked.
        let counted = tally
        scan(object, map.scanWords[map.block(of: object)])
        tally = counted
        drain(ring, budget: .max)
      }
    }
    leave()
  }

  private mutating func leave() {
    chunk.pointee.count = top - floor
    Delay.point()
    // Before leaving: when nobody is active the cycle ends, and all that was marked must have been counted by then.
    heap.note(tally)
    heap.state.pointee.grey.leave(chunk)
  }

  /// Empties the stack through the ring. On return the ring is empty; entries are left on the stack only when the budget ran out.
  ///
  /// The loop keeps everything it needs in locals: fields of `self` would be reloaded after each call. Objects that a bitmap
  /// describes and leaves are handled here; the rest goes through `scan`, which works on the fields.
  private mutating func drain(_ ring: UnsafeMutablePointer<UInt>, budget: Int) {
    let base = self.base
    let markBits = self.markBits
    let scanWords = self.scanWords
    var top = self.top
    var left = budget &- cost
    // While keys are looked up every object goes through `scan`: a value no kind has.
    let handledHere = looksUpKeys ? UInt64.max : ScanWord.bitmap
    var index = 0
    var inFlight = 0
    while true {
      var next: UInt = 0
      if top != floor && left > 0 {
        top -= 1
        next = top.pointee
        if _slowPath(next & 1 != 0) {
          top -= 1
          self.top = top
          scanArray(top.pointee, from: Int(next >> 1))
          top = self.top
          continue
        }
        let offset = next &- base
        tricolor_prefetch_for_write(UInt(bitPattern: markBits) &+ (offset >> 10) << 3)
        if ScanWord.kind(scanWords[Int(bitPattern: offset >> Geometry.blockShift)]) != ScanWord.leaf {
          tricolor_prefetch(next)
        }
        inFlight &+= 1
      } else if inFlight == 0 {
        break
      }
      let edge = ring[index]
      ring[index] = next
      index = (index &+ 1) & (Marker.ringSize &- 1)
      if edge == 0 { continue }
      inFlight &-= 1
      let offset = edge &- base
      let mark = markBits + Int(bitPattern: offset >> 10)
      let bit: UInt64 = 1 &<< (UInt64(offset) &>> 4)
      if tricolor_load_bits(mark) & bit != 0 || !tricolor_set_bits(mark, bit) { continue }
      let word = scanWords[Int(bitPattern: offset >> Geometry.blockShift)]
      if _fastPath(ScanWord.kind(word) == handledHere) {
        if _slowPath(top + Marker.slack > ceiling) {
          self.top = top
          spill()
          top = self.top
        }
        var mask = ScanWord.mask(word)
        while mask != 0 {
          let reference = tricolor_load_word(edge &+ UInt(truncatingIfNeeded: mask.trailingZeroBitCount) &<< 3)
          mask &= mask &- 1
          top.pointee = reference
          top += reference != 0 ? 1 : 0
        }
        let bytes = ScanWord.bytes(word)
        tally.objects &+= 1
        tally.bytes &+= bytes
        tally.work &+= bytes
        left &-= bytes &+ 16
      } else {
        self.top = top
        scan(edge, word)
        top = self.top
        left = budget &- cost
      }
      if _slowPath(tally.objects & 255 == 0) {
        self.top = top
        shareIfWanted()
        top = self.top
      }
    }
    self.top = top
  }

  /// Counts a newly marked object that no bitmap describes and pushes its references.
  @inline(never) private mutating func scan(_ object: UInt, _ word: UInt64) {
    let bytes = ScanWord.bytes(word)
    tally.objects += 1
    tally.bytes += bytes
    if looksUpKeys { pushValues(ofKey: object) }
    switch ScanWord.kind(word) {
    case ScanWord.leaf:
      if bytes == 0 { countLargeLeaf(object) }
    case ScanWord.references:
      tally.work += bytes
      scanArray(object, from: 0)
    default:
      scanDescribed(object, cellBytes: bytes)
    }
  }

  @inline(__always) private mutating func push(_ reference: UInt) {
    if reference != 0 {
      top.pointee = reference
      top += 1
    }
  }

  @inline(__always) private mutating func ensureRoom() {
    if _slowPath(top + Marker.slack > ceiling) { spill() }
  }

  // MARK: Everything below is off the common path.

  @inline(never) private mutating func countLargeLeaf(_ object: UInt) {
    tally.bytes += Int(map.descriptors[map.block(of: object)].cellBytes)
  }

  /// Scans one piece of an array and leaves the rest, if any, on the stack.
  @inline(never) private mutating func scanArray(_ object: UInt, from first: Int) {
    let (shape, entry, room) = describe(object)
    let count = min(Int(tricolor_load_word(object)), room)
    let last = min(count, first + Marker.arrayPiece)
    if last < count { pushRest(object, from: last) }
    switch shape {
    case .references:
      for i in first..<max(first, last) {
        if i & 31 == 0 { ensureRoom() }
        push(tricolor_load_word(object + 8 + UInt(i) << 3))
      }
    default:
      for i in first..<max(first, last) {
        scanFields(of: object + 16 + UInt(i * entry.bytes), entry)
      }
    }
  }

  /// The shape of an object, its layout and how many elements its cell has room for.
  private func describe(_ object: UInt) -> (LayoutEntry.Shape, LayoutEntry, Int) {
    let descriptor = map.head(of: object)
    let layout = LayoutTable.laneClasses[Int(descriptor.pointee.lane)].layout
    let entry = LayoutTable.entries[Int(layout.index)]
    let bytes = Int(descriptor.pointee.cellBytes)
    switch entry.shape {
    case .references: return (.references, entry, (bytes - 8) / 8)
    case .elements: return (.elements, entry, (bytes - 16) / entry.bytes)
    default: return (entry.shape, entry, 0)
    }
  }

  private mutating func pushRest(_ object: UInt, from index: Int) {
    ensureRoom()
    top[0] = object
    top[1] = UInt(index) << 1 | 1
    top += 2
  }

  private mutating func scanFields(of base: UInt, _ entry: LayoutEntry) {
    for i in 0..<entry.offsetCount {
      if i & 31 == 0 { ensureRoom() }
      push(tricolor_load_word(base + UInt(entry.offsets![i])))
    }
  }

  /// Objects whose scan word does not say it all: arrays of elements, custom layouts, large and sparse ones.
  @inline(never) private mutating func scanDescribed(_ object: UInt, cellBytes: Int) {
    let descriptor = map.head(of: object)
    let bytes = Int(descriptor.pointee.cellBytes)
    if cellBytes != bytes { tally.bytes += bytes - cellBytes }
    tally.work += bytes
    let (shape, entry, _) = describe(object)
    switch shape {
    case .references, .elements: scanArray(object, from: 0)
    case .fixed: scanFields(of: object, entry)
    case .leaf: break
    case .weak: findWeak(object)
    case .ephemeron: findEphemeron(object)
    case .custom:
      withUnsafeMutablePointer(to: &self) { marker in
        entry.trace!(UnsafeRawPointer(bitPattern: object)!, bytes, visitTracedReference, marker)
      }
    }
  }

  private mutating func findWeak(_ cell: UInt) {
    let target = tricolor_load_word(cell)
    if tracesWeak {
      ensureRoom()
      return push(target)
    }
    if target != 0 && !map.isMarked(target) { heap.state.pointee.ephemerons.addWeak(cell) }
  }

  private mutating func findEphemeron(_ ephemeron: UInt) {
    let key = tricolor_load_word(ephemeron)
    if key == 0 { return }
    if tracesWeak {
      ensureRoom()
      push(key)
      return pushValue(of: ephemeron)
    }
    if map.isMarked(key) || !heap.state.pointee.ephemerons.add(ephemeron, key: key) { pushValue(of: ephemeron) }
  }

  private mutating func pushValue(of ephemeron: UInt) {
    ensureRoom()
    push(tricolor_load_word(ephemeron + WeakCell.valueOffset))
  }

  /// Pushes the values of all ephemerons that wait for `key`, which has just been marked.
  private mutating func pushValues(ofKey key: UInt) {
    while heap.state.pointee.ephemerons.waiting.load(ordering: .sequentiallyConsistent) > 0 {
      let ephemeron = heap.state.pointee.ephemerons.take(key: key)
      if ephemeron == 0 { return }
      pushValue(of: ephemeron)
    }
  }

  fileprivate mutating func visit(_ reference: UInt) {
    guard map.contains(reference) else { return }
    ensureRoom()
    push(reference)
  }

  /// Gives the older half of a full stack to the pool, for others or for later. Half, so that a stack that moves about the
  /// chunk's edge does not trade chunks at every step.
  @inline(never) private mutating func spill() {
    if !giveOlderHalf() { forgetOlderHalf() }
  }

  /// Takes more work when the stack is empty; false when there is none.
  private mutating func refill() -> Bool {
    if top > floor { return true }
    guard let work = heap.state.pointee.grey.exchangeEmpty(chunk) else { return false }
    take(work)
    return true
  }

  private mutating func take(_ other: UnsafeMutablePointer<GreyChunk>) {
    chunk = other
    floor = GreyChunk.entries(other)
    ceiling = floor + GreyChunk.capacity
    top = floor + other.pointee.count
  }

  /// Hands the older half of the stack to a marker that has nothing to do.
  @inline(never) private mutating func shareIfWanted() {
    guard heap.state.pointee.grey.hungry.load(ordering: .relaxed) > 0 else { return }
    let count = top - floor
    guard count >= 64 else { return }
    _ = giveOlderHalf()
  }

  /// Pools the older half of the stack and goes on with the younger one in a chunk of its own; false when there is none to be had.
  private mutating func giveOlderHalf() -> Bool {
    guard let other = heap.state.pointee.grey.emptyChunk() else { return false }
    let half = middle
    let rest = top - floor - half
    GreyChunk.entries(other).update(from: floor + half, count: rest)
    other.pointee.count = rest
    chunk.pointee.count = half
    let given = chunk
    take(other)
    heap.state.pointee.grey.give(given)
    return true
  }

  /// Half the stack's entries, no pair split.
  private var middle: Int {
    let half = (top - floor) / 2
    return floor[half] & 1 != 0 ? half + 1 : half
  }

  /// Makes room on a full stack without a chunk: drops edges to what is marked already, and if that is not enough, marks the objects
  /// of the older half without scanning them (Overflow.swift). The rest of an array that is dropped is found by the same walk.
  private mutating func forgetOlderHalf() {
    dropMarked()
    if top - floor <= GreyChunk.capacity / 2 { return }
    let half = middle
    var entry = 0
    // An account of its own: the marker's is that of an object scanned again, which counts nothing, when this happens during a walk.
    var forgotten = MarkTally()
    while entry < half {
      let isPair = floor[entry + 1] & 1 != 0
      if !isPair && map.mark(floor[entry]) { forgotten.add(map.tally(of: floor[entry])) }
      entry += isPair ? 2 : 1
    }
    heap.note(forgotten)
    let rest = top - floor - half
    floor.update(from: floor + half, count: rest)
    top = floor + rest
    heap.state.pointee.grey.noteOverflow()
  }

  private mutating func dropMarked() {
    var kept = floor
    var entry = floor
    while entry < top {
      let isPair = entry + 1 < top && entry[1] & 1 != 0
      if isPair || !map.isMarked(entry[0]) {
        kept[0] = entry[0]
        if isPair { kept[1] = entry[1] }
        kept += isPair ? 2 : 1
      }
      entry += isPair ? 2 : 1
    }
    top = kept
  }
}

/// The visitor that custom trace functions call.
private func visitTracedReference(_ context: UnsafeMutableRawPointer, _ reference: UInt) {
  context.assumingMemoryBound(to: Marker.self).pointee.visit(reference)
}
