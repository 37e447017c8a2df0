// Sweeping: a block's mark bits become its allocation bits, and wholly dead blocks go back to the heap. No cell is touched.
//
// A block is swept by the mutator that wants to allocate from its lane, or by the collector thread right after the cycle,
// whichever comes first; each block is popped from its lane's `unswept` list under the lane's lock, so by exactly one of them.
// Cost: sixteen words of each bitmap for a 16 KiB block, about 2 ms for a gigabyte of heap.
//
// Invariant I7: no sweep runs between the first handshake of a cycle and the end of its last. The collector thread finishes the
// sweep before it begins a cycle, and a mutator that is sweeping has not answered the first handshake yet.

import Synchronization
import TricolorPlatform

extension HeapCore {
  /// Sweeps one block of `lane`. The block if it has free cells; nil when it is full (and put on its list).
  func sweepForAllocation(_ block: Int, lane: Int) -> Int? {
    let live = sweepBits(block)
    let descriptor = addressMap.descriptors + block
    if descriptor.pointee.kind == BlockKind.large.rawValue {
      live == 0 ? free(block) : putBack(block, lane: lane, freeCells: .none)
      return nil
    }
    if live < Int(descriptor.pointee.cellCount) { return block }
    putBack(block, lane: lane, freeCells: .none)
    return nil
  }

  /// Sweeps everything that is left, node by node, lane by lane, block by block. Runs on the collector thread; mutators may sweep beside
  /// it, what lies on their own node first.
  func finishSweep() {
    guard state.pointee.sweepPermitted.load(ordering: .acquiring) else { return }
    let began = Clock.threadCPU()
    for pool in 0..<state.pointee.nodes.poolCount {
      for lane in 1..<LayoutTable.laneCount {
        while let block = popUnswept(lane, pool) { sweepAndFile(block, lane: lane) }
      }
    }
    state.pointee.statistics.sweep.wrappingAdd(Clock.threadCPU() - began, ordering: .relaxed)
    state.pointee.unsweptGarbage.store(0, ordering: .relaxed)
  }

  private func popUnswept(_ lane: Int, _ pool: Int) -> Int? {
    let lanePointer = state.pointee.lane(lane, pool: pool)
    lanePointer.pointee.lock.lock()
    defer { lanePointer.pointee.lock.unlock() }
    return lanePointer.pointee.unswept.pop()
  }

  private func sweepAndFile(_ block: Int, lane: Int) {
    let live = sweepBits(block)
    if live == 0 {
      free(block)
    } else {
      let cells = Int(addressMap.descriptors[block].cellCount)
      putBack(block, lane: lane, freeCells: FreeCells(live: live, of: cells))
    }
  }

  /// Turns marks into allocation bits; answers how many cells live. Afterwards the frontier is 0 and the block belongs to the
  /// current epoch.
  private func sweepBits(_ block: Int) -> Int {
    Delay.point()
    let map = addressMap
    let descriptor = map.descriptors + block
    let isLarge = descriptor.pointee.kind == BlockKind.large.rawValue
    let words = isLarge ? 1 : Int(descriptor.pointee.span) * Geometry.bitmapWordsPerBlock
    let first = block * Geometry.bitmapWordsPerBlock
    if state.pointee.clobbersFreeCells { clobberDeadCells(block) }
    var live = 0
    var old = 0
    var allocated = Int(descriptor.pointee.frontier) / Int(descriptor.pointee.cellBytes)
    var granulesBelow = Int(descriptor.pointee.frontier) / Geometry.granule
    for word in first..<first + words {
      let bits = map.markBits[word]
      let before = map.allocationBits[word]
      live += bits.nonzeroBitCount
      old += (bits & before).nonzeroBitCount
      // Those below the frontier are counted already; shifting by 64 or more leaves nothing.
      allocated += ((before >> granulesBelow) << granulesBelow).nonzeroBitCount
      granulesBelow = max(0, granulesBelow - 64)
      map.allocationBits[word] = bits
      map.markBits[word] = 0
    }
    noteFreed(allocated - live, cellBytes: Int(descriptor.pointee.cellBytes))
    state.pointee.survivedBytes.wrappingAdd(old * Int(descriptor.pointee.cellBytes), ordering: .relaxed)
    descriptor.pointee.frontier = isLarge ? descriptor.pointee.cellBytes : 0
    descriptor.pointee.needsZeroing = true
    descriptor.pointee.sweptEpoch = state.pointee.sweepEpoch.load(ordering: .relaxed)
    return live
  }

  private func noteFreed(_ objects: Int, cellBytes: Int) {
    if objects == 0 { return }
    state.pointee.statistics.freedBytes.wrappingAdd(objects * cellBytes, ordering: .relaxed)
    state.pointee.statistics.freed.add(objects, cellBytes: cellBytes)
  }

  /// Overwrites cells that were allocated and are unmarked, so that a use after free reads nonsense (`GODEBUG=clobberfree=1`).
  private func clobberDeadCells(_ block: Int) {
    let map = addressMap
    let descriptor = map.descriptors[block]
    let start = map.address(ofBlock: block)
    for cell in 0..<Int(descriptor.cellCount) {
      let offset = UInt(cell) * UInt(descriptor.cellBytes)
      let granule = map.granule(of: start + offset)
      let wasLive = map.allocationBits[Int(granule >> 6)] & (1 << UInt64(granule & 63)) != 0
      if map.isMarked(start + offset) || !(wasLive || UInt64(offset) < descriptor.frontier) { continue }
      let words = UnsafeMutablePointer<UInt64>(bitPattern: start + offset)!
      words.update(repeating: 0xdead_beef_dead_beef, count: Int(descriptor.cellBytes) / 8)
    }
  }

  /// Sweeps a few blocks for a mutator that allocates past the trigger: a cycle can begin only when the sweep is done.
  func helpSweep() {
    guard state.pointee.sweepPermitted.load(ordering: .acquiring) else { return }
    let lanes = LayoutTable.laneCount - 1
    var left = 16
    for _ in 0..<lanes * state.pointee.nodes.poolCount where left > 0 {
      let cursor = state.pointee.sweepCursor.load(ordering: .relaxed)
      let lane = cursor % lanes + 1
      while left > 0, let block = popUnswept(lane, cursor / lanes % state.pointee.nodes.poolCount) {
        sweepAndFile(block, lane: lane)
        left -= 1
      }
      if left > 0 { state.pointee.sweepCursor.wrappingAdd(1, ordering: .relaxed) }
    }
  }

  /// Everything waits for the next sweep: called with the registry lock held, before the last handshake is posted.
  func beginSweepEpoch() {
    state.pointee.sweepPermitted.store(Mutation.sweepBeforeBarrierOff.isOn, ordering: .releasing)
    state.pointee.survivedBytes.store(0, ordering: .relaxed)
    state.pointee.sweepEpoch.wrappingAdd(1, ordering: .acquiringAndReleasing)
    for pool in 0..<state.pointee.nodes.poolCount {
      for lane in 1..<LayoutTable.laneCount {
        let lanePointer = state.pointee.lane(lane, pool: pool)
        lanePointer.pointee.lock.lock()
        lanePointer.pointee.beginEpoch()
        lanePointer.pointee.lock.unlock()
      }
    }
  }
}
