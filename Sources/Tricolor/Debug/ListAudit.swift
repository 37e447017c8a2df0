// The examination of what connects blocks: the lanes' lists, the block allocator's tables and the heap's counters.

import Synchronization

extension HeapAudit {
  // MARK: Lists

  /// Walks every list, then sees to it that each run was met exactly once, on a list or as a mutator's open block.
  func auditLists() {
    for pool in 0..<heap.state.pointee.nodes.poolCount { auditLists(ofPool: pool) }
    var block = extent.lowerBound
    while block < extent.upperBound {
      if use(block).pointee.head == UInt32(block + 1), use(block).pointee.places == 0 {
        faults.add(.list, "\(name(ofBlock: block)) is on no list and open in no thread")
      }
      block += 1
    }
  }

  private func auditLists(ofPool pool: Int) {
    for lane in 1..<LayoutTable.laneCount {
      let lists = heap.state.pointee.lane(lane, pool: pool)
      for tier in 0..<FreeCells.tiers { auditList(lists.pointee.partial[tier], "partial list \(tier)", lane, pool) }
      auditList(lists.pointee.full, "full list", lane, pool)
      if !lists.pointee.unswept.isEmpty {
        faults.add(.list, "\(name(ofLane: lane)) has \(lists.pointee.unswept.count) unswept blocks after the sweep")
      }
    }
  }

  private func auditList(_ list: BlockList, _ listName: String, _ lane: Int, _ pool: Int) {
    let what = "the \(listName) of \(name(ofLane: lane))" + (pool > 0 ? " in pool \(pool)" : "")
    var next = list.first
    var last = BlockList.none
    var count = 0
    while next != BlockList.none {
      let block = Int(next)
      guard owns(block) else { return faults.add(.list, "\(what) leads to \(name(ofBlock: block)), not of this heap") }
      guard count <= list.count else {
        return faults.add(.list, "\(what) has more than the \(list.count) blocks it counts")
      }
      auditListed(block, what, lane)
      if map.pool(ofBlock: block) != pool {
        faults.add(.list, "\(name(ofBlock: block)) of pool \(map.pool(ofBlock: block)) is on \(what)")
      }
      count += 1
      last = next
      next = map.descriptors[block].next
    }
    if count != list.count { faults.add(.list, "\(what) has \(count) blocks and counts \(list.count)") }
    if last != list.last { faults.add(.list, "\(what) does not end at the block it names as its last") }
  }

  private func auditListed(_ block: Int, _ what: String, _ lane: Int) {
    if use(block).pointee.places > 0 {
      let other = openRun(inHead: block) == nil ? "on a list twice" : "open in a thread"
      faults.add(.list, "\(name(ofBlock: block)) is on \(what), and \(other)")
    }
    use(block).pointee.places = 1
    if use(block).pointee.isDamaged { return }
    if use(block).pointee.head != UInt32(block + 1) {
      faults.add(.list, "\(name(ofBlock: block)) is on \(what), and is not the head of a run")
    } else if Int(map.descriptors[block].lane) != lane {
      faults.add(.list, "\(name(ofBlock: block)) of lane \(map.descriptors[block].lane) is on \(what)")
    }
  }

  // MARK: Counters

  func auditCounts() {
    var used = 0
    var held = 0
    for arena in arenas.values {
      var free = 0
      for word in 0..<Arena.words {
        free += arena.free[word].nonzeroBitCount
        held += arena.resident[word].nonzeroBitCount
        if arena.resident[word] & ~arena.free[word] != 0 {
          faults.add(.count, "arena \(arena.index) counts pages of blocks in use as free, word \(word)")
        }
      }
      used += Geometry.blocksPerArena - free
      if free != arena.freeCount {
        faults.add(.count, "arena \(arena.index) has \(free) free blocks and counts \(arena.freeCount)")
      }
    }
    compareCount("blocks in use", heap.state.pointee.blocks.usedBlocks.load(ordering: .relaxed), used)
    compareCount(
      "pages of blocks in use without memory", heap.state.pointee.vacantPages.load(ordering: .relaxed), vacantPages)
    compareCount("free blocks with pages", heap.state.pointee.blocks.heldBlocks.load(ordering: .relaxed), held)
    auditLive()
  }

  /// Live bytes are those of allocated cells, of the unused rest of open runs and outside the heap: exactly, when they were set with nobody running,
  /// and as long as no cycle has garbage that is not swept.
  private func auditLive() {
    guard moment == .idle, heap.state.pointee.liveIsExact, faults.count == 0 else { return }
    let unused = openRuns.reduce(0) { $0 + Int($1.run.limit - $1.run.cursor) }
    let live = allocatedBytes + unused + heap.externalBytes
    compareCount("live bytes", heap.state.pointee.liveBytes.load(ordering: .relaxed), live)
  }

  private func compareCount(_ what: String, _ counted: Int, _ found: Int) {
    if counted != found { faults.add(.count, "\(counted) \(what) are counted, and there are \(found)") }
  }
}
