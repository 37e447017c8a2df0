// The examination of blocks: descriptors against their lanes, runs against their continuations, bitmaps against cells.

import Synchronization

extension HeapAudit {
  func auditBlocks() {
    var block = extent.lowerBound
    while block < extent.upperBound {
      block += owns(block) ? auditBlock(block) : Geometry.blocksPerArena
    }
  }

  /// Examines the block and, when it is a head, its run; answers how many blocks that was.
  private func auditBlock(_ block: Int) -> Int {
    let kind = map.descriptors[block].kind
    switch BlockKind(rawValue: kind) {
    case .free: return auditFree(block)
    case .cells, .large: return auditRun(block)
    case .continuation: faults.add(.block, "\(name(ofBlock: block)) continues a run that does not reach it")
    case nil: faults.add(.block, "\(name(ofBlock: block)) is of kind \(kind); allowed are 0 to 3")
    }
    use(block).pointee.isDamaged = true
    return 1
  }

  private func auditFree(_ block: Int) -> Int {
    let isBeingZeroed = isBeingZeroed(block)
    if isInFreeMap(block) == isBeingZeroed {
      faults.add(
        .block,
        isBeingZeroed
          ? "\(name(ofBlock: block)) is being zeroed by a thread and in the table of free blocks"
          : "\(name(ofBlock: block)) is free and not in the table of free blocks")
    }
    if map.scanWords[block] != 0 {
      faults.add(.block, "\(name(ofBlock: block)) is free and has scan word \(hex(map.scanWords[block]))")
    }
    let first = block * Geometry.bitmapWordsPerBlock
    for word in first..<first + Geometry.bitmapWordsPerBlock where map.markBits[word] | map.allocationBits[word] != 0 {
      faults.add(.bitmap, "\(name(ofBlock: block)) is free and has mark or allocation bits")
      break
    }
    return 1
  }

  private func isBeingZeroed(_ block: Int) -> Bool {
    var found = false
    heap.forEachMutator { if $0.state.pointee.blocksBeingZeroed.contains(block) { found = true } }
    return found
  }

  // MARK: Runs

  private func auditRun(_ head: Int) -> Int {
    let before = faults.count
    let blocks = auditDescription(of: head)
    guard faults.count == before else { return skipDamaged(head) }
    for block in head..<head + blocks {
      use(block).pointee.head = UInt32(head + 1)
      if isInFreeMap(block) {
        faults.add(.block, "\(name(ofBlock: block)) is in use and in the table of free blocks")
      }
    }
    auditBits(head, blocks: blocks)
    return blocks
  }

  /// A run whose head cannot be trusted: nothing in it is looked at, and nothing more is said of its other blocks.
  private func skipDamaged(_ head: Int) -> Int {
    var block = head
    repeat {
      use(block).pointee.isDamaged = true
      block += 1
    } while owns(block) && map.descriptors[block].kind == BlockKind.continuation.rawValue
    return block - head
  }

  /// Compares the head's descriptor with its lane, its scan words and its continuations; answers the blocks of the run.
  private func auditDescription(of head: Int) -> Int {
    let descriptor = map.descriptors[head]
    let lane = Int(descriptor.lane)
    guard lane >= 1 && lane < LayoutTable.laneCount else {
      faults.add(
        .block, "\(name(ofBlock: head)) is of lane \(lane); allowed are 1 to \(LayoutTable.laneCount - 1)")
      return 1
    }
    let laneClass = LayoutTable.laneClasses[lane]
    let isLarge = descriptor.kind == BlockKind.large.rawValue
    guard isLarge == (laneClass.cellBytes == 0) else {
      faults.add(.block, "\(name(ofBlock: head)) is \(isLarge ? "large" : "of cells"), unlike \(name(ofLane: lane))")
      return 1
    }
    let cellBytes = isLarge ? descriptor.cellBytes : UInt64(laneClass.cellBytes)
    guard cellBytes > 0 else {
      faults.add(.block, "\(name(ofBlock: head)) holds a large object of 0 bytes")
      return 1
    }
    let span = isLarge ? Int((cellBytes - 1) >> Geometry.blockShift) + 1 : laneClass.blocksPerRun
    let cells = isLarge ? 1 : laneClass.cellsPerRun
    compare("span", Int(descriptor.span), span, head)
    compare("cell size", descriptor.cellBytes, cellBytes, head)
    compare("cell count", Int(descriptor.cellCount), cells, head)
    compare("reciprocal", descriptor.reciprocal, laneClass.reciprocal, head)
    compare("epoch", descriptor.sweptEpoch, heap.state.pointee.sweepEpoch.load(ordering: .relaxed), head)
    auditOwner(head, descriptor)
    if isLarge { compare("frontier", descriptor.frontier, cellBytes, head) }
    if descriptor.frontier > cellBytes * UInt64(cells) || descriptor.frontier % max(1, cellBytes) != 0 {
      faults.add(
        .block,
        "\(name(ofBlock: head)) has frontier \(descriptor.frontier); allowed are the starts of \(cells) cells of \(cellBytes) bytes"
      )
    }
    auditContinuations(head, span: span, scanWord: laneClass.scanWord)
    return span
  }

  private func compare<Number: BinaryInteger>(_ what: String, _ found: Number, _ right: Number, _ head: Int) {
    if found == right { return }
    let lane = name(ofLane: Int(map.descriptors[head].lane))
    faults.add(.block, "\(name(ofBlock: head)) of \(lane) has \(what) \(found), not \(right)")
  }

  private func auditOwner(_ head: Int, _ descriptor: BlockDescriptor) {
    let open = openRun(inHead: head)
    if descriptor.owner != open?.pointer {
      faults.add(.block, "\(name(ofBlock: head)) names another owner than the thread that has it open")
    }
    if let open, open.lane != Int(descriptor.lane) {
      faults.add(.block, "\(name(ofBlock: head)) of lane \(descriptor.lane) is open in lane \(open.lane)")
    }
  }

  private func auditContinuations(_ head: Int, span: Int, scanWord: UInt64) {
    for block in head..<head + max(1, span) {
      guard owns(block) else {
        return faults.add(.block, "\(name(ofBlock: head)) has a run of \(span) blocks that leaves the heap's arenas")
      }
      if map.scanWords[block] != scanWord {
        faults.add(.block, "\(name(ofBlock: block)) has scan word \(hex(map.scanWords[block])), not \(hex(scanWord))")
      }
      if block == head { continue }
      let descriptor = map.descriptors[block]
      if descriptor.kind != BlockKind.continuation.rawValue || Int(descriptor.span) != block - head {
        return faults.add(
          .block, "\(name(ofBlock: block)) does not lead back to the head of its run, \(name(ofBlock: head))")
      }
    }
  }

  // MARK: Bits

  /// Looks at every bit of a sound run, and counts its allocated cells.
  private func auditBits(_ head: Int, blocks: Int) {
    let descriptor = map.descriptors[head]
    let start = map.address(ofBlock: head)
    let run = openRun(inHead: head)?.run
    // Below `used` every cell is allocated; between it and `black`, cells of an open run may be marked in advance.
    let used = max(UInt(descriptor.frontier), run.map { $0.cursor - start } ?? 0)
    let black = max(used, run.map { $0.limit - start } ?? 0)
    allocatedBytes += Int(used)
    vacantPages += descriptor.vacantPages.nonzeroBitCount
    if descriptor.vacantPages != 0 && (run != nil || hasVacantPage(descriptor, from: 0, to: used)) {
      faults.add(.block, "\(name(ofBlock: head)) is allocated from, and has pages that hold no memory")
    }
    let first = head * Geometry.bitmapWordsPerBlock
    for word in first..<first + blocks * Geometry.bitmapWordsPerBlock {
      let offset = UInt(word - first) << 10
      forEachBit(map.allocationBits[word]) { bit in
        let cell = offset + bit << 4
        if !isCell(cell, descriptor) {
          faults.add(.bitmap, "allocation bit at \(hex(start + cell)), which is not the start of a cell")
        } else if cell >= used {
          if hasVacantPage(descriptor, from: cell, to: cell + UInt(descriptor.cellBytes)) {
            faults.add(.block, "cell \(hex(start + cell)) is allocated, and on a page that holds no memory")
          }
          allocatedBytes += Int(descriptor.cellBytes)
          if cell < black { faults.add(.bitmap, "cell \(hex(start + cell)) is allocated, and in an open run") }
        }
      }
      auditMarks(word, offset, start, descriptor, black: black)
    }
  }

  /// Whether one of the pages between two offsets in a run counts as holding no memory.
  private func hasVacantPage(_ descriptor: BlockDescriptor, from start: UInt, to end: UInt) -> Bool {
    if descriptor.vacantPages == 0 || start == end { return false }
    let pages = Int(start) / Geometry.pageBytes...Int(end - 1) / Geometry.pageBytes
    return pages.contains { descriptor.vacantPages & (1 << UInt32($0)) != 0 }
  }

  private func auditMarks(_ word: Int, _ offset: UInt, _ start: UInt, _ descriptor: BlockDescriptor, black: UInt) {
    if moment == .idle {
      if map.markBits[word] != 0 {
        let bit = UInt(map.markBits[word].trailingZeroBitCount)
        faults.add(.bitmap, "mark bit at \(hex(start + offset + bit << 4)) after the sweep")
      }
      return
    }
    forEachBit(map.markBits[word]) { bit in
      let cell = offset + bit << 4
      let isAllocated = cell < black || map.allocationBits[word] & (1 << UInt64(bit)) != 0
      if !isCell(cell, descriptor) || !isAllocated {
        faults.add(.bitmap, "mark bit at \(hex(start + cell)), which is no allocated cell")
      }
    }
  }

  private func isCell(_ offset: UInt, _ descriptor: BlockDescriptor) -> Bool {
    let (index, rest) = UInt64(offset).quotientAndRemainder(dividingBy: descriptor.cellBytes)
    return rest == 0 && index < UInt64(descriptor.cellCount)
  }

  private func forEachBit(_ word: UInt64, _ body: (UInt) -> Void) {
    var bits = word
    while bits != 0 {
      body(UInt(bits.trailingZeroBitCount))
      bits &= bits - 1
    }
  }
}
