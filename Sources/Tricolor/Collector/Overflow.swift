// When the system gives no memory for grey entries: marking goes on without, by the classic answer to mark stack overflow (Knuth,
// TAOCP 2.3.5, and most collectors since). An edge that finds no place has its object marked at once and forgotten; later, when
// nothing else is grey, the collector thread walks the heap and scans every marked object again, which finds what was forgotten.
//
// The walk cannot tell which weak references and ephemerons were found before, so it traces them as strong ones: they are cleared a cycle
// later than they might be. Ephemerons whose key was forgotten are found by the pass over their table that each round makes.
//
// Invariant: while such an object is not scanned, the grey pool's overflow is noted, which keeps marking from ending (I5, I6). It is
// noted after the mark is set and cleared before the walk begins, so a walk under way never makes up for a later overflow.
// Marks of cells that are handed out black are set after their memory has been zeroed: the walk reads all that is marked.
// Each walk that overflows again has marked something, so walks end. The first slab of the pool is mapped with the heap, so
// the walk itself always has a chunk. Cost: one pass over the marked heap for each overflow; nothing while memory is to be had.

import Synchronization
import TricolorPlatform

extension HeapCore {
  /// Makes one object grey that a thread which is no marker has come across.
  func shade(_ object: UInt) {
    let pool = addressMap.pool(of: object)
    let node = pool < state.pointee.nodes.count ? pool : 0
    if !state.pointee.grey.add(edge: object, to: node) { markUnscanned(object) }
  }

  /// Shades an object for which there is no grey entry: marks and counts it; a walk will scan it.
  @inline(never) func markUnscanned(_ object: UInt) {
    if addressMap.mark(object) { note(addressMap.tally(of: object)) }
    state.pointee.grey.noteOverflow()
  }

  /// Scans every marked object again if entries were lost and nothing is grey. On the collector thread, while marking.
  func rescanAfterOverflow(_ record: inout CycleRecord) {
    guard let chunk = state.pointee.grey.enterAfterOverflow() else { return }
    let cpu = Clock.threadCPU()
    var marker = Marker(self, holding: chunk)
    marker.runOverMarkedObjects()
    noteBackground(Clock.threadCPU() - cpu, &record)
  }

  /// Calls `body` with every marked object that may hold references. Objects marked meanwhile may or may not be among them.
  func forEachMarkedObject(_ body: (UInt) -> Void) {
    let map = addressMap
    state.pointee.blocks.forEachFirstBlock { first in
      var block = first
      while block < first + Geometry.blocksPerArena { block += map.visitMarked(block, body) }
    }
  }
}

extension AddressMap {
  /// What marking the object adds to its marker's account.
  func tally(of object: UInt) -> MarkTally {
    let bytes = Int(head(of: object).pointee.cellBytes)
    // The scan word is the same for every block of a run.
    let isLeaf = ScanWord.isLeaf(scanWords[block(of: object)])
    return MarkTally(work: isLeaf ? 0 : bytes, bytes: bytes, objects: 1)
  }

  /// Calls `body` with the marked objects of the run that begins at `block`, unless it is of leaves; how many blocks to go on by.
  fileprivate func visitMarked(_ block: Int, _ body: (UInt) -> Void) -> Int {
    let descriptor = descriptors + block
    let kind = BlockKind(rawValue: descriptor.pointee.kind) ?? .free
    atomicMemoryFence(ordering: .acquiring)
    guard kind == .cells || kind == .large else { return 1 }
    if !ScanWord.isLeaf(scanWords[block]) {
      var cell = address(ofBlock: block)
      for _ in 0..<descriptor.pointee.cellCount {
        if isMarked(cell) { body(cell) }
        cell += UInt(descriptor.pointee.cellBytes)
      }
    }
    return Int(descriptor.pointee.span)
  }
}
