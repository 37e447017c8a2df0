// Every kind of layout: what each keeps alive and what not, at the sizes where cells end and large objects begin; precise stacks.
#include "check.h"

#include <string.h>

typedef struct pair {
  void *first, *second;
} pair;
typedef struct element {
  uintptr_t number;
  void *reference;
  uintptr_t more;
} element;

static tricolor_heap *heap;
static tricolor_mutator *mutator;
static tricolor_layout pair_layout, leaf_layout, array_layout, tagged_layout, word_layout, big_layout;
enum { HANDLES = 8 };
static void *kept[HANDLES];

// Objects of this layout have references with a tag in the lowest bit, and numbers without.
static void trace_tagged(const void *object, size_t bytes, tricolor_visitor visit, void *context) {
  for (size_t i = 0; i < bytes / 8; i++) {
    uintptr_t word = __atomic_load_n((const uintptr_t *)object + i, __ATOMIC_RELAXED);
    if (word & 1) visit(context, word & ~(uintptr_t)1);
  }
}

static tricolor_weak *watch(void *object) {
  tricolor_weak *made = tricolor_weak_create(mutator, object);
  CHECK(made != NULL && tricolor_weak_get(made) == object);
  return made;
}

// A new pair that is watched; weak references are kept in an array that is kept.
static void *watched(size_t index) {
  kept[7] = tricolor_allocate(mutator, &pair_layout);
  CHECK(kept[7] != NULL && ((pair *)kept[7])->first == NULL && ((pair *)kept[7])->second == NULL);
  tricolor_weak *weak = watch(kept[7]);
  tricolor_store(&tricolor_references(kept[0])[index], weak);
  void *made = kept[7];
  kept[7] = NULL;
  return made;
}

static int lives(size_t index) { return tricolor_weak_get(tricolor_references(kept[0])[index]) != NULL; }
static void collect(void) { CHECK(tricolor_collect(heap) == TRICOLOR_OK && tricolor_verify(heap) == TRICOLOR_OK); }

static void fixed(void) {
  kept[1] = tricolor_allocate(mutator, &pair_layout);
  void *first = watched(0);
  tricolor_store(&((pair *)kept[1])->first, first);
  void *second = watched(1);
  tricolor_store(&((pair *)kept[1])->second, second);
  watched(2);
  collect();
  CHECK(lives(0) && lives(1) && !lives(2));
  tricolor_store(&((pair *)kept[1])->first, NULL);
  collect();
  CHECK(!lives(0) && lives(1));
  CHECK(tricolor_object_bytes(kept[1]) == 16 && tricolor_object_base((char *)kept[1] + 9) == kept[1]);
  // Larger than any shared cell.
  kept[1] = tricolor_allocate(mutator, &big_layout);
  CHECK(tricolor_object_bytes(kept[1]) == 40000);
  void *end = watched(0);
  tricolor_store((char *)kept[1] + 39992, end);
  collect();
  CHECK(lives(0) && !lives(1));
}

static void leaves(void) {
  const size_t sizes[] = {0, 1, 8, 16, 17, 255, 256, 257, 1000, 4096, 32768, 32769, 1 << 20};
  kept[1] = tricolor_allocate_references(mutator, 64);
  for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
    char *bytes = tricolor_allocate_bytes(mutator, &leaf_layout, sizes[i]);
    CHECK(bytes != NULL && tricolor_object_bytes(bytes) >= sizes[i] && ((uintptr_t)bytes & 15) == 0);
    memset(bytes, (int)i + 1, sizes[i]);
    tricolor_store(&tricolor_references(kept[1])[i], bytes);
  }
  void *hidden = watched(0);
  void **leaf = tricolor_allocate_bytes(mutator, &leaf_layout, 64);
  leaf[0] = hidden;  // no reference to the collector
  tricolor_store(&tricolor_references(kept[1])[60], leaf);
  collect();
  CHECK(!lives(0));
  for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
    const char *bytes = tricolor_references(kept[1])[i];
    for (size_t j = 0; j < sizes[i]; j++) CHECK(bytes[j] == (char)(i + 1));
  }
}

static void arrays(void) {
  const size_t counts[] = {0, 1, 3, 1000, 5000};
  for (size_t i = 0; i < 5; i++) {
    kept[1] = tricolor_allocate_elements(mutator, &array_layout, counts[i]);
    CHECK(kept[1] != NULL && tricolor_array_count(kept[1]) == counts[i]);
    element *elements = tricolor_elements(kept[1]);
    for (size_t j = 0; j < counts[i]; j++) CHECK(elements[j].number == 0 && elements[j].reference == NULL);
    if (counts[i] == 0) continue;
    void *last = watched(0), *outside = watched(1);
    elements[0].number = (uintptr_t)outside;
    tricolor_store(&elements[counts[i] - 1].reference, last);
    collect();
    CHECK(lives(0) && !lives(1));
  }
  kept[1] = tricolor_allocate_references(mutator, 100000);
  for (size_t i = 0; i < 100000; i++) tricolor_store(&tricolor_references(kept[1])[i], tricolor_allocate(mutator, &pair_layout));
  void *last = watched(0);
  tricolor_store(&tricolor_references(kept[1])[99999], last);
  // Moved to the front, one down each; overlapping both ways.
  CHECK(tricolor_copy(tricolor_references(kept[1]), tricolor_references(kept[1]) + 1, 99999 * 8) == TRICOLOR_OK);
  CHECK(tricolor_references(kept[1])[99998] == last);
  CHECK(tricolor_copy(tricolor_references(kept[1]) + 2, tricolor_references(kept[1]), 99998 * 8) == TRICOLOR_OK);
  CHECK(tricolor_references(kept[1])[2] == tricolor_references(kept[1])[0]);
  tricolor_store(&tricolor_references(kept[1])[99998], last);
  tricolor_store(&tricolor_references(kept[1])[99999], NULL);
  collect();
  CHECK(lives(0));
}

static void custom(void) {
  for (size_t bytes = 32; bytes <= 100000; bytes *= 50) {
    uintptr_t *tagged = kept[1] = tricolor_allocate_bytes(mutator, &tagged_layout, bytes);
    CHECK(tagged != NULL && tagged[bytes / 8 - 1] == 0);
    void *first = watched(0), *untagged = watched(1), *inside = watched(2);
    tricolor_store(&tagged[0], (void *)((uintptr_t)first | 1));
    tagged[1] = (uintptr_t)untagged;
    tricolor_store(&tagged[bytes / 8 - 1], (void *)(((uintptr_t)inside + 8) | 1));
    tagged[2] = 12345 | 1;  // no reference, and reported all the same
    collect();
    CHECK(lives(0) && !lives(1) && lives(2));
  }
}

static void conservative(void) {
  for (size_t bytes = 16; bytes <= 200000; bytes *= 60) {
    uintptr_t *words = kept[1] = tricolor_allocate_conservative(mutator, bytes);
    CHECK(words != NULL && words[0] == 0 && words[bytes / 8 - 1] == 0);
    void *start = watched(0), *inside = watched(1), *hidden = watched(2);
    tricolor_store(&words[0], start);
    tricolor_store(&words[bytes / 8 - 1], (char *)inside + 5);
    if (bytes > 16) words[1] = ~(uintptr_t)hidden;
    collect();
    CHECK(lives(0) && lives(1) && !lives(2));
  }
  char *small = tricolor_allocate_bytes(mutator, &word_layout, 48);
  CHECK(small != NULL && tricolor_object_bytes(small) == 48);
}

// An interpreter's stack: words outside the heap, written plainly, whose number changes.
static void external_stack(void) {
  void **stack = calloc(1000, sizeof *stack);
  tricolor_frame frame;
  CHECK(tricolor_frame_push(mutator, &frame, stack, 0) == TRICOLOR_OK);
  stack[frame.count++] = watched(0);
  stack[frame.count++] = watched(1);
  collect();
  CHECK(lives(0) && lives(1));
  frame.count--;
  collect();
  CHECK(lives(0) && !lives(1));
  CHECK(tricolor_blocking_begin(mutator) == TRICOLOR_OK);
  collect();
  CHECK(tricolor_blocking_end(mutator) == TRICOLOR_OK);
  CHECK(lives(0));
  CHECK(tricolor_frame_pop(mutator, &frame) == TRICOLOR_OK);
  free(stack);
  collect();
  CHECK(!lives(0));
}

// A list of handles in the program's own shape, reported by a function.
typedef struct handle {
  struct handle *next;
  void *object;
} handle;
static void trace_handles(void *data, tricolor_visitor visit, void *context) {
  for (handle *next = *(handle **)data; next != NULL; next = next->next) visit(context, (uintptr_t)next->object);
}

static void own_handles(void) {
  handle second = {NULL, NULL}, first = {&second, NULL}, *all = &first;
  CHECK(tricolor_thread_set_roots(mutator, trace_handles, &all) == TRICOLOR_OK);
  second.object = watched(0);
  first.object = watched(1);
  collect();
  CHECK(lives(0) && lives(1));
  all = &second;
  for (int i = 0; i < 100000; i++) CHECK(tricolor_allocate(mutator, &pair_layout) != NULL);
  collect();
  CHECK(lives(0) && !lives(1));
  CHECK(tricolor_thread_set_roots(mutator, NULL, NULL) == TRICOLOR_OK);
  collect();
  CHECK(!lives(0));
}

int main(void) {
  const size_t two[] = {0, 8}, one[] = {offsetof(element, reference)}, ends[] = {0, 39992};
  CHECK(tricolor_layout_fixed(&pair_layout, sizeof(pair), two, 2, "pair") == TRICOLOR_OK);
  CHECK(tricolor_layout_fixed(&big_layout, 40000, ends, 2, "big") == TRICOLOR_OK);
  CHECK(tricolor_layout_leaf(&leaf_layout, "leaf") == TRICOLOR_OK);
  CHECK(tricolor_layout_array(&array_layout, sizeof(element), one, 1, "elements") == TRICOLOR_OK);
  CHECK(tricolor_layout_custom(&tagged_layout, trace_tagged, "tagged") == TRICOLOR_OK);
  CHECK(tricolor_layout_conservative(&word_layout, "words") == TRICOLOR_OK);
  heap = make_heap(NULL, TRICOLOR_STACKS_PRECISE, TRICOLOR_STOP_NEVER);
  mutator = attach(heap);
  tricolor_frame frame;
  CHECK(tricolor_frame_push(mutator, &frame, kept, HANDLES) == TRICOLOR_OK);
  kept[0] = tricolor_allocate_references(mutator, 8);
  fixed();
  leaves();
  arrays();
  custom();
  conservative();
  external_stack();
  own_handles();
  CHECK(tricolor_frame_pop(mutator, &frame) == TRICOLOR_OK);
  finish(heap, mutator);
  return 0;
}
