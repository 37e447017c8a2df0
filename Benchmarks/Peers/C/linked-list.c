// linked-list: the shape that marks worst, for a list has one path through it. Each operation builds a new list while the last one is
// alive, then walks the old one and drops it: by hand, node by node.
#include <inttypes.h>

#include "allocator.h"
#include "clients.h"
#include "workload.h"

enum { NODES, LISTS };

struct node {
  struct node *next;
  uint64_t value;
};

struct client {
  const struct run *run;
  struct node *last;
  bool is_intact;
  struct histogram *durations;
};

// A list of the values `first` ..< `first` + `count`, the largest at its head.
static struct node *build(uint64_t first, uint64_t count) {
  struct node *head = NULL;
  for (uint64_t value = first; value < first + count; value++) {
    struct node *node = make_object(sizeof *node);
    *node = (struct node){head, value};
    head = node;
  }
  return head;
}

static uint64_t sum(const struct node *list) {
  uint64_t result = 0;
  for (; list != NULL; list = list->next) result += list->value;
  return result;
}

static uint64_t expected_sum(uint64_t first, uint64_t count) { return count * first + count * (count - 1) / 2; }

static void drop_list(struct node *list) {
  while (list != NULL) {
    struct node *next = list->next;
    drop(list);
    list = next;
  }
}

static void build_lists(void *argument) {
  struct client *client = argument;
  uint64_t count = client->run->values[NODES], lists = client->run->values[LISTS];
  struct node *last = build(0, count);
  bool is_intact = true;
  client->durations = make_histogram();
  for (uint64_t number = 1; number <= lists; number++) {
    uint64_t began = monotonic_nanoseconds();
    struct node *next = build(number, count);
    is_intact = is_intact && sum(last) == expected_sum(number - 1, count);
    if (FREES_BY_HAND) drop_list(last);
    last = next;
    record_duration(client->durations, monotonic_nanoseconds() - began);
  }
  client->last = last;
  client->is_intact = is_intact;
}

static void perform(const struct run *run, struct report *report) {
  uint64_t count = run->values[NODES], lists = run->values[LISTS];
  struct client *clients = make_zeroed(run->threads, sizeof *clients);
  for (uint64_t index = 0; index < run->threads; index++) clients[index].run = run;
  run_clients(run->threads, clients, sizeof *clients, build_lists);
  end_measuring(report);
  report->operations = lists * run->threads;
  report->durations = make_histogram();
  report->verified = true;
  for (uint64_t index = 0; index < run->threads; index++) {
    add_histogram(report->durations, clients[index].durations);
    report->verified =
        report->verified && clients[index].is_intact && sum(clients[index].last) == expected_sum(lists, count);
  }
  append(&report->result, "\"nodes\":%" PRIu64 ",\"lists\":%" PRIu64 ",", count, report->operations);
}

const struct workload linked_list = {
    .name = "linked-list",
    .summary = "long singly linked lists: marking without parallelism or prefetch",
    .options =
        {[NODES] = {"nodes", 1, UINT64_C(1) << 32, 1000000, "nodes in a list, 16 bytes each", NULL},
         [LISTS] = {"lists", 1, UINT64_C(1) << 32, 20, "lists built, by each thread", NULL}},
    .thread_group = 1,
    .most_threads = MOST_THREADS,
    .perform = perform,
};
