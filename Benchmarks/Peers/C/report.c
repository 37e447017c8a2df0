// Clocks, the kernel's account of memory, and the line of JSON.
#include "report.h"

#include <gnu/libc-version.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "allocator.h"
#include "collector.h"
#include "fail.h"
#include "workload.h"

static uint64_t clock_nanoseconds(clockid_t clock) {
  struct timespec now;
  clock_gettime(clock, &now);
  return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

uint64_t monotonic_nanoseconds(void) { return clock_nanoseconds(CLOCK_MONOTONIC); }
uint64_t process_cpu_nanoseconds(void) { return clock_nanoseconds(CLOCK_PROCESS_CPUTIME_ID); }

void begin_measuring(struct report *report, const struct workload *workload, const struct run *run) {
  *report = (struct report){.workload = workload, .run = run};
  report->began_cpu = process_cpu_nanoseconds();
  report->began = monotonic_nanoseconds();
}

void end_measuring(struct report *report) {
  report->nanoseconds = monotonic_nanoseconds() - report->began;
  report->cpu = process_cpu_nanoseconds() - report->began_cpu;
}

// VmHWM, because unlike ru_maxrss it does not remember the process that started this one.
static uint64_t peak_rss(void) {
  FILE *status = fopen("/proc/self/status", "r");
  if (status == NULL) fail(EXIT_INTERNAL, "/proc/self/status cannot be read");
  char line[256];
  uint64_t kibibytes = 0;
  bool found = false;
  while (!found && fgets(line, sizeof line, status) != NULL) {
    found = sscanf(line, "VmHWM: %" SCNu64 " kB", &kibibytes) == 1;
  }
  fclose(status);
  if (!found) fail(EXIT_INTERNAL, "/proc/self/status has no VmHWM");
  return kibibytes * 1024;
}

static void append_durations(struct text *text, const struct histogram *durations) {
  append(
      text,
      "\"operationNanoseconds\":{\"p50\":%" PRIu64 ",\"p99\":%" PRIu64 ",\"p999\":%" PRIu64 ",\"p9999\":%" PRIu64
      ",\"max\":%" PRIu64 "},",
      histogram_at(durations, 0.5), histogram_at(durations, 0.99), histogram_at(durations, 0.999),
      histogram_at(durations, 0.9999), durations->max);
}

static void append_run(struct text *text, const struct report *report) {
  double seconds = (double)report->nanoseconds / 1e9;
  append(
      text,
      "\"workload\":\"%s\",\"seed\":%" PRIu64 ",\"threads\":%" PRIu64 ",\"seconds\":%.9f,\"operations\":%" PRIu64
      ",\"operationsPerSecond\":%.3f,",
      report->workload->name, report->run->seed, report->run->threads, seconds, report->operations,
      seconds > 0 ? (double)report->operations / seconds : 0);
  if (report->durations != NULL) append_durations(text, report->durations);
}

static const char *runtime_version(char *room, size_t size) {
#if defined(MEMORY_MIMALLOC)
  snprintf(room, size, "mimalloc %d.%d.%d", mi_version() / 100, mi_version() / 10 % 10, mi_version() % 10);
#elif defined(MEMORY_BDWGC)
  unsigned version = (unsigned)GC_get_version();
  snprintf(room, size, "bdwgc %u.%u.%u", version >> 16, version >> 8 & 0xff, version & 0xff);
#else
  snprintf(room, size, "glibc %s", gnu_get_libc_version());
#endif
  return room;
}

void finish(struct report *report) {
  char version[64];
  struct text text = {.length = 0};
  append(&text, "{");
  append_run(&text, report);
  append_collector(&text, report->forced_cycles);
  append(&text, "\"processCPUNanoseconds\":%" PRIu64 ",\"peakRSSBytes\":%" PRIu64 ",", report->cpu, peak_rss());
  if (report->mark_nanoseconds_per_object > 0) {
    append(&text, "\"markNanosecondsPerObject\":%.3f,", report->mark_nanoseconds_per_object);
  }
  append(
      &text, "\"verified\":%s,\"result\":{%s\"processors\":%ld,\"runtime\":\"%s\"}}\n",
      report->verified ? "true" : "false", report->result.bytes, sysconf(_SC_NPROCESSORS_ONLN),
      runtime_version(version, sizeof version));
  if (fwrite(text.bytes, 1, text.length, stdout) != text.length || fflush(stdout) != 0) {
    fail(EXIT_INTERNAL, "the report cannot be written");
  }
  if (!report->verified) {
    fail(EXIT_CHECK_FAILED, "%s: the data at the end is not what was stored", report->workload->name);
  }
  exit(0);
}
