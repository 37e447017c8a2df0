// Threads that begin and end together.
#include "clients.h"

#include <pthread.h>
#include <string.h>

#include "allocator.h"
#include "fail.h"
#include "workload.h"

struct start {
  void (*body)(void *client);
  void *client;
};

static void *run_client(void *argument) {
  struct start *start = argument;
  start->body(start->client);
  return NULL;
}

void run_clients(uint64_t count, void *clients, size_t size, void (*body)(void *client)) {
  pthread_t threads[MOST_THREADS];
  struct start starts[MOST_THREADS];
  for (uint64_t index = 1; index < count; index++) {
    starts[index] = (struct start){body, (char *)clients + index * size};
    int error = pthread_create(&threads[index], NULL, run_client, &starts[index]);
    if (error != 0) fail(EXIT_INTERNAL, "a thread cannot be made: %s", strerror(error));
  }
  body(clients);
  for (uint64_t index = 1; index < count; index++) pthread_join(threads[index], NULL);
}
