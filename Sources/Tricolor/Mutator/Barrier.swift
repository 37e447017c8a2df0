// The write barrier, beyond its test: record the old value of the slot (deletion half), and the new one while this mutator's stack
// is unscanned (insertion half). Go's hybrid barrier (proposal 17503), with the insertion half conditional as in its design.
//
// While young cycles are on it also dirties the card of the slot (YoungCycle.swift), in every phase. Between cycles that is all.
//
// What is recorded is raw: marks are tested when the buffer of 512 is flushed, so a store during marking costs two appends. The
// flush drops what is marked already and hands the rest to the grey pool as edges.

import CTricolorShims
import Synchronization

extension MutatorCore {
  /// Records what a store of `new` into `slot` must shade. The store itself follows, after this returns.
  @inline(__always) func record(slot: UInt, new: UInt) {
    let mode = state.pointee.barrierMode
    if mode & BarrierMode.remember != 0 && new != 0 { addressMap.dirty(slot) }
    if mode & BarrierMode.recording == 0 { return }
    if state.pointee.bufferCount > MutatorCore.bufferCapacity - 2 { flushBuffer() }
    let old = tricolor_load_word(slot)
    if old != 0 && !Mutation.noDeletion.isOn { appendToBuffer(old) }
    if mode & BarrierMode.insertion != 0 && new != 0 && !Mutation.noInsertion.isOn { appendToBuffer(new) }
    Delay.point()
  }

  @inline(__always) private func appendToBuffer(_ word: UInt) {
    buffer[state.pointee.bufferCount] = word
    state.pointee.bufferCount += 1
  }

  /// Hands what the buffer holds and is not marked to the grey pool. After marking has ended there is nothing left to shade.
  @inline(never) func flushBuffer() {
    let count = state.pointee.bufferCount
    state.pointee.bufferCount = 0
    guard count > 0, heap.isMarking else { return }
    Delay.point()
    let map = addressMap
    let node = heap.state.pointee.nodes.current
    var chunk: UnsafeMutablePointer<GreyChunk>? = nil
    for i in 0..<count {
      let edge = buffer[i]
      if !map.isMarked(edge) { heap.append(edge, to: &chunk, node) }
    }
    heap.state.pointee.grey.add(chunk, to: node)
  }
}

/// The barrier's slow path for a slot on the managed heap. While no cycle runs anywhere, a card dirtied in vain is all that another
/// heap's young cycles cost.
@usableFromInline @inline(never)
func barrierSlowly(slot: UInt, new: UInt) {
  if tricolor_barrier() == BarrierMode.remember {
    if new != 0 { addressMap.dirty(slot) }
  } else {
    ThreadRecords.record(ofSlot: slot)?.record(slot: slot, new: new)
  }
}

/// Stores a reference with the barrier. Idle cost: one thread-local byte load, one branch, one store.
@inlinable @inline(__always)
func storeReference(_ new: UInt, at slot: UInt) {
  if _slowPath(tricolor_barrier() != 0) { barrierSlowly(slot: slot, new: new) }
  tricolor_store_word(slot, new)
}
