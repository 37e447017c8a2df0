// graph: marking alone. N nodes of 32 bytes (two references, two words) stay alive, all of them also held by one array, while the
// collector is forced to run C times. In the sequential shape node i refers to i+1 and i+2 (around the end), in the random shape
// to two uniformly random nodes. The time of marking is the process's CPU per node and cycle: it does not depend on how many
// threads marked.
#include <inttypes.h>

#include "allocator.h"
#include "collector.h"
#include "random.h"
#include "workload.h"

enum { NODES, CYCLES, SHAPE };
enum { RANDOM_SHAPE, SEQUENTIAL_SHAPE };
static const char *const shapes[] = {[RANDOM_SHAPE] = "random", [SEQUENTIAL_SHAPE] = "sequential", NULL};

struct node {
  struct node *left, *right;
  uint64_t a, b;
};

static struct node **make_nodes(uint64_t count) {
  struct node **all = make_zeroed(count, sizeof *all);
  for (uint64_t index = 0; index < count; index++) {
    all[index] = make_object(sizeof **all);
    *all[index] = (struct node){NULL, NULL, index, ~index};
  }
  return all;
}

static void link_at_random(struct node **all, uint64_t count, uint64_t seed) {
  struct generator generator = {seed};
  for (uint64_t index = 0; index < count; index++) {
    all[index]->left = all[next_random(&generator) % count];
    all[index]->right = all[next_random(&generator) % count];
  }
}

static void link_in_sequence(struct node **all, uint64_t count) {
  for (uint64_t index = 0; index < count; index++) {
    all[index]->left = all[(index + 1) % count];
    all[index]->right = all[(index + 2) % count];
  }
}

struct check {
  uint64_t sum;
  bool is_intact;
};

// Walks every node and both of its references: all must still hold the two words they were made with. The sum depends on
// which nodes are referred to.
static struct check check_nodes(struct node **all, uint64_t count) {
  struct check check = {0, true};
  for (uint64_t index = 0; index < count; index++) {
    const struct node *node = all[index], *left = node->left, *right = node->right;
    check.is_intact =
        check.is_intact && node->a == index && node->b == ~node->a && left->b == ~left->a && right->b == ~right->a;
    check.sum += left->a ^ right->a << 1;
  }
  return check;
}

static void perform(const struct run *run, struct report *report) {
  uint64_t count = run->values[NODES], cycles = run->values[CYCLES];
  struct node **all = make_nodes(count);
  if (run->values[SHAPE] == RANDOM_SHAPE) {
    link_at_random(all, count, run->seed);
  } else {
    link_in_sequence(all, count);
  }
  struct check before = check_nodes(all, count);

  uint64_t began = monotonic_nanoseconds(), began_cpu = process_cpu_nanoseconds(), began_cycles = collector_cycles();
  for (uint64_t cycle = 0; cycle < cycles; cycle++) force_collection();
  uint64_t nanoseconds = monotonic_nanoseconds() - began, cpu = process_cpu_nanoseconds() - began_cpu;
  report->forced_cycles = collector_cycles() - began_cycles;
  end_measuring(report);

  struct check after = check_nodes(all, count);
  report->operations = cycles;
  report->verified = after.is_intact && before.is_intact && before.sum == after.sum;
  report->mark_nanoseconds_per_object = (double)cpu / (double)count / (double)cycles;
  append(
      &report->result,
      "\"nodes\":%" PRIu64 ",\"shape\":\"%s\",\"cycles\":%" PRIu64 ",\"check\":%" PRIu64
      ",\"cycleSeconds\":%.9f,\"cycleCPUNanoseconds\":%" PRIu64 ",",
      count, shapes[run->values[SHAPE]], cycles, after.sum, (double)nanoseconds / 1e9, cpu);
}

const struct workload graph = {
    .name = "graph",
    .summary = "a large live graph, collected again and again: marking alone",
    .options =
        {[NODES] = {"nodes", 1, UINT64_C(1) << 32, 4000000, "nodes of 32 bytes", NULL},
         [CYCLES] = {"cycles", 1, 1000000, 10, "forced collections", NULL},
         [SHAPE] = {"shape", 0, 0, RANDOM_SHAPE, "what nodes refer to: two random ones, or the next two", shapes}},
    .thread_group = 1,
    .most_threads = 1,
    .needs_collector = "where memory is freed by hand nothing marks",
    .perform = perform,
};
