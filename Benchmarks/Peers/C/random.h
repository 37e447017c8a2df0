// The random numbers that every program of the comparison draws: SplitMix64 (Steele, Lea and Flood, "Fast splittable
// pseudorandom number generators", OOPSLA 2014), whose state is a counter and whose output is a mix of it.
#pragma once

#include <stdint.h>

struct generator {
  uint64_t state;
};

// The generator of one client: its stream follows from seed and index.
static inline struct generator generator_for_client(uint64_t seed, uint64_t index) {
  return (struct generator){seed + index * 0xd1b54a32d192ed03};
}

// Any 64 bits.
static inline uint64_t next_random(struct generator *generator) {
  uint64_t mixed = generator->state += 0x9e3779b97f4a7c15;
  mixed = (mixed ^ mixed >> 30) * 0xbf58476d1ce4e5b9;
  mixed = (mixed ^ mixed >> 27) * 0x94d049bb133111eb;
  return mixed ^ mixed >> 31;
}

// A number less than `count`, which is above 0 and below 2^32; uniform but for a bias of count / 2^32.
static inline uint64_t random_below(struct generator *generator, uint64_t count) {
  return (next_random(generator) >> 32) * count >> 32;
}

// The first number of the generator with that seed: every bit of `number` reaches every bit of it.
static inline uint64_t mixed_bits(uint64_t number) {
  struct generator generator = {number};
  return next_random(&generator);
}
