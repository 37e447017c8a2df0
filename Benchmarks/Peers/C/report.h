// The measuring of a run, and its report: one line of JSON with the keys of `tricolor run --json`, so that a script reads all
// programs alike. Bytes and nanoseconds. Keys that this memory cannot answer are left out.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "histogram.h"
#include "text.h"

struct workload;
struct run;

struct report {
  const struct workload *workload;
  const struct run *run;
  uint64_t began, began_cpu;
  uint64_t nanoseconds, cpu;

  // For the workload to fill in.
  uint64_t operations;
  struct histogram *durations;         // of the timed operations; NULL where none are timed
  double mark_nanoseconds_per_object;  // 0 where it is not measured
  uint64_t forced_cycles;
  bool verified;
  struct text result;  // members such as "depth":18 with a comma behind each
};

uint64_t monotonic_nanoseconds(void);
// User and system time of the whole process.
uint64_t process_cpu_nanoseconds(void);

// Begins to count seconds and CPU.
void begin_measuring(struct report *report, const struct workload *workload, const struct run *run);
// The work is done; what follows is its check.
void end_measuring(struct report *report);

// Writes the report and ends the process: with 1 where the check failed.
__attribute__((noreturn)) void finish(struct report *report);
