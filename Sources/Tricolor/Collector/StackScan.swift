// Conservative scan of one mutator's stack: every word that points into an allocated cell makes that cell grey.
//
// The registers were spilled above `start` by the caller (CTricolorShims), so the scan sees every value the thread's frames hold.
// Runs on the thread itself, or on the collector for a parked thread; sweeping is off (I7), so descriptors of swept blocks stand.
// Cost: 0.7 ns a word that is no heap pointer, about 10 ns one that is.

import CTricolorShims

extension HeapCore {
  /// Adds the unmarked cells that words of [start, end) point to to the grey set.
  @inline(never) func scanStack(from start: UInt, to end: UInt) {
    let map = addressMap
    let node = state.pointee.nodes.current
    var chunk: UnsafeMutablePointer<GreyChunk>? = nil
    var address = (start + 7) & ~7
    while address + 8 <= end {
      let word = tricolor_load_word(address)
      address += 8
      guard map.contains(word), map.owner(of: word) == UnsafeMutableRawPointer(state),
        let cell = map.conservativeCell(word), !map.isMarked(cell)
      else { continue }
      append(cell, to: &chunk, node)
    }
    state.pointee.statistics.scannedStackBytes.wrappingAdd(Int(end - start), ordering: .relaxed)
    state.pointee.grey.add(chunk, to: node)
  }

  /// Puts one edge in `chunk`, taking one at first, and another when it is full, which is pooled for `node`.
  @inline(__always) func append(_ edge: UInt, to chunk: inout UnsafeMutablePointer<GreyChunk>?, _ node: Int) {
    if chunk == nil || chunk!.pointee.count == GreyChunk.capacity {
      state.pointee.grey.add(chunk, to: node)
      chunk = state.pointee.grey.emptyChunk()
    }
    guard let chunk else { return markUnscanned(edge) }
    GreyChunk.push(edge, on: chunk)
  }
}
