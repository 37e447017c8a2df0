// Finalizer queues: order by priority, objects brought back and what they refer to, finalizers that are attached again, taken back, or used by
// several threads; beside cleanups, which bring nothing back. In a heap with precise stacks, so that what is unreachable is known exactly.
#include "check.h"

#include <pthread.h>
#include <string.h>

typedef struct node {
  struct node *next;
  uintptr_t number;
} node;

enum { A, B, C, HANDLES = 8, MANY = 2000, THREADS = 3 };

static tricolor_heap *heap;
static tricolor_mutator *mutator;
static tricolor_layout node_layout;
static node *kept[HANDLES];
static tricolor_weak *weak[HANDLES];
static int cleaned;
static unsigned queued_events;

static node *new_node(tricolor_mutator *maker, uintptr_t number) {
  node *made = tricolor_allocate(maker, &node_layout);
  CHECK(made != NULL);
  made->number = number;
  return made;
}

static void listen(const tricolor_event *event, void *data) {
  if (event->kind == TRICOLOR_EVENT_FINALIZERS) *(unsigned *)data += (unsigned)event->count;
}

static tricolor_finalizer *guard_node(int index, uint32_t priority, void *closure) {
  tricolor_finalizer *made = tricolor_finalizer_create(mutator);
  CHECK(made != NULL && tricolor_finalizer_object(made) == NULL);
  made->word = (uintptr_t)index + 100;
  CHECK(tricolor_finalizer_attach(mutator, made, priority, kept[index], closure) == TRICOLOR_OK);
  return made;
}

static uintptr_t take(void) {
  tricolor_finalizer *taken = tricolor_finalizer_take(mutator);
  if (taken == NULL) return 0;
  node *object = tricolor_finalizer_object(taken);
  CHECK(object != NULL);
  return object->number;
}

static void priorities(void) {
  for (int i = A; i <= C; i++) {
    kept[i] = new_node(mutator, (uintptr_t)i + 1);
    weak[i] = tricolor_weak_create(mutator, kept[i]);
  }
  tricolor_store(&kept[A]->next, kept[B]);  // B waits for A although its number is higher than C's
  guard_node(A, 1, NULL);
  guard_node(B, 5, NULL);
  guard_node(C, 3, new_node(mutator, 77));
  CHECK(tricolor_collect(heap) == TRICOLOR_OK && take() == 0);
  kept[A] = kept[B] = kept[C] = NULL;
  CHECK(tricolor_collect(heap) == TRICOLOR_OK);
  CHECK(queued_events == 2);
  // Brought back: alive to everybody.
  CHECK(tricolor_weak_get(weak[A]) != NULL && tricolor_weak_get(weak[B]) != NULL);
  CHECK(tricolor_collect(heap) == TRICOLOR_OK);
  tricolor_finalizer *first = tricolor_finalizer_take(mutator);
  CHECK(first->word == 100 + A && ((node *)tricolor_finalizer_object(first))->next->number == 2);
  tricolor_finalizer *second = tricolor_finalizer_take(mutator);
  CHECK(second->word == 100 + C && ((node *)tricolor_finalizer_closure(second))->number == 77);
  CHECK(take() == 0);
  // A and C are garbage now, and B is found unreachable by itself.
  CHECK(tricolor_collect(heap) == TRICOLOR_OK && take() == 2 && take() == 0);
  CHECK(tricolor_weak_get(weak[A]) == NULL && tricolor_weak_get(weak[C]) == NULL);
  CHECK(tricolor_collect(heap) == TRICOLOR_OK && tricolor_weak_get(weak[B]) == NULL);
}

static void again(void) {
  kept[A] = new_node(mutator, 9);
  tricolor_finalizer *finalizer = guard_node(A, 0, NULL);
  for (int round = 0; round < 3; round++) {
    kept[A] = NULL;
    CHECK(tricolor_collect(heap) == TRICOLOR_OK);
    CHECK(tricolor_finalizer_take(mutator) == finalizer);
    kept[A] = tricolor_finalizer_object(finalizer);
    CHECK(kept[A]->number == 9 && tricolor_finalizer_attach(mutator, finalizer, 0, kept[A], NULL) == TRICOLOR_OK);
    CHECK(tricolor_finalizer_object(finalizer) == NULL);
  }
  weak[A] = tricolor_weak_create(mutator, kept[A]);
  CHECK(tricolor_finalizer_detach(mutator, finalizer) == TRICOLOR_OK);
  kept[A] = NULL;
  CHECK(tricolor_collect(heap) == TRICOLOR_OK && take() == 0 && tricolor_weak_get(weak[A]) == NULL);
}

static void several_of_one(void) {
  kept[A] = new_node(mutator, 3);
  guard_node(A, 2, NULL);
  guard_node(A, 1, NULL)->word = 201;
  kept[A] = NULL;
  CHECK(tricolor_collect(heap) == TRICOLOR_OK);
  CHECK(tricolor_finalizer_take(mutator)->word == 201 && tricolor_finalizer_take(mutator) == NULL);
  CHECK(tricolor_collect(heap) == TRICOLOR_OK && take() == 3);
}

static void clean(void *data) { __atomic_add_fetch((int *)data, 1, __ATOMIC_SEQ_CST); }

static void cleanups(void) {
  uint64_t number;
  kept[A] = new_node(mutator, 1);
  CHECK(tricolor_cleanup_add(mutator, kept[A], clean, &cleaned, NULL) == TRICOLOR_OK);
  CHECK(tricolor_cleanup_add(mutator, kept[A], clean, &cleaned, &number) == TRICOLOR_OK);
  CHECK(tricolor_cleanup_cancel(heap, number) == TRICOLOR_OK);
  CHECK(tricolor_collect(heap) == TRICOLOR_OK && statistic(heap, "cleanups_queued") == 0);
  kept[A] = NULL;
  CHECK(tricolor_collect(heap) == TRICOLOR_OK && statistic(heap, "cleanups_queued") == 1);
  CHECK(tricolor_external_bytes_add(mutator, new_node(mutator, 1), 1 << 20) == TRICOLOR_OK);
  CHECK(statistic(heap, "external_bytes") == 1 << 20);
  CHECK(tricolor_collect(heap) == TRICOLOR_OK && statistic(heap, "external_bytes") == 0);
}

// Each thread makes objects with finalizers, lets go of them, and takes what it finds; all are taken once in the end.
static char taken[THREADS * MANY];

static unsigned drain(tricolor_mutator *own) {
  unsigned count = 0;
  tricolor_finalizer *finalizer;
  while ((finalizer = tricolor_finalizer_take(own)) != NULL) {
    node *object = tricolor_finalizer_object(finalizer);
    CHECK(object->number == finalizer->word && object->next->number == object->number + 1);
    CHECK(__atomic_exchange_n(&taken[finalizer->word], 1, __ATOMIC_SEQ_CST) == 0);
    count++;
  }
  return count;
}

static void *churn(void *data) {
  uintptr_t thread = (uintptr_t)data;
  tricolor_mutator *own = attach(heap);
  void *handles[2] = {NULL, NULL};
  tricolor_frame frame;
  CHECK(tricolor_frame_push(own, &frame, handles, 2) == TRICOLOR_OK);
  for (uintptr_t i = 0; i < MANY; i++) {
    handles[0] = new_node(own, thread * MANY + i);
    handles[1] = new_node(own, thread * MANY + i + 1);
    tricolor_store(&((node *)handles[0])->next, handles[1]);
    tricolor_finalizer *finalizer = tricolor_finalizer_create(own);
    finalizer->word = thread * MANY + i;
    CHECK(tricolor_finalizer_attach(own, finalizer, (uint32_t)(i % 3), handles[0], NULL) == TRICOLOR_OK);
    handles[0] = handles[1] = NULL;
    if (i % 64 == 0) drain(own);
    if (i % 400 == 0) CHECK(tricolor_collect(heap) == TRICOLOR_OK);
  }
  CHECK(tricolor_frame_pop(own, &frame) == TRICOLOR_OK && tricolor_thread_detach(own) == TRICOLOR_OK);
  return NULL;
}

static void *churn_all(void *data) {
  pthread_t threads[THREADS];
  for (uintptr_t i = 0; i < THREADS; i++) CHECK(pthread_create(&threads[i], NULL, churn, (void *)i) == 0);
  for (int i = 0; i < THREADS; i++) pthread_join(threads[i], NULL);
  return data;
}

int main(void) {
  const size_t references[] = {offsetof(node, next)};
  CHECK(tricolor_layout_fixed(&node_layout, sizeof(node), references, 1, "node") == TRICOLOR_OK);
  heap = make_heap("TRICOLOR_MIN_HEAP=64KiB", TRICOLOR_STACKS_PRECISE, TRICOLOR_STOP_NEVER);
  mutator = attach(heap);
  tricolor_frame frame, weak_frame;
  CHECK(tricolor_frame_push(mutator, &frame, (void **)(void *)kept, HANDLES) == TRICOLOR_OK);
  CHECK(tricolor_frame_push(mutator, &weak_frame, (void **)(void *)weak, HANDLES) == TRICOLOR_OK);
  CHECK(tricolor_listener_set(heap, listen, &queued_events) == TRICOLOR_OK);
  priorities();
  CHECK(tricolor_listener_set(heap, NULL, NULL) == TRICOLOR_OK);
  again();
  several_of_one();
  cleanups();
  CHECK(tricolor_blocking_call(mutator, churn_all, NULL, NULL) == TRICOLOR_OK);
  CHECK(tricolor_collect(heap) == TRICOLOR_OK);
  drain(mutator);
  for (int i = 0; i < THREADS * MANY; i++) CHECK(taken[i] == 1);
  memset(kept, 0, sizeof kept);
  CHECK(tricolor_frame_pop(mutator, &weak_frame) == TRICOLOR_OK && tricolor_frame_pop(mutator, &frame) == TRICOLOR_OK);
  // What is left runs when the heap ends.
  CHECK(tricolor_cleanup_add(mutator, new_node(mutator, 1), clean, &cleaned, NULL) == TRICOLOR_OK);
  finish(heap, mutator);
  CHECK(cleaned == 2);
  return 0;
}
