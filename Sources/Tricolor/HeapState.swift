// Everything one heap knows, in one piece of raw memory that outlives all its threads' interest in it.
//
// `HeapCore` is a trivial handle to it: copied freely, no reference counting, methods spread over Memory/, Mutator/ and Collector/
// by what they are about. Fields that several threads write are atomics or guarded by the lock named beside them.

import Synchronization
import TricolorPacing
import TricolorPlatform

struct HeapState: ~Copyable {
  // Written by every refill.
  let liveBytes = Atomic<Int>(0)
  let scannableBytes = Atomic<Int>(0)
  let trigger = Atomic<Int>(Int.max)
  /// Bytes handed out black in this cycle.
  let blackBytes = Atomic<Int>(0)

  // The cycle (Collector/Cycle.swift).
  let phase = Atomic<UInt8>(Phase.idle.rawValue)
  /// Sequence number << 3 | `Handshake`: the last one posted.
  let request = Atomic<UInt32>(0)
  let postedAt = Atomic<UInt64>(0)
  let sweepPermitted = Atomic<Bool>(true)
  let cycle = Atomic<Int>(0)
  let cyclesDone = Atomic<Int>(0)
  /// The last full cycle that has begun, and the last that is done.
  let fullCycleBegun = Atomic<Int>(0)
  let fullCycleDone = Atomic<Int>(0)
  let wanted = Atomic<UInt32>(0)
  let stopping = Atomic<Bool>(false)
  /// Whether a test has damaged the heap: it runs no cycle by itself any more, which would follow a wild reference.
  let isDamaged = Atomic<Bool>(false)
  /// Whether mutators remember stores (YoungCycle.swift); changes only before a cycle's first handshake.
  let remembers = Atomic<Bool>(false)
  /// Bytes of marked cells that were old, in blocks swept since the last handshake of the last full cycle.
  let survivedBytes = Atomic<Int>(0)
  /// Changes when threads of the collector are to be bound anew; 0 as long as none is to be.
  let bindings: Atomic<UInt32>
  /// Wakes the collector thread; a handshake answered; a held thread released; a cycle ended; work for other markers.
  let wakeCollector = FutexEvent()
  let answers = FutexEvent()
  let released = FutexEvent()
  let cycleEnded = FutexEvent()
  let workersWanted = FutexEvent()

  /// Guards the registry, and the posting of handshakes against attach and detach.
  let registryLock = FutexLock()
  var mutators: MutatorCore? = nil
  var pooledMutators: MutatorCore? = nil
  let mutatorCount = Atomic<Int>(0)
  let sweepEpoch = Atomic<UInt32>(1)
  /// The lane whose unswept blocks mutators help with.
  let sweepCursor = Atomic<Int>(0)

  let nodes: NodeTable
  var grey: GreyPool
  var blocks: BlockAllocator
  /// The lanes of pool 0, then those of pool 1, and so on.
  private let lanes: UnsafeMutablePointer<Lane>
  var roots = RootTable()
  var ephemerons = EphemeronTable()
  var cleanups = CleanupTable()
  var finalizers = FinalizerTable()
  var links = LinkTable()
  var pacing: PacingState
  let overdraft = Overdraft()
  /// The collector thread's own.
  var killLine = KillLine()
  /// Pages of blocks in use that hold no memory.
  let vacantPages = Atomic<Int>(0)
  var profile = ProfileTable()
  let statistics = StatisticsCounters()
  /// Bytes in unswept blocks that the last cycle found dead: an estimate the limit's arithmetic needs until they are swept.
  let unsweptGarbage = Atomic<Int>(0)

  /// The `HeapServices` of this heap, and the `Heap` itself (for mutators only: the collector must never retain it).
  var services: UnsafeMutableRawPointer? = nil
  var object: UnsafeMutableRawPointer? = nil
  let reserveBytes: Int
  let clobbersFreeCells: Bool
  let stressesCollection: Bool
  /// Which lines are written to standard error (`GODEBUG`), as bits of `Traces`.
  let traces = Atomic<UInt8>(0)
  let verifiesHeap: Bool
  /// A `StopMode`, and that of the running cycle, which the collector thread alone looks at.
  let stopMode: Atomic<UInt8>
  var stopsInCycle = StopMode.never
  /// Whether threads' stacks are searched for references; frames of handles always are.
  let scansStacks = Atomic<Bool>(true)
  let checksMarks: Bool
  /// Whether `liveBytes` was set with nobody running: then it must agree with the cells. Without a hold, what is handed out while
  /// the counters are read makes it an estimate.
  var liveIsExact = true
  /// Processors the collector plans with, a fraction under a quota: the bits of a `Double`.
  private let processorBits: Atomic<UInt64>
  let startTime = Clock.monotonic()
  var watch = LimitWatch()

  init(
    settings: Settings, processors: Double, mostArenas: Int, nodes: consuming NodeTable, grey: consuming GreyPool
  ) {
    self.grey = grey
    let pools = nodes.poolCount
    self.nodes = nodes
    blocks = BlockAllocator(mostArenas: mostArenas, pools: pools)
    lanes = .allocate(capacity: pools * Geometry.mostLanes)
    for lane in 0..<pools * Geometry.mostLanes { (lanes + lane).initialize(to: Lane()) }
    pacing = PacingState(settings: settings)
    reserveBytes = Int(clamping: settings.reserveBytes)
    clobbersFreeCells = settings.debug.clobberFree
    stressesCollection = settings.debug.gcStress
    verifiesHeap = settings.debug.gcVerify
    stopMode = Atomic((settings.debug.gcStopTheWorld ? StopMode.always : .never).rawValue)
    checksMarks = settings.debug.gcCheckMark
    processorBits = Atomic(processors.bitPattern)
    bindings = Atomic(settings.binding == .off ? 0 : 1)
  }

  deinit {
    lanes.deinitialize(count: nodes.poolCount * Geometry.mostLanes)
    lanes.deallocate()
  }

  /// The heap's state of a lane in a pool.
  func lane(_ lane: Int, pool: Int) -> UnsafeMutablePointer<Lane> { lanes + pool * Geometry.mostLanes + lane }

  /// The same in the pool of `block`.
  func lane(_ lane: Int, ofBlock block: Int) -> UnsafeMutablePointer<Lane> {
    self.lane(lane, pool: addressMap.pool(ofBlock: block))
  }
}

extension HeapState {
  var processors: Double {
    get { Double(bitPattern: processorBits.load(ordering: .relaxed)) }
    nonmutating set { processorBits.store(newValue.bitPattern, ordering: .relaxed) }
  }
}

/// A handle to a heap's state.
struct HeapCore: Equatable, @unchecked Sendable {
  let state: UnsafeMutablePointer<HeapState>

  /// Frees the state of a heap that has no threads any more, or never had.
  func deallocate() {
    state.deinitialize(count: 1)
    state.deallocate()
  }

  var phase: Phase { Phase(rawValue: state.pointee.phase.load(ordering: .acquiring)) ?? .idle }
  /// Whether grey work is accepted: from arming until marking ends with the quiet round.
  var isMarking: Bool {
    let phase = self.phase
    return phase == .arming || phase == .rootScanning || phase == .marking
  }
}

extension HeapCore {
  // MARK: What refills report

  /// Charges a run or large object to the pacer: live bytes, scannable bytes, the mutator's assist debt; starts a cycle when due.
  func noteHandedOut(_ bytes: Int, scannable: Bool, black: Bool, by mutator: MutatorCore) {
    let live = state.pointee.liveBytes.wrappingAdd(bytes, ordering: .relaxed).newValue
    if black { state.pointee.blackBytes.wrappingAdd(bytes, ordering: .relaxed) }
    switch phase {
    case .idle:
      if scannable { state.pointee.scannableBytes.wrappingAdd(bytes, ordering: .relaxed) }
      if live >= state.pointee.trigger.load(ordering: .relaxed) {
        requestCycle(.growth)
        if state.pointee.unsweptGarbage.load(ordering: .relaxed) > 0 { helpSweep() }
      }
    case .clearing, .finished: break
    default: mutator.owe(bytes)
    }
    state.pointee.statistics.notePeakLive(live)
  }

  /// Takes back what a closed run did not use.
  func noteReturned(_ bytes: Int, scannable: Bool, black: Bool) {
    state.pointee.liveBytes.wrappingSubtract(bytes, ordering: .relaxed)
    if black { state.pointee.blackBytes.wrappingSubtract(bytes, ordering: .relaxed) }
  }

  /// Counts cells of `block` that `mutator` has allocated.
  func noteAllocated(bytes: Int, cellBytes: Int, in block: Int, by mutator: MutatorCore) {
    state.pointee.statistics.allocatedBytes.wrappingAdd(bytes, ordering: .relaxed)
    state.pointee.statistics.allocated.add(bytes / cellBytes, cellBytes: cellBytes)
    if state.pointee.nodes.count > 1, addressMap.pool(ofBlock: block) != mutator.state.pointee.node {
      state.pointee.statistics.remoteAllocatedBytes.wrappingAdd(bytes, ordering: .relaxed)
    }
  }

  // MARK: Lanes

  /// A block of `lane` in `pool` with free cells: swept already, or swept now. Nil when only fresh memory is left there, or when `mostSwept`
  /// blocks turned out to be full: the collector thread is sweeping too, and a lane of which most lives would hold its mutator for
  /// milliseconds.
  func takePartialBlock(_ lane: Int, pool: Int, for mutator: MutatorCore, mostSwept: Int = .max) -> Int? {
    let (partial, unswept) = takePartialOrUnswept(lane, pool, for: mutator)
    guard var next = unswept else { return partial }
    let began = Clock.monotonic()
    defer { state.pointee.statistics.noteStall(of: mutator.state.pointee.threadID, since: began) }
    for swept in 1... {
      if let block = sweepForAllocation(next, lane: lane) { return block }
      if swept == mostSwept { return nil }
      let (partial, unswept) = takePartialOrUnswept(lane, pool, for: mutator)
      guard let unswept else { return partial }
      next = unswept
    }
    return nil
  }

  private func takePartialOrUnswept(
    _ lane: Int, _ pool: Int, for mutator: MutatorCore
  ) -> (partial: Int?, unswept: Int?) {
    let lanePointer = state.pointee.lane(lane, pool: pool)
    lanePointer.pointee.lock.lock()
    defer { lanePointer.pointee.lock.unlock() }
    if let block = lanePointer.pointee.takePartial(epoch: mutator.state.pointee.epoch) { return (block, nil) }
    return (nil, state.pointee.sweepPermitted.load(ordering: .acquiring) ? lanePointer.pointee.unswept.pop() : nil)
  }

  /// The same in the nearest other pool that has one: a block far away rather than one more.
  func takePartialElsewhere(_ lane: Int, pool: Int, for mutator: MutatorCore) -> Int? {
    guard pool < state.pointee.nodes.count else { return nil }
    for place in stride(from: 1, to: state.pointee.nodes.count, by: 1) {
      let other = state.pointee.nodes.node(place, nearest: pool)
      if let block = takePartialBlock(lane, pool: other, for: mutator) { return block }
    }
    return nil
  }

  func putBack(_ block: Int, lane: Int, freeCells: FreeCells) {
    let lanePointer = state.pointee.lane(lane, ofBlock: block)
    lanePointer.pointee.lock.lock()
    lanePointer.pointee.put(
      block, freeCells: freeCells, epoch: state.pointee.sweepEpoch.load(ordering: .acquiring))
    lanePointer.pointee.lock.unlock()
  }

  // MARK: Descriptors

  /// Sets up a fresh run as cells of `lane`, owned by nobody yet. The kind is written last (see BlockDescriptor).
  func describeCells(_ block: Int, lane: Int, _ laneClass: LaneClass, epoch: UInt32, isZero: Bool) {
    var descriptor = BlockDescriptor()
    descriptor.needsZeroing = !isZero
    descriptor.lane = UInt16(lane)
    descriptor.span = UInt32(laneClass.blocksPerRun)
    descriptor.cellBytes = UInt64(laneClass.cellBytes)
    descriptor.cellCount = UInt32(laneClass.cellsPerRun)
    descriptor.reciprocal = laneClass.reciprocal
    descriptor.sweptEpoch = epoch
    // The first touch of a page of the mark bitmap, here and not in the answer to a handshake, which holds a mutator. No cell has a mark yet.
    addressMap.markBits[block * Geometry.bitmapWordsPerBlock] = 0
    publish(descriptor, at: block, blocks: laneClass.blocksPerRun, kind: .cells, scanWord: laneClass.scanWord)
  }

  /// Sets up the run of one large object and puts it on its lane's list.
  func describeLarge(_ block: Int, blocks: Int, bytes: Int, lane: Int, _ laneClass: LaneClass, epoch: UInt32) {
    var descriptor = BlockDescriptor()
    descriptor.lane = UInt16(lane)
    descriptor.span = UInt32(blocks)
    descriptor.cellBytes = UInt64(bytes)
    descriptor.cellCount = 1
    descriptor.frontier = UInt64(bytes)
    descriptor.sweptEpoch = epoch
    publish(descriptor, at: block, blocks: blocks, kind: .large, scanWord: laneClass.scanWord)
    putBack(block, lane: lane, freeCells: .none)
  }

  private func publish(
    _ descriptor: BlockDescriptor, at block: Int, blocks: Int, kind: BlockKind, scanWord: UInt64
  ) {
    let map = addressMap
    for i in 0..<blocks { map.scanWords[block + i] = scanWord }
    map.descriptors[block] = descriptor
    atomicMemoryFence(ordering: .releasing)
    for i in stride(from: 1, to: blocks, by: 1) {
      map.descriptors[block + i].span = UInt32(i)
      map.descriptors[block + i].kind = BlockKind.continuation.rawValue
    }
    map.descriptors[block].kind = kind.rawValue
  }

  /// Tears a dead run down and gives its blocks back. Mark bits are clear already.
  func free(_ block: Int) {
    let map = addressMap
    let blocks = Int(map.descriptors[block].span)
    noteNoPagesVacant(map.descriptors + block)
    for i in stride(from: blocks - 1, through: 0, by: -1) {
      map.descriptors[block + i].kind = BlockKind.free.rawValue
      map.scanWords[block + i] = 0
    }
    state.pointee.blocks.give(block, blocks)
  }
}
