/* Tricolor for C and C++: a garbage-collected heap with a concurrent collector, several threads, and a limit on memory.
 *
 *   tricolor_heap *heap;
 *   tricolor_mutator *mutator;
 *   tricolor_layout pair;
 *   const size_t references[] = {0, 8};
 *   tricolor_heap_create(NULL, &heap);
 *   tricolor_thread_attach(heap, &mutator);
 *   tricolor_layout_fixed(&pair, 16, references, 2, "pair");
 *   void **p = tricolor_allocate(mutator, &pair);     // zeroed; NULL only when there is no memory
 *   p[0] = tricolor_allocate(mutator, &pair);         // WRONG: p may be old by now; see "Stores"
 *   tricolor_store(&p[0], tricolor_allocate(mutator, &pair));
 *   tricolor_thread_detach(mutator);
 *   tricolor_heap_destroy(heap);
 *
 * Compile with `cc program.c $(pkg-config --cflags --libs tricolor)`. C99 or later, C++, GCC or clang, Linux, 64 bits.
 *
 * OBJECTS never move. A reference is the address of an object's first byte, in eight aligned bytes, or NULL. Inside objects, references
 * must be where the layout says, and lead to objects of the same heap; on stacks, in frames of handles, in root ranges, and in objects of
 * conservative layouts any address inside an object, or one past nothing, counts and other words are ignored.
 *
 * STORES. While the collector marks, it must hear of every reference that is overwritten, and at other times of every one that is stored
 * into an object that was there at the last cycle. So references are stored into objects by tricolor_store, tricolor_copy,
 * tricolor_exchange and tricolor_compare_exchange, or after tricolor_storing, which cost a test when nothing is going on. Three stores need none of that:
 *   - into a new object, until its thread next allocates, polls, enters a blocking region or detaches;
 *   - of anything that is no reference;
 *   - into stacks, frames of handles, and root ranges of the kind TRICOLOR_ROOTS_PLAIN.
 * A heap made with `stop = TRICOLOR_STOP_ALWAYS` needs no announcements at all: each of its cycles stops the program instead.
 * Loads are plain loads.
 *
 * THREADS attach to a heap before they use it and detach afterwards; a thread that ends detaches. An attached thread must come to a
 * *safepoint* now and then, or it delays the end of every cycle (and only that: nobody else waits for it): each few hundred allocations
 * contain one, so does tricolor_poll. Around whatever may block or compute for long without allocating, call
 * tricolor_blocking_begin and _end, or tricolor_blocking_call: the collector then answers for the thread, whose stack it scans.
 *
 * ERRORS. Functions that can be used wrongly answer a code (`int`, TRICOLOR_OK is 0) or, where they answer a pointer, NULL. A wrong argument
 * or a call at the wrong time is told on standard error, with its name, value, and what is allowed; tricolor_last_error() has the code in
 * the thread that made it. Arguments are checked from the first to the last. What the inline functions do not check in their fast path
 * is said at each.
 *
 * What is not said to be for attached threads may be called by any thread at any time.
 */
#ifndef TRICOLOR_H
#define TRICOLOR_H

#include <stddef.h>
#include <stdint.h>

#define TRICOLOR_VERSION_MAJOR 1
#define TRICOLOR_VERSION_MINOR 0

#if !defined(__GNUC__)
#error "tricolor.h needs GCC or clang"
#endif
#if !defined(__LP64__)
#error "tricolor.h needs 64-bit pointers"
#endif

#define TRICOLOR_LIKELY(condition) __builtin_expect(!!(condition), 1)
#define TRICOLOR_UNLIKELY(condition) __builtin_expect(!!(condition), 0)

#if defined(__clang__) && defined(TRICOLOR_DECLARATIONS_ONLY)
#define TRICOLOR_NULLABLE _Nullable
#else
#define TRICOLOR_NULLABLE
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* ---- Errors ---- */

enum {
  TRICOLOR_OK = 0,
  TRICOLOR_INVALID_ARGUMENT = 1, /* an argument has a value that is not allowed */
  TRICOLOR_INVALID_STATE = 2,    /* the call is not allowed at this time, or in this thread */
  TRICOLOR_OUT_OF_MEMORY = 3,    /* a hard limit is reached, or the address range is used up; nothing is printed */
  TRICOLOR_SYSTEM_ERROR = 4,     /* the operating system refused something */
  TRICOLOR_NOT_FOUND = 5,        /* what was to be removed is not there (any more); nothing is printed */
  TRICOLOR_HEAP_BROKEN = 6       /* tricolor_verify has found faults */
};

/* The code of the last error of the calling thread; TRICOLOR_OK before any. Calls that succeed do not change it. */
int tricolor_last_error(void);

/* A few words for a code; for one that is none, words that say so. */
const char *TRICOLOR_NULLABLE tricolor_error_name(int error);

/* The library's version, as "1.0". */
const char *TRICOLOR_NULLABLE tricolor_version(void);

/* ---- Heaps ---- */

typedef struct tricolor_heap tricolor_heap;       /* a managed heap, with its collector */
typedef struct tricolor_mutator tricolor_mutator; /* one thread's access to one heap */

/* Where the references of attached threads are. */
typedef enum tricolor_stacks {
  TRICOLOR_STACKS_CONSERVATIVE = 0, /* on their stacks and in registers, which are searched; and in frames of handles */
  TRICOLOR_STACKS_PRECISE = 1       /* in frames of handles only; stacks are not looked at */
} tricolor_stacks;

/* Whether cycles stop the program. */
typedef enum tricolor_stop {
  TRICOLOR_STOP_NEVER = 0,   /* never, unless there are root ranges of the kind TRICOLOR_ROOTS_PLAIN */
  TRICOLOR_STOP_BRIEFLY = 1, /* twice for a moment, to scan roots: roots may be written plainly, and tricolor_stored may be used */
  TRICOLOR_STOP_ALWAYS = 2   /* while marking: no store needs announcing. Every attached thread must come to a safepoint */
} tricolor_stop;

typedef struct tricolor_options {
  size_t size;             /* sizeof(tricolor_options) */
  tricolor_stacks stacks;
  tricolor_stop stop;
  /* Settings as the environment spells them, separated by spaces: "GOGC=200 GOMEMLIMIT=64MiB". They win over the environment. NULL: none. */
  const char *TRICOLOR_NULLABLE settings;
} tricolor_options;

/* Makes a heap. NULL options: conservative stacks, no stops, settings from the environment (GOGC, GOMEMLIMIT, GODEBUG, GOMAXPROCS and
 * TRICOLOR_HARD_LIMIT, _LIMIT_SOURCE, _LIMIT_SCOPE, _LIMIT_POLICY, _GC_CPU_LIMIT, _MIN_HEAP, _TUNE, _YOUNG, _RESERVE). A variable of the
 * environment with a wrong value is reported and keeps its default; a wrong one among the options is an error. */
int tricolor_heap_create(const tricolor_options *TRICOLOR_NULLABLE options, tricolor_heap *TRICOLOR_NULLABLE *TRICOLOR_NULLABLE heap);

/* Ends a heap: runs the cleanups that are left and returns the memory. No thread may be attached. Objects, layouts' lanes, handles, weak
 * references and everything else of the heap are gone. Not from its callbacks. */
int tricolor_heap_destroy(tricolor_heap *TRICOLOR_NULLABLE heap);

/* Changes a setting while the heap runs: name and value as in the environment ("GOGC", "off"). TRICOLOR_RESERVE, TRICOLOR_YOUNG and
 * the checking switches of GODEBUG are fixed when a heap is made: changing them has no effect. */
int tricolor_setting_set(
    tricolor_heap *TRICOLOR_NULLABLE heap, const char *TRICOLOR_NULLABLE name, const char *TRICOLOR_NULLABLE value);

/* Writes the value of a setting, as tricolor_setting_set reads it, and a zero byte into `value`, which has `size` bytes. */
int tricolor_setting_get(
    tricolor_heap *TRICOLOR_NULLABLE heap, const char *TRICOLOR_NULLABLE name, char *TRICOLOR_NULLABLE value, size_t size);

/* When the heap's cycles stop the program. Waits for the end of a cycle that is running. */
int tricolor_stop_set(tricolor_heap *TRICOLOR_NULLABLE heap, tricolor_stop stop);

/* Runs a cycle that begins after this call and returns when it has ended: what was garbage before the call is gone. An attached thread
 * may call it; its stack and frames keep what they hold. */
int tricolor_collect(tricolor_heap *TRICOLOR_NULLABLE heap);

/* Collects and returns all free memory to the system; the bytes returned in *released, which may be NULL. */
int tricolor_release(tricolor_heap *TRICOLOR_NULLABLE heap, size_t *TRICOLOR_NULLABLE released);

/* Examines the whole heap with its threads stopped. TRICOLOR_HEAP_BROKEN, with a list on standard error, when something is wrong. */
int tricolor_verify(tricolor_heap *TRICOLOR_NULLABLE heap);

/* Writes a snapshot of the heap to the file at `path`, for the memory panel of Chrome's developer tools (the name must end in .heapsnapshot)
 * and for `tricolor snapshot`: objects by layout and size, and who refers to whom; no contents. The heap's threads are stopped while the graph is
 * copied, 0.6 s for 4 million objects with 12 million references in random order, and go on while it is written. The copy takes 64 bytes an object and 12 a reference, outside the heap: where a memory
 * limit leaves no room for that, the call is refused with TRICOLOR_INVALID_STATE unless `ignoring_limit` is not 0. */
int tricolor_snapshot_write(
    tricolor_heap *TRICOLOR_NULLABLE heap, const char *TRICOLOR_NULLABLE path, int ignoring_limit);

/* ---- Threads ---- */

/* Attaches the calling thread and answers its mutator, which belongs to it until it detaches. A thread that is attached already gets the
 * same one, and has to detach once more. Searched stacks reach from here to the outermost frame of the thread. */
int tricolor_thread_attach(
    tricolor_heap *TRICOLOR_NULLABLE heap, tricolor_mutator *TRICOLOR_NULLABLE *TRICOLOR_NULLABLE mutator);

/* Detaches. The thread must not be in a blocking region, nor have frames of handles left. A thread that ends is detached. */
int tricolor_thread_detach(tricolor_mutator *TRICOLOR_NULLABLE mutator);

/* The calling thread's mutator of this heap; NULL, and no error, when it is not attached. */
tricolor_mutator *TRICOLOR_NULLABLE tricolor_thread_mutator(tricolor_heap *TRICOLOR_NULLABLE heap);

/* Tells that the thread runs on another stack from now on (coroutines): its highest address. What the left stack holds is not searched;
 * make it a root range, or keep what it needs in frames. NULL: the thread's own stack. */
int tricolor_thread_set_stack(tricolor_mutator *TRICOLOR_NULLABLE mutator, const void *TRICOLOR_NULLABLE base);

/* Begins a region in which the thread may block or compute for long, and must not touch the heap nor its frames of handles. Until its
 * end the collector answers for the thread. References the thread needs afterwards may be in its registers and on its stack as
 * ever. Between both calls the thread must not return from frames that take more than 16 KiB of stack together. */
int tricolor_blocking_begin(tricolor_mutator *TRICOLOR_NULLABLE mutator);
int tricolor_blocking_end(tricolor_mutator *TRICOLOR_NULLABLE mutator);

/* Calls function(data) in such a region, and answers what it answers in *result, which may be NULL. Cheaper: nothing is copied. In a thread
 * that is in a region already it just calls. */
int tricolor_blocking_call(
    tricolor_mutator *TRICOLOR_NULLABLE mutator, void *TRICOLOR_NULLABLE (*TRICOLOR_NULLABLE function)(void *TRICOLOR_NULLABLE data),
    void *TRICOLOR_NULLABLE data, void *TRICOLOR_NULLABLE *TRICOLOR_NULLABLE result);

/* Whether the calling thread is in such a region; 0 with a wrong argument. */
int tricolor_thread_is_blocking(tricolor_mutator *TRICOLOR_NULLABLE mutator);

/* ---- Layouts ---- */

/* Where the references of a kind of object are. Made once for the whole process, used by all heaps, never removed; there may be about
 * 4000 pairs of layout and size. The fields are the library's. A zeroed one is none. */
typedef struct tricolor_layout {
  uint32_t index;
  uint32_t bytes;                            /* of each object, rounded up; 0 when objects of the layout differ in size */
  uint32_t run;
  uint32_t kind;
  const uint16_t *TRICOLOR_NULLABLE lanes;
} tricolor_layout;

/* Objects of `bytes` bytes with `count` references at the given offsets, which are multiples of 8. Without references it is a leaf. */
int tricolor_layout_fixed(
    tricolor_layout *TRICOLOR_NULLABLE layout, size_t bytes, const size_t *TRICOLOR_NULLABLE offsets, size_t count,
    const char *TRICOLOR_NULLABLE name);

/* Objects of any size without references. */
int tricolor_layout_leaf(tricolor_layout *TRICOLOR_NULLABLE layout, const char *TRICOLOR_NULLABLE name);

/* Arrays of `stride` bytes an element with `count` references at the given offsets in each. The stride is a multiple of 8 when
 * there are any. */
int tricolor_layout_array(
    tricolor_layout *TRICOLOR_NULLABLE layout, size_t stride, const size_t *TRICOLOR_NULLABLE offsets, size_t count,
    const char *TRICOLOR_NULLABLE name);

/* Called by a trace function for each reference of the object, with the context it was given. What is no address inside an object of the
 * heap is ignored, NULL too. */
typedef void (*tricolor_visitor)(void *TRICOLOR_NULLABLE context, uintptr_t reference);
/* Reports all references of an object of `bytes` bytes (as allocated, rounded up). It runs in threads of the collector and in allocating threads,
 * while the program goes on: it only reads the object, each reference once, and neither allocates nor blocks. It may meet an object
 * that is still zero, and one that is garbage already but has not been reclaimed. */
typedef void (*tricolor_trace)(
    const void *TRICOLOR_NULLABLE object, size_t bytes, tricolor_visitor TRICOLOR_NULLABLE visit, void *TRICOLOR_NULLABLE context);

/* Objects of any size whose references `trace` reports. */
int tricolor_layout_custom(
    tricolor_layout *TRICOLOR_NULLABLE layout, tricolor_trace TRICOLOR_NULLABLE trace, const char *TRICOLOR_NULLABLE name);

/* Objects of any size of which every aligned word may refer to an object, at its start or inside. */
int tricolor_layout_conservative(tricolor_layout *TRICOLOR_NULLABLE layout, const char *TRICOLOR_NULLABLE name);

/* ---- Allocation, by attached threads ---- */

/* The functions of this section answer NULL with TRICOLOR_OUT_OF_MEMORY when a hard limit or the address range leaves no room, and NULL with
 * another code for a wrong argument. Objects with references are zeroed; the bytes of a leaf are whatever they were. Alignment: 16. */

/* What tricolor_allocate and tricolor_allocate_bytes do when the fast path in this header has no room. */
void *TRICOLOR_NULLABLE tricolor_allocate_slowly(tricolor_mutator *TRICOLOR_NULLABLE mutator, const tricolor_layout *TRICOLOR_NULLABLE layout);
void *TRICOLOR_NULLABLE tricolor_allocate_bytes_slowly(
    tricolor_mutator *TRICOLOR_NULLABLE mutator, const tricolor_layout *TRICOLOR_NULLABLE layout, size_t bytes);

/* An array of `count` elements of an array layout. */
void *TRICOLOR_NULLABLE tricolor_allocate_elements(
    tricolor_mutator *TRICOLOR_NULLABLE mutator, const tricolor_layout *TRICOLOR_NULLABLE layout, size_t count);

/* An array of `count` references. */
void *TRICOLOR_NULLABLE tricolor_allocate_references(tricolor_mutator *TRICOLOR_NULLABLE mutator, size_t count);

/* Memory as from calloc, of which every aligned word may refer to an object: for data structures that have no layouts. Stores of
 * references must be announced as in any object (see "Stores"). */
void *TRICOLOR_NULLABLE tricolor_allocate_conservative(tricolor_mutator *TRICOLOR_NULLABLE mutator, size_t bytes);

/* The bytes an object has room for: what was asked for, rounded up. 0 when `object` is none of a heap. */
size_t tricolor_object_bytes(const void *TRICOLOR_NULLABLE object);

/* 1 when `object` is one without references, 0 otherwise. */
int tricolor_object_is_leaf(const void *TRICOLOR_NULLABLE object);

/* The start of the object that an address lies in; NULL, and no error, when it lies in none. The caller holds a reference to it. */
void *TRICOLOR_NULLABLE tricolor_object_base(const void *TRICOLOR_NULLABLE address);

/* ---- Stores, by attached threads ---- */

/* What tricolor_store and the others do while the collector wants to hear of stores: notes that `value` is about to be stored at `slot`. */
int tricolor_store_slowly(void *TRICOLOR_NULLABLE slot, const void *TRICOLOR_NULLABLE value);

/* What tricolor_exchange and tricolor_compare_exchange do then: notes that `value` has replaced `old_value` at `slot`. */
int tricolor_exchanged_slowly(
    void *TRICOLOR_NULLABLE slot, const void *TRICOLOR_NULLABLE old_value, const void *TRICOLOR_NULLABLE value);

/* Moves `bytes` bytes that may hold references into an object, as memmove does; all multiples of 8. */
int tricolor_copy(void *TRICOLOR_NULLABLE to, const void *TRICOLOR_NULLABLE from, size_t bytes);

/* Tells of plain stores into an object after they were made. For heaps that stop briefly or always, and only for those. Until this call the
 * thread holds what it stored by other means too: on its stack, in a handle. */
int tricolor_stored(const void *TRICOLOR_NULLABLE object);

/* ---- Safepoints ---- */

/* What tricolor_poll does when the collector asks. */
int tricolor_poll_slowly(tricolor_mutator *TRICOLOR_NULLABLE mutator);

/* ---- Roots ---- */

/* A handle that keeps an object alive until it is destroyed. `mutator` is the calling thread's. NULL with a code when it cannot be made. */
typedef struct tricolor_root tricolor_root;
tricolor_root *TRICOLOR_NULLABLE tricolor_root_create(
    tricolor_mutator *TRICOLOR_NULLABLE mutator, const void *TRICOLOR_NULLABLE object);
/* Holds another object, or none. By attached threads; concurrent ones are atomic. */
int tricolor_root_set(
    tricolor_mutator *TRICOLOR_NULLABLE mutator, tricolor_root *TRICOLOR_NULLABLE root, const void *TRICOLOR_NULLABLE object);
/* By any thread, attached or not. */
int tricolor_root_destroy(tricolor_heap *TRICOLOR_NULLABLE heap, tricolor_root *TRICOLOR_NULLABLE root);

/* How the words of a root range are written. */
typedef enum tricolor_roots {
  TRICOLOR_ROOTS_STORED = 0, /* by tricolor_store and the like, in attached threads */
  TRICOLOR_ROOTS_PLAIN = 1   /* by plain stores: while there is such a range, cycles stop the program briefly */
} tricolor_roots;

/* Makes `bytes` bytes at `start`, both multiples of 8, roots: each word may refer to an object. The memory stays mapped until it is
 * removed. Ranges have different starts. */
int tricolor_roots_add(
    tricolor_heap *TRICOLOR_NULLABLE heap, const void *TRICOLOR_NULLABLE start, size_t bytes, tricolor_roots kind);
/* TRICOLOR_NOT_FOUND when no range begins at `start`. */
int tricolor_roots_remove(tricolor_heap *TRICOLOR_NULLABLE heap, const void *TRICOLOR_NULLABLE start);

/* A frame of handles: `count` words at `handles` that keep what they refer to alive while the frame is pushed. Frame and words belong to
 * the thread that pushed it, on its stack or elsewhere; it writes the words plainly, and may change `handles` and `count` at any time
 * outside blocking regions (an interpreter's stack). Frames are popped in the reverse order. */
typedef struct tricolor_frame {
  struct tricolor_frame *TRICOLOR_NULLABLE previous;
  void *TRICOLOR_NULLABLE *TRICOLOR_NULLABLE handles;
  size_t count;
} tricolor_frame;

/* Called when the thread's stack is scanned, by the thread at a safepoint or by the collector while it is in a blocking region: reports words that may
 * refer to objects by visit(context, word), and neither allocates nor blocks. */
typedef void (*tricolor_trace_roots)(void *TRICOLOR_NULLABLE data, tricolor_visitor TRICOLOR_NULLABLE visit, void *TRICOLOR_NULLABLE context);
/* Has `trace` report roots of the calling thread from structures of the program's own, beside stack and frames; NULL for none. They are the
 * thread's own, as frames are, and written plainly outside blocking regions. */
int tricolor_thread_set_roots(
    tricolor_mutator *TRICOLOR_NULLABLE mutator, tricolor_trace_roots TRICOLOR_NULLABLE trace, void *TRICOLOR_NULLABLE data);

/* The same as tricolor_frame_push and tricolor_frame_pop, which call them with wrong arguments: these check all. */
int tricolor_frame_push_slowly(
    tricolor_mutator *TRICOLOR_NULLABLE mutator, tricolor_frame *TRICOLOR_NULLABLE frame,
    void *TRICOLOR_NULLABLE *TRICOLOR_NULLABLE handles, size_t count);
int tricolor_frame_pop_slowly(tricolor_mutator *TRICOLOR_NULLABLE mutator, tricolor_frame *TRICOLOR_NULLABLE frame);

/* ---- Weak references, ephemerons ---- */

/* A weak reference is an object itself, referred to like any other. NULL with a code when there is no memory or an argument is wrong. */
typedef struct tricolor_weak tricolor_weak;
tricolor_weak *TRICOLOR_NULLABLE tricolor_weak_create(
    tricolor_mutator *TRICOLOR_NULLABLE mutator, const void *TRICOLOR_NULLABLE object);
/* What tricolor_weak_get does while the collector works. */
void *TRICOLOR_NULLABLE tricolor_weak_get_slowly(const tricolor_weak *TRICOLOR_NULLABLE weak);

/* An object that keeps `value` alive as long as `key` is alive by other means. Several may have the same key. The first word
 * belongs to the program; it is no reference. With a NULL key it is made empty, as one whose key is dead. */
typedef struct tricolor_ephemeron {
  uintptr_t word;
  const void *TRICOLOR_NULLABLE private_words[5];
} tricolor_ephemeron;
tricolor_ephemeron *TRICOLOR_NULLABLE tricolor_ephemeron_create(
    tricolor_mutator *TRICOLOR_NULLABLE mutator, const void *TRICOLOR_NULLABLE key, const void *TRICOLOR_NULLABLE value);
/* Gives an ephemeron that is empty or dead a key and a value. */
int tricolor_ephemeron_fill(
    tricolor_mutator *TRICOLOR_NULLABLE mutator, tricolor_ephemeron *TRICOLOR_NULLABLE ephemeron, const void *TRICOLOR_NULLABLE key,
    const void *TRICOLOR_NULLABLE value);
/* NULL, and no error, once the key is dead or the ephemeron was killed. */
void *TRICOLOR_NULLABLE tricolor_ephemeron_key(const tricolor_ephemeron *TRICOLOR_NULLABLE ephemeron);
void *TRICOLOR_NULLABLE tricolor_ephemeron_value(const tricolor_ephemeron *TRICOLOR_NULLABLE ephemeron);
/* Has no effect once the key is dead. */
int tricolor_ephemeron_set_value(tricolor_ephemeron *TRICOLOR_NULLABLE ephemeron, const void *TRICOLOR_NULLABLE value);
/* Makes the ephemeron as one whose key is dead. */
int tricolor_ephemeron_kill(tricolor_ephemeron *TRICOLOR_NULLABLE ephemeron);

/* Chains: a list of ephemerons that begins in a word of an object or root range, as the bucket of a hash table. An ephemeron is on one chain
 * at most, and pushed once. Several threads may push and walk at once. Dead ones are taken off by who comes across them. */
int tricolor_ephemeron_push(
    tricolor_ephemeron *TRICOLOR_NULLABLE *TRICOLOR_NULLABLE chain, tricolor_ephemeron *TRICOLOR_NULLABLE ephemeron);
/* The first living one, and the one after another one; NULL, and no error, at the end. */
tricolor_ephemeron *TRICOLOR_NULLABLE tricolor_ephemeron_first(tricolor_ephemeron *TRICOLOR_NULLABLE *TRICOLOR_NULLABLE chain);
tricolor_ephemeron *TRICOLOR_NULLABLE tricolor_ephemeron_next(tricolor_ephemeron *TRICOLOR_NULLABLE ephemeron);

/* Disappearing links: the word at `link`, anywhere, holds a reference in a disguise that the collector does not know. A heap that has had one stops
 * briefly in its cycles. The word becomes 0 when the object is found unreachable, or, when it is long, when no finalizer has brought the object back. */
int tricolor_link_add(
    tricolor_mutator *TRICOLOR_NULLABLE mutator, void *TRICOLOR_NULLABLE link, const void *TRICOLOR_NULLABLE object, int is_long);
/* TRICOLOR_NOT_FOUND when the word is no link, or has been cleared. */
int tricolor_link_remove(tricolor_heap *TRICOLOR_NULLABLE heap, void *TRICOLOR_NULLABLE link);

/* ---- Finalizers, cleanups, external bytes ---- */

/* A finalizer is an object. Attached to another object, it is queued when that one is found unreachable, which brings it back: the
 * program takes finalizers from the queue when it likes and does what it likes with the object and the closure. Objects found
 * unreachable together are queued by priority, lowest number first: those of the lowest, then what neither these nor their
 * closures refer to of the next, and so on; so finalizers of one object with different priorities are queued one at a time. Weak references and ephemerons see it
 * alive until it is unreachable for good. Attached and queued finalizers are kept alive by the heap. The first word belongs to the
 * program; it is no reference. */
typedef struct tricolor_finalizer {
  uintptr_t word;
  const void *TRICOLOR_NULLABLE private_words[3];
} tricolor_finalizer;
tricolor_finalizer *TRICOLOR_NULLABLE tricolor_finalizer_create(tricolor_mutator *TRICOLOR_NULLABLE mutator);
int tricolor_finalizer_attach(
    tricolor_mutator *TRICOLOR_NULLABLE mutator, tricolor_finalizer *TRICOLOR_NULLABLE finalizer, uint32_t priority,
    const void *TRICOLOR_NULLABLE object, const void *TRICOLOR_NULLABLE closure);
/* The same, and the finalizer waits for those of all objects with ordered finalizers that refer to this one, directly or not. An object that
 * refers to itself so is never queued. */
int tricolor_finalizer_attach_ordered(
    tricolor_mutator *TRICOLOR_NULLABLE mutator, tricolor_finalizer *TRICOLOR_NULLABLE finalizer, uint32_t priority,
    const void *TRICOLOR_NULLABLE object, const void *TRICOLOR_NULLABLE closure);
/* Takes it back; TRICOLOR_NOT_FOUND when it is queued already or not attached. Linear in the number of attached finalizers. */
int tricolor_finalizer_detach(tricolor_mutator *TRICOLOR_NULLABLE mutator, tricolor_finalizer *TRICOLOR_NULLABLE finalizer);
/* The next finalizer of the queue, which may be attached again; NULL, and no error, when there is none. */
tricolor_finalizer *TRICOLOR_NULLABLE tricolor_finalizer_take(tricolor_mutator *TRICOLOR_NULLABLE mutator);
/* Object and closure of a finalizer that was taken; the object of one that has not been queued is NULL. */
void *TRICOLOR_NULLABLE tricolor_finalizer_object(const tricolor_finalizer *TRICOLOR_NULLABLE finalizer);
void *TRICOLOR_NULLABLE tricolor_finalizer_closure(const tricolor_finalizer *TRICOLOR_NULLABLE finalizer);

/* Calls function(data) once on a thread of the heap after the object is dead, or when the heap ends. The object is not brought back. `data`
 * must not lead to the object. The number it is taken back by in *number, which may be NULL. */
int tricolor_cleanup_add(
    tricolor_mutator *TRICOLOR_NULLABLE mutator, const void *TRICOLOR_NULLABLE object,
    void (*TRICOLOR_NULLABLE function)(void *TRICOLOR_NULLABLE data), void *TRICOLOR_NULLABLE data, uint64_t *TRICOLOR_NULLABLE number);
/* TRICOLOR_NOT_FOUND when the object has died already. Linear in the number of cleanups. */
int tricolor_cleanup_cancel(tricolor_heap *TRICOLOR_NULLABLE heap, uint64_t number);

/* Counts memory from elsewhere (malloc, a mapped file) in the pace of the collector for as long as the object lives. */
int tricolor_external_bytes_add(
    tricolor_mutator *TRICOLOR_NULLABLE mutator, const void *TRICOLOR_NULLABLE object, size_t bytes);

/* ---- Observing ---- */

typedef enum tricolor_event_kind {
  TRICOLOR_EVENT_CYCLE_BEGIN = 0,
  TRICOLOR_EVENT_HANDSHAKE_BEGIN = 1, /* the collector asks all threads */
  TRICOLOR_EVENT_HANDSHAKE_END = 2,   /* all have answered */
  TRICOLOR_EVENT_MARKING_BEGIN = 3,
  TRICOLOR_EVENT_MARKING_END = 4,
  TRICOLOR_EVENT_FINALIZERS = 5,      /* `count` finalizers wait to be taken */
  TRICOLOR_EVENT_CYCLE_END = 6
} tricolor_event_kind;

/* What a handshake asks of a thread. */
typedef enum tricolor_handshake {
  TRICOLOR_HANDSHAKE_NONE = 0,
  TRICOLOR_HANDSHAKE_ARM = 1,    /* announce stores from now on */
  TRICOLOR_HANDSHAKE_SETTLE = 2, /* nothing: earlier stores have landed */
  TRICOLOR_HANDSHAKE_ROOTS = 3,  /* scan the own stack */
  TRICOLOR_HANDSHAKE_FINISH = 4, /* hand over what was announced */
  TRICOLOR_HANDSHAKE_SWEEP = 5,  /* back to normal */
  TRICOLOR_HANDSHAKE_HOLD = 7    /* wait: this one stops the program */
} tricolor_handshake;

typedef struct tricolor_event {
  tricolor_event_kind kind;
  tricolor_handshake handshake;
  uint64_t cycle;
  uint64_t nanoseconds; /* since the heap was made */
  uint64_t count;
} tricolor_event;

/* Called on the collector's thread, which waits meanwhile: neither blocks nor uses the heap. */
typedef void (*tricolor_listener)(const tricolor_event *TRICOLOR_NULLABLE event, void *TRICOLOR_NULLABLE data);
/* The heap's one listener; NULL for none. When this returns no further call of the one before begins. */
int tricolor_listener_set(
    tricolor_heap *TRICOLOR_NULLABLE heap, tricolor_listener TRICOLOR_NULLABLE listener, void *TRICOLOR_NULLABLE data);

typedef enum tricolor_pressure_level {
  TRICOLOR_PRESSURE_NORMAL = 0,
  TRICOLOR_PRESSURE_ELEVATED = 1,
  TRICOLOR_PRESSURE_CRITICAL = 2
} tricolor_pressure_level;

typedef struct tricolor_pressure {
  tricolor_pressure_level level;
  uint64_t limit_bytes;      /* UINT64_MAX: none */
  uint64_t resident_bytes;   /* what the limit counts */
  uint64_t live_bytes;       /* what the last cycle left alive */
  uint64_t foreign_bytes;    /* memory of the process that is not the heap's */
} tricolor_pressure;

/* Called on a thread of the heap when the level of memory pressure changes; it may take long, attach, and use the heap. */
typedef void (*tricolor_pressure_callback)(const tricolor_pressure *TRICOLOR_NULLABLE pressure, void *TRICOLOR_NULLABLE data);
/* The heap's one callback; NULL for none. It is called at once, in the calling thread, if the level is not normal. */
int tricolor_pressure_set(
    tricolor_heap *TRICOLOR_NULLABLE heap, tricolor_pressure_callback TRICOLOR_NULLABLE callback, void *TRICOLOR_NULLABLE data);

/* A counter of the heap by its name: bytes, nanoseconds and numbers. TRICOLOR_NOT_FOUND, with a message, for a name that is none.
 * "gc_percent" is the growth in force, UINT64_MAX for off. Under TRICOLOR_TUNE=on the heap chooses it: "tuner_choices" times so far, where
 * "tuner_wanted_percent" would hold the target, and "tuner_bound" says why another is in force: 0 nothing, it is on its way there; 1 close
 * enough; 2 the least; 3 the most; 4 what the limit leaves; 5 a share of the machine's memory. UINT64_MAX for both where it does not choose. */
int tricolor_statistic(
    tricolor_heap *TRICOLOR_NULLABLE heap, const char *TRICOLOR_NULLABLE name, uint64_t *TRICOLOR_NULLABLE value);
/* The names, by index from 0; NULL, and no error, after the last. */
const char *TRICOLOR_NULLABLE tricolor_statistic_name(size_t index);

#ifndef TRICOLOR_DECLARATIONS_ONLY

/* ---- Inline ---- */

/* What follows up to the functions is how the library lays out its memory, and no interface. */
typedef struct tricolor_thread_state {
  uint8_t barrier;
  int32_t error;
  void *mutators;
  uintptr_t stack_base;
} tricolor_thread_state;
extern __thread tricolor_thread_state tricolor_thread __attribute__((tls_model("initial-exec")));
typedef struct tricolor_run {
  uintptr_t cursor, limit;
} tricolor_run;
#define TRICOLOR_RUNS_OFFSET 4096
#define TRICOLOR_SMALL_BYTES 256
static inline __attribute__((always_inline)) tricolor_run *tricolor_run_at(tricolor_mutator *mutator, size_t offset) {
  tricolor_run *run = (tricolor_run *)((char *)mutator + offset);
  __asm__("" : "+r"(run)); /* in a register of its own: the cursor's next load is answered from its last store */
  return run;
}
#define TRICOLOR_POLL_FLAG(mutator) ((uint32_t *)(void *)((char *)(mutator) + 16))
#define TRICOLOR_FRAMES(mutator) ((tricolor_frame **)(void *)((char *)(mutator) + 24))

/* A new object of a fixed layout. Not checked in the fast path: that the mutator is the calling thread's, attached, and not in a
 * blocking region. */
static inline __attribute__((always_inline)) void *tricolor_allocate(tricolor_mutator *mutator, const tricolor_layout *layout) {
  if (TRICOLOR_LIKELY(mutator != NULL && layout != NULL)) {
    tricolor_run *run = tricolor_run_at(mutator, layout->run);
    uintptr_t cell = run->cursor;
    /* Room for one cell is room for all of it; the run of a layout that is none, or varies in size, is empty. */
    if (TRICOLOR_LIKELY(cell < run->limit)) {
      run->cursor = cell + layout->bytes;
      return (void *)cell;
    }
  }
  return tricolor_allocate_slowly(mutator, layout);
}

/* A new object of `bytes` bytes of a leaf, custom or conservative layout. Not checked: as above. */
static inline __attribute__((always_inline)) void *tricolor_allocate_bytes(
    tricolor_mutator *mutator, const tricolor_layout *layout, size_t bytes) {
  if (TRICOLOR_LIKELY(mutator != NULL && layout != NULL && bytes - 1 < TRICOLOR_SMALL_BYTES && layout->lanes != NULL)) {
    size_t granules = (bytes + 15) >> 4;
    uint16_t lane = __atomic_load_n(layout->lanes + granules - 1, __ATOMIC_ACQUIRE);
    tricolor_run *run = tricolor_run_at(mutator, TRICOLOR_RUNS_OFFSET + lane * sizeof(tricolor_run));
    uintptr_t cell = run->cursor;
    if (TRICOLOR_LIKELY(cell < run->limit)) {
      run->cursor = cell + (granules << 4);
      return (void *)cell;
    }
  }
  return tricolor_allocate_bytes_slowly(mutator, layout, bytes);
}

/* The number of elements of an array; elements of an array layout begin 16 bytes after its start, references 8 bytes. Never changed. */
static inline size_t tricolor_array_count(const void *array) { return array == NULL ? 0 : *(const size_t *)array; }
static inline void *tricolor_elements(void *array) { return (char *)array + 16; }
static inline void **tricolor_references(void *array) { return (void **)(void *)((char *)array + 8); }

/* *slot = value, where slot is in an object or root range and value an object or NULL. Not checked: that slot is such a place. */
static inline __attribute__((always_inline)) int tricolor_store(void *slot, const void *value) {
  if (TRICOLOR_UNLIKELY(slot == NULL)) return tricolor_store_slowly(slot, value);
  if (TRICOLOR_UNLIKELY(tricolor_thread.barrier != 0)) {
    int error = tricolor_store_slowly(slot, value);
    if (TRICOLOR_UNLIKELY(error != TRICOLOR_OK)) return error;
  }
  __atomic_store_n((const void **)slot, value, __ATOMIC_RELAXED);
  return TRICOLOR_OK;
}

/* Announces that the caller is about to store `value` at `slot` itself, by a plain or atomic store, before its next safepoint. */
static inline __attribute__((always_inline)) int tricolor_storing(void *slot, const void *value) {
  if (TRICOLOR_UNLIKELY(slot == NULL || tricolor_thread.barrier != 0)) return tricolor_store_slowly(slot, value);
  return TRICOLOR_OK;
}

/* The same as tricolor_store, releasing: who loads the value with acquire sees what this thread wrote before. */
static inline __attribute__((always_inline)) int tricolor_store_release(void *slot, const void *value) {
  if (TRICOLOR_UNLIKELY(slot == NULL)) return tricolor_store_slowly(slot, value);
  if (TRICOLOR_UNLIKELY(tricolor_thread.barrier != 0)) {
    int error = tricolor_store_slowly(slot, value);
    if (TRICOLOR_UNLIKELY(error != TRICOLOR_OK)) return error;
  }
  __atomic_store_n((const void **)slot, value, __ATOMIC_RELEASE);
  return TRICOLOR_OK;
}

/* Puts `value` in the slot and answers what it held before. Sequentially consistent. NULL with a wrong argument. */
static inline void *tricolor_exchange(void *slot, const void *value) {
  const void *old_value;
  if (TRICOLOR_UNLIKELY(slot == NULL)) {
    (void)tricolor_store_slowly(slot, value);
    return NULL;
  }
  old_value = __atomic_exchange_n((const void **)slot, value, __ATOMIC_SEQ_CST);
  if (TRICOLOR_UNLIKELY(tricolor_thread.barrier != 0)) (void)tricolor_exchanged_slowly(slot, old_value, value);
  return (void *)old_value;
}

/* Puts `desired` in the slot if it holds `expected`; whether it did. Sequentially consistent. False also with a wrong argument. */
static inline int tricolor_compare_exchange(void *slot, const void *expected, const void *desired) {
  if (TRICOLOR_UNLIKELY(slot == NULL)) {
    (void)tricolor_store_slowly(slot, desired);
    return 0;
  }
  if (!__atomic_compare_exchange_n((const void **)slot, &expected, desired, 0, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST)) return 0;
  if (TRICOLOR_UNLIKELY(tricolor_thread.barrier != 0)) (void)tricolor_exchanged_slowly(slot, expected, desired);
  return 1;
}

/* A safepoint. Not checked in the fast path: that the mutator is the calling thread's. */
static inline __attribute__((always_inline)) int tricolor_poll(tricolor_mutator *mutator) {
  if (TRICOLOR_LIKELY(mutator != NULL && __atomic_load_n(TRICOLOR_POLL_FLAG(mutator), __ATOMIC_RELAXED) == 0)) return TRICOLOR_OK;
  return tricolor_poll_slowly(mutator);
}

/* The object a handle holds; NULL also for no handle. Not checked: that it is one. */
static inline void *tricolor_root_get(const tricolor_root *root) {
  return root == NULL ? NULL : __atomic_load_n((void *const *)(const void *)root, __ATOMIC_RELAXED);
}

/* The object a weak reference refers to, NULL once it is dead; NULL also for no weak reference. A strong read: what it answers is alive. */
static inline void *tricolor_weak_get(const tricolor_weak *weak) {
  if (TRICOLOR_UNLIKELY(weak == NULL || tricolor_thread.barrier != 0)) return tricolor_weak_get_slowly(weak);
  return __atomic_load_n((void *const *)(const void *)weak, __ATOMIC_RELAXED);
}

/* Pushes a frame of handles, and pops it, which must be the newest. Not checked: that the mutator is the calling thread's. */
static inline int tricolor_frame_push(tricolor_mutator *mutator, tricolor_frame *frame, void **handles, size_t count) {
  if (TRICOLOR_UNLIKELY(mutator == NULL || frame == NULL || (handles == NULL && count != 0))) {
    return tricolor_frame_push_slowly(mutator, frame, handles, count);
  }
  frame->previous = *TRICOLOR_FRAMES(mutator);
  frame->handles = handles;
  frame->count = count;
  *TRICOLOR_FRAMES(mutator) = frame;
  return TRICOLOR_OK;
}
static inline int tricolor_frame_pop(tricolor_mutator *mutator, tricolor_frame *frame) {
  if (TRICOLOR_UNLIKELY(mutator == NULL || frame == NULL || *TRICOLOR_FRAMES(mutator) != frame)) {
    return tricolor_frame_pop_slowly(mutator, frame);
  }
  *TRICOLOR_FRAMES(mutator) = frame->previous;
  return TRICOLOR_OK;
}

#endif /* TRICOLOR_DECLARATIONS_ONLY */

#ifdef __cplusplus
}
#endif
#endif
