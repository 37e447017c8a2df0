// The examination of mutators: their modes, and the runs they allocate from.

import Synchronization

extension HeapAudit {
  func auditMutators() {
    heap.forEachMutator { mutator in
      auditMode(mutator)
      forEachSlot { auditRun($0, of: mutator) }
    }
    // A hold does not keep a thread that attaches from taking a record out of the pool.
    heap.state.pointee.registryLock.lock()
    defer { heap.state.pointee.registryLock.unlock() }
    var pooled = heap.state.pointee.pooledMutators
    while let mutator = pooled {
      forEachSlot { slot in
        if mutator.info(slot).pointee.blockPlusOne != 0 {
          faults.add(.run, "a pooled mutator record has an open run of \(name(ofLane: Geometry.lane(ofSlot: slot)))")
        }
      }
      pooled = mutator.state.pointee.nextInHeap
    }
  }

  private func forEachSlot(_ body: (Int) -> Void) {
    for lane in 1..<LayoutTable.laneCount {
      body(lane)
      if heap.state.pointee.nodes.count == 1 { continue }
      for node in 0..<heap.state.pointee.nodes.count { body(Geometry.slot(lane: lane, node: node)) }
    }
  }

  private func name(of mutator: MutatorCore) -> String { "thread \(mutator.state.pointee.threadID)" }

  private func auditMode(_ mutator: MutatorCore) {
    let mode = mutator.state.pointee.barrierMode
    let black = mutator.state.pointee.allocatesBlack
    let (recording, wantedBlack) = moment == .idle ? (BarrierMode.off, false) : (BarrierMode.deletion, true)
    let wantedMode = recording | heap.rememberMode
    if mode != wantedMode { faults.add(.run, "\(name(of: mutator)) has barrier mode \(mode), not \(wantedMode)") }
    if black != wantedBlack { faults.add(.run, "\(name(of: mutator)) allocates \(black ? "black" : "white")") }
    let epoch = heap.state.pointee.sweepEpoch.load(ordering: .relaxed)
    if mutator.state.pointee.epoch != epoch {
      faults.add(.run, "\(name(of: mutator)) is in sweep epoch \(mutator.state.pointee.epoch), not \(epoch)")
    }
    let buffered = mutator.state.pointee.bufferCount
    if moment == .idle && buffered != 0 {
      faults.add(.run, "\(name(of: mutator)) has \(buffered) words in its barrier buffer between cycles")
    }
  }

  private func auditRun(_ slot: Int, of mutator: MutatorCore) {
    let lane = Geometry.lane(ofSlot: slot)
    let info = mutator.info(slot).pointee
    let run = mutator.run(slot).pointee
    if info.blockPlusOne == 0 {
      if run.cursor != 0 || run.limit != 0 {
        faults.add(.run, "\(name(of: mutator)) has a run without a block: \(text(run)), \(name(ofLane: lane))")
      }
      return
    }
    let block = Int(info.blockPlusOne) - 1
    let what = "run \(text(run)) of \(name(of: mutator)), \(name(ofLane: lane)),"
    guard owns(block) else {
      return faults.add(.run, "\(what) is in \(name(ofBlock: block)), which is not this heap's")
    }
    if let other = openRun(inHead: block) {
      return faults.add(.run, "\(what) is in \(name(ofBlock: block)), which \(name(of: other.mutator)) has open")
    }
    openRuns.append(OpenRun(mutator: mutator, slot: slot))
    use(block).pointee.openRun = UInt32(openRuns.count)
    use(block).pointee.places += 1
    let laneClass = LayoutTable.laneClasses[lane]
    let start = map.address(ofBlock: block)
    let end = start + UInt(laneClass.cellsPerRun * laneClass.cellBytes)
    if info.end != end { faults.add(.run, "\(what) ends its block at \(hex(info.end)), not \(hex(end))") }
    guard start <= info.start, info.start <= run.cursor, run.cursor <= run.limit, run.limit <= end else {
      return faults.add(.run, "\(what) began at \(hex(info.start)) and is not within \(hex(start)) ... \(hex(end))")
    }
    let size = UInt(max(1, laneClass.cellBytes))
    if (run.cursor - start) % size != 0 || (run.limit - start) % size != 0 {
      faults.add(.run, "\(what) is not of whole cells")
    }
    let isListed = (0..<mutator.state.pointee.openCount).contains { Int(mutator.openSlots[$0]) == slot }
    if !isListed { faults.add(.run, "\(what) is not among those its thread gives back") }
  }

  private func text(_ run: Run) -> String { "\(hex(run.cursor))..<\(hex(run.limit))" }
}
