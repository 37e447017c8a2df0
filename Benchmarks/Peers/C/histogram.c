// What is done with histograms once nothing is recorded any more.
#include "histogram.h"

#include <stdlib.h>

#include "fail.h"

struct histogram *make_histogram(void) {
  struct histogram *histogram = calloc(1, sizeof *histogram);
  if (histogram == NULL) out_of_memory();
  return histogram;
}

void add_histogram(struct histogram *histogram, const struct histogram *other) {
  for (unsigned bucket = 0; bucket < BUCKETS; bucket++) histogram->counts[bucket] += other->counts[bucket];
  histogram->total += other->total;
  if (other->max > histogram->max) histogram->max = other->max;
}

static uint64_t upper_end(unsigned bucket) {
  if (bucket < 2 * SUB_BUCKETS) return bucket;
  unsigned shift = (bucket >> SUB_BUCKET_BITS) - 1;
  return ((uint64_t)(bucket - (shift << SUB_BUCKET_BITS) + 1) << shift) - 1;
}

uint64_t histogram_at(const struct histogram *histogram, double fraction) {
  double rank = fraction * (double)histogram->total;
  uint64_t seen = 0;
  for (unsigned bucket = 0; bucket < BUCKETS; bucket++) {
    seen += histogram->counts[bucket];
    if (histogram->counts[bucket] > 0 && (double)seen >= rank) {
      uint64_t end = upper_end(bucket);
      return end < histogram->max ? end : histogram->max;
    }
  }
  return 0;
}
