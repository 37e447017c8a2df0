// Pages inside blocks in use on which nothing lives: near the limit their memory goes back to the system too.
//
// Nothing moves objects, so a lane keeps the blocks of its own peak while one cell in each is alive, and no other lane can have them: a store
// of 2 KiB and 8 KiB values held 236 MiB of blocks for 158 MiB that lived. Cells larger than a page leave most of their holes as whole pages,
// and so do nearly empty blocks of any size. The emptiest blocks go first: the fullest ones are allocated from first, so their holes are needed soonest.
//
// Which pages of a run are vacant its head's descriptor says, a bit each, and the count of all of them is what the heap holds less than its blocks.
// Whoever takes the block to allocate from it, and whoever frees it, counts all its pages as held again: some may still have none, but
// nothing has to be counted while cells are handed out. To allocate from it costs as much room under the limit as a fresh block would
// (MemoryGate.swift). A vacant page reads zero, as new ones do.

import Synchronization
import TricolorPlatform

extension Geometry {
  /// Smaller pages than those of any system that has larger ones: there nothing inside a block goes back.
  static let pageBytes = 4096
}

extension HeapCore {
  /// Returns the pages on which nothing lives in swept blocks that no thread has open: `bytes` of them or a little more, or all there are.
  /// Answers how many bytes that was. Only on the collector thread, between a sweep and the next cycle.
  ///
  /// Cost: a look at 4 words of bitmap a page, and 1 to 2 µs for each stretch that goes back.
  func releaseVacantPages(_ bytes: Int) -> Int {
    if AddressSpace.pageSize != Geometry.pageBytes { return 0 }
    let began = Clock.threadCPU()
    defer { state.pointee.statistics.scavenge.wrappingAdd(Clock.threadCPU() - began, ordering: .relaxed) }
    var released = 0
    do {
      for tier in 0..<FreeCells.tiers {
        for pool in 0..<state.pointee.nodes.poolCount {
          for lane in 1..<LayoutTable.laneCount where released < bytes {
            try releaseVacantPages(of: state.pointee.lane(lane, pool: pool), tier, bytes, &released)
          }
        }
      }
    } catch {
      state.pointee.statistics.failedReleases.wrappingAdd(1, ordering: .relaxed)
    }
    state.pointee.blocks.releasedBytes.wrappingAdd(released, ordering: .relaxed)
    return released
  }

  /// Of one tier of a lane. A few blocks at a time are off the list meanwhile, and come back at its end.
  private func releaseVacantPages(
    of lane: UnsafeMutablePointer<Lane>, _ tier: Int, _ bytes: Int, _ released: inout Int
  ) throws(PlatformError) {
    lane.pointee.lock.lock()
    var left = lane.pointee.partial[tier].count
    lane.pointee.lock.unlock()
    while left > 0 && released < bytes {
      var some = BlockList()
      lane.pointee.lock.lock()
      while some.count < min(16, left), let block = lane.pointee.partial[tier].pop() { some.push(block) }
      lane.pointee.lock.unlock()
      if some.isEmpty { return }
      left -= some.count
      defer {
        lane.pointee.lock.lock()
        lane.pointee.partial[tier].append(&some)
        lane.pointee.lock.unlock()
      }
      var block = some.first
      while block != BlockList.none {
        try releaseVacantPages(of: Int(block), &released)
        block = addressMap.descriptors[Int(block)].next
      }
    }
  }

  /// Of one run, which is on no list.
  private func releaseVacantPages(of block: Int, _ released: inout Int) throws(PlatformError) {
    let descriptor = addressMap.descriptors + block
    let start = addressMap.address(ofBlock: block)
    let step = UInt(descriptor.pointee.cellBytes)
    let cellsEnd = start + UInt(descriptor.pointee.cellCount) * step
    let bits = AllocationBits(map: addressMap)
    var cell = start + UInt(descriptor.pointee.frontier)
    while let free = bits.firstFree(from: cell, end: cellsEnd, step: step) {
      cell = bits.firstAllocated(from: free, end: cellsEnd)
      let end = cell < cellsEnd ? cell : start + UInt(descriptor.pointee.span) << Geometry.blockShift
      let first = (Int(free - start) + Geometry.pageBytes - 1) / Geometry.pageBytes
      let count = Int(end - start) / Geometry.pageBytes - first
      if count <= 0 { continue }
      let pages = (UInt32.max >> UInt32(32 - count)) << UInt32(first)
      let held = pages & ~descriptor.pointee.vacantPages
      if held == 0 { continue }
      try AddressSpace.release(
        UnsafeMutableRawPointer(bitPattern: start)! + first * Geometry.pageBytes, bytes: count * Geometry.pageBytes)
      descriptor.pointee.vacantPages |= pages
      state.pointee.vacantPages.wrappingAdd(held.nonzeroBitCount, ordering: .relaxed)
      released += held.nonzeroBitCount * Geometry.pageBytes
    }
  }

  /// Counts all pages of a run as held from now on: it is allocated from, or freed.
  func noteNoPagesVacant(_ descriptor: UnsafeMutablePointer<BlockDescriptor>) {
    if descriptor.pointee.vacantPages == 0 { return }
    state.pointee.vacantPages.wrappingSubtract(descriptor.pointee.vacantPages.nonzeroBitCount, ordering: .relaxed)
    descriptor.pointee.vacantPages = 0
  }

  /// Bytes of the run at `block` that hold no pages.
  func vacantBytes(of block: Int) -> Int {
    addressMap.descriptors[block].vacantPages.nonzeroBitCount * Geometry.pageBytes
  }

  /// Bytes of blocks in use that hold no pages.
  var vacantBytes: Int { state.pointee.vacantPages.load(ordering: .relaxed) * Geometry.pageBytes }
}
