// A weak hash table of ephemeron chains: entries live as long as their keys, also where a value refers to its own key or to another one; several
// ephemerons share a key; dead ones leave their chains; threads fill and search the table at once.
#include "check.h"

#include <pthread.h>

enum { BUCKETS = 256, KEYS = 3000, LONG_CHAIN = 100000, THREADS = 3 };

typedef struct object {
  struct object *other;
  uintptr_t number;
} object;

static tricolor_heap *heap;
static tricolor_layout object_layout;
static void *shared[2];  // the table, and the keys that are kept: root slots

static object *new_object(tricolor_mutator *mutator, uintptr_t number) {
  object *made = tricolor_allocate(mutator, &object_layout);
  CHECK(made != NULL);
  made->number = number;
  return made;
}

static tricolor_ephemeron **bucket(uintptr_t number) {
  return (tricolor_ephemeron **)(void *)&tricolor_references(shared[0])[number % BUCKETS];
}

static void insert(tricolor_mutator *mutator, object *key, object *value) {
  tricolor_ephemeron *made = tricolor_ephemeron_create(mutator, key, value);
  CHECK(made != NULL && made->word == 0);
  made->word = key->number;
  CHECK(tricolor_ephemeron_push(bucket(key->number), made) == TRICOLOR_OK);
}

// How many living entries the table has for a number; checks each.
static unsigned find(uintptr_t number) {
  unsigned found = 0;
  tricolor_ephemeron *entry = tricolor_ephemeron_first(bucket(number));
  for (; entry != NULL; entry = tricolor_ephemeron_next(entry)) {
    object *key = tricolor_ephemeron_key(entry);
    if (entry->word != number || key == NULL) continue;
    object *value = tricolor_ephemeron_value(entry);
    CHECK(key->number == number && (value == NULL || value->number == number + 1));
    found++;
  }
  return found;
}

static unsigned living(void) {
  unsigned count = 0;
  for (uintptr_t i = 0; i < BUCKETS; i++) {
    tricolor_ephemeron *entry = tricolor_ephemeron_first(bucket(i));
    for (; entry != NULL; entry = tricolor_ephemeron_next(entry)) count++;
  }
  return count;
}

static void table(tricolor_mutator *mutator) {
  for (uintptr_t i = 0; i < KEYS; i++) {
    object *key = new_object(mutator, i);
    object *value = new_object(mutator, i + 1);
    tricolor_store(&value->other, key);  // a value that refers to its key keeps nothing alive
    insert(mutator, key, value);
    if (i % 3 == 0) insert(mutator, key, value);  // two of one key
    if (i % 2 == 0) tricolor_store(&tricolor_references(shared[1])[i], key);
  }
  CHECK(tricolor_collect(heap) == TRICOLOR_OK);
  for (uintptr_t i = 0; i < KEYS; i += 2) CHECK(find(i) == (i % 3 == 0 ? 2 : 1));
  // Conservative stacks may keep a few more.
  CHECK(living() >= KEYS * 4 / 6 && living() < KEYS * 4 / 6 + 8);
  tricolor_ephemeron *first = tricolor_ephemeron_first(bucket(0));
  CHECK(tricolor_ephemeron_set_value(first, NULL) == TRICOLOR_OK && tricolor_ephemeron_value(first) == NULL);
  CHECK(tricolor_ephemeron_kill(first) == TRICOLOR_OK && tricolor_ephemeron_key(first) == NULL);
  CHECK(tricolor_ephemeron_set_value(first, shared[0]) == TRICOLOR_OK && tricolor_ephemeron_value(first) == NULL);
  CHECK(tricolor_ephemeron_fill(mutator, first, shared[0], shared[1]) == TRICOLOR_OK && tricolor_ephemeron_value(first) == shared[1]);
  CHECK(tricolor_ephemeron_kill(first) == TRICOLOR_OK);
  for (uintptr_t i = 0; i < KEYS; i++) tricolor_store(&tricolor_references(shared[1])[i], NULL);
  clear_stack();
  CHECK(tricolor_collect(heap) == TRICOLOR_OK);
  CHECK(living() < 8);
}

// Each value is the next one's key: the whole chain lives by its first key, and is found in time linear in its length.
static void long_chain(tricolor_mutator *mutator) {
  object *first = new_object(mutator, 0), *key = first;
  void *all = tricolor_allocate_references(mutator, LONG_CHAIN);
  for (uintptr_t i = 0; i < LONG_CHAIN; i++) {
    object *value = new_object(mutator, i + 1);
    tricolor_store(&tricolor_references(all)[LONG_CHAIN - 1 - i], tricolor_ephemeron_create(mutator, key, value));
    key = value;
  }
  CHECK(tricolor_collect(heap) == TRICOLOR_OK);
  key = first;
  for (uintptr_t i = 0; i < LONG_CHAIN; i++) {
    tricolor_ephemeron *entry = tricolor_references(all)[LONG_CHAIN - 1 - i];
    CHECK(tricolor_ephemeron_key(entry) == key);
    key = tricolor_ephemeron_value(entry);
    CHECK(key->number == i + 1);
  }
}

static void *fill(void *data) {
  tricolor_mutator *mutator = attach(heap);
  uintptr_t start = (uintptr_t)data * KEYS;
  for (uintptr_t i = 0; i < KEYS; i++) {
    object *key = new_object(mutator, start + i);
    insert(mutator, key, new_object(mutator, start + i + 1));
    CHECK(find(start + i) == 1);
    if (i % 500 == 0) CHECK(tricolor_collect(heap) == TRICOLOR_OK);
  }
  CHECK(tricolor_thread_detach(mutator) == TRICOLOR_OK);
  return NULL;
}

static void *fill_all(void *data) {
  pthread_t threads[THREADS];
  for (uintptr_t i = 0; i < THREADS; i++) CHECK(pthread_create(&threads[i], NULL, fill, (void *)i) == 0);
  for (int i = 0; i < THREADS; i++) pthread_join(threads[i], NULL);
  return data;
}

int main(void) {
  const size_t references[] = {offsetof(object, other)};
  CHECK(tricolor_layout_fixed(&object_layout, sizeof(object), references, 1, "object") == TRICOLOR_OK);
  heap = make_heap("TRICOLOR_MIN_HEAP=128KiB", TRICOLOR_STACKS_CONSERVATIVE, TRICOLOR_STOP_NEVER);
  tricolor_mutator *mutator = attach(heap);
  CHECK(tricolor_roots_add(heap, shared, sizeof shared, TRICOLOR_ROOTS_STORED) == TRICOLOR_OK);
  tricolor_store(&shared[0], tricolor_allocate_references(mutator, BUCKETS));
  tricolor_store(&shared[1], tricolor_allocate_references(mutator, KEYS));
  table(mutator);
  long_chain(mutator);
  CHECK(tricolor_blocking_call(mutator, fill_all, NULL, NULL) == TRICOLOR_OK);
  clear_stack();
  CHECK(tricolor_collect(heap) == TRICOLOR_OK);
  CHECK(living() < 16);
  CHECK(tricolor_roots_remove(heap, shared) == TRICOLOR_OK);
  finish(heap, mutator);
  return 0;
}
