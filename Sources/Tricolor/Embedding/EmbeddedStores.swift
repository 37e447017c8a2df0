// The barrier for programs in other languages: what a store must tell the collector, whatever the slot holds.
//
// A slot of a Swift payload holds a reference or nil. One in C may hold anything: an object's layout may have tagged words, a conservative
// object anything at all. So a word is recorded as the object that it leads to, if any; that costs a lookup of some ten nanoseconds, paid
// only while the collector marks. Whose mutator records it is decided by the object: slots of root ranges lie outside every heap.

import CTricolorShims
import Synchronization

package enum EmbeddedStore {
  /// Notes that `new` is about to replace what the slot holds, or that it has just replaced `old`.
  package static func note(slot: UInt, old: UInt, new: UInt) {
    let mode = tricolor_barrier()
    if mode & BarrierMode.remember != 0 && new != 0 { addressMap.dirty(slot) }
    if mode & BarrierMode.recording == 0 { return }
    if !Mutation.noDeletion.isOn { record(old, BarrierMode.deletion) }
    if !Mutation.noInsertion.isOn { record(new, BarrierMode.insertion) }
  }

  /// The word at `slot`.
  package static func load(_ slot: UInt) -> UInt { tricolor_load_word(slot) }

  /// Stores a reference with the barrier.
  package static func store(_ new: UInt, at slot: UInt) {
    if tricolor_barrier() != 0 { note(slot: slot, old: tricolor_load_word(slot), new: new) }
    tricolor_store_word(slot, new)
  }

  /// Moves `words` words with the barrier; the ranges may overlap.
  package static func copy(to: UInt, from: UInt, words: Int) {
    if tricolor_barrier() != 0 {
      for word in 0..<UInt(words) {
        note(slot: to + 8 * word, old: tricolor_load_word(to + 8 * word), new: tricolor_load_word(from + 8 * word))
      }
    }
    if to <= from {
      for word in 0..<UInt(words) { tricolor_store_word(to + 8 * word, tricolor_load_word(from + 8 * word)) }
    } else {
      for word in (0..<UInt(words)).reversed() {
        tricolor_store_word(to + 8 * word, tricolor_load_word(from + 8 * word))
      }
    }
  }

  /// Whether stores into the object may be noted after they were made: its heap's cycles stop the program.
  package static func mayNoteLate(object: UInt) -> Bool {
    guard let owner = addressMap.owner(of: object) else { return false }
    return HeapCore(state: owner.assumingMemoryBound(to: HeapState.self)).stopMode != .never
  }

  /// Notes stores into the object that were made already: everything it holds becomes grey while its heap marks. For heaps that scan
  /// stacks again at the end of marking.
  package static func noteStored(object: UInt) {
    let mode = tricolor_barrier()
    if mode == 0 { return }
    let bytes = addressMap.head(of: object).pointee.cellBytes
    for slot in stride(from: object, to: object + UInt(bytes) & ~7, by: 8) {
      let word = tricolor_load_word(slot)
      if mode & BarrierMode.remember != 0 && word != 0 { addressMap.dirty(slot) }
      record(word, BarrierMode.recording)
    }
  }

  /// Records the object that `word` leads to, in the mutator of its heap, if that one's mode has a bit of `half`.
  private static func record(_ word: UInt, _ half: UInt8) {
    guard let owner = addressMap.owner(of: word) else { return }
    let heap = HeapCore(state: owner.assumingMemoryBound(to: HeapState.self))
    guard let mutator = ThreadRecords.record(for: heap), mutator.state.pointee.barrierMode & half != 0,
      let object = addressMap.conservativeCell(word)
    else { return }
    if mutator.state.pointee.bufferCount == MutatorCore.bufferCapacity { mutator.flushBuffer() }
    mutator.buffer[mutator.state.pointee.bufferCount] = object
    mutator.state.pointee.bufferCount += 1
  }
}
