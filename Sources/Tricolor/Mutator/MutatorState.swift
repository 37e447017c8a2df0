// A mutator's record: one for each thread and heap, in its own mapping, pooled when its thread detaches and never unmapped while
// the heap lives, so that other threads may look at a cursor at any time.
//
// The mapping: a header page, the run table (16 bytes a lane), what belongs to each open run, the barrier buffer, the list of
// open runs, a copied stack. Only touched pages cost memory; a thread that uses ten layouts touches about six.
//
// A slot is a place for an open run: the number of a lane, for memory from wherever the heap's policy says. Where there are several nodes
// there is another bank of slots for each, for objects that are wanted on that node; its slots are the lanes' numbers plus a multiple
// of `Geometry.mostLanes`.

import CTricolorShims
import Synchronization
import TricolorPlatform

/// Where a mutator's thread is, as the collector sees it.
enum MutatorStatus {
  /// Inside `withMutator`, running: only the thread itself answers handshakes.
  static let running: UInt32 = 0
  /// Not inside `withMutator`: no references anywhere, the collector answers.
  static let outside: UInt32 = 1
  /// In a blocking region: the collector answers and scans the recorded stack.
  static let parked: UInt32 = 2
  /// The collector is answering; the thread waits if it wants to go on.
  static let held: UInt32 = 3
  /// The heap is gone; the record waits for its thread to unmap it.
  static let orphan: UInt32 = 4
}

/// Bits of a mutator's barrier mode, the same as in the thread's flag.
enum BarrierMode {
  static let off: UInt8 = 0
  static let deletion: UInt8 = 1
  static let insertion: UInt8 = 2
  /// Stores dirty the card of their slot: in every phase, while young cycles are on (YoungCycle.swift).
  static let remember: UInt8 = 4
  /// What stores record.
  static let recording = deletion | insertion
}

/// What belongs to an open run beside its cursor.
struct RunInfo {
  /// The head block plus one; 0, as in untouched memory, when the lane has none open.
  var blockPlusOne: UInt32 = 0
  /// Cells of the run read zero already.
  var isZeroed = false
  var isListed = false
  /// Whether the next cell is one of which a sample is to be taken (Profile/AllocationSampler.swift).
  var isNextHit = false
  /// Where the run began, and where the next one is looked for.
  var start: UInt = 0
  var next: UInt = 0
  /// End of the last cell of the block run.
  var end: UInt = 0
}

/// The header of a mutator's mapping.
struct MutatorState: ~Copyable {
  /// Offset 0: the run that a type without a lane finds. Always empty, so the first allocation takes the slow path.
  var emptyRun = Run()
  /// Offset 16: nonzero when the slow path of a poll must run.
  let poll = Atomic<UInt32>(0)
  let status = Atomic<UInt32>(MutatorStatus.outside)
  /// Offset 24: the newest of the thread's frames of handles, 0 for none (Embedding/ThreadRoots.swift).
  var frames: UInt = 0
  /// The last handshake this mutator answered.
  let answered = Atomic<UInt32>(0)
  var barrierMode = BarrierMode.off
  var allocatesBlack = false
  /// The large object with references that was allocated black last, whose initialising store may still be to come; 0 for none.
  var lastLargeBlack: UInt = 0
  /// The sweep epoch of blocks this mutator makes: advances at its answer to the sweep handshake.
  var epoch: UInt32 = 0
  /// The index of the node the thread ran on when it last took a block, and how many blocks it has taken.
  var node = 0
  var turn = 0
  var depth = 0
  /// The program's function that reports further roots of this thread, if any (Embedding/ThreadRoots.swift).
  var rootTracer: RootTracer? = nil
  /// Parked because its thread waits for a collector, of this heap or another.
  var isWaiting = false
  var openCount = 0
  var bufferCount = 0
  /// Bytes allocated while marking and not yet paid for; negative is credit.
  var assistDebt = 0
  var debtCycle = 0
  /// Where this mutator goes on when a hold ends.
  var heldFrom = MutatorStatus.outside
  /// The blocks of a large object that is being zeroed: taken, and not yet described. Empty at all other times.
  var blocksBeingZeroed: Range<Int> = 0..<0
  /// Where the numbers have come to that decide what is sampled.
  var random: UInt64
  /// Stack pointer recorded on parking or in a hold, 0 outside.
  var parkedStack: UInt = 0
  /// Bytes at `copiedStack` that the thread copied when it parked, 0 outside.
  var copiedBytes = 0
  var stackBase: UInt = 0
  var threadID: Int32 = 0
  var heap: HeapCore
  let mappedBytes: Int
  let openSlots: UnsafeMutablePointer<UInt32>
  /// Next record in the heap's registry (or pool), and in the thread's list.
  var nextInHeap: MutatorCore? = nil
  var nextInThread: MutatorCore? = nil

  init(heap: HeapCore, mappedBytes: Int, openSlots: UnsafeMutablePointer<UInt32>) {
    self.heap = heap
    self.mappedBytes = mappedBytes
    self.openSlots = openSlots
    random = UInt64(UInt(bitPattern: openSlots))
  }
}

/// A handle to a mutator's mapping: the collector's view of a mutator.
struct MutatorCore: Equatable {
  static let runsOffset = 4096
  static let infosOffset = runsOffset + Geometry.mostLanes * MemoryLayout<Run>.stride
  static let bufferOffset = infosOffset + Geometry.mostLanes * MemoryLayout<RunInfo>.stride
  static let bufferCapacity = 512
  static let copyOffset = bufferOffset + bufferCapacity * 8
  static let copyCapacity = 16 * 1024
  /// From a bank's slots to the next one's.
  static let bankBytes = copyOffset + copyCapacity - runsOffset

  let base: UnsafeMutableRawPointer

  @inline(__always) var state: UnsafeMutablePointer<MutatorState> { base.assumingMemoryBound(to: MutatorState.self) }
  @inline(__always) func run(_ slot: Int) -> UnsafeMutablePointer<Run> {
    bank(of: slot, MutatorCore.runsOffset).assumingMemoryBound(to: Run.self) + Geometry.lane(ofSlot: slot)
  }
  @inline(__always) func info(_ slot: Int) -> UnsafeMutablePointer<RunInfo> {
    bank(of: slot, MutatorCore.infosOffset).assumingMemoryBound(to: RunInfo.self) + Geometry.lane(ofSlot: slot)
  }
  @inline(__always) private func bank(of slot: Int, _ offset: Int) -> UnsafeMutableRawPointer {
    base + (offset + Geometry.bank(ofSlot: slot) * MutatorCore.bankBytes)
  }
  @inline(__always) var buffer: UnsafeMutablePointer<UInt> {
    (base + MutatorCore.bufferOffset).assumingMemoryBound(to: UInt.self)
  }
  @inline(__always) var openSlots: UnsafeMutablePointer<UInt32> { state.pointee.openSlots }
  /// Registers and innermost frames of a thread that is in a blocking region it entered by a call of its own.
  @inline(__always) var copiedStack: UnsafeMutablePointer<UInt> {
    (base + MutatorCore.copyOffset).assumingMemoryBound(to: UInt.self)
  }
  var heap: HeapCore { state.pointee.heap }

  /// Maps a new record. Its run table reads zero: every run is empty.
  static func map(heap: HeapCore) throws(PlatformError) -> MutatorCore {
    let banks = heap.state.pointee.nodes.count == 1 ? 1 : 1 + heap.state.pointee.nodes.count
    let openOffset = runsOffset + banks * bankBytes
    let bytes = openOffset + banks * Geometry.mostLanes * 4
    let base = try AddressSpace.map(bytes: bytes)
    precondition(MemoryLayout<MutatorState>.size <= runsOffset)
    let openSlots = (base + openOffset).assumingMemoryBound(to: UInt32.self)
    base.assumingMemoryBound(to: MutatorState.self).initialize(
      to: MutatorState(heap: heap, mappedBytes: bytes, openSlots: openSlots))
    return MutatorCore(base: base)
  }

  func unmap() { AddressSpace.unreserve(base, bytes: state.pointee.mappedBytes) }
}
