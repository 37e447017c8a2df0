// What a workload is: a name, its own options, and a function that does the work, checks its data and says so in the report.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "report.h"

enum { MOST_OPTIONS = 4, MOST_THREADS = 1024 };

// An option with whole numbers from `least` to `most`; or, where `choices` is not NULL, with one of those words, whose index
// is the value.
struct option {
  const char *name;
  uint64_t least, most, fallback;
  const char *help;
  const char *const *choices;
};

// A workload as asked for.
struct run {
  uint64_t threads;
  uint64_t seed;
  uint64_t values[MOST_OPTIONS];  // in the order of the workload's options
};

struct workload {
  const char *name;
  const char *summary;
  // Ended by one without a name.
  struct option options[MOST_OPTIONS + 1];
  // Threads that work together: --threads is a multiple of it, and by default one group.
  unsigned thread_group;
  unsigned most_threads;
  // Why the workload cannot be run without a collector; NULL where it can.
  const char *needs_collector;
  // Calls `end_measuring` between the work and its check.
  void (*perform)(const struct run *run, struct report *report);
};

extern const struct workload binary_trees, graph, latency, churn, linked_list, large_objects, cross_thread, write_heavy;
