// bdwgc as its manual has it for such a program, incremental collection off. Two choices are made here:
//
// - Only a reference to an object's beginning keeps it alive, except on stacks and in registers, where any does. The programs store
//   no other references, and otherwise each object would get a byte more for the address behind its end: 16 bytes would become 32.
// - Threads are made through the collector's own pthread_create (GC_THREADS), so each has its thread-local free lists.
#include "collector.h"

#include "allocator.h"

#if defined(MEMORY_BDWGC)

#include <inttypes.h>

#include "histogram.h"
#include "report.h"

// Both are written only by the thread that collects, with the collector's lock held.
static struct histogram *pauses;
static uint64_t stop_began;

// The collector counts its own start as a cycle.
static uint64_t cycles_at_start;

static void GC_CALLBACK note_event(GC_EventType event) {
  if (event == GC_EVENT_PRE_STOP_WORLD) stop_began = monotonic_nanoseconds();
  if (event == GC_EVENT_POST_START_WORLD) record_duration(pauses, monotonic_nanoseconds() - stop_began);
}

void start_collector(void) {
  pauses = make_histogram();
  GC_set_all_interior_pointers(0);
  GC_INIT();
  GC_set_on_collection_event(note_event);
  cycles_at_start = GC_get_gc_no();
}

void force_collection(void) { GC_gcollect(); }

uint64_t collector_cycles(void) { return GC_get_gc_no() - cycles_at_start; }

void append_collector(struct text *text, uint64_t forced_cycles) {
  append(text, "\"gcCycles\":%" PRIu64 ",\"forcedCycles\":%" PRIu64 ",", collector_cycles(), forced_cycles);
  append(
      text,
      "\"pauseNanoseconds\":{\"count\":%" PRIu64 ",\"p50\":%" PRIu64 ",\"p99\":%" PRIu64 ",\"p999\":%" PRIu64
      ",\"max\":%" PRIu64 "},",
      pauses->total, histogram_at(pauses, 0.5), histogram_at(pauses, 0.99), histogram_at(pauses, 0.999), pauses->max);
  append(text, "\"allocatedBytes\":%zu,", GC_get_total_bytes());
}

#else

void start_collector(void) {}
void force_collection(void) {}
uint64_t collector_cycles(void) { return 0; }
void append_collector(struct text *text, uint64_t forced_cycles) {
  (void)text;
  (void)forced_cycles;
}

#endif
