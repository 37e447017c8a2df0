// Young cycles: what the last sweep left alive is taken for alive, and only what was allocated since is marked and swept. A
// generational collector without moving anything, by sticky mark bits (Demers, Weiser, Hayes, Boehm, Bobrow and Shenker, POPL 1990).
//
// An object is *old* when its allocation bit is set: it was marked when the last cycle ended. A young cycle is a full one but for two
// things on the collector thread. Between `settle` and `roots` the allocation bits are copied to the mark bits: old objects
// count as marked and scanned. And when all have answered `roots`, old objects on dirty cards are scanned again: to the
// protocol they were grey all the time.
//
// Invariant I10: when all have answered `arm` of a young cycle, every old object that refers to a young one lies on a dirty card.
// Proof. The young object was allocated white, by a mutator that had answered `sweep` of the last cycle. So the reference
// was stored after that handshake was posted. A store by the barrier dirties the card: all mutators remember from their answer to `arm` of the
// last cycle on, and cards are cleaned only between the last answer to `roots` and the end of marking, which was before. A store
// without the barrier initialises an object: if that is old, it was allocated black, by a mutator that had yet to answer `sweep`, in a run
// that it retires at a time when the phase is `clearing` or `finished`; then it dirties the run's cards.
//
// A store that falls between cleaning a card and scanning what is on it needs no card: it comes after its thread's answer to `roots` and
// before `sweep` is posted, so what it stores is marked when the cycle ends.
//
// Dead old objects stay until a full cycle, with what they refer to. `GenerationPolicy` (TricolorPacing) decides which cycle is
// which. Weak references and ephemerons need nothing of their own: an old cell whose target is young lies on a dirty card.
//
// Cost of what a young cycle does and a full one does not: 256 bytes copied for each block, one load for each block's cards, and
// the scan of old objects on dirty cards.

import CTricolorShims
import Synchronization
import TricolorPlatform

extension HeapCore {
  /// The bit of the barrier mode that goes with what the heap wants remembered.
  var rememberMode: UInt8 { state.pointee.remembers.load(ordering: .relaxed) ? BarrierMode.remember : BarrierMode.off }

  /// The same, between the answers to `arm` and to `sweep`.
  var rememberModeInCycle: UInt8 { Mutation.rememberedFromSweepOn.isOn ? BarrierMode.off : rememberMode }

  /// Tells the policy how much of what a full cycle has marked was there at the cycle before. Everything is swept.
  func noteSurvivors() {
    let survived = state.pointee.survivedBytes.load(ordering: .relaxed)
    state.pointee.pacing.lock.lock()
    defer { state.pointee.pacing.lock.unlock() }
    state.pointee.pacing.generations.noteSurvivors(Double(survived) / Double(max(1, state.pointee.pacing.markedInHeap)))
  }

  /// Marks all old objects. Everything is swept, no mutator allocates black, and nobody marks yet, but for a barrier that gets no memory for
  /// its records (Overflow.swift): such a mark may be lost here, and the object counted twice. It is found again, as no stack is scanned yet.
  func markOld() {
    let map = addressMap
    // Free blocks have no allocation bits.
    forEachBlock { block in
      let first = block * Geometry.bitmapWordsPerBlock
      for word in first..<first + Geometry.bitmapWordsPerBlock where map.allocationBits[word] != 0 {
        tricolor_store_word(UInt(bitPattern: map.markBits + word), UInt(map.allocationBits[word]))
      }
    }
  }

  /// Cleans all cards. In a young cycle old objects on dirty ones are scanned, in slices as background marking is.
  func visitCards(_ record: inout CycleRecord) {
    record.isYoung ? scanCards(&record) : cleanCards()
  }

  func cleanCards() {
    let map = addressMap
    forEachBlock { block in if map.hasDirtyCards(block) { map.cleanCards(block) } }
  }

  private func scanCards(_ record: inout CycleRecord) {
    var scan = CardScan(self)
    forEachBlock { block in
      guard addressMap.hasDirtyCards(block) else { return }
      scan.visit(block)
      if scan.isOverdue { restBetween(&scan, &record) }
    }
    scan.leave()
    noteBackground(scan.busy, &record)
  }

  private func restBetween(_ scan: inout CardScan, _ record: inout CycleRecord) {
    scan.leave()
    noteBackground(scan.busy, &record)
    rest(afterBusy: scan.busy)
    scan = CardScan(self)
  }

  /// Calls `body` with every block of the heap, in use or not. Blocks may be taken and given back meanwhile.
  private func forEachBlock(_ body: (Int) -> Void) {
    state.pointee.blocks.forEachFirstBlock { first in
      for block in first..<first + Geometry.blocksPerArena { body(block) }
    }
  }
}

/// A slice of the scan of dirty cards: a marker on the collector thread that leaves what it finds to those who mark.
private struct CardScan {
  /// Work between looks at the clock.
  private static let quantum = 16 * 1024
  private static let sliceNanoseconds: UInt64 = 200_000

  private let heap: HeapCore
  private let map = addressMap
  private var marker: Marker?
  private let began = Clock.monotonic()
  private let cpu = Clock.threadCPU()
  private var looked = 0
  /// CPU time of the slice, once it is over.
  private(set) var busy: UInt64 = 0
  /// The object scanned last, which may reach into the next card.
  private var last: UInt = 0

  init(_ heap: HeapCore) {
    self.heap = heap
    marker = heap.state.pointee.grey.enterEmpty().map { Marker(heap, holding: $0) }
  }

  /// Whether the slice is over.
  var isOverdue: Bool {
    mutating get {
      guard let marker, marker.work - looked > CardScan.quantum else { return false }
      looked = marker.work
      return Clock.monotonic() - began > CardScan.sliceNanoseconds
    }
  }

  /// Cleans the cards of `block` and scans the old objects on dirty ones.
  mutating func visit(_ block: Int) {
    if marker == nil {
      // No memory for entries: all that is marked will be scanned again (Overflow.swift).
      heap.state.pointee.grey.noteOverflow()
      return map.cleanCards(block)
    }
    let first = block * Geometry.cardsPerBlock
    for card in first..<first + Geometry.cardsPerBlock where map.clean(card) { visit(card: card) }
  }

  private mutating func visit(card: Int) {
    let start = map.base + UInt(card) << Geometry.cardShift
    let range = start..<start + UInt(Geometry.cardBytes)
    if let object = map.oldObject(reachingInto: start) { scan(object, range, again: object == last) }
    let word = card * 2
    scanStarting(word, range)
    scanStarting(word + 1, range)
  }

  /// Scans the old objects that begin in the KiB of a word of the allocation bitmap.
  private mutating func scanStarting(_ word: Int, _ card: Range<UInt>) {
    var bits = map.allocationBits[word]
    while bits != 0 {
      let granule = UInt(word) << 6 + UInt(bits.trailingZeroBitCount)
      bits &= bits - 1
      scan(map.base + granule << Geometry.granuleShift, card, again: false)
    }
  }

  /// An object that a card before has had scanned need be scanned again only where it is an array, of which each card has its part.
  private mutating func scan(_ object: UInt, _ card: Range<UInt>, again: Bool) {
    last = object
    marker!.rescan(object, card: card, again: again)
  }

  /// Hands on what was found.
  mutating func leave() {
    marker?.leave()
    marker = nil
    busy = Clock.threadCPU() - cpu
  }
}

extension AddressMap {
  /// The old object that begins before `address`, the start of a card, and reaches beyond it; nil when there is none. Not before
  /// the last answer to `roots`, and not during a sweep.
  fileprivate func oldObject(reachingInto address: UInt) -> UInt? {
    let block = self.block(of: address)
    let kind = BlockKind(rawValue: descriptors[block].kind) ?? .free
    if kind == .free { return nil }
    atomicMemoryFence(ordering: .acquiring)
    let head = kind == .continuation ? block - Int(descriptors[block].span) : block
    let descriptor = descriptors[head]
    let start = self.address(ofBlock: head)
    let offset = UInt64(address - start)
    let index = descriptor.kind == BlockKind.large.rawValue ? 0 : (offset &* UInt64(descriptor.reciprocal)) >> 32
    let object = start + UInt(index * descriptor.cellBytes)
    let granule = self.granule(of: object)
    let isOld = allocationBits[Int(granule >> 6)] & (1 << UInt64(granule & 63)) != 0
    return isOld && object < address && address < object + UInt(descriptor.cellBytes) ? object : nil
  }
}
