// Every argument of every function, wrong once: the function answers the code, says on standard error which argument it was, and neither
// crashes nor changes anything.
#include "check.h"

#include <fcntl.h>
#include <pthread.h>
#include <string.h>
#include <unistd.h>

static int messages;  // a file that stands for standard error
static int calls;

// What was written to standard error since the last look.
static const char *message(void) {
  static char text[4096];
  off_t length = lseek(messages, 0, SEEK_CUR);
  CHECK(length < (off_t)sizeof text);
  CHECK(pread(messages, text, (size_t)length, 0) == length);
  text[length] = 0;
  CHECK(ftruncate(messages, 0) == 0 && lseek(messages, 0, SEEK_SET) == 0);
  return text;
}

static void expect(int line, int got, int code, const char *function, const char *words) {
  const char *text = message();
  char start[128];
  snprintf(start, sizeof start, "tricolor: %s: ", function);
  calls++;
  if (got == code && strncmp(text, start, strlen(start)) == 0 && strstr(text, words) != NULL && text[strlen(text) - 1] == '\n') return;
  printf("line %d: %s answered %d instead of %d and said \"%s\", without \"%s\"\n", line, function, got, code, text, words);
  exit(1);
}

// A call that answers a code; one that answers a pointer, which must be NULL. `words` must be in the message.
#define REFUSED(call, code, function, words) expect(__LINE__, (call), code, function, words)
#define NOTHING(call, code, function, words) expect(__LINE__, (call) == NULL ? tricolor_last_error() : -1, code, function, words)
#define INVALID TRICOLOR_INVALID_ARGUMENT
#define STATE TRICOLOR_INVALID_STATE

static void *no_reference(void *data) { return data; }
static void no_result(void *data) { (void)data; }
static void no_trace(const void *object, size_t bytes, tricolor_visitor visit, void *context) {
  (void)object, (void)bytes, (void)visit, (void)context;
}

static tricolor_heap *heap;
static tricolor_mutator *mutator;
static tricolor_layout pair, leaf, array, custom, words;
static void *object, *nowhere = (void *)0x12345670;

static void heaps(void) {
  tricolor_heap *made = NULL;
  tricolor_options options = {sizeof options, TRICOLOR_STACKS_CONSERVATIVE, TRICOLOR_STOP_NEVER, NULL};
  REFUSED(tricolor_heap_create(NULL, NULL), INVALID, "tricolor_heap_create", "heap is NULL");
  options.size = 3;
  REFUSED(tricolor_heap_create(&options, &made), INVALID, "tricolor_heap_create", "options->size is 3");
  options.size = sizeof options;
  options.stacks = (tricolor_stacks)7;
  REFUSED(tricolor_heap_create(&options, &made), INVALID, "tricolor_heap_create", "options->stacks is 7");
  options.stacks = TRICOLOR_STACKS_PRECISE;
  options.stop = (tricolor_stop)9;
  REFUSED(tricolor_heap_create(&options, &made), INVALID, "tricolor_heap_create", "options->stop is 9");
  options.stop = TRICOLOR_STOP_NEVER;
  options.settings = "GOGC=banana";
  REFUSED(tricolor_heap_create(&options, &made), INVALID, "tricolor_heap_create", "GOGC: \"banana\" is not allowed");
  options.settings = "GOGC";
  REFUSED(tricolor_heap_create(&options, &made), INVALID, "tricolor_heap_create", "NAME=VALUE");
  options.settings = "GOGO=1";
  REFUSED(tricolor_heap_create(&options, &made), INVALID, "tricolor_heap_create", "\"GOGO\"");
  options.settings = "\xff\xfe";
  REFUSED(tricolor_heap_create(&options, &made), INVALID, "tricolor_heap_create", "UTF-8");
  CHECK(made == NULL);
  REFUSED(tricolor_heap_destroy(NULL), INVALID, "tricolor_heap_destroy", "heap is NULL");
  REFUSED(tricolor_heap_destroy(nowhere), INVALID, "tricolor_heap_destroy", "heap is 0x12345670");
  REFUSED(tricolor_heap_destroy(heap), STATE, "tricolor_heap_destroy", "threads attached to the heap: 1");
  REFUSED(tricolor_setting_set(NULL, "GOGC", "1"), INVALID, "tricolor_setting_set", "heap is NULL");
  REFUSED(tricolor_setting_set(heap, NULL, "1"), INVALID, "tricolor_setting_set", "name is NULL");
  REFUSED(tricolor_setting_set(heap, "GOGO", "1"), INVALID, "tricolor_setting_set", "name is \"GOGO\"");
  REFUSED(tricolor_setting_set(heap, "GOGC", NULL), INVALID, "tricolor_setting_set", "value is NULL");
  REFUSED(tricolor_setting_set(heap, "GOGC", "x"), INVALID, "tricolor_setting_set", "value is \"x\"");
  char text[64];
  REFUSED(tricolor_setting_get(NULL, "GOGC", text, 64), INVALID, "tricolor_setting_get", "heap is NULL");
  REFUSED(tricolor_setting_get(heap, NULL, text, 64), INVALID, "tricolor_setting_get", "name is NULL");
  REFUSED(tricolor_setting_get(heap, "x", text, 64), INVALID, "tricolor_setting_get", "name is \"x\"");
  REFUSED(tricolor_setting_get(heap, "GOGC", NULL, 64), INVALID, "tricolor_setting_get", "value is NULL");
  REFUSED(tricolor_setting_get(heap, "GOGC", text, 3), INVALID, "tricolor_setting_get", "size is 3");
  REFUSED(tricolor_stop_set(NULL, TRICOLOR_STOP_NEVER), INVALID, "tricolor_stop_set", "heap is NULL");
  REFUSED(tricolor_stop_set(heap, (tricolor_stop)3), INVALID, "tricolor_stop_set", "stop is 3");
  REFUSED(tricolor_collect(NULL), INVALID, "tricolor_collect", "heap is NULL");
  REFUSED(tricolor_release(NULL, NULL), INVALID, "tricolor_release", "heap is NULL");
  REFUSED(tricolor_verify(NULL), INVALID, "tricolor_verify", "heap is NULL");
  REFUSED(tricolor_snapshot_write(NULL, "x", 0), INVALID, "tricolor_snapshot_write", "heap is NULL");
  REFUSED(tricolor_snapshot_write(heap, NULL, 0), INVALID, "tricolor_snapshot_write", "path is NULL");
  REFUSED(tricolor_snapshot_write(heap, "\xff", 0), INVALID, "tricolor_snapshot_write", "UTF-8");
  REFUSED(tricolor_snapshot_write(heap, "/no/such/folder/x", 0), TRICOLOR_SYSTEM_ERROR, "tricolor_snapshot_write", "\"/no/such/folder/x\"");
}

static void *use_others_mutator(void *data) {
  REFUSED(tricolor_thread_detach(mutator), INVALID, "tricolor_thread_detach", "of the calling thread");
  REFUSED(tricolor_poll_slowly(mutator), INVALID, "tricolor_poll_slowly", "of the calling thread");
  CHECK(tricolor_thread_mutator(heap) == NULL);
  return data;
}

static void threads(void) {
  tricolor_mutator *made = NULL;
  REFUSED(tricolor_thread_attach(NULL, &made), INVALID, "tricolor_thread_attach", "heap is NULL");
  REFUSED(tricolor_thread_attach(heap, NULL), INVALID, "tricolor_thread_attach", "mutator is NULL");
  REFUSED(tricolor_thread_detach(NULL), INVALID, "tricolor_thread_detach", "mutator is NULL");
  REFUSED(tricolor_thread_detach(nowhere), INVALID, "tricolor_thread_detach", "mutator is 0x12345670");
  NOTHING(tricolor_thread_mutator(NULL), INVALID, "tricolor_thread_mutator", "heap is NULL");
  REFUSED(tricolor_thread_set_stack(NULL, NULL), INVALID, "tricolor_thread_set_stack", "mutator is NULL");
  REFUSED(tricolor_thread_set_stack(mutator, (char *)object + 1), INVALID, "tricolor_thread_set_stack", "base is 0x");
  REFUSED(tricolor_thread_set_roots(NULL, NULL, NULL), INVALID, "tricolor_thread_set_roots", "mutator is NULL");
  CHECK(tricolor_thread_is_blocking(NULL) == 0);
  REFUSED(tricolor_last_error(), INVALID, "tricolor_thread_is_blocking", "mutator is NULL");
  CHECK(tricolor_thread_is_blocking(mutator) == 0);
  REFUSED(tricolor_blocking_begin(NULL), INVALID, "tricolor_blocking_begin", "mutator is NULL");
  REFUSED(tricolor_blocking_end(NULL), INVALID, "tricolor_blocking_end", "mutator is NULL");
  REFUSED(tricolor_blocking_end(mutator), STATE, "tricolor_blocking_end", "in no blocking region");
  REFUSED(tricolor_blocking_call(NULL, no_reference, NULL, NULL), INVALID, "tricolor_blocking_call", "mutator is NULL");
  REFUSED(tricolor_blocking_call(mutator, NULL, NULL, NULL), INVALID, "tricolor_blocking_call", "function is NULL");
  CHECK(tricolor_blocking_begin(mutator) == TRICOLOR_OK);
  REFUSED(tricolor_blocking_begin(mutator), STATE, "tricolor_blocking_begin", "in a blocking region");
  REFUSED(tricolor_thread_detach(mutator), STATE, "tricolor_thread_detach", "in a blocking region");
  REFUSED(tricolor_thread_attach(heap, &made), STATE, "tricolor_thread_attach", "in a blocking region");
  REFUSED(tricolor_poll_slowly(mutator), STATE, "tricolor_poll_slowly", "in a blocking region");
  NOTHING(tricolor_allocate_references(mutator, 1), STATE, "tricolor_allocate_references", "in a blocking region");
  pthread_t other;
  CHECK(pthread_create(&other, NULL, use_others_mutator, NULL) == 0 && pthread_join(other, NULL) == 0);
  CHECK(tricolor_blocking_end(mutator) == TRICOLOR_OK);
  REFUSED(tricolor_poll(NULL), INVALID, "tricolor_poll_slowly", "mutator is NULL");

  void *handles[1] = {NULL};
  tricolor_frame first, second;
  REFUSED(tricolor_frame_push(NULL, &first, handles, 1), INVALID, "tricolor_frame_push_slowly", "mutator is NULL");
  REFUSED(tricolor_frame_push(mutator, NULL, handles, 1), INVALID, "tricolor_frame_push_slowly", "frame is NULL");
  REFUSED(tricolor_frame_push(mutator, &first, NULL, 1), INVALID, "tricolor_frame_push_slowly", "handles is NULL");
  CHECK(tricolor_frame_push(mutator, &first, handles, 1) == TRICOLOR_OK);
  CHECK(tricolor_frame_push(mutator, &second, NULL, 0) == TRICOLOR_OK);
  REFUSED(tricolor_frame_pop(NULL, &second), INVALID, "tricolor_frame_pop_slowly", "mutator is NULL");
  REFUSED(tricolor_frame_pop(mutator, NULL), INVALID, "tricolor_frame_pop_slowly", "frame is NULL");
  REFUSED(tricolor_frame_pop(mutator, &first), STATE, "tricolor_frame_pop_slowly", "not the newest");
  REFUSED(tricolor_thread_detach(mutator), STATE, "tricolor_thread_detach", "frames of handles left");
  CHECK(tricolor_frame_pop(mutator, &second) == TRICOLOR_OK && tricolor_frame_pop(mutator, &first) == TRICOLOR_OK);
}

static void layouts(void) {
  tricolor_layout made = {0, 0, 0, 0, NULL};
  const size_t odd[] = {4}, beyond[] = {16}, huge[] = {SIZE_MAX}, good[] = {0};
  REFUSED(tricolor_layout_fixed(NULL, 16, good, 1, "x"), INVALID, "tricolor_layout_fixed", "layout is NULL");
  REFUSED(tricolor_layout_fixed(&made, 0, NULL, 0, "x"), INVALID, "tricolor_layout_fixed", "bytes is 0");
  REFUSED(tricolor_layout_fixed(&made, SIZE_MAX, NULL, 0, "x"), INVALID, "tricolor_layout_fixed", "bytes is 18446744073709551615");
  REFUSED(tricolor_layout_fixed(&made, 1UL << 40, NULL, 0, "x"), INVALID, "tricolor_layout_fixed", "size 1099511627776");
  REFUSED(tricolor_layout_fixed(&made, 16, odd, 1, "x"), INVALID, "tricolor_layout_fixed", "offset 4");
  REFUSED(tricolor_layout_fixed(&made, 16, beyond, 1, "x"), INVALID, "tricolor_layout_fixed", "offset 16");
  REFUSED(tricolor_layout_fixed(&made, 16, huge, 1, "x"), INVALID, "tricolor_layout_fixed", "offset");
  REFUSED(tricolor_layout_fixed(&made, 16, NULL, 1, "x"), INVALID, "tricolor_layout_fixed", "offsets is NULL");
  REFUSED(tricolor_layout_fixed(&made, 16, good, 3, "x"), INVALID, "tricolor_layout_fixed", "count is 3");
  REFUSED(tricolor_layout_fixed(&made, 16, good, 1, NULL), INVALID, "tricolor_layout_fixed", "name is NULL");
  REFUSED(tricolor_layout_leaf(NULL, "x"), INVALID, "tricolor_layout_leaf", "layout is NULL");
  REFUSED(tricolor_layout_leaf(&made, NULL), INVALID, "tricolor_layout_leaf", "name is NULL");
  REFUSED(tricolor_layout_array(NULL, 16, good, 1, "x"), INVALID, "tricolor_layout_array", "layout is NULL");
  REFUSED(tricolor_layout_array(&made, 0, NULL, 0, "x"), INVALID, "tricolor_layout_array", "stride is 0");
  REFUSED(tricolor_layout_array(&made, 12, good, 1, "x"), INVALID, "tricolor_layout_array", "stride 12");
  REFUSED(tricolor_layout_array(&made, 16, NULL, 1, "x"), INVALID, "tricolor_layout_array", "offsets is NULL");
  REFUSED(tricolor_layout_array(&made, 16, good, 9, "x"), INVALID, "tricolor_layout_array", "count is 9");
  REFUSED(tricolor_layout_array(&made, 16, good, 1, NULL), INVALID, "tricolor_layout_array", "name is NULL");
  REFUSED(tricolor_layout_custom(NULL, no_trace, "x"), INVALID, "tricolor_layout_custom", "layout is NULL");
  REFUSED(tricolor_layout_custom(&made, NULL, "x"), INVALID, "tricolor_layout_custom", "trace is NULL");
  REFUSED(tricolor_layout_custom(&made, no_trace, NULL), INVALID, "tricolor_layout_custom", "name is NULL");
  REFUSED(tricolor_layout_conservative(NULL, "x"), INVALID, "tricolor_layout_conservative", "layout is NULL");
  REFUSED(tricolor_layout_conservative(&made, NULL), INVALID, "tricolor_layout_conservative", "name is NULL");
  CHECK(made.index == 0);
}

static void allocation(void) {
  tricolor_layout none = {0, 0, 0, 0, NULL}, invented = {60000, 16, 4096, 1, NULL};
  NOTHING(tricolor_allocate(NULL, &pair), INVALID, "tricolor_allocate_slowly", "mutator is NULL");
  NOTHING(tricolor_allocate(mutator, NULL), INVALID, "tricolor_allocate_slowly", "layout is NULL");
  NOTHING(tricolor_allocate(mutator, &none), INVALID, "tricolor_allocate_slowly", "layout is not made");
  NOTHING(tricolor_allocate(mutator, &invented), INVALID, "tricolor_allocate_slowly", "layout is not made");
  NOTHING(tricolor_allocate(mutator, &leaf), INVALID, "tricolor_allocate_slowly", "layout is of kind leaf");
  NOTHING(tricolor_allocate_slowly(nowhere, &pair), INVALID, "tricolor_allocate_slowly", "mutator is 0x12345670");
  NOTHING(tricolor_allocate_bytes(NULL, &leaf, 8), INVALID, "tricolor_allocate_bytes_slowly", "mutator is NULL");
  NOTHING(tricolor_allocate_bytes(mutator, NULL, 8), INVALID, "tricolor_allocate_bytes_slowly", "layout is NULL");
  NOTHING(tricolor_allocate_bytes(mutator, &none, 8), INVALID, "tricolor_allocate_bytes_slowly", "layout is not made");
  NOTHING(tricolor_allocate_bytes(mutator, &pair, 8), INVALID, "tricolor_allocate_bytes_slowly", "layout is of kind fixed");
  NOTHING(tricolor_allocate_bytes(mutator, &leaf, SIZE_MAX), INVALID, "tricolor_allocate_bytes_slowly", "bytes is 18446744073709551615");
  NOTHING(tricolor_allocate_bytes_slowly(nowhere, &leaf, 8), INVALID, "tricolor_allocate_bytes_slowly", "mutator is 0x12345670");
  NOTHING(tricolor_allocate_elements(NULL, &array, 1), INVALID, "tricolor_allocate_elements", "mutator is NULL");
  NOTHING(tricolor_allocate_elements(mutator, NULL, 1), INVALID, "tricolor_allocate_elements", "layout is NULL");
  NOTHING(tricolor_allocate_elements(mutator, &pair, 1), INVALID, "tricolor_allocate_elements", "kind fixed");
  NOTHING(tricolor_allocate_elements(mutator, &array, SIZE_MAX / 8), INVALID, "tricolor_allocate_elements", "count is");
  NOTHING(tricolor_allocate_references(NULL, 1), INVALID, "tricolor_allocate_references", "mutator is NULL");
  NOTHING(tricolor_allocate_references(mutator, SIZE_MAX / 2), INVALID, "tricolor_allocate_references", "count is");
  NOTHING(tricolor_allocate_conservative(NULL, 1), INVALID, "tricolor_allocate_conservative", "mutator is NULL");
  NOTHING(tricolor_allocate_conservative(mutator, SIZE_MAX), INVALID, "tricolor_allocate_conservative", "bytes is");
  // More than the address range: not a wrong argument, and not worth a message.
  CHECK(tricolor_allocate_references(mutator, 1UL << 40) == NULL && tricolor_last_error() == TRICOLOR_OUT_OF_MEMORY);
  CHECK(message()[0] == 0);
  CHECK(tricolor_object_bytes(nowhere) == 0 && tricolor_object_bytes(NULL) == 0 && tricolor_object_bytes((char *)object + 8) == 0);
  CHECK(tricolor_object_base(nowhere) == NULL && tricolor_object_base(NULL) == NULL);
}

static void stores(void) {
  REFUSED(tricolor_store(NULL, object), INVALID, "tricolor_store_slowly", "slot is NULL");
  REFUSED(tricolor_store_slowly((char *)object + 1, object), INVALID, "tricolor_store_slowly", "multiple of 8");
  REFUSED(tricolor_store_release(NULL, object), INVALID, "tricolor_store_slowly", "slot is NULL");
  REFUSED(tricolor_storing(NULL, object), INVALID, "tricolor_store_slowly", "slot is NULL");
  CHECK(tricolor_exchange(NULL, object) == NULL);
  REFUSED(tricolor_last_error(), INVALID, "tricolor_store_slowly", "slot is NULL");
  CHECK(tricolor_compare_exchange(NULL, NULL, object) == 0);
  REFUSED(tricolor_last_error(), INVALID, "tricolor_store_slowly", "slot is NULL");
  REFUSED(tricolor_exchanged_slowly(NULL, NULL, NULL), INVALID, "tricolor_exchanged_slowly", "slot is NULL");
  REFUSED(tricolor_copy(NULL, object, 8), INVALID, "tricolor_copy", "to is NULL");
  REFUSED(tricolor_copy((char *)object + 1, object, 8), INVALID, "tricolor_copy", "to is 0x");
  REFUSED(tricolor_copy(object, NULL, 8), INVALID, "tricolor_copy", "from is NULL");
  REFUSED(tricolor_copy(object, (char *)object + 2, 8), INVALID, "tricolor_copy", "from is 0x");
  REFUSED(tricolor_copy(object, object, 7), INVALID, "tricolor_copy", "bytes is 7");
  REFUSED(tricolor_copy(object, object, SIZE_MAX - 7), INVALID, "tricolor_copy", "bytes is 18446744073709551608");
  REFUSED(tricolor_stored(NULL), INVALID, "tricolor_stored", "object is NULL");
  REFUSED(tricolor_stored(nowhere), INVALID, "tricolor_stored", "object is 0x12345670");
  REFUSED(tricolor_stored(object), STATE, "tricolor_stored", "never stops");
}

static void roots(void) {
  static void *range[2];
  NOTHING(tricolor_root_create(NULL, object), INVALID, "tricolor_root_create", "mutator is NULL");
  NOTHING(tricolor_root_create(mutator, nowhere), INVALID, "tricolor_root_create", "object is 0x12345670");
  NOTHING(tricolor_root_create(mutator, (char *)object + 8), INVALID, "tricolor_root_create", "object is 0x");
  tricolor_root *root = tricolor_root_create(mutator, object);
  CHECK(tricolor_root_get(root) == object && tricolor_root_get(NULL) == NULL);
  REFUSED(tricolor_root_set(NULL, root, object), INVALID, "tricolor_root_set", "mutator is NULL");
  REFUSED(tricolor_root_set(mutator, NULL, object), INVALID, "tricolor_root_set", "root is NULL");
  REFUSED(tricolor_root_set(mutator, nowhere, object), INVALID, "tricolor_root_set", "root is 0x12345670");
  REFUSED(tricolor_root_set(mutator, root, nowhere), INVALID, "tricolor_root_set", "object is 0x12345670");
  REFUSED(tricolor_root_destroy(NULL, root), INVALID, "tricolor_root_destroy", "heap is NULL");
  REFUSED(tricolor_root_destroy(heap, NULL), INVALID, "tricolor_root_destroy", "root is NULL");
  REFUSED(tricolor_root_destroy(heap, nowhere), INVALID, "tricolor_root_destroy", "root is 0x12345670");
  CHECK(tricolor_root_destroy(heap, root) == TRICOLOR_OK);
  REFUSED(tricolor_root_destroy(heap, root), INVALID, "tricolor_root_destroy", "has not been destroyed");
  REFUSED(tricolor_root_set(mutator, root, object), INVALID, "tricolor_root_set", "has not been destroyed");
  REFUSED(tricolor_roots_add(NULL, range, 16, TRICOLOR_ROOTS_STORED), INVALID, "tricolor_roots_add", "heap is NULL");
  REFUSED(tricolor_roots_add(heap, NULL, 16, TRICOLOR_ROOTS_STORED), INVALID, "tricolor_roots_add", "start is NULL");
  REFUSED(tricolor_roots_add(heap, (char *)range + 4, 8, TRICOLOR_ROOTS_STORED), INVALID, "tricolor_roots_add", "start is 0x");
  REFUSED(tricolor_roots_add(heap, range, 0, TRICOLOR_ROOTS_STORED), INVALID, "tricolor_roots_add", "bytes is 0");
  REFUSED(tricolor_roots_add(heap, range, 12, TRICOLOR_ROOTS_STORED), INVALID, "tricolor_roots_add", "bytes is 12");
  REFUSED(tricolor_roots_add(heap, range, 16, (tricolor_roots)5), INVALID, "tricolor_roots_add", "kind is 5");
  CHECK(tricolor_roots_add(heap, range, 16, TRICOLOR_ROOTS_STORED) == TRICOLOR_OK);
  REFUSED(tricolor_roots_add(heap, range, 8, TRICOLOR_ROOTS_PLAIN), STATE, "tricolor_roots_add", "begins at");
  REFUSED(tricolor_roots_remove(NULL, range), INVALID, "tricolor_roots_remove", "heap is NULL");
  REFUSED(tricolor_roots_remove(heap, NULL), INVALID, "tricolor_roots_remove", "start is NULL");
  CHECK(tricolor_roots_remove(heap, &range[1]) == TRICOLOR_NOT_FOUND);
  CHECK(tricolor_roots_remove(heap, range) == TRICOLOR_OK && tricolor_roots_remove(heap, range) == TRICOLOR_NOT_FOUND);
}

static void weak(void) {
  tricolor_ephemeron *ephemeron = tricolor_ephemeron_create(mutator, object, NULL);
  tricolor_ephemeron *chain = NULL;
  NOTHING(tricolor_weak_create(NULL, object), INVALID, "tricolor_weak_create", "mutator is NULL");
  NOTHING(tricolor_weak_create(mutator, NULL), INVALID, "tricolor_weak_create", "object is NULL");
  NOTHING(tricolor_weak_create(mutator, nowhere), INVALID, "tricolor_weak_create", "object is 0x12345670");
  NOTHING(tricolor_weak_get_slowly(object), INVALID, "tricolor_weak_get_slowly", "weak is 0x");
  CHECK(tricolor_weak_get(NULL) == NULL);
  NOTHING(tricolor_ephemeron_create(NULL, object, object), INVALID, "tricolor_ephemeron_create", "mutator is NULL");
  NOTHING(tricolor_ephemeron_create(mutator, nowhere, object), INVALID, "tricolor_ephemeron_create", "key is 0x12345670");
  REFUSED(tricolor_ephemeron_fill(NULL, ephemeron, object, NULL), INVALID, "tricolor_ephemeron_fill", "mutator is NULL");
  REFUSED(tricolor_ephemeron_fill(mutator, NULL, object, NULL), INVALID, "tricolor_ephemeron_fill", "ephemeron is NULL");
  REFUSED(tricolor_ephemeron_fill(mutator, ephemeron, NULL, NULL), INVALID, "tricolor_ephemeron_fill", "key is NULL");
  REFUSED(tricolor_ephemeron_fill(mutator, ephemeron, object, nowhere), INVALID, "tricolor_ephemeron_fill", "value is 0x12345670");
  REFUSED(tricolor_ephemeron_fill(mutator, ephemeron, object, NULL), STATE, "tricolor_ephemeron_fill", "key that is alive");
  void *word = NULL;
  REFUSED(tricolor_link_add(NULL, &word, object, 0), INVALID, "tricolor_link_add", "mutator is NULL");
  REFUSED(tricolor_link_add(mutator, NULL, object, 0), INVALID, "tricolor_link_add", "link is NULL");
  REFUSED(tricolor_link_add(mutator, &word, NULL, 0), INVALID, "tricolor_link_add", "object is NULL");
  REFUSED(tricolor_link_remove(NULL, &word), INVALID, "tricolor_link_remove", "heap is NULL");
  REFUSED(tricolor_link_remove(heap, NULL), INVALID, "tricolor_link_remove", "link is NULL");
  CHECK(tricolor_link_remove(heap, &word) == TRICOLOR_NOT_FOUND);
  NOTHING(tricolor_ephemeron_create(mutator, object, nowhere), INVALID, "tricolor_ephemeron_create", "value is 0x12345670");
  NOTHING(tricolor_ephemeron_key(NULL), INVALID, "tricolor_ephemeron_key", "ephemeron is NULL");
  NOTHING(tricolor_ephemeron_key(object), INVALID, "tricolor_ephemeron_key", "ephemeron is 0x");
  NOTHING(tricolor_ephemeron_value(NULL), INVALID, "tricolor_ephemeron_value", "ephemeron is NULL");
  REFUSED(tricolor_ephemeron_set_value(NULL, object), INVALID, "tricolor_ephemeron_set_value", "ephemeron is NULL");
  REFUSED(tricolor_ephemeron_set_value(ephemeron, nowhere), INVALID, "tricolor_ephemeron_set_value", "value is 0x12345670");
  REFUSED(tricolor_ephemeron_kill(NULL), INVALID, "tricolor_ephemeron_kill", "ephemeron is NULL");
  REFUSED(tricolor_ephemeron_push(NULL, ephemeron), INVALID, "tricolor_ephemeron_push", "chain is NULL");
  REFUSED(tricolor_ephemeron_push(&chain, NULL), INVALID, "tricolor_ephemeron_push", "ephemeron is NULL");
  REFUSED(tricolor_ephemeron_push(&chain, nowhere), INVALID, "tricolor_ephemeron_push", "ephemeron is 0x12345670");
  NOTHING(tricolor_ephemeron_first(NULL), INVALID, "tricolor_ephemeron_first", "chain is NULL");
  NOTHING(tricolor_ephemeron_next(NULL), INVALID, "tricolor_ephemeron_next", "ephemeron is NULL");
  CHECK(chain == NULL);
}

static void finalizers(void) {
  tricolor_finalizer *finalizer = tricolor_finalizer_create(mutator);
  NOTHING(tricolor_finalizer_create(NULL), INVALID, "tricolor_finalizer_create", "mutator is NULL");
  REFUSED(tricolor_finalizer_attach(NULL, finalizer, 0, object, NULL), INVALID, "tricolor_finalizer_attach", "mutator is NULL");
  REFUSED(tricolor_finalizer_attach(mutator, NULL, 0, object, NULL), INVALID, "tricolor_finalizer_attach", "finalizer is NULL");
  REFUSED(tricolor_finalizer_attach(mutator, object, 0, object, NULL), INVALID, "tricolor_finalizer_attach", "finalizer is 0x");
  REFUSED(tricolor_finalizer_attach(mutator, finalizer, 0, NULL, NULL), INVALID, "tricolor_finalizer_attach", "object is NULL");
  REFUSED(tricolor_finalizer_attach(mutator, finalizer, 0, object, nowhere), INVALID, "tricolor_finalizer_attach", "closure is 0x");
  CHECK(tricolor_finalizer_attach(mutator, finalizer, 0, object, NULL) == TRICOLOR_OK);
  REFUSED(tricolor_finalizer_attach(mutator, finalizer, 0, object, NULL), STATE, "tricolor_finalizer_attach", "attached or queued");
  REFUSED(tricolor_finalizer_attach_ordered(NULL, finalizer, 0, object, NULL), INVALID, "tricolor_finalizer_attach_ordered", "mutator is NULL");
  REFUSED(tricolor_finalizer_attach_ordered(mutator, NULL, 0, object, NULL), INVALID, "tricolor_finalizer_attach_ordered", "finalizer is NULL");
  REFUSED(tricolor_finalizer_attach_ordered(mutator, finalizer, 0, NULL, NULL), INVALID, "tricolor_finalizer_attach_ordered", "object is NULL");
  REFUSED(tricolor_finalizer_detach(NULL, finalizer), INVALID, "tricolor_finalizer_detach", "mutator is NULL");
  REFUSED(tricolor_finalizer_detach(mutator, NULL), INVALID, "tricolor_finalizer_detach", "finalizer is NULL");
  CHECK(tricolor_finalizer_detach(mutator, finalizer) == TRICOLOR_OK);
  CHECK(tricolor_finalizer_detach(mutator, finalizer) == TRICOLOR_NOT_FOUND);
  NOTHING(tricolor_finalizer_take(NULL), INVALID, "tricolor_finalizer_take", "mutator is NULL");
  CHECK(tricolor_finalizer_take(mutator) == NULL);
  NOTHING(tricolor_finalizer_object(NULL), INVALID, "tricolor_finalizer_object", "finalizer is NULL");
  NOTHING(tricolor_finalizer_closure(object), INVALID, "tricolor_finalizer_closure", "finalizer is 0x");

  uint64_t number = 0;
  REFUSED(tricolor_cleanup_add(NULL, object, no_result, NULL, NULL), INVALID, "tricolor_cleanup_add", "mutator is NULL");
  REFUSED(tricolor_cleanup_add(mutator, NULL, no_result, NULL, NULL), INVALID, "tricolor_cleanup_add", "object is NULL");
  REFUSED(tricolor_cleanup_add(mutator, object, NULL, NULL, NULL), INVALID, "tricolor_cleanup_add", "function is NULL");
  CHECK(tricolor_cleanup_add(mutator, object, no_result, NULL, &number) == TRICOLOR_OK);
  REFUSED(tricolor_cleanup_cancel(NULL, number), INVALID, "tricolor_cleanup_cancel", "heap is NULL");
  REFUSED(tricolor_cleanup_cancel(heap, 0), INVALID, "tricolor_cleanup_cancel", "number is 0");
  CHECK(tricolor_cleanup_cancel(heap, number + 1) == TRICOLOR_NOT_FOUND);
  CHECK(tricolor_cleanup_cancel(heap, number) == TRICOLOR_OK && tricolor_cleanup_cancel(heap, number) == TRICOLOR_NOT_FOUND);
  REFUSED(tricolor_external_bytes_add(NULL, object, 1), INVALID, "tricolor_external_bytes_add", "mutator is NULL");
  REFUSED(tricolor_external_bytes_add(mutator, nowhere, 1), INVALID, "tricolor_external_bytes_add", "object is 0x12345670");
  REFUSED(tricolor_external_bytes_add(mutator, object, SIZE_MAX), INVALID, "tricolor_external_bytes_add", "bytes is");
}

static void observing(void) {
  uint64_t value = 0;
  REFUSED(tricolor_listener_set(NULL, NULL, NULL), INVALID, "tricolor_listener_set", "heap is NULL");
  REFUSED(tricolor_pressure_set(NULL, NULL, NULL), INVALID, "tricolor_pressure_set", "heap is NULL");
  REFUSED(tricolor_statistic(NULL, "cycles", &value), INVALID, "tricolor_statistic", "heap is NULL");
  REFUSED(tricolor_statistic(heap, NULL, &value), INVALID, "tricolor_statistic", "name is NULL");
  REFUSED(tricolor_statistic(heap, "cycle", &value), TRICOLOR_NOT_FOUND, "tricolor_statistic", "no statistic \"cycle\"");
  REFUSED(tricolor_statistic(heap, "cycles", NULL), INVALID, "tricolor_statistic", "value is NULL");
  CHECK(tricolor_statistic_name(SIZE_MAX) == NULL);
}

int main(void) {
  char path[] = "/tmp/tricolor-wrong-XXXXXX";
  const size_t references[] = {0, 8};
  CHECK((messages = mkstemp(path)) >= 0 && unlink(path) == 0);
  heap = make_heap(NULL, TRICOLOR_STACKS_CONSERVATIVE, TRICOLOR_STOP_NEVER);
  mutator = attach(heap);
  CHECK(tricolor_layout_fixed(&pair, 16, references, 2, "pair") == TRICOLOR_OK);
  CHECK(tricolor_layout_leaf(&leaf, "leaf") == TRICOLOR_OK);
  CHECK(tricolor_layout_array(&array, 24, references, 2, "array") == TRICOLOR_OK);
  CHECK(tricolor_layout_custom(&custom, no_trace, "custom") == TRICOLOR_OK);
  CHECK(tricolor_layout_conservative(&words, "words") == TRICOLOR_OK);
  object = tricolor_allocate(mutator, &pair);
  int standard_error = dup(2);
  CHECK(object != NULL && dup2(messages, 2) == 2);

  heaps();
  threads();
  layouts();
  allocation();
  stores();
  roots();
  weak();
  finalizers();
  observing();

  CHECK(dup2(standard_error, 2) == 2);
  finish(heap, mutator);
  CHECK(dup2(messages, 2) == 2);
  REFUSED(tricolor_heap_destroy(heap), INVALID, "tricolor_heap_destroy", "nobody destroyed");
  REFUSED(tricolor_thread_detach(mutator), INVALID, "tricolor_thread_detach", "of the calling thread");
  CHECK(dup2(standard_error, 2) == 2);
  printf("%d wrong calls were refused\n", calls);
  return 0;
}
