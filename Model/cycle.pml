/* The cycle as the collector runs it, handshake by handshake, for spin.
 *
 * Two mutators with a bounded number of operations each, the collector thread, and markers run in every order there is. Ghost
 * code computes what is reachable and asserts that marking ends with all of it marked, that the sweep frees none of it, and that
 * weak loads neither bring back what is gone nor deny what is there. Inlines have the names of the Swift functions they stand
 * for; docs/protocol.md ("The model") has the table and what is left out. Check it with `sh Model/check.sh`.
 *
 * One step here is what no other thread can see the inside of: a scan of one's own registers and the single `add` that publishes
 * it, say. Where the code has two steps that others can come between, so has the model: a barrier's record and its store, marking
 * an object and scanning it, the cursor's move and the initialising store, a weak load's read and its decision.
 *
 * Sizes and features (-D):
 *   OPS0, OPS1      operations of each mutator
 *   WEAK            weak loads and stores, and the clearing of the weak slot
 *   AWAY            parking, leaving, attaching, detaching, dropping a root from outside
 *   ALLOCATE        allocation from runs, lazy sweeping
 *   EARLY_FLUSH     barrier buffers that are full at any moment
 *   STALE           each mutator's stack holds one more word that may point to any cell, allocated or not
 *   STORE_BUFFER    stores become visible after later loads of the same thread (x86-TSO, one entry)
 *   HANDSHAKE       poll flags, their clearing, and `held` as steps of their own
 *   SHAPES          any of 48 small heaps at the beginning instead of one
 *   FRESH_BLOCK     the second block is empty at the beginning, so that there is one to allocate from before the sweep
 *   CYCLES          cycles run one after the other
 *   YOUNG           cycles after the first are young ones, with a card for each cell; between cycles references are forgotten for nothing
 *   CLAIM           with YOUNG: check, too, that no card is missing when a cycle begins, whether an object would be lost or not
 *   LATE            mutators do nothing before the first cycle's marking has ended
 *   BETWEEN         nor in later cycles: so what they do lies between the first cycle and the second
 *   ENDS            check that the cycle ends (with -a -f)
 * and the mutations, each named where it acts. */

#ifndef OPS0
#define OPS0 3
#endif
#ifndef OPS1
#define OPS1 2
#endif
#ifndef CYCLES
#define CYCLES 1
#endif

/* Cells are 1...4, two to a block; 0 is nil. Sets of cells are bit masks, bit 0 unused. Every cell has one slot; slot 0 is a root
 * handle. */
#define CELLS 4
#define BLOCKS 2
#define BIT(c) (1 << (c))
#define HAS(set, c) (((set) >> (c)) & 1)
#define ALL 30
#define CELLS_OF(block) (6 << (2 * (block)))

#define ARM 1
#define SETTLE 2
#define ROOTS 3
#define FINISH 4
#define SWEEP 5

/* Phase. `rootScanning` looks like `arming` to everybody. `clearing` and `finished` split what follows the end of marking. */
#define IDLE 0
#define ARMING 1
#define MARKING 2
#define CLEARING 3
#define FINISHED 4
#define isMarking (phase == ARMING || phase == MARKING)

/* MutatorStatus. `held` is a bit beside it, so that what the collector holds is still known to be parked or outside. */
#define DETACHED 0
#define OUTSIDE 1
#define PARKED 2
#define RUNNING 3
#define isAway(m) (mu[m].status == OUTSIDE || mu[m].status == PARKED)

/* BarrierMode. */
#define OFF 0
#define DELETION 1
#define BOTH 3

typedef Mutator {
  unsigned reg0 : 3;
  unsigned reg1 : 3;
#ifdef STALE
  unsigned stale : 3;
#endif
  unsigned status : 2;
  unsigned held : 1;
  unsigned answered : 1;
  unsigned poll : 1;
  unsigned clearing : 2;
  unsigned mode : 2;
  unsigned allocatesBlack : 1;
  unsigned epoch : 1;
  unsigned buffer : 5;
  /* A store on its way (to slot `pendingSlot`), or the second half of a weak load of `pendingValue`. */
  unsigned pendingStore : 1;
  unsigned pendingWeak : 1;
  unsigned pendingSlot : 3;
  unsigned pendingValue : 3;
  /* The open run: cells not yet allocated, and cells allocated since it was handed out (those below the cursor). */
  unsigned unused : 5;
  unsigned used : 5;
  unsigned operations : 3;
#ifdef YOUNG
  unsigned remembers : 1;
#endif
};

Mutator mu[2];
byte slot[CELLS + 1];
unsigned weak : 3;

unsigned phase : 3;
unsigned request : 3;
/* The registry lock, as far as anybody can tell: held while a handshake is posted. */
bit posting;
unsigned cycle : 2;
bit over;

/* GreyPool: edges pooled or on markers' stacks, objects marked whose slots have still to be read (their markers are active). */
unsigned grey : 5;
unsigned scanning : 5;
bit wasAdded;
unsigned marked : 5;

/* Cells with an allocation bit or below their block's frontier. */
unsigned allocated : 5;
bit unswept[BLOCKS];
bit sweptEpoch[BLOCKS];
unsigned owner0 : 2;
unsigned owner1 : 2;
bit sweepEpoch;
bit sweepPermitted;

#ifdef YOUNG
/* Whether the cycle is a young one; cells that the last sweep left alive; cells whose card is dirty. */
bit young;
unsigned old : 5;
unsigned dirty : 5;
#ifdef CARDS_CLEANED_BEFORE_ARM
unsigned taken : 5;
#endif
#endif

/* Ghosts: cells that hold an object; cells that a weak load has denied; scratch. */
unsigned objects : 5;
unsigned denied : 5;
hidden byte reach;
hidden byte pass;
hidden byte freed;
hidden byte found;

#define ownerOf(block) ((block) == 0 -> owner0 : owner1)
#define isAllocated(c) (HAS(allocated, c) || HAS(mu[0].used, c) || HAS(mu[1].used, c))

/* MARK: What is reachable (ghost) */

inline addReachable(m) {
  if
  :: mu[m].status == RUNNING || mu[m].status == PARKED -> reach = reach | BIT(mu[m].reg0) | BIT(mu[m].reg1)
  :: else
  fi
}

inline addPending(m) {
  if
  :: mu[m].pendingStore && (mu[m].pendingSlot == 0 || HAS(reach, mu[m].pendingSlot)) ->
    reach = reach | BIT(mu[m].pendingValue)
  :: else
  fi
}

inline computeReach() {
  reach = BIT(slot[0]);
  addReachable(0);
  addReachable(1);
  pass = 0;
  do
  :: pass < CELLS ->
    addPending(0);
    addPending(1);
    reach = reach | (HAS(reach, 1) -> BIT(slot[1]) : 0) | (HAS(reach, 2) -> BIT(slot[2]) : 0) |
      (HAS(reach, 3) -> BIT(slot[3]) : 0) | (HAS(reach, 4) -> BIT(slot[4]) : 0);
    pass++
  :: else -> break
  od;
  reach = reach & ALL;
  pass = 0
}

/* Registers have no order: the larger value first, so that fewer states say the same. */
inline sortRegisters(m) {
  if
  :: mu[m].reg0 < mu[m].reg1 -> found = mu[m].reg0; mu[m].reg0 = mu[m].reg1; mu[m].reg1 = found; found = 0
  :: else
  fi
}

/* MARK: GreyPool */

inline add(set) {
  if
  :: (set) & ALL -> grey = grey | ((set) & ALL); wasAdded = 1
  :: else
  fi
}

/* MARK: A mutator's part (MutatorCore) */

inline flushBuffer(m) {
  if
  :: isMarking -> add(mu[m].buffer & ~marked)
  :: else
  fi;
  mu[m].buffer = 0
}

#ifdef REGISTERS_NOT_SPILLED
#define ownWords(m) BIT(mu[m].reg0)
#else
#define ownWords(m) (BIT(mu[m].reg0) | BIT(mu[m].reg1))
#endif
#ifdef PARKED_NOT_SCANNED
#define parkedWords(m) 0
#else
#define parkedWords(m) (BIT(mu[m].reg0) | BIT(mu[m].reg1))
#endif
#define words(m) (mu[m].status == PARKED -> parkedWords(m) : ownWords(m))

#ifdef STALE
#ifdef UNALLOCATED_CELL_SCANNED
#define staleWord(m) BIT(mu[m].stale)
#else
#define staleWord(m) (isAllocated(mu[m].stale) -> BIT(mu[m].stale) : 0)
#endif
#else
#define staleWord(m) 0
#endif

inline scanStack(m) {
  if
  :: mu[m].status == OUTSIDE
  :: else ->
    found = (words(m) | staleWord(m)) & ~marked;
    add(found);
    found = 0
  fi
}

inline blackenOpenRuns(m) {
#ifndef BLACK_TOO_EARLY
  marked = marked | mu[m].unused;
#endif
  mu[m].allocatesBlack = 1
}

/* A run that is used up or given back. What was allocated from it black is old after the sweep, and the initialising store may have named a
 * young object: one that a mutator which had answered `sweep` already has allocated white and shown to this one. */
inline retireRun(m) {
  allocated = allocated | mu[m].used;
#if defined(YOUNG) && !defined(BLACK_RUN_NOT_DIRTIED)
  if
  :: mu[m].allocatesBlack && (phase == CLEARING || phase == FINISHED) -> dirty = dirty | mu[m].used
  :: else
  fi;
#endif
  mu[m].used = 0
}

inline putBack(m, block, theOwner) {
  if
  :: theOwner == m + 1 ->
    theOwner = 0;
    if
    :: sweptEpoch[block] != sweepEpoch && (allocated & CELLS_OF(block)) -> unswept[block] = 1
    :: else
    fi
  :: else
  fi
}

inline closeAllRuns(m) {
#ifndef RUN_RETIRED_WITH_MARKS
  if
  :: mu[m].allocatesBlack -> marked = marked & ~mu[m].unused
  :: else
  fi;
#endif
#ifndef RUN_RETIRED_WITHOUT_CELLS
  retireRun(m);
#endif
  mu[m].used = 0;
  mu[m].unused = 0;
  putBack(m, 0, owner0);
  putBack(m, 1, owner1)
}

/* From here on each store of a reference into an object dirties the card first. */
#ifdef YOUNG
#define remember(m) mu[m].remembers = 1
#else
#define remember(m) skip
#endif

inline perform(m) {
  if
  :: request == ARM ->
#ifndef REMEMBERED_FROM_SWEEP_ON
    remember(m);
#endif
#ifndef NO_INSERTION
    mu[m].mode = BOTH;
#else
    mu[m].mode = DELETION;
#endif
#ifdef BLACK_TOO_EARLY
    marked = marked | mu[m].unused;
    mu[m].allocatesBlack = 1
#endif
  :: request == SETTLE
  :: request == ROOTS ->
    scanStack(m);
    blackenOpenRuns(m);
    mu[m].mode = DELETION
  :: request == FINISH ->
#ifndef NO_FLUSH_AT_FINISH
    flushBuffer(m)
#endif
  :: request == SWEEP ->
    remember(m);
    mu[m].mode = OFF;
    mu[m].buffer = 0;
    closeAllRuns(m);
    mu[m].allocatesBlack = 0;
    mu[m].epoch = sweepEpoch
  fi
}

inline adoptMode(m) {
  remember(m);
  mu[m].answered = 1;
  mu[m].poll = 0;
  mu[m].epoch = sweepEpoch;
#ifndef ATTACH_TAKES_NO_MODE
  if
  :: request == ARM || request == SETTLE -> mu[m].mode = BOTH; mu[m].allocatesBlack = 0
  :: request == ROOTS || request == FINISH -> mu[m].mode = DELETION; mu[m].allocatesBlack = 1
  :: else -> mu[m].mode = OFF; mu[m].allocatesBlack = 0
  fi
#else
  mu[m].mode = OFF;
  mu[m].allocatesBlack = 0
#endif
}

/* What a flush would drop is not recorded at all: what is marked, and everything once marking is over. */
inline record(m, target, new) {
  if
  :: mu[m].mode != OFF && isMarking ->
#ifndef NO_DELETION
    mu[m].buffer = mu[m].buffer | (BIT(slot[target]) & ALL & ~marked);
#endif
    mu[m].buffer = mu[m].buffer | (mu[m].mode == BOTH -> (BIT(new) & ALL & ~marked) : 0)
  :: else
  fi
#if defined(YOUNG) && !defined(CARD_NOT_DIRTIED)
  ;
  if
  :: mu[m].remembers && new != 0 && target != 0 -> dirty = dirty | BIT(target)
  :: else
  fi
#endif
}

#ifdef STORE_BUFFER
#define landsAtOnce(m) 0
#else
#define landsAtOnce(m) (mu[m].mode == OFF)
#endif

/* Without a barrier nothing of this thread's precedes the store that another could tell from it: one step. */
inline storeReference(m, target, new) {
  record(m, target, new);
  if
  :: landsAtOnce(m) -> slot[target] = new
  :: else ->
    mu[m].pendingStore = 1;
    mu[m].pendingSlot = target;
    mu[m].pendingValue = new
  fi;
  mu[m].operations--
}

inline land(m) {
  slot[mu[m].pendingSlot] = mu[m].pendingValue;
  mu[m].pendingStore = 0;
  mu[m].pendingSlot = 0;
  mu[m].pendingValue = 0
}

#ifdef STORE_BUFFER
#define read(m, source) (mu[m].pendingStore && mu[m].pendingSlot == (source) -> mu[m].pendingValue : slot[source])
#else
#define read(m, source) slot[source]
#endif

inline loadReference(m, source, into) {
  into = read(m, source);
  assert(HAS(objects, into));
  sortRegisters(m);
  mu[m].operations--
}

/* MARK: Allocation and sweep */

inline sweepBits(block) {
  computeReach();
  freed = objects & CELLS_OF(block) & ~marked;
  assert((freed & reach) == 0);
#ifdef WEAK
  assert(!HAS(freed, weak));
#endif
  objects = objects & ~freed;
  denied = denied & ~freed;
  allocated = (allocated & ~CELLS_OF(block)) | (marked & CELLS_OF(block));
#ifdef YOUNG
  old = (old & ~CELLS_OF(block)) | (marked & CELLS_OF(block));
#endif
  /* Every cell counted as allocated holds an object, or it would be lost for good. */
  assert((allocated & CELLS_OF(block)) == (objects & CELLS_OF(block)));
  marked = marked & ~CELLS_OF(block);
  if :: HAS(freed, 2 * block + 1) -> slot[2 * block + 1] = 0 :: else fi;
  if :: HAS(freed, 2 * block + 2) -> slot[2 * block + 2] = 0 :: else fi;
  unswept[block] = 0;
  sweptEpoch[block] = sweepEpoch;
  freed = 0;
  reach = 0
}

#define freeCells(block) (CELLS_OF(block) & ~allocated)
#define isFresh(block) ((allocated & CELLS_OF(block)) == 0)
/* Whether `m` may open a run in `block`: fresh, partial and of its epoch, or waiting for the sweep that is on. */
#define canOpen(m, block) (mu[m].unused == 0 && ownerOf(block) == 0 && freeCells(block) != 0 && !unswept[block] \
  && (isFresh(block) || sweptEpoch[block] == mu[m].epoch))
#define canSweep(m, block) (mu[m].unused == 0 && unswept[block] && sweepPermitted)

/* `openNextRun` and `handOut`: closes the exhausted block, opens `block`, marks its run when this mutator allocates black. */
inline openRun(m, block, theOwner) {
  retireRun(m);
  putBack(m, 0, owner0);
  putBack(m, 1, owner1);
  if
  :: isFresh(block) -> sweptEpoch[block] = mu[m].epoch
  :: else
  fi;
  theOwner = m + 1;
  mu[m].unused = freeCells(block);
  if
  :: mu[m].allocatesBlack -> marked = marked | mu[m].unused
  :: else
  fi
}

/* A mutator that sweeps a block for itself goes on to open it. */
inline sweepForAllocation(m, block, theOwner) {
  sweepBits(block);
  if
  :: freeCells(block) != 0 -> openRun(m, block, theOwner)
  :: else
  fi
}

#define firstUnused(m) (HAS(mu[m].unused, 1) -> 1 : (HAS(mu[m].unused, 2) -> 2 : (HAS(mu[m].unused, 3) -> 3 : 4)))

#define canMake(m) (mu[m].unused != 0 || canOpen(m, 0) || canOpen(m, 1))

/* The bump, after a refill when the run is exhausted. The initialising store takes no barrier. */
inline make(m, into, initial) {
  if
  :: mu[m].unused != 0
  :: else ->
    if
    :: canOpen(m, 0) -> openRun(m, 0, owner0)
    :: else -> openRun(m, 1, owner1)
    fi
  fi;
  pass = firstUnused(m);
  assert(!HAS(objects, pass));
  objects = objects | BIT(pass);
  mu[m].unused = mu[m].unused & ~BIT(pass);
  mu[m].used = mu[m].used | BIT(pass);
  slot[pass] = 0;
  if
  :: initial == 0
  :: else ->
#ifdef STALE
    mu[m].pendingStore = 1;
    mu[m].pendingSlot = pass;
    mu[m].pendingValue = initial
#else
    slot[pass] = initial
#endif
  fi;
  into = pass;
  pass = 0;
  sortRegisters(m);
  mu[m].operations--
}

/* MARK: Weak loads */

/* The second half, after the slot was read: at once when this mutator's barrier is off or the target is marked; else under the
 * root table's lock, with a second look at the slot. */
inline loadWeakSlowly(m, into) {
  if
  :: mu[m].mode == OFF || HAS(marked, mu[m].pendingValue) -> into = mu[m].pendingValue
  :: else ->
    if
    :: weak == 0
#ifdef WEAK_LOAD_NOT_SHADING
    :: weak != 0 && isMarking -> into = weak
#else
    :: weak != 0 && isMarking -> add(BIT(weak) & ~marked); into = weak
#endif
#ifdef DENIED_AFTER_SWEEP_POSTED
    :: weak != 0 && !isMarking ->
#else
    :: weak != 0 && phase == CLEARING ->
#endif
      if
      :: HAS(marked, weak) -> into = weak
      :: else ->
        computeReach();
        assert(!HAS(reach, weak));
        denied = denied | BIT(weak);
        reach = 0
      fi
#ifndef DENIED_AFTER_SWEEP_POSTED
    :: weak != 0 && (phase == FINISHED || phase == IDLE) -> into = weak
#endif
    fi
  fi;
  assert(into == 0 || HAS(objects, into));
  assert(into == 0 || !HAS(denied, into));
  sortRegisters(m);
  mu[m].pendingWeak = 0;
  mu[m].pendingValue = 0
}

inline clearWeak() {
  if
  :: weak != 0 && !HAS(marked, weak) ->
    computeReach();
    assert(!HAS(reach, weak));
    reach = 0;
    weak = 0
  :: else
  fi
}

/* MARK: Processes */

#define ME mu[self]
/* What a program does before the first cycle is another heap at the beginning, and after the last nobody looks. */
#ifdef LATE
#define isLate (cycle > 0 || phase >= CLEARING)
#else
#define isLate 1
#endif
#ifdef BETWEEN
#define isBetween (cycle == 0 || phase == IDLE)
#else
#define isBetween 1
#endif
#define isOn (request != 0 && !over && isLate && isBetween)
#ifdef STORE_BUFFER
#define canRead (isOn && ME.status == RUNNING && ME.operations > 0 && !ME.pendingWeak && ME.clearing == 0)
#else
#define canRead (isOn && ME.status == RUNNING && ME.operations > 0 && !ME.pendingWeak && ME.clearing == 0 && !ME.pendingStore)
#endif
#define canWrite (canRead && !ME.pendingStore)
#define isSettled (ME.status == RUNNING && !ME.pendingWeak && !ME.pendingStore && ME.clearing == 0)

#ifdef HANDSHAKE
#define mustAnswer (ME.poll && !ME.answered)
#else
#define mustAnswer (!ME.answered)
#endif

inline leaveWith(newStatus) {
  ME.status = newStatus;
  ME.reg0 = 0;
  ME.reg1 = 0
}

proctype mutator(bit self) {
end_mutator:
  do
  /* Loads. */
  :: d_step { canRead && read(self, 0) != 0 -> loadReference(self, 0, ME.reg0) }
  :: d_step { canRead && read(self, 0) != 0 -> loadReference(self, 0, ME.reg1) }
  :: d_step { canRead && ME.reg0 != 0 && read(self, ME.reg0) != 0 -> loadReference(self, ME.reg0, ME.reg0) }
  :: d_step { canRead && ME.reg0 != 0 && read(self, ME.reg0) != 0 -> loadReference(self, ME.reg0, ME.reg1) }
  :: d_step { canRead && ME.reg1 != 0 && read(self, ME.reg1) != 0 -> loadReference(self, ME.reg1, ME.reg0) }
  :: d_step { canRead && ME.reg1 != 0 && read(self, ME.reg1) != 0 -> loadReference(self, ME.reg1, ME.reg1) }
  /* Stores: the barrier's record, and later the store itself. */
  :: d_step { canWrite -> storeReference(self, 0, 0) }
  :: d_step { canWrite && ME.reg0 != 0 -> storeReference(self, 0, ME.reg0) }
  :: d_step { canWrite && ME.reg1 != 0 -> storeReference(self, 0, ME.reg1) }
  :: d_step { canWrite && ME.reg0 != 0 -> storeReference(self, ME.reg0, 0) }
  :: d_step { canWrite && ME.reg1 != 0 -> storeReference(self, ME.reg0, ME.reg1) }
  :: d_step { canWrite && ME.reg1 != 0 -> storeReference(self, ME.reg1, 0) }
  :: d_step { canWrite && ME.reg1 != 0 -> storeReference(self, ME.reg1, ME.reg0) }
  :: d_step { ME.pendingStore -> land(self) }
  /* Registers. */
  :: d_step { canRead && ME.reg0 != 0 -> ME.reg0 = 0; sortRegisters(self); ME.operations-- }
  :: d_step { canRead && ME.reg1 != 0 -> ME.reg1 = 0; ME.operations-- }
#ifdef ALLOCATE
  :: d_step { canWrite && canMake(self) -> make(self, ME.reg0, 0) }
  :: d_step { canWrite && canMake(self) -> make(self, ME.reg1, 0) }
  :: d_step { canWrite && canMake(self) && ME.reg0 != 0 -> make(self, ME.reg0, ME.reg0) }
  :: d_step { canWrite && canMake(self) && ME.reg1 != 0 -> make(self, ME.reg0, ME.reg1) }
  :: d_step { canWrite && canMake(self) && ME.reg0 != 0 -> make(self, ME.reg1, ME.reg0) }
  :: d_step { canWrite && canMake(self) && ME.reg1 != 0 -> make(self, ME.reg1, ME.reg1) }
  /* takePartialBlock finds only blocks that wait for the sweep. */
  :: d_step { canWrite && !canMake(self) && canSweep(self, 0) -> sweepForAllocation(self, 0, owner0) }
  :: d_step { canWrite && !canMake(self) && canSweep(self, 1) -> sweepForAllocation(self, 1, owner1) }
#endif
#ifdef WEAK
  :: d_step { canRead && weak != 0 -> ME.pendingWeak = 1; ME.pendingSlot = 0; ME.pendingValue = weak; ME.operations-- }
  :: d_step { ME.pendingWeak -> loadWeakSlowly(self, ME.reg0) }
  :: d_step { ME.pendingWeak -> loadWeakSlowly(self, ME.reg1) }
  :: d_step { canWrite && ME.reg0 != 0 && weak != ME.reg0 -> weak = ME.reg0; ME.operations-- }
  :: d_step { canWrite && ME.reg1 != 0 && weak != ME.reg1 -> weak = ME.reg1; ME.operations-- }
#endif
#ifdef EARLY_FLUSH
  :: d_step { canWrite && ME.buffer != 0 -> flushBuffer(self) }
#endif
#ifdef AWAY
  :: d_step { canWrite -> ME.status = PARKED; ME.operations-- }
  :: d_step { canWrite -> leaveWith(OUTSIDE); ME.operations-- }
  :: d_step { isAway(self) && !ME.held -> ME.status = RUNNING }
  :: d_step { ME.status == DETACHED && !posting && isOn && ME.operations > 0 ->
      adoptMode(self); ME.status = OUTSIDE; ME.operations-- }
  :: d_step { ME.status == OUTSIDE && !ME.held && !posting && isOn && ME.operations > 0 ->
      if
      :: !ME.answered -> perform(self)
      :: else
      fi;
      flushBuffer(self); closeAllRuns(self);
      ME.answered = 1; ME.poll = 0; ME.mode = OFF; ME.allocatesBlack = 0; ME.epoch = 0;
      ME.status = DETACHED; ME.operations-- }
  /* dropRoot: from a thread that is not running in the heap. The look at the phase and all that follows are under one lock. */
  :: d_step { (ME.status == OUTSIDE || ME.status == DETACHED) && isOn && ME.operations > 0 && slot[0] != 0 ->
#ifndef DROPPED_ROOT_NOT_SHADED
      if
      :: isMarking -> add(BIT(slot[0]) & ~marked)
      :: else
      fi;
#endif
      slot[0] = 0; ME.operations-- }
#endif
  /* poll: answers the posted handshake. */
  :: d_step { isSettled && mustAnswer ->
      perform(self);
      ME.answered = 1;
#ifdef HANDSHAKE
      ME.clearing = 1
#endif
    }
#ifdef HANDSHAKE
  /* clearPoll: lowers the flag, then looks again. */
  :: d_step { isSettled && ME.poll && ME.answered -> ME.clearing = 1 }
  :: d_step { ME.clearing == 1 -> ME.poll = 0; ME.clearing = 2 }
  :: d_step { ME.clearing == 2 ->
#ifndef POLL_NOT_RECHECKED
      ME.poll = !ME.answered;
#endif
      ME.clearing = 0 }
#endif
  od
}

/* Any number of markers: an active one has taken an edge or holds an object whose slot it has still to read. Edges to marked
 * objects, which markers drop when they come to them, are dropped at once. */
#ifdef MARKING_BEFORE_ROOTS_ANSWERED
#define markersRun isMarking
#else
#define markersRun (phase == MARKING)
#endif

inline take(c) {
  grey = grey & ~BIT(c);
  if
  :: HAS(marked, c)
  :: else -> marked = marked | BIT(c); scanning = scanning | BIT(c)
  fi
}

inline scan(c) {
  scanning = scanning & ~BIT(c);
  grey = grey | (BIT(slot[c]) & ALL & ~marked)
}

proctype marker() {
end_marker:
  do
  :: d_step { markersRun && HAS(grey, 1) -> take(1) }
  :: d_step { markersRun && HAS(grey, 2) -> take(2) }
  :: d_step { markersRun && HAS(grey, 3) -> take(3) }
  :: d_step { markersRun && HAS(grey, 4) -> take(4) }
  :: d_step { HAS(scanning, 1) -> scan(1) }
  :: d_step { HAS(scanning, 2) -> scan(2) }
  :: d_step { HAS(scanning, 3) -> scan(3) }
  :: d_step { HAS(scanning, 4) -> scan(4) }
  od
}

inline beginSweepEpoch() {
  sweepPermitted = 0;
  sweepEpoch = !sweepEpoch;
  unswept[0] = (owner0 == 0 && (allocated & CELLS_OF(0)) != 0);
  unswept[1] = (owner1 == 0 && (allocated & CELLS_OF(1)) != 0)
}

/* Request posted under the registry lock; the poll flags follow one by one. */
inline post(handshake) {
  if
  :: handshake == SWEEP -> beginSweepEpoch()
  :: else
  fi;
  request = handshake;
  mu[0].answered = (mu[0].status == DETACHED);
  mu[1].answered = (mu[1].status == DETACHED);
#ifdef HANDSHAKE
  posting = 1
#endif
}

#define allAnswered (mu[0].answered && mu[1].answered && !mu[0].held && !mu[1].held && !posting)
#ifdef HANDSHAKE
#define raisePollFlags \
  :: d_step { posting && !flagged -> mu[0].poll = 1; flagged = 1 } \
  :: d_step { posting && flagged -> mu[1].poll = 1; flagged = 0; posting = 0 }
#define answerFor(m) \
  :: d_step { !posting && !mu[m].answered && isAway(m) && !mu[m].held -> mu[m].held = 1 } \
  :: d_step { mu[m].held -> if :: !mu[m].answered -> perform(m) :: else fi; mu[m].answered = 1; mu[m].held = 0 }
#else
#define raisePollFlags
#define answerFor(m) :: d_step { !mu[m].answered && isAway(m) -> perform(m); mu[m].answered = 1 }
#endif

/* The rest of `shakeHands`, and what the collector does next in one step with seeing the last answer: nobody can do anything in
 * between that could not be done before that answer was seen. */
#define whenAllAnswered(next) \
  do \
  :: atomic { allAnswered -> next; break } \
  raisePollFlags \
  answerFor(0) \
  answerFor(1) \
  od

#ifdef YOUNG
/* The first cycle is full. The last of two is young, and of three any but the first may be. */
inline beginCycle() {
#ifdef CARDS_CLEANED_BEFORE_ARM
  taken = dirty;
  dirty = 0;
#endif
  if
  :: cycle > 0 -> young = 1
  :: cycle == 0 || CYCLES > 2 -> young = 0
  fi
}

/* Just before `arm` threads return from some of their frames and the root may be dropped: a choice here instead of operations of the
 * mutators, so that few of those are enough. */
#define hasNothingPending(m) (!mu[m].pendingWeak && !mu[m].pendingStore)
inline forgetAnything() {
  if
  :: cycle == 0
  :: else ->
    if :: slot[0] = 0 :: skip fi;
    if :: hasNothingPending(0) -> mu[0].reg0 = 0 :: skip fi;
    if :: hasNothingPending(0) -> mu[0].reg1 = 0 :: skip fi;
    if :: hasNothingPending(1) -> mu[1].reg0 = 0 :: skip fi;
    if :: hasNothingPending(1) -> mu[1].reg1 = 0 :: skip fi;
    sortRegisters(0);
    sortRegisters(1)
  fi
}

/* When `arm` is answered by all: an old object that refers to a young one lies on a dirty card. */
#ifdef CLAIM
#define isRemembered(c) (!HAS(old, c) || slot[c] == 0 || HAS(old, slot[c]) || HAS(dirty, c))
#define checkCards() assert(isRemembered(1) && isRemembered(2) && isRemembered(3) && isRemembered(4))
#else
#define checkCards() skip
#endif

/* What the last sweep left alive counts as marked and scanned in a young cycle. */
inline markOld() {
  marked = (young -> old : marked)
}
#ifdef OLD_MARKED_AFTER_ROOTS
#define markOldEarly() skip
#define markOldLate() markOld()
#else
#define markOldEarly() markOld()
#define markOldLate() skip
#endif

#ifdef CARDS_CLEANED_BEFORE_ARM
#define DIRTY taken
#else
#define DIRTY dirty
#endif
/* Old objects on dirty cards are grey: marked, and to be scanned. In a full cycle cards are only cleaned. */
inline scanCards() {
  scanning = (young -> DIRTY & old : 0);
#ifdef CARDS_CLEANED_BEFORE_ARM
  taken = 0
#else
#ifndef CARDS_CLEANED_AFTER_SWEEP
  dirty = 0
#endif
#endif
}

#ifdef CARDS_CLEANED_AFTER_SWEEP
#define cleanCardsLate() dirty = 0
#else
#define cleanCardsLate() skip
#endif
#else
#define beginCycle() skip
#define forgetAnything() skip
#define checkCards() skip
#define markOldEarly() skip
#define markOldLate() skip
#define scanCards() skip
#define cleanCardsLate() skip
#endif

/* Slot 0 after the stacks; then markers may begin. */
inline scanRoots() {
  add(BIT(slot[0]) & ~marked);
  scanCards();
  phase = MARKING
}

inline endMarking() {
  computeReach();
  assert((reach & ~marked) == 0);
  reach = 0;
  wasAdded = 0;
  mu[0].buffer = 0;
  mu[1].buffer = 0;
  phase = CLEARING
}

#ifdef NO_QUIET_ROUND
#define wasQuietRound (grey == 0 && scanning == 0)
#else
#define wasQuietRound (!wasAdded && grey == 0 && scanning == 0)
#endif

/* The look at the round and the change of phase are one step under the root table's lock. */
inline endIfQuiet() {
  if
  :: wasQuietRound ->
    quiet = 1;
#ifndef NO_WEAK_RECHECK
    endMarking()
#endif
  :: else
  fi
}

proctype collector() {
  bit quiet;
#ifdef HANDSHAKE
  bit flagged;
#endif
  do
  :: cycle < CYCLES ->
    atomic { assert(marked == 0 && grey == 0 && scanning == 0); beginCycle(); phase = ARMING }
    atomic { forgetAnything(); post(ARM) }
#ifndef NO_SETTLE
    whenAllAnswered(checkCards(); post(SETTLE));
#endif
    whenAllAnswered(markOldEarly(); post(ROOTS));
    whenAllAnswered(markOldLate(); scanRoots());
    do
    :: !quiet ->
#ifdef NO_QUIET_ROUND
      atomic { grey == 0 && scanning == 0 -> endIfQuiet() }
#else
#ifdef ROUND_LOOK_NOT_ATOMIC
      grey == 0 && scanning == 0;
      atomic { wasAdded = 0; post(FINISH) }
#else
      /* beginRound */
      atomic {
        grey == 0 && scanning == 0 ->
#ifndef ADDITIONS_NEVER_FORGOTTEN
        wasAdded = 0;
#endif
        post(FINISH)
      }
#endif
#ifdef WEAK_SLOT_CLEARED_BEFORE_DECISION
      whenAllAnswered(clearWeak());
#endif
      whenAllAnswered(endIfQuiet())
#endif
    :: else -> break
    od;
#ifdef NO_WEAK_RECHECK
    atomic { endMarking() }
#endif
    atomic {
      quiet = 0;
#ifdef WEAK
      clearWeak()
#endif
    }
    phase = FINISHED;
    atomic {
      post(SWEEP);
#ifdef SWEEP_BEFORE_BARRIER_OFF
      sweepPermitted = 1
#endif
    }
    whenAllAnswered(cleanCardsLate(); phase = IDLE; sweepPermitted = 1);
    do
    :: d_step { unswept[0] -> sweepBits(0) }
    :: d_step { unswept[1] -> sweepBits(1) }
    :: atomic { !unswept[0] && !unswept[1] -> break }
    od;
    cycle++
  :: else -> break
  od;
  atomic { assert(marked == 0); over = 1 }
}

/* MARK: The heap at the beginning: a root to 1, 1 to 2, 3 in a register of the first mutator only, 4 free. */

init {
  atomic {
    slot[0] = 1;
#ifdef FRESH_BLOCK
    allocated = 6;
    objects = 6;
#else
    allocated = 14;
    objects = 14;
#endif
    sweepPermitted = 1;
    mu[0].reg0 = 1;
    mu[1].reg0 = 1;
#ifdef SHAPES
    if :: slot[1] = 2 :: slot[1] = 0 fi;
    if :: slot[2] = 3 :: slot[2] = 0 fi;
    if :: mu[0].reg1 = 0 :: mu[0].reg1 = 2 :: mu[0].reg1 = 3 fi;
    if :: mu[1].reg1 = 0 :: mu[1].reg1 = 3 fi;
#ifdef WEAK
    if :: weak = 2 :: weak = 3 fi;
#endif
#else
#ifdef FRESH_BLOCK
    mu[0].reg1 = 2;
#ifdef WEAK
    weak = 2;
#endif
#else
    slot[1] = 2;
    mu[0].reg1 = 3;
#ifdef WEAK
    weak = 3;
#endif
#endif
#endif
#ifdef STALE
    if :: mu[0].stale = 0 :: mu[0].stale = 3 :: mu[0].stale = 4 fi;
    if :: mu[1].stale = 0 :: mu[1].stale = 3 :: mu[1].stale = 4 fi;
#endif
#if defined(ALLOCATE) && !defined(FRESH_BLOCK)
    /* The free cell is in an open run, or its block is full but for it. */
    if :: skip :: mu[0].unused = 16; owner1 = 1 fi;
#endif
#if defined(YOUNG) && defined(FRESH_BLOCK)
    /* The first block is partly used and open, or full. */
    if
    :: allocated = 2; objects = 2; slot[1] = 0; mu[0].reg1 = 0; mu[0].unused = 4; owner0 = 1;
#ifdef WEAK
      weak = 1
#endif
    :: skip
    fi;
#endif
    mu[0].operations = OPS0;
    mu[1].operations = OPS1;
    mu[0].status = RUNNING;
    mu[1].status = RUNNING;
#ifdef AWAY
    if :: skip :: mu[1].status = DETACHED; mu[1].reg0 = 0; mu[1].reg1 = 0 fi;
#endif
    mu[0].answered = 1;
    mu[1].answered = 1;
    sortRegisters(0);
    sortRegisters(1);
    run mutator(0);
    run mutator(1);
    run marker();
    run collector()
  }
}

#ifdef ENDS
ltl ends { <> (over) }
#endif
