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
}

/// One marker at work: a chunk of grey entries and a prefetch ring. Lives on its thread's stack during one `mark` call.
struct Marker {
  static let ringSize = 16
  /// Array references scanned before the rest of the array goes back on the stack.
  static let arrayPiece = 512
  /// Entries a single object may push without a check.
  static let slack = 64

  private let map = addressMap
  private let heap: HeapCore
  private var chunk: UnsafeMutablePointer<GreyChunk>
  private var floor: UnsafeMutablePointer<UInt>
  private var ceiling: UnsafeMutablePointer<UInt>
  private var top: UnsafeMutablePointer<UInt>
  private(set) var tally = MarkTally()

  /// What a budget is spent on: bytes scanned, and a granule for every object, so that leaves are not free.
  @inline(__always) private var cost: Int { tally.work &+ tally.objects << 4 }

  /// Becomes an active marker of `heap`; nil when there is no grey work to take.
  init?(_ heap: HeapCore) {
    guard let chunk = heap.state.pointee.grey.enter() else { return nil }
    self.heap = heap
    self.chunk = chunk
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
    chunk.pointee.count = top - floor
    heap.state.pointee.grey.leave(chunk)
  }

  /// Empties the stack through the ring. On return the ring is empty; entries are left on the stack only when the budget ran out.
  private mutating func drain(_ ring: UnsafeMutablePointer<UInt>, budget: Int) {
    var index = 0
    var inFlight = 0
    var untilShare = 256
    while true {
      var next: UInt = 0
      if top > floor && cost < budget {
        top -= 1
        next = top.pointee
        if next & 1 != 0 {
          top -= 1
          scanArray(top.pointee, from: Int(next >> 1))
          continue
        }
        prefetch(next)
        inFlight += 1
      } else if inFlight == 0 {
        return
      }
      let edge = ring[index]
      ring[index] = next
      index = (index + 1) & (Marker.ringSize - 1)
      if edge == 0 { continue }
      inFlight -= 1
      if map.mark(edge) { scan(edge) }
      untilShare -= 1
      if untilShare == 0 {
        untilShare = 256
        shareIfWanted()
      }
    }
  }

  @inline(__always) private func prefetch(_ edge: UInt) {
    tricolor_prefetch(UInt(bitPattern: map.markWord(of: edge)))
    if ScanWord.kind(map.scanWords[map.block(of: edge)]) != ScanWord.leaf { tricolor_prefetch(edge) }
  }

  /// Pushes the references of a newly marked object.
  @inline(__always) private mutating func scan(_ object: UInt) {
    let word = map.scanWords[map.block(of: object)]
    let bytes = ScanWord.bytes(word)
    tally.objects += 1
    tally.bytes += bytes
    switch ScanWord.kind(word) {
    case ScanWord.bitmap:
      tally.work += bytes
      ensureRoom()
      var mask = ScanWord.mask(word)
      while mask != 0 {
        push(tricolor_load_word(object + UInt(mask.trailingZeroBitCount) << 3))
        mask &= mask &- 1
      }
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
    let descriptor = head(of: object)
    let layout = LayoutTable.laneClasses[Int(descriptor.pointee.lane)].layout
    let entry = LayoutTable.entries[Int(layout.index)]
    let bytes = Int(descriptor.pointee.cellBytes)
    switch entry.shape {
    case .references: return (.references, entry, (bytes - 8) / 8)
    case .elements: return (.elements, entry, (bytes - 16) / entry.bytes)
    default: return (entry.shape, entry, 0)
    }
  }

  private func head(of object: UInt) -> UnsafeMutablePointer<BlockDescriptor> {
    let descriptor = map.descriptors + map.block(of: object)
    return descriptor.pointee.kind == BlockKind.continuation.rawValue
      ? descriptor - Int(descriptor.pointee.span) : descriptor
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
    let descriptor = head(of: object)
    let bytes = Int(descriptor.pointee.cellBytes)
    if cellBytes != bytes { tally.bytes += bytes - cellBytes }
    tally.work += bytes
    let (shape, entry, _) = describe(object)
    switch shape {
    case .references, .elements: scanArray(object, from: 0)
    case .fixed: scanFields(of: object, entry)
    case .leaf: break
    case .custom:
      withUnsafeMutablePointer(to: &self) { marker in
        entry.trace!(UnsafeRawPointer(bitPattern: object)!, bytes, visitTracedReference, marker)
      }
    }
  }

  fileprivate mutating func visit(_ reference: UInt) {
    guard map.contains(reference) else { return }
    ensureRoom()
    push(reference)
  }

  /// Gives the full chunk to the pool, for others or for later, and goes on with an empty one.
  @inline(never) private mutating func spill() {
    chunk.pointee.count = top - floor
    take(heap.state.pointee.grey.exchangeFull(chunk))
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
    var half = count / 2
    if floor[half] & 1 != 0 { half += 1 }
    let rest = count - half
    let other = heap.state.pointee.grey.emptyChunk()
    let entries = GreyChunk.entries(other)
    entries.update(from: floor + half, count: rest)
    other.pointee.count = rest
    chunk.pointee.count = half
    let given = chunk
    take(other)
    heap.state.pointee.grey.give(given)
  }
}

/// The visitor that custom trace functions call.
private func visitTracedReference(_ context: UnsafeMutableRawPointer, _ reference: UInt) {
  context.assumingMemoryBound(to: Marker.self).pointee.visit(reference)
}
