// A program written for bdwgc's interface: allocation of all kinds, static roots, finalizers in order, disappearing links, threads.
//   boehm            says nothing of its stores
//   boehm announced  announces them, and runs while the collector marks
#define GC_THREADS
#include <gc.h>

#define CHECK(condition)                                                      \
  do {                                                                        \
    if (!(condition)) {                                                       \
      fprintf(stderr, "%s:%d: failed: %s\n", __FILE__, __LINE__, #condition); \
      exit(1);                                                                \
    }                                                                         \
  } while (0)

typedef struct cell {
  struct cell *next;
  uintptr_t number;
} cell;

static int announces;
static cell *global_list;      // a static root, written plainly
static char *global_text[10];
static int finalized[8], order[8], finalized_count;

static void set(cell **slot, cell *value) {
  if (announces) {
    GC_PTR_STORE_AND_DIRTY(slot, value);
  } else {
    *slot = value;
  }
}

static cell *cons(cell *next, uintptr_t number) {
  cell *made = GC_NEW(cell);
  CHECK(made != NULL && made->next == NULL && made->number == 0);
  set(&made->next, next);
  made->number = number;
  return made;
}

static uintptr_t length(const cell *list) {
  uintptr_t count = 0;
  for (; list != NULL; list = list->next) CHECK(list->number == count++);
  return count;
}

static cell *make_list(uintptr_t count) {
  cell *list = NULL;
  while (count > 0) list = cons(list, --count);
  return list;
}

static void allocation(void) {
  for (int i = 0; i < 10; i++) {
    char text[16];
    snprintf(text, sizeof text, "text %d", i);
    global_text[i] = GC_STRDUP(text);
  }
  char *hidden_root = GC_MALLOC_UNCOLLECTABLE(100);
  cell **words = (cell **)hidden_root;
  set(&words[0], make_list(100));
  uintptr_t disguised = (uintptr_t)GC_HIDE_POINTER(hidden_root);
  hidden_root = NULL;
  words = NULL;
  global_list = make_list(100000);
  cell **grown = GC_MALLOC(2 * sizeof(cell *));
  set(&grown[1], make_list(10));
  for (size_t count = 4; count <= 4096; count *= 2) grown = GC_REALLOC(grown, count * sizeof(cell *));
  CHECK(length(grown[1]) == 10 && grown[4095] == NULL && GC_size(grown) >= 4096 * sizeof(cell *));
  CHECK(GC_base((char *)grown + 77) == grown && GC_is_heap_ptr(grown) && !GC_is_heap_ptr(&announces));
  for (int i = 0; i < 3; i++) GC_gcollect();
  for (int i = 0; i < 200000; i++) CHECK(GC_MALLOC_ATOMIC((size_t)i % 300) != NULL);
  CHECK(length(global_list) == 100000);
  for (int i = 0; i < 10; i++) CHECK(global_text[i][5] == '0' + i && strlen(global_text[i]) == 6);
  words = GC_REVEAL_POINTER(disguised);
  CHECK(length(words[0]) == 100);
  GC_FREE(words);
  void *aligned = NULL;
  CHECK(GC_posix_memalign(&aligned, 256, 1000) == 0 && ((uintptr_t)aligned & 255) == 0);
  CHECK(GC_posix_memalign(&aligned, 3, 1000) == EINVAL);
  CHECK(GC_MALLOC(SIZE_MAX) == NULL && GC_MALLOC_ATOMIC(SIZE_MAX / 2) == NULL && GC_MALLOC(SIZE_MAX / 4) == NULL);
  CHECK(GC_get_gc_no() >= 3 && GC_get_heap_size() > 1000000 && GC_get_total_bytes() > 2000000);
  GC_disable();
  CHECK(GC_is_disabled());
  GC_enable();
}

static void finalize(void *object, void *data) {
  CHECK(((cell *)object)->number == 77);
  order[finalized_count++] = (int)(intptr_t)data;
  finalized[(intptr_t)data]++;
}

static __attribute__((noinline)) void make_finalizable(void) {
  cell *last = cons(NULL, 77), *middle = cons(last, 77), *first = cons(middle, 77);
  GC_finalization_proc old;
  void *data;
  GC_REGISTER_FINALIZER(last, finalize, (void *)3, NULL, NULL);
  GC_REGISTER_FINALIZER(middle, finalize, (void *)7, NULL, NULL);
  GC_REGISTER_FINALIZER(middle, finalize, (void *)2, &old, &data);
  CHECK(old == finalize && data == (void *)7);
  GC_REGISTER_FINALIZER(first, finalize, (void *)1, NULL, NULL);
  cell *circular = cons(NULL, 77);
  set(&circular->next, circular);
  GC_REGISTER_FINALIZER_NO_ORDER(circular, finalize, (void *)4, NULL, NULL);
  cell *never = cons(NULL, 77);
  set(&never->next, never);
  GC_REGISTER_FINALIZER(never, finalize, (void *)5, NULL, NULL);  // in a cycle, with order
}

static __attribute__((noinline)) void clear_stack(void) {
  volatile char space[16384];
  for (size_t i = 0; i < sizeof space; i++) space[i] = 0;
}

static void finalizers(void) {
  make_finalizable();
  for (int i = 0; i < 8; i++) {
    clear_stack();
    GC_gcollect();
  }
  CHECK(finalized[1] == 1 && finalized[2] == 1 && finalized[3] == 1 && finalized[4] == 1);
  CHECK(finalized[5] == 0 && finalized[7] == 0 && finalized_count == 4);
  int place[8];
  for (int i = 0; i < 4; i++) place[order[i]] = i;
  CHECK(place[1] < place[2] && place[2] < place[3]);
}

static GC_hidden_pointer links[3];

static __attribute__((noinline)) void make_links(cell *kept) {
  cell *dropped = cons(NULL, 1);
  links[0] = GC_HIDE_POINTER(dropped);
  links[1] = GC_HIDE_POINTER(kept);
  links[2] = GC_HIDE_POINTER(dropped);
  CHECK(GC_GENERAL_REGISTER_DISAPPEARING_LINK((void **)&links[0], dropped) == GC_SUCCESS);
  CHECK(GC_GENERAL_REGISTER_DISAPPEARING_LINK((void **)&links[0], dropped) == GC_DUPLICATE);
  CHECK(GC_GENERAL_REGISTER_DISAPPEARING_LINK((void **)&links[1], kept) == GC_SUCCESS);
  CHECK(GC_REGISTER_LONG_LINK((void **)&links[2], dropped) == GC_SUCCESS);
}

static void disappearing(void) {
  cell *kept = cons(NULL, 5);
  make_links(kept);
  for (int i = 0; i < 3; i++) {
    clear_stack();
    GC_gcollect();
  }
  CHECK(links[0] == 0 && links[2] == 0);
  CHECK(GC_REVEAL_POINTER(links[1]) == kept && kept->number == 5);
  CHECK(GC_unregister_disappearing_link((void **)&links[1]) == 1 && GC_unregister_disappearing_link((void **)&links[0]) == 0);
  GC_reachable_here(kept);
}

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static int waiting;

static void *work(void *data) {
  cell *list = data;
  pthread_mutex_lock(&lock);
  waiting++;
  pthread_cond_broadcast(&changed);
  while (waiting < 3) pthread_cond_wait(&changed, &lock);
  pthread_mutex_unlock(&lock);
  for (int round = 0; round < 40; round++) {
    CHECK(length(list) == 1000);
    list = make_list(1000);
    pthread_mutex_lock(&lock);
    cell *other = global_list;  // taken and given by plain stores to a static variable
    global_list = list;
    list = other;
    pthread_mutex_unlock(&lock);
    if (round % 10 == 0) usleep(1000);
    while (length(list) != 1000) list = make_list(1000);
  }
  return list;
}

static void threads(void) {
  pthread_t all[3];
  void *result;
  global_list = make_list(1000);
  for (int i = 0; i < 3; i++) CHECK(pthread_create(&all[i], NULL, work, make_list(1000)) == 0);
  for (int i = 0; i < 4; i++) GC_gcollect();
  for (int i = 0; i < 3; i++) {
    CHECK(pthread_join(all[i], &result) == 0);
    CHECK(length(result) == 1000);
  }
}

int main(int count, char **arguments) {
  announces = count > 1 && strcmp(arguments[1], "announced") == 0;
  GC_INIT();
  if (announces) {
    GC_set_manual_vdb_allowed(1);
    GC_enable_incremental();
    CHECK(GC_is_incremental_mode());
  }
  allocation();
  finalizers();
  disappearing();
  threads();
  printf("%lu cycles\n", (unsigned long)GC_get_gc_no());
  return 0;
}
