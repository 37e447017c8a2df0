// What the basic operations of the C library cost: operations NAME|all [TIMES]. For each, the least of nine runs of TIMES operations in
// nanoseconds an operation, loop included. `measured` is the function that callgrind counts in (operations.sh).
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <tricolor.h>

#define CHECK(condition) ((condition) ? (void)0 : (fprintf(stderr, "line %d: failed: %s\n", __LINE__, #condition), exit(1)))

static tricolor_heap *heap;
static tricolor_mutator *mutator;
static tricolor_layout pair_layout, node_layout, leaf_layout;
static void **object;
static void *sink;
static tricolor_weak *weak;
static tricolor_root *root;
static tricolor_ephemeron *ephemeron;
static int is_marking, may_go_on;

static inline void use(const void *pointer) { __asm__ volatile("" : : "r"(pointer) : "memory"); }
static void *nothing(void *data) { return data; }

// Keeps the collector in the middle of a cycle, with the barrier on, while stores are measured.
static void stay_in_cycle(const tricolor_event *event, void *data) {
  (void)data;
  if (event->kind != TRICOLOR_EVENT_MARKING_BEGIN) return;
  __atomic_store_n(&is_marking, 1, __ATOMIC_SEQ_CST);
  while (!__atomic_load_n(&may_go_on, __ATOMIC_SEQ_CST)) {
    struct timespec moment = {0, 100000};
    nanosleep(&moment, NULL);
  }
}

#define OPERATION(name, body)                                                \
  static __attribute__((noinline)) void run_##name(size_t times) {           \
    for (size_t i = 0; i < times; i++) {                                     \
      body;                                                                  \
      use(object);                                                           \
    }                                                                        \
  }
OPERATION(loop, )
OPERATION(allocate_16, use(tricolor_allocate(mutator, &pair_layout)))
OPERATION(allocate_64, use(tricolor_allocate(mutator, &node_layout)))
OPERATION(allocate_leaf_32, use(tricolor_allocate_bytes(mutator, &leaf_layout, 32)))
OPERATION(allocate_leaf_1000, use(tricolor_allocate_bytes(mutator, &leaf_layout, 1000)))
OPERATION(allocate_references_3, use(tricolor_allocate_references(mutator, 3)))
OPERATION(allocate_conservative_48, use(tricolor_allocate_conservative(mutator, 48)))
OPERATION(store, tricolor_store(&object[i & 1], sink))
OPERATION(store_marking, tricolor_store(&object[i & 1], sink))
OPERATION(compare_exchange, use((void *)(uintptr_t)tricolor_compare_exchange(&object[0], object[0], sink)))
OPERATION(copy_8_words, tricolor_copy(tricolor_references(sink), tricolor_references(sink) + 8, 64))
OPERATION(poll, tricolor_poll(mutator))
OPERATION(root_get, use(tricolor_root_get(root)))
OPERATION(root_set, tricolor_root_set(mutator, root, object))
OPERATION(root_create_destroy, tricolor_root_destroy(heap, tricolor_root_create(mutator, object)))
OPERATION(frame_push_pop, tricolor_frame frame; tricolor_frame_push(mutator, &frame, &sink, 1); tricolor_frame_pop(mutator, &frame))
OPERATION(weak_get, use(tricolor_weak_get(weak)))
OPERATION(ephemeron_value, use(tricolor_ephemeron_value(ephemeron)))
OPERATION(blocking_begin_end, tricolor_blocking_begin(mutator); tricolor_blocking_end(mutator))
OPERATION(blocking_call, tricolor_blocking_call(mutator, nothing, NULL, NULL))
OPERATION(thread_attach_detach, tricolor_mutator *own; tricolor_thread_attach(heap, &own); tricolor_thread_detach(own))
OPERATION(finalizer_attach_detach, tricolor_finalizer *f = tricolor_finalizer_create(mutator);
          tricolor_finalizer_attach(mutator, f, 0, object, NULL); tricolor_finalizer_detach(mutator, f))

typedef struct {
  const char *name;
  void (*run)(size_t);
  size_t times;
} operation;
#define ENTRY(name, times) {#name, run_##name, times}
static const operation operations[] = {
    ENTRY(loop, 1000000), ENTRY(allocate_16, 1000000), ENTRY(allocate_64, 300000), ENTRY(allocate_leaf_32, 1000000),
    ENTRY(allocate_leaf_1000, 50000), ENTRY(allocate_references_3, 500000), ENTRY(allocate_conservative_48, 300000), ENTRY(store, 1000000),
    ENTRY(store_marking, 1000000), ENTRY(compare_exchange, 300000), ENTRY(copy_8_words, 300000), ENTRY(poll, 1000000), ENTRY(root_get, 1000000), ENTRY(root_set, 300000),
    ENTRY(root_create_destroy, 100000), ENTRY(frame_push_pop, 1000000), ENTRY(weak_get, 1000000), ENTRY(ephemeron_value, 300000),
    ENTRY(blocking_begin_end, 100000), ENTRY(blocking_call, 100000), ENTRY(thread_attach_detach, 20000), ENTRY(finalizer_attach_detach, 50000),
};
enum { COUNT = sizeof operations / sizeof *operations };

__attribute__((noinline)) void measured(const operation *which, size_t times) {
  which->run(times);
  __asm__ volatile("" : : : "memory");
}

static double nanoseconds(const operation *which, size_t times) {
  struct timespec began, ended;
  clock_gettime(CLOCK_MONOTONIC, &began);
  measured(which, times);
  clock_gettime(CLOCK_MONOTONIC, &ended);
  return ((double)(ended.tv_sec - began.tv_sec) * 1e9 + (double)(ended.tv_nsec - began.tv_nsec)) / (double)times;
}

static void in_operation(const operation *which, size_t times, int repetitions) {
  int in_cycle = which->run == run_store_marking;
  if (in_cycle) {
    CHECK(tricolor_listener_set(heap, stay_in_cycle, NULL) == TRICOLOR_OK);
    CHECK(tricolor_setting_set(heap, "GOGC", "1") == TRICOLOR_OK && tricolor_setting_set(heap, "TRICOLOR_MIN_HEAP", "64KiB") == TRICOLOR_OK);
    while (!__atomic_load_n(&is_marking, __ATOMIC_SEQ_CST)) use(tricolor_allocate(mutator, &pair_layout));
  }
  double least = 1e9;
  for (int i = 0; i < repetitions; i++) {
    double now = nanoseconds(which, times);
    if (now < least) least = now;
    if (!in_cycle) CHECK(tricolor_collect(heap) == TRICOLOR_OK);
  }
  __atomic_store_n(&may_go_on, 1, __ATOMIC_SEQ_CST);
  if (repetitions > 1) printf("%-26s %8.1f\n", which->name, least);
  fflush(stdout);
}

int main(int count, char **arguments) {
  const size_t references[] = {0, 8};
  CHECK(count >= 2);
  if (strcmp(arguments[1], "names") == 0) {
    for (int i = 0; i < COUNT; i++) puts(operations[i].name);
    return 0;
  }
  tricolor_options options = {sizeof options, TRICOLOR_STACKS_CONSERVATIVE, TRICOLOR_STOP_NEVER, "GOGC=off TRICOLOR_YOUNG=off"};
  CHECK(tricolor_heap_create(&options, &heap) == TRICOLOR_OK && tricolor_thread_attach(heap, &mutator) == TRICOLOR_OK);
  CHECK(tricolor_layout_fixed(&pair_layout, 16, references, 2, "pair") == TRICOLOR_OK);
  CHECK(tricolor_layout_fixed(&node_layout, 64, references, 2, "node") == TRICOLOR_OK);
  CHECK(tricolor_layout_leaf(&leaf_layout, "leaf") == TRICOLOR_OK);
  object = tricolor_allocate(mutator, &pair_layout);
  root = tricolor_root_create(mutator, object);
  sink = tricolor_allocate_references(mutator, 64);
  weak = tricolor_weak_create(mutator, object);
  ephemeron = tricolor_ephemeron_create(mutator, object, sink);
  void *held[3] = {sink, weak, ephemeron};
  tricolor_frame frame;
  CHECK(tricolor_frame_push(mutator, &frame, held, 3) == TRICOLOR_OK);
  for (int i = 0; i < COUNT; i++) {
    if (strcmp(arguments[1], "all") != 0 && strcmp(arguments[1], operations[i].name) != 0) continue;
    if (operations[i].run == run_thread_attach_detach) {
      // The thread must be out for this one.
      CHECK(tricolor_frame_pop(mutator, &frame) == TRICOLOR_OK && tricolor_thread_detach(mutator) == TRICOLOR_OK);
    }
    in_operation(&operations[i], count > 2 ? (size_t)atol(arguments[2]) : operations[i].times, count > 2 ? 1 : 9);
    if (operations[i].run == run_thread_attach_detach) {
      CHECK(tricolor_thread_attach(heap, &mutator) == TRICOLOR_OK && tricolor_frame_push(mutator, &frame, held, 3) == TRICOLOR_OK);
    }
  }
  return 0;
}
