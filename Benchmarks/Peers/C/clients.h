// The client threads of a workload.
#pragma once

#include <stddef.h>
#include <stdint.h>

// Runs `body` once for each of `count` clients, each on a thread of its own, and waits for all. The first is the calling thread:
// a program of one thread has no other.
//
// `clients` is an array of structures of `size` bytes; `body` gets the address of its own.
void run_clients(uint64_t count, void *clients, size_t size, void (*body)(void *client));

// How much of `total` client `index` does, where all do the same but for what division leaves.
static inline uint64_t share_of(uint64_t total, uint64_t index, uint64_t count) {
  return total * (index + 1) / count - total * index / count;
}
