// Sampling of allocations by bytes, in the slow path alone.
//
// Each byte that a thread allocates is hit with a probability of one in `rate`, whatever object it belongs to; an object with a hit byte is a
// sample, with the stack of its allocation. An object of s bytes is one with the probability 1 - exp(-s / rate), and so stands for the
// inverse of that many (Go's runtime.MemProfileRate, and tcmalloc's). Which object is hit is drawn when a run of free cells is handed out:
// the distance to the next hit is exponential, so each lane can draw for itself, and anew for every run, and all together are the same as one
// draw over all bytes. A run in which a hit lies ends before that cell; the allocation that finds it used up takes the cell, and its stack
// is the sample's. The fast path knows nothing of it, and a thread in which nothing is sampled pays one load for each run.
//
// A hit whose run is given back before it is reached is forgotten, as if it had not been drawn: the distance from there is exponential again. One that
// has been reached, the run being used up, waits in the slot for its next run, since coming there was what gave the run back.
//
// Stacks are followed by frame pointers, which Swift's code has: some 10 ns a frame, without a lock. Code compiled without them (much C) is
// missing from stacks, and what called it may be too.

import CTricolorShims
import Glibc
import Synchronization

extension MutatorCore {
  /// Return addresses kept of a stack, the innermost ones.
  static let mostFrames = 64

  /// Where a run of free cells from `start` to `limit` is to end so that a hit cell begins the next one. Takes a sample of the first cell, which is
  /// allocated next, if it is hit.
  @inline(never) func sampleRun(_ slot: Int, cellBytes: Int, _ start: UInt, _ limit: UInt) -> UInt {
    let rate = heap.state.pointee.profile.rate.load(ordering: .relaxed)
    if rate == 0 { return limit }
    let info = self.info(slot)
    if info.pointee.isNextHit || distanceToHit(rate) < UInt(cellBytes) {
      info.pointee.isNextHit = false
      takeSample(start, bytes: cellBytes, rate)
    }
    // Hit or not, what is left of the distance behind the first cell is exponential again.
    let second = start + UInt(cellBytes)
    let cells = distanceToHit(rate) / UInt(cellBytes)
    if cells >= (limit - second) / UInt(cellBytes) { return limit }
    info.pointee.isNextHit = true
    return second + cells * UInt(cellBytes)
  }

  /// Takes a sample of a large object that has just been made, if it is hit.
  func sampleLarge(_ object: UInt, bytes: Int) {
    let rate = heap.state.pointee.profile.rate.load(ordering: .relaxed)
    if rate != 0, distanceToHit(rate) < UInt(bytes) { takeSample(object, bytes: bytes, rate) }
  }

  /// Bytes before the next one that is hit.
  private func distanceToHit(_ rate: Int) -> UInt {
    // SplitMix64, whose state begins with the address of the record.
    state.pointee.random &+= 0x9e37_79b9_7f4a_7c15
    var mixed = (state.pointee.random ^ state.pointee.random >> 30) &* 0xbf58_476d_1ce4_e5b9
    mixed = (mixed ^ mixed >> 27) &* 0x94d0_49bb_1331_11eb
    let uniform = Double((mixed ^ mixed >> 31) >> 11) * 0x1p-53
    return UInt(-log(1 - uniform) * Double(rate))
  }

  private func takeSample(_ object: UInt, bytes: Int, _ rate: Int) {
    withUnsafeTemporaryAllocation(of: UInt.self, capacity: MutatorCore.mostFrames) { frames in
      let count = fillStack(frames)
      heap.state.pointee.profile.add(
        object, bytes: bytes, rate: rate, stack: UnsafeBufferPointer(rebasing: frames[..<count]))
    }
  }

  /// Fills in return addresses, the innermost first, as far as frames are chained within this thread's stack; how many.
  @inline(never) private func fillStack(_ frames: UnsafeMutableBufferPointer<UInt>) -> Int {
    var frame = tricolor_frame_pointer()
    var count = 0
    while count < frames.count {
      let address = tricolor_load_word(frame + 8)
      if address == 0 { break }
      frames[count] = address
      count += 1
      let next = tricolor_load_word(frame)
      if next <= frame || next & 7 != 0 || next > state.pointee.stackBase - 16 { break }
      frame = next
    }
    return count
  }
}
