// The heaps of a process under one limit: who they are, what each may hold, and what each counts as not its own.
//
// The limit counts the process, so every heap sees the memory of the others. Counted like memory of malloc, the heap that grows first would have it
// all, and a heap that shrank would be believed only after 30 s. So heaps know of each other. What is left of the resident set once all of them are
// taken off is memory of nobody's, smoothed as before; of the others each counts, for three different questions:
//  - what they hold now: for the gate, for what goes back at the limit, for the hard limit. The kernel counts the same.
//  - what they are entitled to, or hold if that is more: for the goal, so that the sum of all goals fits, and a share that was taken from one heap is used
//    by another only as it comes free.
//  - what of it no collection frees: for pressure, and for whether the limit can be met.
// Shares follow the square-root rule (TricolorPacing/Limit/LimitShares.swift). The heaps that divide a limit are those whose limit is that of the
// process and the same number of bytes; of any other only what it holds counts. A heap with a limit of its own counts nobody.
//
// A heap that its limit stops does not go past it before the others have given back what is not theirs: it asks them, and waits for a moment. Their
// own ticks would find the same, but a thread that allocates can pass the limit by much until a busy machine gets to them.
//
// Each heap publishes its claim in atomics, on its collector's tick and when a cycle has ended, and divides for itself: nobody decides for
// others, and nobody waits. The lock of the registry is held for as long as it takes to read some words of each heap, so that none goes away meanwhile; a
// thread that finds it taken keeps what it knew.

import Synchronization
import TricolorPacing
import TricolorPlatform

/// The heaps whose memory one reading of the resident set contains.
final class HeapRegistry: Sendable {
  /// The heaps of this process.
  static let process = HeapRegistry()

  private let heaps = Mutex<[HeapCore]>([])

  func add(_ heap: HeapCore) { heaps.withLock { $0.append(heap) } }

  /// To be called before the heap's state goes away, and after its memory has.
  func remove(_ heap: HeapCore) { heaps.withLock { $0.removeAll { $0 == heap } } }

  /// What the heaps other than `heap` hold and claim; nil while another thread asks.
  fileprivate func others(than heap: HeapCore) -> [Neighbour]? {
    heaps.withLockIfAvailable { heaps in
      if heaps.count == 1 { return [] }
      return heaps.filter { $0 != heap }.map { Neighbour($0, limit: heap.limitInForce) }
    }
  }

  /// Asks the heaps that share the limit of `heap` and hold more than their part for a cycle; whether there are any. What they hold of
  /// each other they may not have looked at since one of them came.
  fileprivate func askOthers(than heap: HeapCore) -> Bool {
    heaps.withLock { heaps in
      let others = heaps.filter { $0 != heap && $0.shares(limit: heap.limitInForce) }
      let held = others.map(\.ownResidentBytes)
      let parts = LimitShares.divide(
        heap.dividedBytes(othersHold: held.reduce(0, +)), among: [heap.claim] + others.map(\.claim)
      ).dropFirst()
      let owing = zip(others, zip(held, parts)).filter { $1.0 > $1.1 && $0.mayGiveBack }.map(\.0)
      for other in owing { other.giveBack() }
      return !owing.isEmpty
    }
  }
}

/// Another heap as one heap sees it.
private struct Neighbour {
  let heldBytes: Int
  /// Its claim on the limit of the heap that looks, nil when it does not share that.
  let claim: LimitClaim?

  init(_ heap: HeapCore, limit: Int) {
    heldBytes = heap.ownResidentBytes
    claim = heap.shares(limit: limit) ? heap.claim : nil
  }
}

/// A heap's claim where others read it. Words read one after the other may be of two readings, which differ little.
struct PublishedClaim: ~Copyable {
  /// Whether the heap's limit is one on the process.
  let countsProcess = Atomic<Bool>(true)
  private let unavoidableBytes = Atomic<UInt64>(0)
  private let weightBits = Atomic<UInt64>(0)
  private let mostExtra = Atomic<UInt64>(UInt64.max)

  func store(_ claim: LimitClaim) {
    unavoidableBytes.store(claim.unavoidableBytes, ordering: .relaxed)
    weightBits.store(claim.weight.bitPattern, ordering: .relaxed)
    mostExtra.store(claim.mostExtra, ordering: .relaxed)
  }

  func load() -> LimitClaim {
    LimitClaim(
      unavoidableBytes: unavoidableBytes.load(ordering: .relaxed),
      weight: Double(bitPattern: weightBits.load(ordering: .relaxed)), mostExtra: mostExtra.load(ordering: .relaxed))
  }
}

/// Memory that the limit of a heap counts and that is not the heap's, for the three questions above. Bytes.
struct OutsideMemory: ~Copyable {
  let held = Atomic<Int>(0)
  let entitled = Atomic<Int>(0)
  let unavoidable = Atomic<Int>(0)

  func store(held: Int, entitled: Int, unavoidable: Int) {
    self.held.store(held, ordering: .relaxed)
    self.entitled.store(entitled, ordering: .relaxed)
    self.unavoidable.store(unavoidable, ordering: .relaxed)
  }
}

extension HeapCore {
  /// How long an allocation waits for others before it goes past the limit.
  private static let patience: UInt64 = 100_000_000

  /// Waits for `bytes` while heaps that share the limit give back what is not theirs; whether there is room now.
  func getBackFromOthers(_ bytes: Int) -> Bool {
    let began = Clock.monotonic()
    while othersOwe, Clock.monotonic() < began + HeapCore.patience {
      let seen = state.pointee.cycleEnded.current()
      ThreadRecords.whileParked { _ = state.pointee.cycleEnded.wait(past: seen, timeoutNanoseconds: 500_000) }
      sampleMemory()
      if bytes <= roomUnderLimit { return true }
    }
    return bytes <= roomUnderLimit
  }

  /// Whether heaps that share the limit hold what is not theirs; they are asked for it.
  var othersOwe: Bool {
    state.pointee.pacing.claim.countsProcess.load(ordering: .relaxed)
      && services.limitSource.heaps.askOthers(than: self)
  }

  /// Whether the heap is one of those that divide `limit`.
  fileprivate func shares(limit: Int) -> Bool {
    state.pointee.pacing.claim.countsProcess.load(ordering: .relaxed) && limit != Int.max && limitInForce == limit
  }

  fileprivate var claim: LimitClaim { state.pointee.pacing.claim.load() }

  /// What of the limit is to be divided, when all that divide it but this one hold `sharedBytes`.
  fileprivate func dividedBytes(othersHold sharedBytes: Int) -> UInt64 {
    let nobodys = max(0, state.pointee.pacing.outside.held.load(ordering: .relaxed) - sharedBytes)
    return UInt64(max(0, state.pointee.pacing.goalLimit.load(ordering: .relaxed) - nobodys))
  }

  private var mayCollect: Bool { !isHeldBack && mayFindGarbage }

  /// Whether the heap will hold less before long: by a cycle, one that runs, what that leaves to sweep, or pages that are free.
  fileprivate var mayGiveBack: Bool {
    mayCollect || phase != .idle
      || state.pointee.unsweptGarbage.load(ordering: .relaxed) > HeapCore.worthACycle
      || state.pointee.blocks.heldBlocks.load(ordering: .relaxed) * Geometry.blockBytes > HeapCore.worthACycle
  }

  /// Has the collector thread begin a cycle, or look at memory where there is nothing new to find.
  fileprivate func giveBack() {
    if mayCollect { requestCycle(.limit) } else { state.pointee.wakeCollector.signalAll() }
  }

  /// What of its limit the heap may hold, nil without one.
  var limitShare: Int? {
    if limitInForce == Int.max { return nil }
    return max(
      0,
      state.pointee.pacing.goalLimit.load(ordering: .relaxed)
        - state.pointee.pacing.outside.entitled.load(ordering: .relaxed))
  }
}

extension PacingState {
  /// Says what the heap needs of its limit. The lock is held.
  mutating func publishClaim(_ heap: HeapCore) {
    cost.noteAllocation(
      total: UInt64(max(0, heap.state.pointee.statistics.allocatedBytes.load(ordering: .relaxed))),
      now: Clock.monotonic())
    claim.store(
      LimitClaim(
        unavoidableBytes: pacer.heapMarked + heap.memoryReading(foreign: 0).outsideGoal,
        weight: cost.weight(liveBytes: pacer.heapMarked), mostExtra: pacer.mostExtra))
  }

  /// Moves what the heap counts as not its own. The lock is held.
  ///
  /// - Parameter resident: of the process, read before this.
  mutating func readOutside(_ heap: HeapCore, resident: Int) {
    publishClaim(heap)
    if !claim.countsProcess.load(ordering: .relaxed) { return outside.store(held: 0, entitled: 0, unavoidable: 0) }
    guard let others = heap.services.limitSource.heaps.others(than: heap) else { return }
    let held = others.reduce(0) { $0 + $1.heldBytes }
    let nobodys = Int(
      foreign.update(
        residentBytes: Int64(resident), ownBytes: Int64(heap.ownResidentBytes + held), now: Clock.monotonic()))
    if others.isEmpty { return outside.store(held: nobodys, entitled: nobodys, unavoidable: nobodys) }
    let unclaimed = others.reduce(nobodys) { $0 + ($1.claim == nil ? $1.heldBytes : 0) }
    let sharing = others.filter { $0.claim != nil }
    let shares = LimitShares.divide(
      UInt64(max(0, goalLimit.load(ordering: .relaxed) - unclaimed)),
      among: [claim.load()] + sharing.compactMap(\.claim))
    outside.store(
      held: nobodys + held,
      entitled: zip(sharing, shares.dropFirst()).reduce(unclaimed) { $0 + max($1.0.heldBytes, Int(clamping: $1.1)) },
      unavoidable: sharing.reduce(unclaimed) { $0 + Int(clamping: $1.claim?.unavoidableBytes ?? 0) })
  }
}
