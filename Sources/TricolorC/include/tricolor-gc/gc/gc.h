/* <gc.h> as bdwgc's, over tricolor.h: for programs that were written for the Boehm-Demers-Weiser collector.
 *
 * What is different from a port to tricolor.h: there is one heap, made at the first call; objects are conservative; writable data of the program and
 * of the libraries it has loaded by then are roots; threads attach themselves at their first allocation.
 *
 * WHEN IT STOPS THE PROGRAM. A program that says nothing of its stores is collected with its threads stopped (TRICOLOR_STOP_ALWAYS). One that
 * announces them, by GC_ptr_store_and_dirty or GC_end_stubborn_change, says so as it does to bdwgc, by GC_set_manual_vdb_allowed(1) and
 * GC_enable_incremental(): then it runs on while the collector marks (TRICOLOR_STOP_BRIEFLY).
 *
 * WHAT THREADS MUST DO. bdwgc stops threads by signals; here each comes to a safepoint by itself, by allocating. A thread that waits or
 * computes for long without allocating keeps every cycle from ending, and the heap grows meanwhile. With GC_THREADS, the waiting functions of
 * pthread and sleep are replaced by ones that let the collector answer for the thread; around other waiting use GC_do_blocking.
 *
 * NOT THERE: typed and gcj allocation, debugging allocation, cords, leak detection, toggle references, GC_malloc_many. What has no
 * meaning here does nothing and says so below.
 */
#ifndef TRICOLOR_GC_H
#define TRICOLOR_GC_H

#ifndef _GNU_SOURCE
#error "define _GNU_SOURCE, as pkg-config --cflags tricolor-gc does: the writable data of libraries is found by dl_iterate_phdr"
#endif

#include <errno.h>
#include <link.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <tricolor.h>
#include <unistd.h>

#define GC_VERSION_MAJOR 8
#define GC_VERSION_MINOR 2
#define GC_VERSION_MICRO 0

#ifdef __cplusplus
extern "C" {
#endif

typedef uintptr_t GC_word;
typedef intptr_t GC_signed_word;
typedef uintptr_t GC_hidden_pointer;
typedef void (*GC_finalization_proc)(void *object, void *client_data);
typedef void *(*GC_fn_type)(void *client_data);
typedef void (*GC_warn_proc)(char *message, GC_word argument);
typedef void *(*GC_oom_func)(size_t bytes);
typedef void (*GC_finalizer_notifier_proc)(void);
typedef int (*GC_stop_func)(void);
struct GC_stack_base {
  void *mem_base;
};
typedef void *(*GC_stack_base_func)(struct GC_stack_base *base, void *argument);

#define GC_API static inline
#define GC_CALL
#define GC_CALLBACK

#define GC_SUCCESS 0
#define GC_DUPLICATE 1
#define GC_NO_THREADS 2
#define GC_UNIMPLEMENTED 3
#define GC_NOT_FOUND 4
#define GC_NO_MEMORY 2
#define GC_TIME_UNLIMITED 999999

/* ---- State, one of it in a program ---- */

/* A table from addresses to words; addresses are hidden, so that the table keeps nothing alive. */
typedef struct tricolor_gc_entry {
  GC_hidden_pointer key;
  uintptr_t value;
} tricolor_gc_entry;
typedef struct tricolor_gc_table {
  tricolor_gc_entry *entries;
  size_t count, capacity;
} tricolor_gc_table;

struct tricolor_gc_state {
  pthread_mutex_t lock; /* of the tables; recursive */
  pthread_once_t once;
  tricolor_heap *heap;
  tricolor_layout leaf, words;
  tricolor_gc_table finalizers; /* object to finalizer */
  tricolor_gc_table roots;      /* uncollectable object to its root handle */
  tricolor_gc_table results;    /* thread that has ended to the root handle of its result, or 1 for a detached one */
  GC_warn_proc warn;
  GC_oom_func oom;
  GC_finalizer_notifier_proc notifier;
  int finalize_on_demand, is_disabled, is_incremental, allows_announcements, is_finalizing, java_finalization;
};
__attribute__((weak)) struct tricolor_gc_state tricolor_gc = {
    PTHREAD_RECURSIVE_MUTEX_INITIALIZER_NP, PTHREAD_ONCE_INIT, NULL, {0, 0, 0, 0, NULL}, {0, 0, 0, 0, NULL}, {NULL, 0, 0}, {NULL, 0, 0},
    {NULL, 0, 0}, NULL, NULL, NULL, 0, 0, 0, 0, 0, 0};
__attribute__((weak)) __thread tricolor_mutator *tricolor_gc_mutator;

#define GC_HIDE_POINTER(p) (~(GC_hidden_pointer)(p))
#define GC_REVEAL_POINTER(p) ((void *)GC_HIDE_POINTER(p))

/* ---- Tables: open addressing, hidden 0 is free ---- */

static inline size_t tricolor_gc_place(const tricolor_gc_table *table, GC_hidden_pointer key) {
  size_t place = (size_t)((key >> 3) * 0x9e3779b97f4a7c15u) & (table->capacity - 1);
  while (table->entries[place].key != 0 && table->entries[place].key != key) place = (place + 1) & (table->capacity - 1);
  return place;
}
static inline uintptr_t tricolor_gc_find(const tricolor_gc_table *table, const void *address) {
  return table->capacity == 0 ? 0 : table->entries[tricolor_gc_place(table, GC_HIDE_POINTER(address))].value;
}
static inline int tricolor_gc_put(tricolor_gc_table *table, const void *address, uintptr_t value) {
  if (2 * (table->count + 1) > table->capacity) {
    tricolor_gc_table larger = {NULL, 0, table->capacity == 0 ? 64 : 2 * table->capacity};
    larger.entries = (tricolor_gc_entry *)calloc(larger.capacity, sizeof(tricolor_gc_entry));
    if (larger.entries == NULL) return 0;
    for (size_t i = 0; i < table->capacity; i++) {
      if (table->entries[i].key == 0) continue;
      larger.entries[tricolor_gc_place(&larger, table->entries[i].key)] = table->entries[i];
      larger.count++;
    }
    free(table->entries);
    *table = larger;
  }
  tricolor_gc_entry *entry = &table->entries[tricolor_gc_place(table, GC_HIDE_POINTER(address))];
  if (entry->key == 0) table->count++;
  entry->key = GC_HIDE_POINTER(address);
  entry->value = value;
  return 1;
}
static inline uintptr_t tricolor_gc_remove(tricolor_gc_table *table, const void *address) {
  if (table->capacity == 0) return 0;
  size_t hole = tricolor_gc_place(table, GC_HIDE_POINTER(address));
  uintptr_t value = table->entries[hole].value;
  if (table->entries[hole].key == 0) return 0;
  table->count--;
  table->entries[hole].key = 0;
  table->entries[hole].value = 0;
  /* Those behind it that it kept from their place move up. */
  for (size_t next = (hole + 1) & (table->capacity - 1); table->entries[next].key != 0; next = (next + 1) & (table->capacity - 1)) {
    tricolor_gc_entry entry = table->entries[next];
    table->entries[next].key = 0;
    table->entries[next].value = 0;
    table->entries[tricolor_gc_place(table, entry.key)] = entry;
  }
  return value;
}

/* ---- Beginning ---- */

static inline int tricolor_gc_add_data(struct dl_phdr_info *library, size_t size, void *unused) {
  (void)size, (void)unused;
  if (strstr(library->dlpi_name, "linux-vdso") != NULL || strcasestr(library->dlpi_name, "libtricolor") != NULL) return 0;
  for (int i = 0; i < library->dlpi_phnum; i++) {
    const ElfW(Phdr) *segment = &library->dlpi_phdr[i];
    if (segment->p_type != PT_LOAD || (segment->p_flags & PF_W) == 0) continue;
    uintptr_t start = (library->dlpi_addr + segment->p_vaddr + 7) & ~(uintptr_t)7;
    uintptr_t end = (library->dlpi_addr + segment->p_vaddr + segment->p_memsz) & ~(uintptr_t)7;
    if (end > start) (void)tricolor_roots_add(tricolor_gc.heap, (void *)start, end - start, TRICOLOR_ROOTS_PLAIN);
  }
  return 0;
}
static inline void tricolor_gc_hear(const tricolor_event *event, void *data) {
  (void)data;
  if (event->kind == TRICOLOR_EVENT_FINALIZERS && tricolor_gc.notifier != NULL) tricolor_gc.notifier();
}
static inline void tricolor_gc_begin(void) {
  tricolor_options options = {sizeof options, TRICOLOR_STACKS_CONSERVATIVE, TRICOLOR_STOP_ALWAYS, "TRICOLOR_YOUNG=off"};
  if (tricolor_heap_create(&options, &tricolor_gc.heap) != TRICOLOR_OK || tricolor_layout_leaf(&tricolor_gc.leaf, "GC_malloc_atomic") != TRICOLOR_OK ||
      tricolor_layout_conservative(&tricolor_gc.words, "GC_malloc") != TRICOLOR_OK) {
    fprintf(stderr, "GC_init: no heap\n");
    abort();
  }
  dl_iterate_phdr(tricolor_gc_add_data, NULL);
}
static inline void GC_init(void) { (void)pthread_once(&tricolor_gc.once, tricolor_gc_begin); }
#define GC_INIT() GC_init()
static inline int GC_is_init_called(void) { return tricolor_gc.heap != NULL; }
static inline void GC_deinit(void) {}
static inline unsigned GC_get_version(void) { return GC_VERSION_MAJOR << 16 | GC_VERSION_MINOR << 8 | GC_VERSION_MICRO; }

static __attribute__((noinline, unused)) tricolor_mutator *tricolor_gc_attach(void) {
  GC_init();
  tricolor_gc_mutator = tricolor_thread_mutator(tricolor_gc.heap);
  if (tricolor_gc_mutator == NULL && tricolor_thread_attach(tricolor_gc.heap, &tricolor_gc_mutator) != TRICOLOR_OK) abort();
  return tricolor_gc_mutator;
}
static inline tricolor_mutator *tricolor_gc_self(void) {
  return TRICOLOR_LIKELY(tricolor_gc_mutator != NULL) ? tricolor_gc_mutator : tricolor_gc_attach();
}

/* Takes a lock without keeping a cycle waiting for this thread: its holder may be stopped at a safepoint. */
static inline int tricolor_gc_wait_for(pthread_mutex_t *mutex) {
  tricolor_mutator *self = tricolor_gc_mutator;
  int error = pthread_mutex_trylock(mutex);
  if (error != EBUSY) return error;
  if (self == NULL || tricolor_thread_is_blocking(self)) return pthread_mutex_lock(mutex);
  (void)tricolor_blocking_begin(self);
  error = pthread_mutex_lock(mutex);
  (void)tricolor_blocking_end(self);
  return error;
}

/* ---- Finalizers ---- */

static inline int GC_should_invoke_finalizers(void) {
  /* Whether any are queued is only known by taking one: yes while any are registered. */
  return tricolor_gc.finalizers.count > 0;
}
/* Not inlined: what it leaves in registers would keep the objects. */
static __attribute__((noinline, unused)) int GC_invoke_finalizers(void) {
  tricolor_mutator *self = tricolor_gc_self();
  int count = 0;
  tricolor_finalizer *finalizer;
  while ((finalizer = tricolor_finalizer_take(self)) != NULL) {
    void *object = tricolor_finalizer_object(finalizer);
    void **closure = (void **)tricolor_finalizer_closure(finalizer);
    (void)tricolor_gc_wait_for(&tricolor_gc.lock);
    tricolor_gc_remove(&tricolor_gc.finalizers, object);
    pthread_mutex_unlock(&tricolor_gc.lock);
    ((GC_finalization_proc)closure[0])(object, closure[1]);
    count++;
  }
  return count;
}
static __attribute__((noinline, unused)) void tricolor_gc_register(
    void *object, GC_finalization_proc function, void *data, GC_finalization_proc *old_function, void **old_data, int is_ordered) {
  tricolor_mutator *self = tricolor_gc_self();
  void **closure = NULL;
  tricolor_finalizer *finalizer = NULL;
  if (function != NULL) {
    closure = (void **)tricolor_allocate_conservative(self, 2 * sizeof(void *));
    finalizer = tricolor_finalizer_create(self);
    if (closure == NULL || finalizer == NULL) return;
    closure[0] = (void *)function;
    tricolor_store(&closure[1], data);
  }
  (void)tricolor_gc_wait_for(&tricolor_gc.lock);
  tricolor_finalizer *old = (tricolor_finalizer *)tricolor_gc_remove(&tricolor_gc.finalizers, object);
  void **old_closure = NULL;
  if (old != NULL && tricolor_finalizer_detach(self, old) == TRICOLOR_OK) old_closure = (void **)tricolor_finalizer_closure(old);
  if (old_function != NULL) *old_function = old_closure == NULL ? NULL : (GC_finalization_proc)old_closure[0];
  if (old_data != NULL) *old_data = old_closure == NULL ? NULL : old_closure[1];
  if (finalizer != NULL && tricolor_gc_put(&tricolor_gc.finalizers, object, (uintptr_t)finalizer)) {
    int error = is_ordered && !tricolor_gc.java_finalization
                    ? tricolor_finalizer_attach_ordered(self, finalizer, 0, object, closure)
                    : tricolor_finalizer_attach(self, finalizer, 0, object, closure);
    if (error != TRICOLOR_OK) tricolor_gc_remove(&tricolor_gc.finalizers, object);
  }
  pthread_mutex_unlock(&tricolor_gc.lock);
}
/* Ordered: an object that another one with a finalizer refers to is finalized after that one; objects in cycles never. */
static inline void GC_register_finalizer(
    void *object, GC_finalization_proc function, void *data, GC_finalization_proc *old_function, void **old_data) {
  tricolor_gc_register(object, function, data, old_function, old_data, 1);
}
static inline void GC_register_finalizer_no_order(
    void *object, GC_finalization_proc function, void *data, GC_finalization_proc *old_function, void **old_data) {
  tricolor_gc_register(object, function, data, old_function, old_data, 0);
}
/* As without order: an object that refers to itself is finalized. */
static inline void GC_register_finalizer_ignore_self(
    void *object, GC_finalization_proc function, void *data, GC_finalization_proc *old_function, void **old_data) {
  tricolor_gc_register(object, function, data, old_function, old_data, 0);
}
static inline void GC_register_finalizer_unreachable(
    void *object, GC_finalization_proc function, void *data, GC_finalization_proc *old_function, void **old_data) {
  tricolor_gc_register(object, function, data, old_function, old_data, 0);
}
static inline void GC_set_finalize_on_demand(int is_on) { tricolor_gc.finalize_on_demand = is_on; }
static inline int GC_get_finalize_on_demand(void) { return tricolor_gc.finalize_on_demand; }
static inline void GC_set_java_finalization(int is_on) { tricolor_gc.java_finalization = is_on; }
static inline int GC_get_java_finalization(void) { return tricolor_gc.java_finalization; }
/* Called on the collector's thread: it may wake another one, and no more. */
static inline void GC_set_finalizer_notifier(GC_finalizer_notifier_proc notifier) {
  GC_init();
  tricolor_gc.notifier = notifier;
  (void)tricolor_listener_set(tricolor_gc.heap, notifier == NULL ? NULL : tricolor_gc_hear, NULL);
}
static inline GC_finalizer_notifier_proc GC_get_finalizer_notifier(void) { return tricolor_gc.notifier; }
/* Runs what is queued, unless the program wants to do so itself. In allocation, now and then. */
static inline void tricolor_gc_finalize(void) {
  if (tricolor_gc.finalize_on_demand || tricolor_gc.finalizers.count == 0) return;
  if (__atomic_exchange_n(&tricolor_gc.is_finalizing, 1, __ATOMIC_ACQUIRE)) return;
  (void)GC_invoke_finalizers();
  __atomic_store_n(&tricolor_gc.is_finalizing, 0, __ATOMIC_RELEASE);
}

/* ---- Allocation ---- */

static __attribute__((noinline, unused)) void *tricolor_gc_fail(size_t bytes) {
  return tricolor_gc.oom == NULL ? NULL : tricolor_gc.oom(bytes);
}
static inline void tricolor_gc_now_and_then(void) {
  static __thread unsigned count;
  if (TRICOLOR_UNLIKELY((++count & 1023) == 0)) tricolor_gc_finalize();
}
/* More than any heap has is no wrong argument here. */
#define TRICOLOR_GC_MOST_BYTES ((size_t)1 << 45)
/* Zeroed; one byte more than asked for, so that the address after the last byte keeps the object. */
static inline void *GC_malloc(size_t bytes) {
  tricolor_mutator *self = tricolor_gc_self();
  if (TRICOLOR_UNLIKELY(bytes > TRICOLOR_GC_MOST_BYTES)) return tricolor_gc_fail(bytes);
  tricolor_gc_now_and_then();
  void *made = tricolor_allocate_bytes(self, &tricolor_gc.words, bytes + 1);
  return TRICOLOR_LIKELY(made != NULL) ? made : tricolor_gc_fail(bytes);
}
static inline void *GC_malloc_atomic(size_t bytes) {
  tricolor_mutator *self = tricolor_gc_self();
  if (TRICOLOR_UNLIKELY(bytes > TRICOLOR_GC_MOST_BYTES)) return tricolor_gc_fail(bytes);
  tricolor_gc_now_and_then();
  void *made = tricolor_allocate_bytes(self, &tricolor_gc.leaf, bytes + 1);
  return TRICOLOR_LIKELY(made != NULL) ? made : tricolor_gc_fail(bytes);
}
static inline void *tricolor_gc_keep(void *object) {
  if (object == NULL) return NULL;
  tricolor_root *root = tricolor_root_create(tricolor_gc_self(), object);
  (void)tricolor_gc_wait_for(&tricolor_gc.lock);
  int is_put = tricolor_gc_put(&tricolor_gc.roots, object, (uintptr_t)root);
  pthread_mutex_unlock(&tricolor_gc.lock);
  return is_put ? object : NULL;
}
static inline void *GC_malloc_uncollectable(size_t bytes) { return tricolor_gc_keep(GC_malloc(bytes)); }
static inline void *GC_malloc_atomic_uncollectable(size_t bytes) { return tricolor_gc_keep(GC_malloc_atomic(bytes)); }
static inline void *GC_malloc_ignore_off_page(size_t bytes) { return GC_malloc(bytes); }
static inline void *GC_malloc_atomic_ignore_off_page(size_t bytes) { return GC_malloc_atomic(bytes); }
static inline void *GC_malloc_stubborn(size_t bytes) { return GC_malloc(bytes); }
static inline void *GC_base(void *address) { return tricolor_object_base(address); }
static inline int GC_is_heap_ptr(const void *address) { return tricolor_object_base(address) != NULL; }
/* The bytes that may be used. */
static inline size_t GC_size(const void *object) {
  size_t bytes = tricolor_object_bytes(object);
  return bytes == 0 ? 0 : bytes - 1;
}
/* Objects are reclaimed by the collector; uncollectable ones can be from here on. */
static inline void GC_free(void *object) {
  if (object == NULL || tricolor_gc.roots.count == 0) return;
  (void)tricolor_gc_wait_for(&tricolor_gc.lock);
  tricolor_root *root = (tricolor_root *)tricolor_gc_remove(&tricolor_gc.roots, object);
  pthread_mutex_unlock(&tricolor_gc.lock);
  if (root != NULL) (void)tricolor_root_destroy(tricolor_gc.heap, root);
}
static inline void *GC_realloc(void *object, size_t bytes) {
  if (object == NULL) return GC_malloc(bytes);
  if (bytes == 0) {
    GC_free(object);
    return NULL;
  }
  size_t old_bytes = GC_size(object);
  if (bytes <= old_bytes && bytes >= old_bytes / 2) return object;
  int is_leaf = tricolor_object_is_leaf(object);
  (void)tricolor_gc_wait_for(&tricolor_gc.lock);
  int is_kept = tricolor_gc_find(&tricolor_gc.roots, object) != 0;
  pthread_mutex_unlock(&tricolor_gc.lock);
  void *made = is_leaf ? GC_malloc_atomic(bytes) : GC_malloc(bytes);
  if (made == NULL) return NULL;
  size_t copied = bytes < old_bytes ? bytes : old_bytes;
  if (is_leaf) {
    memcpy(made, object, copied);
  } else {
    (void)tricolor_copy(made, object, copied & ~(size_t)7);
    memcpy((char *)made + (copied & ~(size_t)7), (const char *)object + (copied & ~(size_t)7), copied & 7);
  }
  if (is_kept) {
    made = tricolor_gc_keep(made);
    GC_free(object);
  }
  return made;
}
static inline char *GC_strndup(const char *text, size_t most) {
  size_t length = strnlen(text, most);
  char *made = (char *)GC_malloc_atomic(length + 1);
  if (made == NULL) return NULL;
  memcpy(made, text, length);
  made[length] = 0;
  return made;
}
static inline char *GC_strdup(const char *text) { return text == NULL ? NULL : GC_strndup(text, strlen(text)); }
/* Alignments above 16 are had by asking for more; any address in an object keeps it. */
static inline void *GC_memalign(size_t alignment, size_t bytes) {
  if (alignment <= 16) return GC_malloc(bytes);
  if (bytes + alignment < bytes) return tricolor_gc_fail(bytes);
  uintptr_t made = (uintptr_t)GC_malloc(bytes + alignment);
  return made == 0 ? NULL : (void *)((made + alignment - 1) & ~(uintptr_t)(alignment - 1));
}
static inline int GC_posix_memalign(void **place, size_t alignment, size_t bytes) {
  if (alignment < sizeof(void *) || (alignment & (alignment - 1)) != 0) return EINVAL;
  void *made = GC_memalign(alignment, bytes);
  if (made == NULL) return ENOMEM;
  *place = made;
  return 0;
}
static inline void GC_set_oom_fn(GC_oom_func function) { tricolor_gc.oom = function; }
static inline GC_oom_func GC_get_oom_fn(void) { return tricolor_gc.oom; }

/* ---- Stores ---- */

/* *slot = value, announced. */
static inline void GC_ptr_store_and_dirty(void *slot, const void *value) { (void)tricolor_store(slot, value); }
/* Tells of stores into the object that were made; what was stored must still be held. */
static inline void GC_end_stubborn_change(const void *object) {
  void *base = tricolor_gc.is_incremental ? tricolor_object_base(object) : NULL;
  if (base != NULL) (void)tricolor_stored(base);
}
static inline void GC_change_stubborn(const void *object) { (void)object; }
#define GC_reachable_here(pointer) __asm__ __volatile__("" : : "X"((const void *)(pointer)) : "memory")
static inline void GC_noop1(GC_word word) { GC_reachable_here(word); }
static inline void GC_set_manual_vdb_allowed(int is_on) { tricolor_gc.allows_announcements = is_on; }
static inline int GC_get_manual_vdb_allowed(void) { return tricolor_gc.allows_announcements; }
/* Collects with the program running if it has promised to announce its stores; else changes nothing. */
static inline void GC_enable_incremental(void) {
  GC_init();
  if (!tricolor_gc.allows_announcements) return;
  tricolor_gc.is_incremental = 1;
  (void)tricolor_stop_set(tricolor_gc.heap, TRICOLOR_STOP_BRIEFLY);
}
static inline int GC_is_incremental_mode(void) { return tricolor_gc.is_incremental; }

/* ---- Disappearing links: *link, a hidden pointer, becomes 0 when the object is found unreachable (long: when it is gone) ---- */

static inline int tricolor_gc_link(void **link, const void *object, int is_long) {
  tricolor_mutator *self = tricolor_gc_self();
  if (object == NULL || ((uintptr_t)link & 7) != 0) return GC_UNIMPLEMENTED;
  int error = tricolor_link_add(self, link, GC_base((void *)(uintptr_t)object), is_long);
  return error == TRICOLOR_OK ? GC_SUCCESS : error == TRICOLOR_INVALID_STATE ? GC_DUPLICATE : GC_NO_MEMORY;
}
static inline int GC_general_register_disappearing_link(void **link, const void *object) { return tricolor_gc_link(link, object, 0); }
static inline int GC_register_disappearing_link(void **link) { return tricolor_gc_link(link, GC_base(link), 0); }
static inline int GC_register_long_link(void **link, const void *object) { return tricolor_gc_link(link, object, 1); }
/* 1 when it was registered. */
static inline int GC_unregister_disappearing_link(void **link) {
  GC_init();
  return tricolor_link_remove(tricolor_gc.heap, link) == TRICOLOR_OK;
}
static inline int GC_unregister_long_link(void **link) { return GC_unregister_disappearing_link(link); }

/* ---- Collecting and observing ---- */

static inline void GC_gcollect(void) {
  (void)tricolor_gc_self();
  (void)tricolor_collect(tricolor_gc.heap);
  tricolor_gc_finalize();
}
static inline void GC_gcollect_and_unmap(void) {
  (void)tricolor_gc_self();
  (void)tricolor_release(tricolor_gc.heap, NULL);
  tricolor_gc_finalize();
}
static inline int GC_try_to_collect(GC_stop_func stop) {
  (void)stop; /* not asked: the program runs on, or is stopped for no longer than marking takes */
  GC_gcollect();
  return 1;
}
/* The collector has a thread of its own: there is nothing to push along. */
static inline int GC_collect_a_little(void) {
  (void)tricolor_poll(tricolor_gc_self());
  return 0;
}
static inline void GC_disable(void) {
  GC_init();
  if (__atomic_fetch_add(&tricolor_gc.is_disabled, 1, __ATOMIC_SEQ_CST) == 0) (void)tricolor_setting_set(tricolor_gc.heap, "GOGC", "off");
}
static inline void GC_enable(void) {
  GC_init();
  if (__atomic_sub_fetch(&tricolor_gc.is_disabled, 1, __ATOMIC_SEQ_CST) == 0) (void)tricolor_setting_set(tricolor_gc.heap, "GOGC", "100");
}
static inline int GC_is_disabled(void) { return tricolor_gc.is_disabled > 0; }
static inline size_t tricolor_gc_statistic(const char *name) {
  uint64_t value = 0;
  GC_init();
  (void)tricolor_statistic(tricolor_gc.heap, name, &value);
  return (size_t)value;
}
static inline GC_word GC_get_gc_no(void) { return tricolor_gc_statistic("cycles"); }
static inline size_t GC_get_heap_size(void) { return tricolor_gc_statistic("used_block_bytes") + tricolor_gc_statistic("held_free_bytes"); }
static inline size_t GC_get_free_bytes(void) {
  size_t used = tricolor_gc_statistic("live_bytes"), all = GC_get_heap_size();
  return all > used ? all - used : 0;
}
static inline size_t GC_get_unmapped_bytes(void) { return tricolor_gc_statistic("released_bytes"); }
static inline size_t GC_get_total_bytes(void) { return tricolor_gc_statistic("allocated_bytes"); }
static inline size_t GC_get_bytes_since_gc(void) {
  size_t now = tricolor_gc_statistic("live_bytes"), left = tricolor_gc_statistic("marked_live_bytes");
  return now > left ? now - left : 0;
}
static inline size_t GC_get_memory_use(void) { return tricolor_gc_statistic("live_bytes"); }
/* A limit on the heap alone, at which allocation fails; 0 for none. */
static inline void GC_set_max_heap_size(GC_word bytes) {
  char text[32];
  GC_init();
  snprintf(text, sizeof text, "%lu", (unsigned long)bytes);
  (void)tricolor_setting_set(tricolor_gc.heap, "TRICOLOR_LIMIT_SCOPE", "heap");
  (void)tricolor_setting_set(tricolor_gc.heap, "TRICOLOR_HARD_LIMIT", bytes == 0 ? "off" : text);
}
/* The heap grows by the divisor-th part of what lives before the next cycle, as GOGC says in percent. */
static inline void GC_set_free_space_divisor(GC_word divisor) {
  char text[32];
  GC_init();
  snprintf(text, sizeof text, "%lu", divisor == 0 ? 100 : 100 * 2 / (unsigned long)divisor + 1);
  (void)tricolor_setting_set(tricolor_gc.heap, "GOGC", text);
}
static inline void GC_set_warn_proc(GC_warn_proc warn) { tricolor_gc.warn = warn; }
static inline GC_warn_proc GC_get_warn_proc(void) { return tricolor_gc.warn; }
static inline void GC_ignore_warn_proc(char *message, GC_word argument) { (void)message, (void)argument; }
/* Nothing to do: interior pointers always count, the heap grows as needed, fork is handled by the library, and so on. */
static inline void GC_set_all_interior_pointers(int is_on) { (void)is_on; }
static inline int GC_get_all_interior_pointers(void) { return 1; }
static inline void GC_register_displacement(size_t offset) { (void)offset; }
static inline int GC_expand_hp(size_t bytes) { return bytes < SIZE_MAX; }
static inline void GC_set_full_freq(int frequency) { (void)frequency; }
static inline void GC_set_time_limit(unsigned long milliseconds) { (void)milliseconds; }
static inline void GC_set_dont_expand(int is_on) { (void)is_on; }
static inline void GC_set_dont_precollect(int is_on) { (void)is_on; }
static inline void GC_set_no_dls(int is_on) { (void)is_on; }
static inline void GC_set_find_leak(int is_on) { (void)is_on; }
static inline int GC_get_find_leak(void) { return 0; }
static inline void GC_set_handle_fork(int is_on) { (void)is_on; }
static inline void GC_set_markers_count(unsigned count) { (void)count; }
static inline int GC_get_parallel(void) { return 1; }
static inline void GC_start_mark_threads(void) {}

/* Further roots: written plainly. */
static inline void GC_add_roots(void *low, void *high) {
  GC_init();
  uintptr_t start = ((uintptr_t)low + 7) & ~(uintptr_t)7, end = (uintptr_t)high & ~(uintptr_t)7;
  if (end > start) (void)tricolor_roots_add(tricolor_gc.heap, (void *)start, end - start, TRICOLOR_ROOTS_PLAIN);
}
/* Removes a range that was added with the same beginning. */
static inline void GC_remove_roots(void *low, void *high) {
  (void)high;
  GC_init();
  (void)tricolor_roots_remove(tricolor_gc.heap, (void *)(((uintptr_t)low + 7) & ~(uintptr_t)7));
}

/* ---- Threads ---- */

static inline void GC_allow_register_threads(void) { GC_init(); }
static inline int GC_get_stack_base(struct GC_stack_base *base) {
  base->mem_base = __builtin_frame_address(0);
  return GC_SUCCESS;
}
/* Searched is the whole stack of the thread, whatever the base says. */
static inline int GC_register_my_thread(const struct GC_stack_base *base) {
  (void)base;
  GC_init();
  if (tricolor_thread_mutator(tricolor_gc.heap) != NULL) return GC_DUPLICATE;
  (void)tricolor_gc_attach();
  return GC_SUCCESS;
}
static inline int GC_unregister_my_thread(void) {
  if (tricolor_gc_mutator == NULL) return GC_NOT_FOUND;
  (void)tricolor_thread_detach(tricolor_gc_mutator);
  tricolor_gc_mutator = NULL;
  return GC_SUCCESS;
}
static inline int GC_thread_is_registered(void) {
  GC_init();
  return tricolor_thread_mutator(tricolor_gc.heap) != NULL;
}
static inline void *GC_do_blocking(GC_fn_type function, void *data) {
  void *result = NULL;
  (void)tricolor_blocking_call(tricolor_gc_self(), function, data, &result);
  return result;
}
/* Out of a blocking region for the time of the call, and back. */
static inline void *GC_call_with_gc_active(GC_fn_type function, void *data) {
  tricolor_mutator *self = tricolor_gc_self();
  if (!tricolor_thread_is_blocking(self)) return function(data);
  (void)tricolor_blocking_end(self);
  void *result = function(data);
  (void)tricolor_blocking_begin(self);
  return result;
}
static inline void *GC_call_with_stack_base(GC_stack_base_func function, void *argument) {
  struct GC_stack_base base;
  (void)GC_get_stack_base(&base);
  return function(&base, argument);
}
/* What the function reads of hidden pointers stays as it is meanwhile: it contains no safepoint unless it allocates. */
static inline void *GC_call_with_alloc_lock(GC_fn_type function, void *data) {
  (void)tricolor_gc_wait_for(&tricolor_gc.lock);
  void *result = function(data);
  pthread_mutex_unlock(&tricolor_gc.lock);
  return result;
}
static inline void GC_alloc_lock(void) { (void)tricolor_gc_wait_for(&tricolor_gc.lock); }
static inline void GC_alloc_unlock(void) { pthread_mutex_unlock(&tricolor_gc.lock); }

/* A thread that is attached from its beginning, so that its argument keeps what it refers to. */
struct tricolor_gc_start {
  void *(*function)(void *);
  void *argument;
};
/* What a thread answers is kept until it is joined. */
static inline void tricolor_gc_end_thread(void *result) {
  void *object = tricolor_object_base(result);
  (void)tricolor_gc_wait_for(&tricolor_gc.lock);
  if (tricolor_gc_find(&tricolor_gc.results, (void *)pthread_self()) != 0) {
    tricolor_gc_remove(&tricolor_gc.results, (void *)pthread_self());
  } else if (object != NULL) {
    tricolor_gc_put(&tricolor_gc.results, (void *)pthread_self(), (uintptr_t)tricolor_root_create(tricolor_gc_self(), object));
  }
  pthread_mutex_unlock(&tricolor_gc.lock);
}
static inline void tricolor_gc_forget_result(pthread_t thread) {
  (void)tricolor_gc_wait_for(&tricolor_gc.lock);
  uintptr_t root = tricolor_gc_remove(&tricolor_gc.results, (void *)thread);
  if (root > 1) (void)tricolor_root_destroy(tricolor_gc.heap, (tricolor_root *)root);
  pthread_mutex_unlock(&tricolor_gc.lock);
}
static inline void *tricolor_gc_run(void *data) {
  struct tricolor_gc_start *kept = (struct tricolor_gc_start *)data, start;
  (void)tricolor_gc_attach();
  start = *kept;
  GC_free(kept);
  void *result = start.function(start.argument);
  tricolor_gc_end_thread(result);
  return result;
}
static inline int GC_pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*function)(void *), void *argument) {
  struct tricolor_gc_start *start = (struct tricolor_gc_start *)GC_malloc_uncollectable(sizeof *start);
  if (start == NULL) return EAGAIN;
  start->function = function;
  tricolor_store(&start->argument, argument);
  int error = pthread_create(thread, attributes, tricolor_gc_run, start);
  if (error != 0) GC_free(start);
  return error;
}

/* Waiting, with the collector answering for the thread. */
#define TRICOLOR_GC_WAIT(name, parameters, arguments)                                               \
  static inline int GC_##name parameters {                                                          \
    tricolor_mutator *self = tricolor_gc_mutator;                                                   \
    int region = self != NULL && !tricolor_thread_is_blocking(self) && tricolor_blocking_begin(self) == TRICOLOR_OK; \
    int result = name arguments;                                                                    \
    int saved = errno;                                                                              \
    if (region) (void)tricolor_blocking_end(self);                                                  \
    errno = saved;                                                                                  \
    return result;                                                                                  \
  }
static inline int tricolor_gc_pthread_join(pthread_t thread, void **place) { return pthread_join(thread, place); }
TRICOLOR_GC_WAIT(tricolor_gc_pthread_join, (pthread_t thread, void **place), (thread, place))
static inline int GC_pthread_join(pthread_t thread, void **place) {
  int error = GC_tricolor_gc_pthread_join(thread, place);
  if (error == 0) tricolor_gc_forget_result(thread);
  return error;
}
TRICOLOR_GC_WAIT(pthread_cond_wait, (pthread_cond_t *condition, pthread_mutex_t *mutex), (condition, mutex))
TRICOLOR_GC_WAIT(pthread_cond_timedwait, (pthread_cond_t *condition, pthread_mutex_t *mutex, const struct timespec *time),
                 (condition, mutex, time))
TRICOLOR_GC_WAIT(pthread_barrier_wait, (pthread_barrier_t *barrier), (barrier))
TRICOLOR_GC_WAIT(usleep, (useconds_t microseconds), (microseconds))
TRICOLOR_GC_WAIT(nanosleep, (const struct timespec *time, struct timespec *rest), (time, rest))
static inline unsigned GC_sleep(unsigned seconds) {
  struct timespec time = {(time_t)seconds, 0};
  return GC_nanosleep(&time, NULL) == 0 ? 0 : seconds;
}
static inline int GC_pthread_mutex_lock(pthread_mutex_t *mutex) { return tricolor_gc_wait_for(mutex); }
static inline int GC_pthread_detach(pthread_t thread) {
  (void)tricolor_gc_wait_for(&tricolor_gc.lock);
  if (tricolor_gc_find(&tricolor_gc.results, (void *)thread) == 0) tricolor_gc_put(&tricolor_gc.results, (void *)thread, 1);
  else tricolor_gc_forget_result(thread);
  pthread_mutex_unlock(&tricolor_gc.lock);
  return pthread_detach(thread);
}
static inline __attribute__((noreturn)) void GC_pthread_exit(void *result) {
  if (tricolor_gc_mutator != NULL) tricolor_gc_end_thread(result);
  pthread_exit(result);
}

#if defined(GC_THREADS) && !defined(GC_NO_THREAD_REDIRECTS)
#define pthread_create GC_pthread_create
#define pthread_join GC_pthread_join
#define pthread_detach GC_pthread_detach
#define pthread_exit GC_pthread_exit
#define pthread_cond_wait GC_pthread_cond_wait
#define pthread_cond_timedwait GC_pthread_cond_timedwait
#define pthread_barrier_wait GC_pthread_barrier_wait
#define pthread_mutex_lock GC_pthread_mutex_lock
#define usleep GC_usleep
#define nanosleep GC_nanosleep
#define sleep GC_sleep
#endif

/* ---- The names in capitals ---- */

#define GC_MALLOC(bytes) GC_malloc(bytes)
#define GC_MALLOC_ATOMIC(bytes) GC_malloc_atomic(bytes)
#define GC_MALLOC_UNCOLLECTABLE(bytes) GC_malloc_uncollectable(bytes)
#define GC_MALLOC_ATOMIC_UNCOLLECTABLE(bytes) GC_malloc_atomic_uncollectable(bytes)
#define GC_MALLOC_IGNORE_OFF_PAGE(bytes) GC_malloc_ignore_off_page(bytes)
#define GC_MALLOC_ATOMIC_IGNORE_OFF_PAGE(bytes) GC_malloc_atomic_ignore_off_page(bytes)
#define GC_MALLOC_STUBBORN(bytes) GC_malloc(bytes)
#define GC_REALLOC(object, bytes) GC_realloc(object, bytes)
#define GC_FREE(object) GC_free(object)
#define GC_STRDUP(text) GC_strdup(text)
#define GC_STRNDUP(text, most) GC_strndup(text, most)
#define GC_NEW(type) ((type *)GC_malloc(sizeof(type)))
#define GC_NEW_ATOMIC(type) ((type *)GC_malloc_atomic(sizeof(type)))
#define GC_NEW_UNCOLLECTABLE(type) ((type *)GC_malloc_uncollectable(sizeof(type)))
#define GC_NEW_STUBBORN(type) GC_NEW(type)
#define GC_PTR_STORE_AND_DIRTY(slot, value) GC_ptr_store_and_dirty(slot, value)
#define GC_PTR_STORE(slot, value) GC_ptr_store_and_dirty(slot, value)
#define GC_CHANGE_STUBBORN(object) GC_change_stubborn(object)
#define GC_END_STUBBORN_CHANGE(object) GC_end_stubborn_change(object)
#define GC_REGISTER_FINALIZER(p, f, d, of, od) GC_register_finalizer(p, f, d, of, od)
#define GC_REGISTER_FINALIZER_IGNORE_SELF(p, f, d, of, od) GC_register_finalizer_ignore_self(p, f, d, of, od)
#define GC_REGISTER_FINALIZER_NO_ORDER(p, f, d, of, od) GC_register_finalizer_no_order(p, f, d, of, od)
#define GC_REGISTER_FINALIZER_UNREACHABLE(p, f, d, of, od) GC_register_finalizer_unreachable(p, f, d, of, od)
#define GC_GENERAL_REGISTER_DISAPPEARING_LINK(link, object) GC_general_register_disappearing_link(link, object)
#define GC_REGISTER_LONG_LINK(link, object) GC_register_long_link(link, object)
#define GC_REGISTER_DISPLACEMENT(offset) GC_register_displacement(offset)

#ifdef __cplusplus
}
#endif
#endif
