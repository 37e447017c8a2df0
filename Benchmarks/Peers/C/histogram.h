// Durations in nanoseconds, counted in buckets of logarithmic width: 128 to a power of two, so that a duration is known to
// within 1/128. Of fixed size; recording allocates nothing.
#pragma once

#include <stdint.h>

enum { SUB_BUCKET_BITS = 7, SUB_BUCKETS = 1 << SUB_BUCKET_BITS, BUCKETS = (64 - SUB_BUCKET_BITS + 1) * SUB_BUCKETS };

struct histogram {
  uint64_t counts[BUCKETS];
  uint64_t total;
  uint64_t max;
};

// An empty one, from calloc.
struct histogram *make_histogram(void);

// Values below SUB_BUCKETS have a bucket each; every later power of two is cut into SUB_BUCKETS.
static inline unsigned bucket_of(uint64_t value) {
  unsigned width = value == 0 ? 0 : 64 - (unsigned)__builtin_clzll(value);
  unsigned shift = width > SUB_BUCKET_BITS + 1 ? width - SUB_BUCKET_BITS - 1 : 0;
  return (shift << SUB_BUCKET_BITS) + (unsigned)(value >> shift);
}

static inline void record_duration(struct histogram *histogram, uint64_t nanoseconds) {
  histogram->counts[bucket_of(nanoseconds)]++;
  histogram->total++;
  if (nanoseconds > histogram->max) histogram->max = nanoseconds;
}

// Counts in `histogram` what `other` has counted.
void add_histogram(struct histogram *histogram, const struct histogram *other);

// The upper end of the bucket that this fraction of all durations reaches; no more than the largest, which is exact. 0 where
// nothing was recorded.
uint64_t histogram_at(const struct histogram *histogram, double fraction);
