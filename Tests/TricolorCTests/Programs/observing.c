// Settings, limits, events, statistics and several heaps: what a program sees of a heap and changes while it runs.
#include "check.h"

#include <pthread.h>
#include <string.h>
#include <unistd.h>

static tricolor_layout leaf_layout, pair_layout;

static void settings(void) {
  char text[64];
  tricolor_heap *heap = make_heap("GOGC=50 TRICOLOR_MIN_HEAP=1MiB", TRICOLOR_STACKS_CONSERVATIVE, TRICOLOR_STOP_NEVER);
  CHECK(tricolor_setting_get(heap, "GOGC", text, sizeof text) == TRICOLOR_OK && strcmp(text, "50") == 0);
  CHECK(tricolor_setting_get(heap, "TRICOLOR_MIN_HEAP", text, sizeof text) == TRICOLOR_OK && strcmp(text, "1MiB") == 0);
  CHECK(tricolor_setting_set(heap, "GOGC", "off") == TRICOLOR_OK);
  CHECK(tricolor_setting_get(heap, "GOGC", text, 4) == TRICOLOR_OK && strcmp(text, "off") == 0);
  CHECK(tricolor_setting_set(heap, "GOMEMLIMIT", "512MiB") == TRICOLOR_OK && statistic(heap, "limit_bytes") == 512 << 20);
  CHECK(tricolor_setting_set(heap, "GODEBUG", "gctrace=0,gcverify=1") == TRICOLOR_OK);
  CHECK(tricolor_setting_get(heap, "GODEBUG", text, sizeof text) == TRICOLOR_OK && strcmp(text, "gcverify=1") == 0);
  CHECK(tricolor_setting_set(heap, "TRICOLOR_MIN_HEAP", "") == TRICOLOR_OK);
  CHECK(tricolor_setting_get(heap, "TRICOLOR_MIN_HEAP", text, sizeof text) == TRICOLOR_OK && text[0] == 0);
  CHECK(tricolor_heap_destroy(heap) == TRICOLOR_OK);
}

// ---- Events ----

typedef struct {
  tricolor_event events[256];
  unsigned count;
} record;

static void listen(const tricolor_event *event, void *data) {
  record *all = data;
  if (all->count < 256) all->events[all->count++] = *event;
}

static tricolor_heap *listened;
static int answers[3];
static void misuse(const tricolor_event *event, void *data) {
  if (event->kind != TRICOLOR_EVENT_CYCLE_BEGIN) return;
  int *codes = data;
  codes[0] = tricolor_collect(listened);
  codes[1] = tricolor_heap_destroy(listened);
  codes[2] = tricolor_listener_set(listened, NULL, NULL);
}

static void events(void) {
  record all;
  memset(&all, 0, sizeof all);
  tricolor_heap *heap = listened = make_heap("TRICOLOR_YOUNG=off", TRICOLOR_STACKS_CONSERVATIVE, TRICOLOR_STOP_NEVER);
  CHECK(tricolor_listener_set(heap, listen, &all) == TRICOLOR_OK);
  CHECK(tricolor_collect(heap) == TRICOLOR_OK && tricolor_collect(heap) == TRICOLOR_OK);
  CHECK(tricolor_listener_set(heap, NULL, NULL) == TRICOLOR_OK);
  unsigned seen = all.count, cycles = 0, open = 0, answered = 0;
  int handshake = -1;
  for (unsigned i = 0; i < seen; i++) {
    const tricolor_event *event = &all.events[i];
    CHECK(i == 0 || event->nanoseconds >= all.events[i - 1].nanoseconds);
    switch (event->kind) {
      case TRICOLOR_EVENT_CYCLE_BEGIN: CHECK(open == 0); open = 1; cycles++; break;
      case TRICOLOR_EVENT_CYCLE_END: CHECK(open == 1); open = 0; break;
      case TRICOLOR_EVENT_HANDSHAKE_BEGIN: CHECK(handshake == -1); handshake = (int)event->handshake; break;
      case TRICOLOR_EVENT_HANDSHAKE_END: CHECK(handshake == (int)event->handshake); handshake = -1; answered |= 1u << event->handshake; break;
      case TRICOLOR_EVENT_MARKING_BEGIN: case TRICOLOR_EVENT_MARKING_END: CHECK(open == 1); break;
      default: CHECK(0);
    }
    CHECK(event->cycle == cycles);
  }
  CHECK(cycles == 2 && open == 0 && answered == (1u << 1 | 1u << 2 | 1u << 3 | 1u << 4 | 1u << 5));
  CHECK(tricolor_collect(heap) == TRICOLOR_OK && all.count == seen);
  // A listener that calls what would wait for it is refused.
  CHECK(tricolor_listener_set(heap, misuse, answers) == TRICOLOR_OK && tricolor_collect(heap) == TRICOLOR_OK);
  CHECK(answers[0] == TRICOLOR_INVALID_STATE && answers[1] == TRICOLOR_INVALID_STATE && answers[2] == TRICOLOR_INVALID_STATE);
  CHECK(tricolor_heap_destroy(heap) == TRICOLOR_OK);
}

// ---- Limits ----

static int levels[3];
static void note_pressure(const tricolor_pressure *pressure, void *data) {
  CHECK(data == levels && pressure->level <= TRICOLOR_PRESSURE_CRITICAL && pressure->resident_bytes > 0);
  levels[pressure->level]++;
}

static void limits(void) {
  tricolor_heap *heap = make_heap(
      "TRICOLOR_LIMIT_SCOPE=heap TRICOLOR_HARD_LIMIT=24MiB", TRICOLOR_STACKS_CONSERVATIVE, TRICOLOR_STOP_NEVER);
  tricolor_mutator *mutator = attach(heap);
  CHECK(tricolor_pressure_set(heap, note_pressure, levels) == TRICOLOR_OK);
  void *list = NULL;
  size_t count = 0;
  while (1) {
    void **made = tricolor_allocate_conservative(mutator, 4096);
    if (made == NULL) break;
    made[0] = list;
    list = made;
    CHECK(++count < 10000);
  }
  CHECK(tricolor_last_error() == TRICOLOR_OUT_OF_MEMORY);
  CHECK(count > 3000);
  for (void **next = list; next != NULL; next = *next) count--;
  CHECK(count == 0);
  for (int i = 0; i < 100 && levels[TRICOLOR_PRESSURE_CRITICAL] == 0; i++) {
    CHECK(tricolor_blocking_begin(mutator) == TRICOLOR_OK);
    usleep(50000);
    CHECK(tricolor_blocking_end(mutator) == TRICOLOR_OK);
  }
  CHECK(levels[TRICOLOR_PRESSURE_CRITICAL] > 0);
  CHECK(tricolor_pressure_set(heap, NULL, NULL) == TRICOLOR_OK);
  // Room again after the list is dropped.
  list = NULL;
  clear_stack();
  CHECK(tricolor_collect(heap) == TRICOLOR_OK);
  CHECK(tricolor_allocate_conservative(mutator, 4096) != NULL);
  size_t released = 0;
  CHECK(tricolor_release(heap, &released) == TRICOLOR_OK);
  CHECK(tricolor_setting_set(heap, "TRICOLOR_HARD_LIMIT", "off") == TRICOLOR_OK);
  finish(heap, mutator);
}

// ---- Statistics, several heaps ----

static void statistics(void) {
  tricolor_heap *heap = make_heap(NULL, TRICOLOR_STACKS_CONSERVATIVE, TRICOLOR_STOP_NEVER);
  tricolor_mutator *mutator = attach(heap);
  size_t names = 0;
  while (tricolor_statistic_name(names) != NULL) statistic(heap, tricolor_statistic_name(names++));
  CHECK(names > 40);
  for (int i = 0; i < 1000; i++) CHECK(tricolor_allocate_bytes(mutator, &leaf_layout, 1000) != NULL);
  CHECK(tricolor_collect(heap) == TRICOLOR_OK);
  CHECK(statistic(heap, "allocated_objects") >= 1000 && statistic(heap, "allocated_bytes") >= 1000 * 1000);
  CHECK(statistic(heap, "cycles") == 1 && statistic(heap, "cycles_forced") == 1 && statistic(heap, "threads") == 1);
  CHECK(statistic(heap, "live_bytes") < 100 * 1000);
  finish(heap, mutator);
}

static void growth(void) {
  char text[16];
  tricolor_heap *heap = make_heap("GOGC=300", TRICOLOR_STACKS_CONSERVATIVE, TRICOLOR_STOP_NEVER);
  CHECK(statistic(heap, "gc_percent") == 300 && statistic(heap, "tuner_choices") == 0);
  CHECK(statistic(heap, "tuner_wanted_percent") == UINT64_MAX && statistic(heap, "tuner_bound") == UINT64_MAX);
  CHECK(tricolor_setting_set(heap, "TRICOLOR_TUNE", "on:50%") == TRICOLOR_OK);
  CHECK(tricolor_setting_get(heap, "TRICOLOR_TUNE", text, sizeof text) == TRICOLOR_OK && strcmp(text, "on:50%") == 0);
  CHECK(tricolor_setting_set(heap, "TRICOLOR_TUNE", "on:99%") == TRICOLOR_INVALID_ARGUMENT);
  tricolor_mutator *mutator = attach(heap);
  while (statistic(heap, "tuner_choices") < 3) {
    for (int i = 0; i < 100000; i++) CHECK(tricolor_allocate(mutator, &pair_layout) != NULL);
  }
  CHECK(statistic(heap, "tuner_bound") <= 5 && statistic(heap, "tuner_wanted_percent") != UINT64_MAX);
  CHECK(statistic(heap, "gc_percent") < 300);
  CHECK(tricolor_setting_set(heap, "TRICOLOR_TUNE", "off") == TRICOLOR_OK && statistic(heap, "gc_percent") == 300);
  CHECK(tricolor_setting_set(heap, "GOGC", "off") == TRICOLOR_OK && statistic(heap, "gc_percent") == UINT64_MAX);
  finish(heap, mutator);
}

static void heaps(void) {
  tricolor_heap *heap[3];
  tricolor_mutator *mutator[3];
  void **object[3];
  for (int i = 0; i < 3; i++) {
    heap[i] = make_heap("TRICOLOR_MIN_HEAP=64KiB", (tricolor_stacks)(i % 2), (tricolor_stop)i);
    mutator[i] = attach(heap[i]);
    CHECK(attach(heap[i]) == mutator[i] && tricolor_thread_detach(mutator[i]) == TRICOLOR_OK);  // nested
    CHECK(tricolor_thread_mutator(heap[i]) == mutator[i]);
  }
  tricolor_frame frame;
  CHECK(tricolor_frame_push(mutator[1], &frame, (void **)&object[1], 1) == TRICOLOR_OK);
  for (int i = 0; i < 3; i++) object[i] = tricolor_allocate(mutator[i], &pair_layout);
  for (int step = 0; step < 200000; step++) {
    int i = step % 3;
    void **made = tricolor_allocate(mutator[i], &pair_layout);
    made[0] = step % 100 == 0 ? NULL : object[i][0];
    tricolor_store(object[i], made);
  }
  for (int i = 0; i < 3; i++) {
    while (statistic(heap[i], "cycles") == 0) CHECK(tricolor_allocate(mutator[i], &pair_layout) != NULL);
    CHECK(tricolor_root_create(mutator[i], object[(i + 1) % 3]) == NULL);  // of another heap
  }
  CHECK(tricolor_frame_pop(mutator[1], &frame) == TRICOLOR_OK);
  for (int i = 0; i < 3; i++) finish(heap[i], mutator[i]);
}

// ---- Snapshots ----

static void *reported_object;
static void report_one(void *data, tricolor_visitor visit, void *context) { visit(context, *(uintptr_t *)data); }

// Whether the snapshot in the file has a string.
static int has_string(const char *path, const char *words) {
  static char text[1 << 20];
  char quoted[128];
  FILE *file = fopen(path, "r");
  CHECK(file != NULL);
  size_t length = fread(text, 1, sizeof text - 1, file);
  CHECK(length > 0 && length < sizeof text - 1 && fclose(file) == 0);
  text[length] = 0;
  snprintf(quoted, sizeof quoted, "\"%s", words);
  return strstr(text, quoted) != NULL;
}

static void snapshots(void) {
  static void *range[2];
  char path[] = "/tmp/tricolor-snapshot-XXXXXX";
  CHECK(close(mkstemp(path)) == 0);
  tricolor_heap *heap = make_heap("TRICOLOR_LIMIT_SCOPE=heap", TRICOLOR_STACKS_PRECISE, TRICOLOR_STOP_NEVER);
  tricolor_mutator *mutator = attach(heap);
  CHECK(tricolor_snapshot_write(heap, path, 0) == TRICOLOR_OK && !has_string(path, "pair"));
  void *handles[1] = {tricolor_allocate(mutator, &pair_layout)};
  tricolor_frame frame;
  CHECK(tricolor_frame_push(mutator, &frame, handles, 1) == TRICOLOR_OK);
  CHECK(tricolor_snapshot_write(heap, path, 0) == TRICOLOR_OK);
  CHECK(has_string(path, "pair") && has_string(path, "frames of handles of thread"));
  CHECK(!has_string(path, "ranges of roots") && !has_string(path, "roots that a function reports for thread"));
  reported_object = handles[0];
  CHECK(tricolor_thread_set_roots(mutator, report_one, &reported_object) == TRICOLOR_OK);
  CHECK(tricolor_roots_add(heap, range, sizeof range, TRICOLOR_ROOTS_STORED) == TRICOLOR_OK);
  CHECK(tricolor_store(&range[1], handles[0]) == TRICOLOR_OK);
  tricolor_root *root = tricolor_root_create(mutator, handles[0]);
  CHECK(tricolor_snapshot_write(heap, path, 0) == TRICOLOR_OK);
  CHECK(has_string(path, "ranges of roots") && has_string(path, "roots that a function reports for thread"));
  CHECK(has_string(path, "root handles") && !has_string(path, "stack of thread"));
  // No room for the copy: refused, and nothing is written; taken when told to.
  CHECK(unlink(path) == 0 && tricolor_setting_set(heap, "GOMEMLIMIT", "1KiB") == TRICOLOR_OK);
  CHECK(tricolor_snapshot_write(heap, path, 0) == TRICOLOR_INVALID_STATE && access(path, F_OK) != 0);
  CHECK(tricolor_snapshot_write(heap, path, 1) == TRICOLOR_OK && has_string(path, "pair"));
  CHECK(unlink(path) == 0 && tricolor_setting_set(heap, "GOMEMLIMIT", "off") == TRICOLOR_OK);
  CHECK(tricolor_store(&range[1], NULL) == TRICOLOR_OK && tricolor_roots_remove(heap, range) == TRICOLOR_OK);
  CHECK(tricolor_thread_set_roots(mutator, NULL, NULL) == TRICOLOR_OK && tricolor_root_destroy(heap, root) == TRICOLOR_OK);
  CHECK(tricolor_frame_pop(mutator, &frame) == TRICOLOR_OK);
  finish(heap, mutator);
}

int main(void) {
  const size_t references[] = {0, 8};
  CHECK(tricolor_layout_leaf(&leaf_layout, "leaf") == TRICOLOR_OK);
  CHECK(tricolor_layout_fixed(&pair_layout, 16, references, 2, "pair") == TRICOLOR_OK);
  CHECK(strcmp(tricolor_error_name(TRICOLOR_OK), "no error") == 0 && tricolor_error_name(-5) != NULL);
  CHECK(strcmp(tricolor_version(), "1.0") == 0);
  settings();
  events();
  limits();
  statistics();
  growth();
  heaps();
  snapshots();
  return 0;
}
