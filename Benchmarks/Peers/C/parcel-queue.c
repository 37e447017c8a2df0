// Waiting by lock and condition, as in all languages.
#include "parcel-queue.h"

#include <stddef.h>

#include "allocator.h"

struct parcel_queue *make_queue(void) {
  struct parcel_queue *queue = make_zeroed(1, sizeof *queue);
  pthread_mutex_init(&queue->lock, NULL);
  pthread_cond_init(&queue->changed, NULL);
  return queue;
}

void put_parcel(struct parcel_queue *queue, struct message *parcel) {
  pthread_mutex_lock(&queue->lock);
  while (queue->count == QUEUE_CAPACITY) pthread_cond_wait(&queue->changed, &queue->lock);
  queue->parcels[(queue->first + queue->count++) % QUEUE_CAPACITY] = parcel;
  pthread_cond_signal(&queue->changed);
  pthread_mutex_unlock(&queue->lock);
}

struct message *take_parcel(struct parcel_queue *queue) {
  pthread_mutex_lock(&queue->lock);
  while (queue->count == 0) pthread_cond_wait(&queue->changed, &queue->lock);
  struct message *parcel = queue->parcels[queue->first];
  queue->parcels[queue->first] = NULL;
  queue->first = (queue->first + 1) % QUEUE_CAPACITY;
  queue->count--;
  pthread_cond_signal(&queue->changed);
  pthread_mutex_unlock(&queue->lock);
  return parcel;
}
