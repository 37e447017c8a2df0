// Deliberate defects of the protocol, and delays at its steps: in builds made with `-D PROTOCOL_TESTING` only. In all others a mutation is
// the constant `false`, a delay nothing, and neither leaves an instruction behind.
//
// Each mutation is a variant of the model too, under the same name (Model/). A run chooses one by TRICOLOR_MUTATION=NAME; the table
// that `Scripts/mutations.py` prints says which test catches it. Delays are random, TRICOLOR_DELAYS out of 1000 steps take one.

import CTricolorShims
import Glibc
import TricolorPlatform

/// What can be left out, or done at the wrong time.
enum Mutation: String, CaseIterable {
  /// The barrier records no old values.
  case noDeletion = "NO_DELETION"
  /// The barrier records no new values.
  case noInsertion = "NO_INSERTION"
  /// Stacks are scanned right after arming.
  case noSettle = "NO_SETTLE"
  /// A mutator allocates black from its answer to `arm` on.
  case blackTooEarly = "BLACK_TOO_EARLY"
  /// Marking ends when the grey set is empty after a round, whatever the round has added.
  case noQuietRound = "NO_QUIET_ROUND"
  /// The look at the grey set and the beginning of a round are two steps.
  case roundLookNotAtomic = "ROUND_LOOK_NOT_ATOMIC"
  /// Barrier buffers are not flushed by the `finish` handshake.
  case noFlushAtFinish = "NO_FLUSH_AT_FINISH"
  /// A stack is scanned without the registers.
  case registersNotSpilled = "REGISTERS_NOT_SPILLED"
  /// The collector answers for a parked mutator without looking at its stack.
  case parkedNotScanned = "PARKED_NOT_SCANNED"
  /// A run is given back as if nothing had been allocated from it.
  case runRetiredWithoutCells = "RUN_RETIRED_WITHOUT_CELLS"
  /// A weak load does not make what it finds grey.
  case weakLoadNotShading = "WEAK_LOAD_NOT_SHADING"
  /// Weak references are cleared once `sweep` is posted.
  case weakClearedLate = "DENIED_AFTER_SWEEP_POSTED"
  /// Ephemerons whose keys were marked before keys are looked up are not found.
  case noKeyPass = "NO_KEY_PASS"
  /// Newly marked objects are not looked up as keys of ephemerons.
  case noKeyLookup = "NO_KEY_LOOKUP"
  /// Markers take work while stacks are still being scanned.
  case markingBeforeRoots = "MARKING_BEFORE_ROOTS_ANSWERED"
  /// Blocks may be swept before every mutator has answered `sweep`.
  case sweepBeforeBarrierOff = "SWEEP_BEFORE_BARRIER_OFF"
  /// A mutator that has yet to answer `sweep` takes blocks of the new epoch.
  case blockOfNewEpoch = "BLOCK_OF_NEW_EPOCH"
  /// A thread that attaches during a cycle has its barrier off and allocates white.
  case attachTakesNoMode = "ATTACH_TAKES_NO_MODE"
  /// A root dropped while marking does not make what it held grey.
  case droppedRootNotShaded = "DROPPED_ROOT_NOT_SHADED"
  /// A marker that leaves does not write the marks it has gathered.
  case gatheredMarksLost = "GATHERED_MARKS_LOST"
  /// A marker forgets the edges that it has put aside for other nodes.
  case putAsideLost = "PUT_ASIDE_LOST"
  /// Stores dirty no card.
  case cardNotDirtied = "CARD_NOT_DIRTIED"
  /// A mutator dirties no cards from its answer to `arm` until its answer to `sweep`.
  case rememberedFromSweepOn = "REMEMBERED_FROM_SWEEP_ON"
  /// Objects allocated black while others allocate white already are not remembered.
  case blackRunNotDirtied = "BLACK_RUN_NOT_DIRTIED"
  /// Cards are cleaned when all have answered `sweep`.
  case cardsCleanedAfterSweep = "CARDS_CLEANED_AFTER_SWEEP"
  /// Old objects are marked when `roots` has been answered, over the marks of cells that will be allocated black.
  case oldMarkedAfterRoots = "OLD_MARKED_AFTER_ROOTS"
  /// What others have marked pays for nobody's allocation.
  case assistCreditLost = "ASSIST_CREDIT_LOST"

  #if PROTOCOL_TESTING
    private static let chosen: Mutation? = {
      guard let name = getenv("TRICOLOR_MUTATION").map({ String(cString: $0) }) else { return nil }
      guard let mutation = Mutation(rawValue: name) else { fatalError("tricolor: no mutation \(name)") }
      return mutation
    }()
    var isOn: Bool { Mutation.chosen == self }
  #else
    @inline(__always) var isOn: Bool { false }
  #endif
}

enum Delay {
  #if PROTOCOL_TESTING
    private static let share: UInt64 = getenv("TRICOLOR_DELAYS").flatMap { UInt64(String(cString: $0)) } ?? 0

    /// Now and then lets other threads run ahead of this one: a yield, a spin of some microseconds, or a sleep.
    static func point() {
      if share == 0 { return }
      var word = Clock.monotonic() &* 0x9e37_79b9_7f4a_7c15
      word ^= word >> 29
      if word % 1000 >= share { return }
      switch word >> 20 % 16 {
      case 0: usleep(UInt32(word >> 40 % 300))
      case 1...6: sched_yield()
      default: for _ in 0..<(word >> 40 % 400) { tricolor_spin_hint() }
      }
    }
  #else
    @inline(__always) static func point() {}
  #endif
}
