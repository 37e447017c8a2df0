// Programs that do not announce their stores, in heaps that stop: threads that exchange parts of lists through shared memory by plain stores.
//   unannounced always   no store is announced at all; lists are linked and relinked plainly
//   unannounced briefly  stores into objects are told of afterwards; the shared words are a plain root range
// Whatever is reachable must hold what was put there: memory that is freed too early is overwritten (GODEBUG=clobberfree=1).
#include "check.h"

#include <pthread.h>
#include <string.h>

enum { THREADS = 3, SLOTS = 64, COLLECTIONS = 15 };

typedef struct cell {
  struct cell *next;
  uintptr_t number, check;
} cell;

static tricolor_heap *heap;
static tricolor_layout cell_layout;
static pthread_mutex_t locks[SLOTS];
static cell *slots[SLOTS];  // plain roots
static int tells, is_over;

static void link_to(cell *from, cell *to) {
  from->next = to;
  if (tells) CHECK(tricolor_stored(from) == TRICOLOR_OK);
}

static unsigned check_list(const cell *list) {
  unsigned length = 0;
  for (; list != NULL; list = list->next, length++) CHECK(list->check == ~list->number);
  return length;
}

static void *work(void *argument) {
  uintptr_t state = (uintptr_t)argument + 12345;
  tricolor_mutator *mutator = attach(heap);
  cell *own = NULL;
  for (int step = 0; !__atomic_load_n(&is_over, __ATOMIC_RELAXED); step++) {
    state = state * 6364136223846793005u + 1442695040888963407u;
    size_t slot = (state >> 40) % SLOTS;
    cell *made = tricolor_allocate(mutator, &cell_layout);
    CHECK(made != NULL);
    made->number = state;
    made->check = ~state;
    // Held for some instructions without a safepoint: no blocking region is needed.
    pthread_mutex_lock(&locks[slot]);
    cell *first = slots[slot];
    switch (step % 4) {
      case 0:  // to the front
        link_to(made, first);
        slots[slot] = made;
        break;
      case 1:  // the first cell moves to the own list
        if (first != NULL) {
          slots[slot] = first->next;
          link_to(first, own);
          own = first;
        }
        break;
      case 2:  // the own list goes there, and what was there becomes the own one
        slots[slot] = own;
        own = first;
        break;
      default:  // behind the first
        if (first != NULL) {
          link_to(made, first->next);
          link_to(first, made);
        }
    }
    pthread_mutex_unlock(&locks[slot]);
    if (check_list(own) > 40) own = NULL;
    if (step % 16 == 0) slots[slot] = NULL;
  }
  CHECK(tricolor_thread_detach(mutator) == TRICOLOR_OK);
  return NULL;
}

int main(int count, char **arguments) {
  const size_t references[] = {offsetof(cell, next)};
  CHECK(count == 2);
  tells = strcmp(arguments[1], "briefly") == 0;
  CHECK(tricolor_layout_fixed(&cell_layout, sizeof(cell), references, 1, "cell") == TRICOLOR_OK);
  heap = make_heap("GOGC=20 TRICOLOR_MIN_HEAP=64KiB GODEBUG=clobberfree=1", TRICOLOR_STACKS_CONSERVATIVE,
                   tells ? TRICOLOR_STOP_BRIEFLY : TRICOLOR_STOP_ALWAYS);
  tricolor_mutator *mutator = attach(heap);
  CHECK(tricolor_roots_add(heap, slots, sizeof slots, TRICOLOR_ROOTS_PLAIN) == TRICOLOR_OK);
  for (int i = 0; i < SLOTS; i++) pthread_mutex_init(&locks[i], NULL);
  pthread_t threads[THREADS];
  for (uintptr_t i = 0; i < THREADS; i++) CHECK(pthread_create(&threads[i], NULL, work, (void *)i) == 0);
  for (int i = 0; i < COLLECTIONS; i++) CHECK(tricolor_collect(heap) == TRICOLOR_OK);
  __atomic_store_n(&is_over, 1, __ATOMIC_RELAXED);
  for (int i = 0; i < THREADS; i++) pthread_join(threads[i], NULL);
  for (int i = 0; i < SLOTS; i++) check_list(slots[i]);
  printf("%llu cycles, longest pause %llu ns\n", (unsigned long long)statistic(heap, "cycles"),
         (unsigned long long)statistic(heap, "pause_max_nanoseconds"));
  CHECK(tricolor_roots_remove(heap, slots) == TRICOLOR_OK);
  finish(heap, mutator);
  return 0;
}
