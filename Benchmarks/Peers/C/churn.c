// churn: a steady live set under constant replacement. Every client keeps a table of records; each operation makes a record of
// random size and puts it in a random place, where it remembers the one it replaces, but not that one's own predecessor: by hand
// that one is freed here. At the end each record must carry its place's last stamp, kept outside, in every byte.
#include <inttypes.h>

#include "allocator.h"
#include "clients.h"
#include "random.h"
#include "workload.h"

enum { RECORDS, BYTES, OPERATIONS };

struct record {
  uint32_t stamp;
  uint32_t size;  // of the bytes
  struct record *previous;
  uint8_t *bytes;
};

struct client {
  const struct run *run;
  uint64_t index;
  uint64_t share;  // places in the table
  struct record **table;
  uint32_t *stamps;
};

static void drop_record(struct record *record) {
  if (record == NULL) return;
  drop(record->bytes);
  drop(record);
}

static struct record *replacement(struct record *previous, uint32_t stamp, uint32_t size) {
  if (previous != NULL) {
    drop_record(previous->previous);
    previous->previous = NULL;
  }
  uint8_t *bytes = make_leaf(size);
  memset(bytes, (uint8_t)stamp, size);
  struct record *record = make_object(sizeof *record);
  *record = (struct record){stamp, size, previous, bytes};
  return record;
}

static void replace_records(void *argument) {
  struct client *client = argument;
  const struct run *run = client->run;
  struct generator random = generator_for_client(run->seed, client->index);
  uint64_t share = client->share, largest = run->values[BYTES], operations = run->values[OPERATIONS];
  uint64_t quota = operations / run->threads + (client->index < operations % run->threads);
  struct record **table = client->table = make_zeroed(share, sizeof *table);
  uint32_t *stamps = client->stamps = calloc(share, sizeof *stamps);
  if (stamps == NULL) out_of_memory();
  for (uint64_t operation = 0; operation < quota; operation++) {
    uint64_t place = random_below(&random, share);
    uint32_t size = 1 + (uint32_t)random_below(&random, largest);
    table[place] = replacement(table[place], (uint32_t)operation, size);
    stamps[place] = (uint32_t)operation;
  }
}

static bool is_record_intact(const struct record *record, uint32_t stamp) {
  if (record->stamp != stamp) return false;
  for (uint32_t index = 0; index < record->size; index++) {
    if (record->bytes[index] != (uint8_t)stamp) return false;
  }
  return true;
}

// Whether every place holds what was last put there, or nothing where nothing was; and a sum over places that depends on
// every stamp and size.
static bool check_records(const struct client *client, uint64_t *check) {
  bool is_intact = true;
  for (uint64_t place = 0; place < client->share; place++) {
    const struct record *record = client->table[place];
    uint32_t stamp = client->stamps[place];
    is_intact = is_intact && (record == NULL ? stamp == 0 : is_record_intact(record, stamp));
    if (record != NULL) *check += (place + 1) * ((uint64_t)record->stamp * 31 + record->size);
  }
  return is_intact;
}

static void perform(const struct run *run, struct report *report) {
  uint64_t share = run->values[RECORDS] / run->threads > 0 ? run->values[RECORDS] / run->threads : 1, check = 0;
  struct client *clients = make_zeroed(run->threads, sizeof *clients);
  for (uint64_t index = 0; index < run->threads; index++) {
    clients[index] = (struct client){.run = run, .index = index, .share = share};
  }
  run_clients(run->threads, clients, sizeof *clients, replace_records);
  end_measuring(report);
  report->operations = run->values[OPERATIONS];
  report->verified = true;
  for (uint64_t index = 0; index < run->threads; index++) {
    report->verified = check_records(&clients[index], &check) && report->verified;
  }
  append(
      &report->result, "\"records\":%" PRIu64 ",\"largestBytes\":%" PRIu64 ",\"check\":%" PRIu64 ",",
      share * run->threads, run->values[BYTES], check);
}

const struct workload churn = {
    .name = "churn",
    .summary = "records of random size replaced at random: a steady live set, constant allocation",
    .options =
        {[RECORDS] = {"records", 1, 1 << 30, 100000, "records that live, over all threads", NULL},
         [BYTES] = {"bytes", 1, 1 << 20, 512, "the largest payload; sizes are uniform from 1", NULL},
         [OPERATIONS] = {"operations", 1, UINT64_C(1) << 40, 5000000, "replacements, over all threads", NULL}},
    .thread_group = 1,
    .most_threads = MOST_THREADS,
    .perform = perform,
};
