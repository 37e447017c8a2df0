// write-heavy: a program that does little but store references. Every thread has a table of nodes with four slots each; a write lets
// a random slot of a random node refer to another one, and every eighth replaces a node by a new one with the old one's slots. A
// replaced node lives on for as long as slots refer to it, which only a collector can know.
#include <inttypes.h>

#include "allocator.h"
#include "clients.h"
#include "random.h"
#include "workload.h"

enum { NODES, WRITES };
enum { SLOTS = 4, BATCH = 1000 };

struct node {
  struct node *slots[SLOTS];
  uint64_t number, complement;
};

struct client {
  const struct run *run;
  uint64_t index;
  uint64_t count;  // nodes in the table
  struct node **table;
  struct histogram *durations;
};

static struct node **make_table(uint64_t count) {
  struct node **table = make_zeroed(count, sizeof *table);
  for (uint64_t number = 0; number < count; number++) {
    table[number] = make_object(sizeof **table);
    *table[number] = (struct node){.number = number, .complement = ~number};
  }
  for (uint64_t number = 0; number < count; number++) {
    for (unsigned slot = 0; slot < SLOTS; slot++) {
      table[number]->slots[slot] = table[(number * SLOTS + slot + 1) % count];
    }
  }
  return table;
}

static void write_batch(struct node **table, uint64_t count, struct generator *random, uint64_t first, uint64_t end) {
  for (uint64_t number = first; number < end; number++) {
    uint64_t place = random_below(random, count), other = random_below(random, count);
    if (number % 8 == 7) {
      struct node *node = make_object(sizeof *node);
      *node = *table[place];
      node->number = count + number;
      node->complement = ~node->number;
      table[place] = node;
    } else {
      table[place]->slots[number % SLOTS] = table[other];
    }
  }
}

static void write_share(void *argument) {
  struct client *client = argument;
  const struct run *run = client->run;
  struct generator random = generator_for_client(run->seed, client->index);
  uint64_t writes = share_of(run->values[WRITES], client->index, run->threads);
  struct node **table = client->table = make_table(client->count);
  client->durations = make_histogram();
  for (uint64_t done = 0; done < writes;) {
    uint64_t end = done + BATCH < writes ? done + BATCH : writes;
    uint64_t began = monotonic_nanoseconds();
    write_batch(table, client->count, &random, done, end);
    record_duration(client->durations, monotonic_nanoseconds() - began);
    done = end;
  }
}

// Whether every node of the table, and every node that one refers to, holds what it was made with; adds up their numbers.
static bool check_nodes(const struct client *client, uint64_t *sum) {
  bool is_intact = true;
  for (uint64_t place = 0; place < client->count; place++) {
    const struct node *node = client->table[place];
    is_intact = is_intact && node->complement == ~node->number;
    *sum += node->number * 31;
    for (unsigned slot = 0; slot < SLOTS; slot++) {
      const struct node *other = node->slots[slot];
      is_intact = is_intact && other->complement == ~other->number;
      *sum += other->number;
    }
  }
  return is_intact;
}

static void perform(const struct run *run, struct report *report) {
  uint64_t share = run->values[NODES] / run->threads > 0 ? run->values[NODES] / run->threads : 1, check = 0;
  struct client *clients = make_zeroed(run->threads, sizeof *clients);
  for (uint64_t index = 0; index < run->threads; index++) {
    clients[index] = (struct client){.run = run, .index = index, .count = share};
  }
  run_clients(run->threads, clients, sizeof *clients, write_share);
  end_measuring(report);
  report->durations = make_histogram();
  report->verified = true;
  for (uint64_t index = 0; index < run->threads; index++) {
    add_histogram(report->durations, clients[index].durations);
    report->verified = check_nodes(&clients[index], &check) && report->verified;
  }
  report->operations = report->durations->total;
  append(
      &report->result, "\"nodes\":%" PRIu64 ",\"writes\":%" PRIu64 ",\"check\":%" PRIu64 ",", share * run->threads,
      run->values[WRITES], check);
}

const struct workload write_heavy = {
    .name = "write-heavy",
    .summary = "references stored at random into a table of nodes",
    .options =
        {[NODES] = {"nodes", 1, 1 << 30, 500000, "nodes of 48 bytes in the tables of all threads", NULL},
         [WRITES] = {"writes", 1, UINT64_C(1) << 40, 20000000, "stores, over all threads", NULL}},
    .thread_group = 1,
    .most_threads = MOST_THREADS,
    .needs_collector = "replaced nodes stay referred to, and freeing them by hand would need counts",
    .perform = perform,
};
