// A map from numbers to messages.
//
// Extendible hashing (Fagin, Nievergelt, Pippenger and Strong, TODS 1979): tables of 1024 slots under a directory that doubles, so
// that no insert pays for rehashing more than one small table; Go's map is made so too. Inside a table linear probing, at most
// 7/8 full, and removal that moves later entries back, so that nothing is left behind for later searches to step over.
//
// Invariants: a table of depth d is referred to by all 2^(D-d) directory slots whose top d bits are its own, D being the
// directory's depth; a slot is empty exactly when its message is NULL; between an entry's home and its slot no slot is empty.
#pragma once

#include <stdint.h>

struct message_map {
  struct map_table **directory;
  unsigned depth;
  uint64_t count;
};

// An empty map. It refers to the memory under test: keep it on a stack.
struct message_map make_message_map(void);

// The message under `key`, NULL where there is none.
const uint8_t *get_message(const struct message_map *map, uint64_t key);

// Puts `message` under `key`, where nothing is yet.
void add_message(struct message_map *map, uint64_t key, uint8_t *message);

// Takes out what is under `key`, and gives it to the caller; NULL where nothing was.
uint8_t *remove_message(struct message_map *map, uint64_t key);
