// Tables, and the directory over them. The top bits of a key's hash choose the table, the bottom bits the slot.
#include "message-map.h"

#include "allocator.h"
#include "random.h"

enum { SLOTS = 1024, MOST_ENTRIES = SLOTS / 8 * 7 };

struct entry {
  uint64_t key;
  uint8_t *message;
};

struct map_table {
  struct entry *entries;
  unsigned count, depth;
};

// MARK: Slots

static unsigned home(uint64_t hash) { return (unsigned)hash & (SLOTS - 1); }

// The slot of `key`, or the empty one where it would go.
static unsigned find(const struct entry *entries, uint64_t key, uint64_t hash) {
  unsigned slot = home(hash);
  while (entries[slot].message != NULL && entries[slot].key != key) slot = (slot + 1) & (SLOTS - 1);
  return slot;
}

// Empties `slot` and moves back whatever a search would no longer find.
static void empty_slot(struct entry *entries, unsigned slot) {
  unsigned hole = slot;
  for (unsigned next = (slot + 1) & (SLOTS - 1); entries[next].message != NULL; next = (next + 1) & (SLOTS - 1)) {
    unsigned from_home = (next - home(mixed_bits(entries[next].key))) & (SLOTS - 1);
    if (from_home >= ((next - hole) & (SLOTS - 1))) {
      entries[hole] = entries[next];
      hole = next;
    }
  }
  entries[hole].message = NULL;
}

// MARK: Tables

static struct map_table *make_table(unsigned depth) {
  struct map_table *table = make_object(sizeof *table);
  *table = (struct map_table){NULL, 0, depth};
  table->entries = make_zeroed(SLOTS, sizeof *table->entries);
  return table;
}

static void drop_table(struct map_table *table) {
  drop(table->entries);
  drop(table);
}

static void append_entry(struct map_table *table, struct entry entry, uint64_t hash) {
  table->entries[find(table->entries, entry.key, hash)] = entry;
  table->count++;
}

static uint64_t directory_index(uint64_t hash, unsigned depth) { return depth == 0 ? 0 : hash >> (64 - depth); }

static struct map_table *table_of(const struct message_map *map, uint64_t hash) {
  return map->directory[directory_index(hash, map->depth)];
}

static void double_directory(struct message_map *map) {
  struct map_table **old = map->directory;
  uint64_t count = UINT64_C(1) << map->depth;
  struct map_table **new = make_zeroed(2 * count, sizeof *new);
  for (uint64_t index = 0; index < count; index++) new[2 * index] = new[2 * index + 1] = old[index];
  map->directory = new;
  map->depth++;
  drop(old);
}

// Points the directory's slots of `table`, to which `hash` belongs, at the two that take its place.
static void replace_table(
    struct message_map *map, const struct map_table *table, uint64_t hash, struct map_table *low,
    struct map_table *high) {
  uint64_t span = UINT64_C(1) << (map->depth - table->depth);
  uint64_t first = directory_index(hash, map->depth) & ~(span - 1);
  for (uint64_t index = 0; index < span; index++) map->directory[first + index] = index < span / 2 ? low : high;
}

// Replaces a full table, to which `hash` belongs, by two of the next depth.
static void split_table(struct message_map *map, struct map_table *table, uint64_t hash) {
  if (table->depth == map->depth) double_directory(map);
  unsigned depth = table->depth + 1;
  struct map_table *low = make_table(depth), *high = make_table(depth);
  for (unsigned slot = 0; slot < SLOTS; slot++) {
    struct entry entry = table->entries[slot];
    if (entry.message == NULL) continue;
    uint64_t own_hash = mixed_bits(entry.key);
    append_entry((own_hash >> (64 - depth) & 1) == 0 ? low : high, entry, own_hash);
  }
  replace_table(map, table, hash, low, high);
  drop_table(table);
}

// MARK: The map

struct message_map make_message_map(void) {
  struct message_map map = {make_zeroed(1, sizeof *map.directory), 0, 0};
  map.directory[0] = make_table(0);
  return map;
}

const uint8_t *get_message(const struct message_map *map, uint64_t key) {
  uint64_t hash = mixed_bits(key);
  const struct entry *entries = table_of(map, hash)->entries;
  return entries[find(entries, key, hash)].message;
}

void add_message(struct message_map *map, uint64_t key, uint8_t *message) {
  uint64_t hash = mixed_bits(key);
  struct map_table *table = table_of(map, hash);
  while (table->count == MOST_ENTRIES) {
    split_table(map, table, hash);
    table = table_of(map, hash);
  }
  append_entry(table, (struct entry){key, message}, hash);
  map->count++;
}

uint8_t *remove_message(struct message_map *map, uint64_t key) {
  uint64_t hash = mixed_bits(key);
  struct map_table *table = table_of(map, hash);
  unsigned slot = find(table->entries, key, hash);
  uint8_t *message = table->entries[slot].message;
  if (message == NULL) return NULL;
  empty_slot(table->entries, slot);
  table->count--;
  map->count--;
  return message;
}
