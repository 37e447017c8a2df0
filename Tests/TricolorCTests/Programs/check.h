// What the C programs of the tests share: a check that names itself, and a heap with a thread attached.
#ifndef CHECK_H
#define CHECK_H

#include <stdio.h>
#include <stdlib.h>
#include <tricolor.h>

#define CHECK(condition)                                                            \
  do {                                                                              \
    if (!(condition)) {                                                             \
      fprintf(stderr, "%s:%d: failed: %s\n", __FILE__, __LINE__, #condition);       \
      exit(1);                                                                      \
    }                                                                               \
  } while (0)

static inline tricolor_heap *make_heap(const char *settings, tricolor_stacks stacks, tricolor_stop stop) {
  tricolor_options options = {sizeof(tricolor_options), stacks, stop, settings};
  tricolor_heap *heap = NULL;
  CHECK(tricolor_heap_create(&options, &heap) == TRICOLOR_OK);
  return heap;
}

static inline tricolor_mutator *attach(tricolor_heap *heap) {
  tricolor_mutator *mutator = NULL;
  CHECK(tricolor_thread_attach(heap, &mutator) == TRICOLOR_OK);
  return mutator;
}

static inline void finish(tricolor_heap *heap, tricolor_mutator *mutator) {
  CHECK(tricolor_verify(heap) == TRICOLOR_OK);
  CHECK(tricolor_thread_detach(mutator) == TRICOLOR_OK);
  CHECK(tricolor_heap_destroy(heap) == TRICOLOR_OK);
}

static inline uint64_t statistic(tricolor_heap *heap, const char *name) {
  uint64_t value = 0;
  CHECK(tricolor_statistic(heap, name, &value) == TRICOLOR_OK);
  return value;
}

// Overwrites the stack that calls before this one have used, so that no reference is left there by chance.
static __attribute__((noinline, unused)) void clear_stack(void) {
  volatile char space[16384];
  for (size_t i = 0; i < sizeof space; i++) space[i] = 0;
}

#endif
