// The library opened by dlopen in a program that was not linked with it and has threads already: the thread-local state still has its place, in
// old threads too. The functions are found by name, and what is inline in the header is not used.
#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#define TRICOLOR_DECLARATIONS_ONLY
#include <tricolor.h>

#define CHECK(condition) ((condition) ? (void)0 : (fprintf(stderr, "line %d: failed: %s\n", __LINE__, #condition), exit(1)))

static void *library;
static tricolor_heap *heap;
static pthread_barrier_t opened;

static void *use(void *data) {
  pthread_barrier_wait(&opened);
  int (*attach)(tricolor_heap *, tricolor_mutator **) = (int (*)(tricolor_heap *, tricolor_mutator **))dlsym(library, "tricolor_thread_attach");
  int (*detach)(tricolor_mutator *) = (int (*)(tricolor_mutator *))dlsym(library, "tricolor_thread_detach");
  void *(*allocate)(tricolor_mutator *, size_t) = (void *(*)(tricolor_mutator *, size_t))dlsym(library, "tricolor_allocate_references");
  CHECK(attach != NULL && detach != NULL && allocate != NULL);
  tricolor_mutator *mutator = NULL;
  CHECK(attach(heap, &mutator) == TRICOLOR_OK);
  for (int i = 0; i < 100000; i++) CHECK(allocate(mutator, (size_t)(i % 9)) != NULL);
  CHECK(detach(mutator) == TRICOLOR_OK);
  return data;
}

int main(int count, char **arguments) {
  CHECK(count == 2);
  pthread_t threads[2];
  pthread_barrier_init(&opened, NULL, 3);
  for (int i = 0; i < 2; i++) CHECK(pthread_create(&threads[i], NULL, use, NULL) == 0);
  library = dlopen(arguments[1], RTLD_NOW | RTLD_LOCAL);
  if (library == NULL) fprintf(stderr, "%s\n", dlerror());
  CHECK(library != NULL);
  int (*create)(const tricolor_options *, tricolor_heap **) = (int (*)(const tricolor_options *, tricolor_heap **))dlsym(library, "tricolor_heap_create");
  int (*destroy)(tricolor_heap *) = (int (*)(tricolor_heap *))dlsym(library, "tricolor_heap_destroy");
  CHECK(create != NULL && destroy != NULL && create(NULL, &heap) == TRICOLOR_OK);
  pthread_barrier_wait(&opened);
  for (int i = 0; i < 2; i++) pthread_join(threads[i], NULL);
  CHECK(destroy(heap) == TRICOLOR_OK);
  return 0;
}
