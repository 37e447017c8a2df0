// Allocation beyond the bump: the next run of the open block, then a block to sweep, then a fresh block.
//
// A run is the free cells between two survivors, found word-wise in the allocation bitmap; at most `Geometry.runQuantum` bytes are
// handed out, zeroed and charged to the pacer at once. While this mutator allocates black, the mark bits of all cells of the run
// are set as it is handed out (invariant I3), and those of unused cells are cleared when it is given back.
//
// Cost: about 60 ns a refill plus zeroing, so a quarter of a nanosecond for each 16-byte cell (callgrind, docs/decisions.md).

import CTricolorShims
import Synchronization
import TricolorPlatform

extension MutatorCore {
  /// A cell for `slot` when its run is exhausted. Answers a pending handshake first, pays assists, may wait for memory.
  /// Throws only under a hard limit, or when address space runs out.
  func allocateSlowly(slot: Int) throws(OutOfMemory) -> UInt {
    if state.pointee.poll.load(ordering: .relaxed) != 0 { safepoint() }
    let laneClass = LayoutTable.laneClasses[Geometry.lane(ofSlot: slot)]
    while true {
      let run = self.run(slot)
      if run.pointee.cursor + UInt(laneClass.cellBytes) <= run.pointee.limit {
        let cell = run.pointee.cursor
        run.pointee.cursor += UInt(laneClass.cellBytes)
        return cell
      }
      if let borrowed = try refill(slot, laneClass) { return borrowed }
    }
  }

  /// Full blocks that an allocation sweeps before it takes fresh memory: about 4 µs.
  private static let mostSwept = 16

  /// Opens the next run of `slot`, or answers a cell of another lane when memory is tight.
  private func refill(_ slot: Int, _ laneClass: LaneClass) throws(OutOfMemory) -> UInt? {
    if continueBlock(slot, laneClass) { return nil }
    payAssist()
    let lane = Geometry.lane(ofSlot: slot)
    let pool = self.pool(forSlot: slot)
    var hasWaited = false
    while true {
      let isTight = heap.isTight(blocks: laneClass.blocksPerRun)
      let mostSwept = isTight ? Int.max : MutatorCore.mostSwept
      if let block = heap.takePartialBlock(lane, pool: pool, for: self, mostSwept: mostSwept)
        ?? (isTight ? heap.takePartialElsewhere(lane, pool: pool, for: self) : nil)
      {
        if !hasWaited && !heap.mayFill(block) {
          try heap.waitToFill(block, lane: lane, for: self)
          hasWaited = true
          continue
        }
        adopt(block, slot, laneClass)
      } else if heap.isTight(blocks: laneClass.blocksPerRun), let cell = borrowCell(laneClass) {
        return cell
      } else {
        try openFreshBlock(slot, pool, laneClass)
      }
      if openNextRun(slot, laneClass) { return nil }
      closeBlock(slot, hasFreeCells: false)
    }
  }

  /// The pool to take the next block for `slot` from. Looks where the thread runs now.
  private func pool(forSlot slot: Int) -> Int {
    if heap.state.pointee.nodes.count == 1 { return 0 }
    state.pointee.node = heap.state.pointee.nodes.current
    state.pointee.turn &+= 1
    let bank = Geometry.bank(ofSlot: slot)
    return bank > 0 ? bank - 1 : heap.state.pointee.nodes.pool(for: state.pointee.node, turn: state.pointee.turn)
  }

  /// Goes on to the next run of the open block; false, with the block closed, when there is none.
  private func continueBlock(_ slot: Int, _ laneClass: LaneClass) -> Bool {
    if info(slot).pointee.blockPlusOne == 0 { return false }
    retire(slot, laneClass)
    if openNextRun(slot, laneClass) { return true }
    closeBlock(slot, hasFreeCells: false)
    return false
  }

  // MARK: Borrowing

  /// A zeroed cell for an object of variable size from a lane of the same layout with larger cells, when the limit leaves no room
  /// for a fresh run: a little internal waste instead of growth past the limit. Nil when no such cell is free.
  private func borrowCell(_ laneClass: LaneClass) -> UInt? {
    let entry = LayoutTable.entries[Int(laneClass.layout.index)]
    if entry.shape == .fixed { return nil }
    let index = SizeClass.index(for: laneClass.cellBytes)
    for larger in stride(from: index + 1, to: min(index + 1 + SizeClass.stepsPerDoubling, SizeClass.count), by: 1) {
      let lane = LayoutTable.knownLane(of: laneClass.layout, sizeClass: larger)
      if lane != 0, let cell = takeCell(lane, LayoutTable.laneClasses[lane]) { return cell }
    }
    return nil
  }

  /// A zeroed cell of `lane` without fresh memory.
  private func takeCell(_ lane: Int, _ laneClass: LaneClass) -> UInt? {
    let run = self.run(lane)
    let bytes = UInt(laneClass.cellBytes)
    while run.pointee.cursor + bytes > run.pointee.limit {
      if continueBlock(lane, laneClass) { continue }
      let pool = self.pool(forSlot: lane)
      guard
        let block = heap.takePartialBlock(lane, pool: pool, for: self)
          ?? heap.takePartialElsewhere(lane, pool: pool, for: self)
      else { return nil }
      if !heap.mayFill(block) {
        heap.putBack(block, lane: Geometry.lane(ofSlot: lane), freeCells: .some(tier: 0))
        return nil
      }
      adopt(block, lane, laneClass)
      if !openNextRun(lane, laneClass) { closeBlock(lane, hasFreeCells: false) }
    }
    let cell = run.pointee.cursor
    run.pointee.cursor += bytes
    UnsafeMutableRawPointer(bitPattern: cell)!.initializeMemory(as: UInt8.self, repeating: 0, count: Int(bytes))
    return cell
  }

  /// Takes the next free cells of the open block; false when there are none left.
  private func openNextRun(_ slot: Int, _ laneClass: LaneClass) -> Bool {
    let info = self.info(slot)
    let cell = UInt(laneClass.cellBytes)
    let bits = AllocationBits(map: addressMap)
    guard let start = bits.firstFree(from: info.pointee.next, end: info.pointee.end, step: cell) else { return false }
    let free = bits.firstAllocated(from: start, end: info.pointee.end)
    let quantum = heap.state.pointee.stressesCollection ? cell : max(cell, UInt(Geometry.runQuantum) / cell * cell)
    var limit = min(free, start + quantum)
    if heap.state.pointee.profile.rate.load(ordering: .relaxed) != 0 {
      limit = sampleRun(slot, cellBytes: laneClass.cellBytes, start, limit)
    }
    handOut(slot, laneClass, start, limit)
    return true
  }

  private func handOut(_ slot: Int, _ laneClass: LaneClass, _ start: UInt, _ limit: UInt) {
    let info = self.info(slot)
    let bytes = Int(limit - start)
    let descriptor = addressMap.descriptors + Int(info.pointee.blockPlusOne - 1)
    let blockStart = addressMap.address(ofBlock: Int(info.pointee.blockPlusOne - 1))
    let run = self.run(slot)
    run.pointee.limit = start
    run.pointee.cursor = start
    descriptor.pointee.frontier = UInt64(start - blockStart)
    info.pointee.isZeroed = !descriptor.pointee.needsZeroing
    if descriptor.pointee.needsZeroing && laneClass.hasReferences {
      UnsafeMutableRawPointer(bitPattern: start)!.initializeMemory(as: UInt8.self, repeating: 0, count: bytes)
      info.pointee.isZeroed = true
    }
    // After zeroing: a walk over the marked objects (Overflow.swift) reads what it finds marked, allocated or not.
    if state.pointee.allocatesBlack {
      atomicMemoryFence(ordering: .releasing)
      MarkPattern.set(from: start, to: limit, step: laneClass.cellBytes)
    }
    info.pointee.start = start
    info.pointee.next = limit
    run.pointee.limit = limit
    heap.noteHandedOut(bytes, scannable: laneClass.hasReferences, black: state.pointee.allocatesBlack, by: self)
  }

  /// The run is used up or given back: adds the cells allocated from it since it was handed out to the statistics, and remembers
  /// them where they may have been initialised with young references (YoungCycle.swift).
  private func retire(_ slot: Int, _ laneClass: LaneClass) {
    let (start, end) = (info(slot).pointee.start, run(slot).pointee.cursor)
    info(slot).pointee.start = end
    if state.pointee.allocatesBlack && laneClass.hasReferences { rememberBlack(start, end) }
    heap.noteAllocated(
      bytes: Int(end - start), cellBytes: laneClass.cellBytes, in: Int(info(slot).pointee.blockPlusOne) - 1, by: self)
  }

  /// Dirties the cards of objects that were allocated black, if others may allocate white already.
  private func rememberBlack(_ start: UInt, _ end: UInt) {
    // What initialising stores have put into them was loaded before: if that was young, the phase seen here is the later one.
    atomicMemoryFence(ordering: .acquiring)
    let phase = heap.phase
    guard phase == .clearing || phase == .finished, end > start, heap.rememberMode != 0 else { return }
    if !Mutation.blackRunNotDirtied.isOn { addressMap.dirty(from: start, to: end) }
  }

  /// Remembers the large object that was allocated black last. With the answer to `sweep`, and before the next one.
  func retireLargeBlack() {
    let object = state.pointee.lastLargeBlack
    if object == 0 { return }
    state.pointee.lastLargeBlack = 0
    rememberBlack(object, object + UInt(addressMap.head(of: object).pointee.cellBytes))
  }

  // MARK: Blocks

  /// Gets a fresh block, or one with free cells that turned up while memory was made free.
  private func openFreshBlock(_ slot: Int, _ pool: Int, _ laneClass: LaneClass) throws(OutOfMemory) {
    let lane = Geometry.lane(ofSlot: slot)
    let fresh = try heap.acquireRun(
      blocks: laneClass.blocksPerRun, pool: pool, for: self,
      orElse: {
        heap.takePartialBlock(lane, pool: pool, for: self) ?? heap.takePartialElsewhere(lane, pool: pool, for: self)
      })
    switch fresh {
    case .other(let block): adopt(block, slot, laneClass)
    case .run(let block, let isZero):
      heap.describeCells(block, lane: lane, laneClass, epoch: state.pointee.epoch, isZero: isZero)
      adopt(block, slot, laneClass)
    }
  }

  private func adopt(_ block: Int, _ slot: Int, _ laneClass: LaneClass) {
    assert(addressMap.descriptors[block].sweptEpoch == state.pointee.epoch, "a block of another sweep epoch")
    let start = addressMap.address(ofBlock: block)
    let info = self.info(slot)
    let run = self.run(slot)
    run.pointee = Run(cursor: 0, limit: 0)
    info.pointee.next = start + UInt(addressMap.descriptors[block].frontier)
    info.pointee.end = start + UInt(laneClass.cellsPerRun * laneClass.cellBytes)
    info.pointee.start = 0
    info.pointee.blockPlusOne = UInt32(block + 1)
    addressMap.descriptors[block].owner = run
    heap.noteNoPagesVacant(addressMap.descriptors + block)
    if !info.pointee.isListed {
      openSlots[state.pointee.openCount] = UInt32(slot)
      state.pointee.openCount += 1
      info.pointee.isListed = true
    }
  }

  /// Gives the open block of `slot` back to its lane.
  private func closeBlock(_ slot: Int, hasFreeCells: Bool) {
    let info = self.info(slot)
    let block = Int(info.pointee.blockPlusOne - 1)
    let start = addressMap.address(ofBlock: block)
    let descriptor = addressMap.descriptors + block
    if !Mutation.runRetiredWithoutCells.isOn {
      descriptor.pointee.frontier =
        hasFreeCells ? UInt64(run(slot).pointee.cursor - start) : UInt64(info.pointee.end - start)
    }
    Delay.point()
    // Before the cursor is gone: see `isAllocated`.
    atomicMemoryFence(ordering: .releasing)
    descriptor.pointee.owner = nil
    Delay.point()
    info.pointee.blockPlusOne = 0
    run(slot).pointee = Run(cursor: 0, limit: 0)
    heap.putBack(block, lane: Geometry.lane(ofSlot: slot), freeCells: hasFreeCells ? .some(tier: 0) : .none)
  }

  /// Gives back every open run: at the sweep handshake and on detaching. Unused black cells lose their mark.
  func closeAllRuns() {
    prefetchOpenRuns()
    for i in 0..<state.pointee.openCount {
      let slot = Int(openSlots[i])
      info(slot).pointee.isListed = false
      guard info(slot).pointee.blockPlusOne != 0 else { continue }
      let laneClass = LayoutTable.laneClasses[Geometry.lane(ofSlot: slot)]
      let run = self.run(slot)
      retire(slot, laneClass)
      let unused = Int(run.pointee.limit - run.pointee.cursor)
      if unused > 0 { info(slot).pointee.isNextHit = false }
      if state.pointee.allocatesBlack {
        MarkPattern.clear(from: run.pointee.cursor, to: run.pointee.limit, step: laneClass.cellBytes)
      }
      heap.noteReturned(unused, scannable: laneClass.hasReferences, black: state.pointee.allocatesBlack)
      closeBlock(slot, hasFreeCells: true)
    }
    state.pointee.openCount = 0
    retireLargeBlack()
  }

  /// Asks for what giving back or blackening the open runs is about to touch: with some seventy runs open, misses one after the other
  /// would be most of the time that a handshake holds this mutator.
  private func prefetchOpenRuns() {
    let map = addressMap
    for i in 0..<state.pointee.openCount {
      let slot = Int(openSlots[i])
      let block = Int(info(slot).pointee.blockPlusOne) - 1
      if block < 0 { continue }
      let lane = heap.state.pointee.lane(Geometry.lane(ofSlot: slot), ofBlock: block)
      tricolor_prefetch_for_write(UInt(bitPattern: map.descriptors + block))
      tricolor_prefetch_for_write(UInt(bitPattern: lane))
      MarkPattern.prefetch(from: run(slot).pointee.cursor, to: run(slot).pointee.limit)
    }
  }

  /// Marks what is left of the open runs: from here on this mutator allocates black.
  func blackenOpenRuns() {
    prefetchOpenRuns()
    for i in 0..<state.pointee.openCount {
      let slot = Int(openSlots[i])
      guard info(slot).pointee.blockPlusOne != 0 else { continue }
      let run = self.run(slot).pointee
      let cellBytes = LayoutTable.laneClasses[Geometry.lane(ofSlot: slot)].cellBytes
      MarkPattern.set(from: run.cursor, to: run.limit, step: cellBytes)
      heap.state.pointee.blackBytes.wrappingAdd(Int(run.limit - run.cursor), ordering: .relaxed)
    }
    state.pointee.allocatesBlack = true
  }

  // MARK: Large objects

  /// An object with a block run of its own, zeroed. `bytes` is rounded up to whole granules. From `pool`, or from where the policy says.
  func allocateLarge(lane: Int, bytes: Int, zeroed: Bool, pool: Int? = nil) throws(OutOfMemory) -> UInt {
    if state.pointee.poll.load(ordering: .relaxed) != 0 { safepoint() }
    let laneClass = LayoutTable.laneClasses[lane]
    let size = roundedToGranules(bytes)
    let blocks = (size + Geometry.blockBytes - 1) / Geometry.blockBytes
    payAssist()
    let usual = self.pool(forSlot: lane)
    guard
      case .run(let block, let isZero) = try heap.acquireRun(
        blocks: blocks, pool: pool ?? usual, for: self, orElse: { nil })
    else { fatalError("tricolor: a large object has no other source of memory") }
    let start = addressMap.address(ofBlock: block)
    if !isZero && (zeroed || laneClass.hasReferences) {
      state.pointee.blocksBeingZeroed = block..<block + blocks
      zeroWithPolls(start, size)
      state.pointee.blocksBeingZeroed = 0..<0
    }
    if state.pointee.allocatesBlack { _ = addressMap.mark(start) }
    heap.describeLarge(block, blocks: blocks, bytes: size, lane: lane, laneClass, epoch: state.pointee.epoch)
    if state.pointee.allocatesBlack && laneClass.hasReferences {
      retireLargeBlack()
      state.pointee.lastLargeBlack = start
    }
    heap.noteHandedOut(size, scannable: laneClass.hasReferences, black: state.pointee.allocatesBlack, by: self)
    heap.noteAllocated(bytes: size, cellBytes: size, in: block, by: self)
    sampleLarge(start, bytes: size)
    return start
  }

  /// Zeroes a large object that nobody can see yet, answering handshakes between pieces: 256 KiB take about 20 µs.
  private func zeroWithPolls(_ start: UInt, _ bytes: Int) {
    let piece = 256 * 1024
    for offset in stride(from: 0, to: bytes, by: piece) {
      UnsafeMutableRawPointer(bitPattern: start + UInt(offset))!.initializeMemory(
        as: UInt8.self, repeating: 0, count: min(piece, bytes - offset))
      if state.pointee.poll.load(ordering: .relaxed) != 0 { answerPoll() }
    }
  }
}

/// Word-wise search of the allocation bitmap: which cells of a swept block are free.
struct AllocationBits {
  let map: AddressMap

  /// The first cell at or after `from` whose bit is clear.
  func firstFree(from: UInt, end: UInt, step: UInt) -> UInt? {
    var cell = from
    while cell + step <= end {
      let granule = map.granule(of: cell)
      if map.allocationBits[Int(granule >> 6)] & (1 << UInt64(granule & 63)) == 0 { return cell }
      cell += step
    }
    return nil
  }

  /// The first address at or after `from` whose bit is set, `end` when there is none.
  func firstAllocated(from: UInt, end: UInt) -> UInt {
    let first = map.granule(of: from)
    let last = map.granule(of: end &- 1)
    var word = Int(first >> 6)
    var bits = map.allocationBits[word] & (~0 << UInt64(first & 63))
    while bits == 0 {
      word += 1
      if word > Int(last >> 6) { return end }
      bits = map.allocationBits[word]
    }
    let granule = UInt(word) << 6 + UInt(bits.trailingZeroBitCount)
    return min(end, map.base + granule << Geometry.granuleShift)
  }
}

/// Sets or clears the mark bits of a range of cells, a word at a time. Cells of neighbouring runs share words: atomic.
enum MarkPattern {
  static func set(from start: UInt, to end: UInt, step: Int) {
    forEachWord(from: start, to: end, step: step) { _ = tricolor_set_bits($0, $1) }
  }
  static func clear(from start: UInt, to end: UInt, step: Int) {
    forEachWord(from: start, to: end, step: step) { tricolor_clear_bits($0, $1) }
  }

  /// Asks for the mark words of a range: a line of them covers 8 KiB.
  static func prefetch(from start: UInt, to end: UInt) {
    let map = addressMap
    var word = UInt(bitPattern: map.markBits + Int(map.granule(of: start) >> 6))
    let last = UInt(bitPattern: map.markBits + Int(map.granule(of: end) >> 6))
    while word <= last {
      tricolor_prefetch_for_write(word)
      word += 64
    }
  }

  @inline(__always) private static func forEachWord(
    from start: UInt, to end: UInt, step: Int, _ body: (UnsafeMutablePointer<UInt64>, UInt64) -> Void
  ) {
    let map = addressMap
    let granules = UInt(step >> 4)
    var granule = map.granule(of: start)
    let last = map.granule(of: end)
    while granule < last {
      let word = granule >> 6
      let wordEnd = min(last, (word + 1) << 6)
      var mask: UInt64 = 0
      while granule < wordEnd {
        mask |= 1 << UInt64(granule & 63)
        granule += granules
      }
      body(map.markBits + Int(word), mask)
    }
  }
}
