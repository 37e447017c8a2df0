// Threads that come, share a table of references, block and go, while cycles run; each checks what it finds.
#include "check.h"

#include <pthread.h>
#include <unistd.h>

enum { THREADS = 4, ROUNDS = 60, SLOTS = 512, STEPS = 4000 };

typedef struct item {
  struct item *next;
  uintptr_t number, check;
} item;

static tricolor_heap *heap;
static tricolor_layout item_layout;
static tricolor_root *table_root;

static item *new_item(tricolor_mutator *mutator, uintptr_t number) {
  item *made = tricolor_allocate(mutator, &item_layout);
  CHECK(made != NULL);
  made->number = number;
  made->check = ~number;
  return made;
}

static void check_list(const item *list) {
  for (int length = 0; list != NULL && length < 8; length++, list = list->next) CHECK(list->check == ~list->number);
}

static void *sleep_a_moment(void *data) {
  usleep(300);
  return data;
}

static void *work(void *argument) {
  uintptr_t state = (uintptr_t)argument * 7919 + 1;
  tricolor_mutator *mutator = attach(heap);
  CHECK(tricolor_thread_mutator(heap) == mutator);
  void **table = tricolor_references(tricolor_root_get(table_root));
  for (int step = 0; step < STEPS; step++) {
    state = state * 6364136223846793005u + 1442695040888963407u;
    size_t slot = (state >> 33) % SLOTS;
    item *first = __atomic_load_n((item **)&table[slot], __ATOMIC_ACQUIRE);
    check_list(first);
    item *made = new_item(mutator, state);
    if (step % 5 != 0) made->next = first;
    switch (step % 3) {
      case 0: tricolor_store_release(&table[slot], made); break;
      case 1: (void)tricolor_compare_exchange(&table[slot], first, made); break;
      default: check_list(tricolor_exchange(&table[slot], made)); break;
    }
    if (step % 700 == 0) {
      item *kept = new_item(mutator, 42);
      CHECK(tricolor_blocking_begin(mutator) == TRICOLOR_OK);
      usleep(300);
      CHECK(tricolor_blocking_end(mutator) == TRICOLOR_OK);
      CHECK(kept->number == 42 && kept->check == ~(uintptr_t)42);
      void *answered = NULL;
      CHECK(tricolor_blocking_call(mutator, sleep_a_moment, &state, &answered) == TRICOLOR_OK);
      CHECK(answered == &state);
    }
    tricolor_poll(mutator);
  }
  // Every other thread leaves it to its end to detach.
  if ((uintptr_t)argument % 2 == 0) CHECK(tricolor_thread_detach(mutator) == TRICOLOR_OK);
  return NULL;
}

static void *start_and_join(void *data) {
  pthread_t threads[THREADS];
  for (uintptr_t i = 0; i < THREADS; i++) CHECK(pthread_create(&threads[i], NULL, work, (void *)(i + *(uintptr_t *)data)) == 0);
  for (int i = 0; i < THREADS; i++) pthread_join(threads[i], NULL);
  return NULL;
}

int main(int count, char **arguments) {
  const size_t references[] = {offsetof(item, next)};
  CHECK(tricolor_layout_fixed(&item_layout, sizeof(item), references, 1, "item") == TRICOLOR_OK);
  tricolor_stop stop = count > 1 ? (tricolor_stop)atoi(arguments[1]) : TRICOLOR_STOP_NEVER;
  heap = make_heap("TRICOLOR_MIN_HEAP=256KiB", TRICOLOR_STACKS_CONSERVATIVE, stop);
  tricolor_mutator *mutator = attach(heap);
  table_root = tricolor_root_create(mutator, tricolor_allocate_references(mutator, SLOTS));
  CHECK(table_root != NULL);
  for (uintptr_t round = 0; round < ROUNDS; round++) {
    CHECK(tricolor_blocking_call(mutator, start_and_join, &round, NULL) == TRICOLOR_OK);
    if (round % 16 == 0) CHECK(tricolor_verify(heap) == TRICOLOR_OK);
  }
  CHECK(statistic(heap, "attached_threads") == 1 + THREADS * ROUNDS);
  CHECK(statistic(heap, "threads") == 1);
  CHECK(statistic(heap, "cycles") > 0);
  printf("%llu cycles\n", (unsigned long long)statistic(heap, "cycles"));
  CHECK(tricolor_root_destroy(heap, table_root) == TRICOLOR_OK);
  finish(heap, mutator);
  return 0;
}
