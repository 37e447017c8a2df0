// The bounded queue between the two threads of a pair.
#pragma once

#include <pthread.h>

enum { QUEUE_CAPACITY = 8 };

struct message;

// A ring. Under the lock: the `count` slots from `first` on hold parcels, the others NULL.
struct parcel_queue {
  pthread_mutex_t lock;
  pthread_cond_t changed;  // only one of the two threads can wait at a time
  unsigned first, count;
  struct message *parcels[QUEUE_CAPACITY];
};

// An empty one.
struct parcel_queue *make_queue(void);

// Adds a parcel, waiting while the queue is full.
void put_parcel(struct parcel_queue *queue, struct message *parcel);

// Takes the oldest parcel, waiting while there is none.
struct message *take_parcel(struct parcel_queue *queue);
