// cross-thread: allocated here, dropped there. Threads form pairs: a maker builds parcels, linked lists of messages with a payload
// each, and a taker walks them, keeps the last few and drops the oldest; by hand it frees every node and payload. That is the case
// which caches of free memory by thread are worst at. Numbers and payloads follow from a message's place in its pair's stream, so
// the taker knows that it got every parcel, whole and in order. The time of an operation is the maker's, of building a parcel.
#include <inttypes.h>

#include "allocator.h"
#include "clients.h"
#include "parcel-queue.h"
#include "random.h"
#include "workload.h"

enum { PARCELS, MESSAGES, BYTES };
enum { KEPT_PARCELS = 4 };

struct message {
  struct message *next;
  uint64_t number;
  uint8_t *payload;
};

// Those of even index make, the others take.
struct client {
  const struct run *run;
  uint64_t pair;
  struct parcel_queue *queue;
  bool is_maker;
  bool is_intact;
  uint64_t check;
  struct message *kept[KEPT_PARCELS];
  struct histogram *durations;
};

// Each pair numbers its messages in order of making, from where the pair before ends.
static uint64_t first_number(const struct client *client, uint64_t parcel) {
  const uint64_t *values = client->run->values;
  return (client->pair * values[PARCELS] + parcel) * values[MESSAGES];
}

// A list of messages with the numbers from `first` on, the first at its head.
static struct message *build(uint64_t first, uint64_t count, uint64_t bytes) {
  struct message *head = NULL;
  for (uint64_t number = first + count; number-- > first;) {
    uint8_t *payload = make_zeroed_leaf(bytes);
    uint64_t hash = mixed_bits(number);
    memcpy(payload, &hash, sizeof hash);
    struct message *message = make_object(sizeof *message);
    *message = (struct message){head, number, payload};
    head = message;
  }
  return head;
}

// Whether the list is what `build` makes, and the sum of the hashes in its payloads.
static bool walk(const struct message *parcel, uint64_t first, uint64_t count, uint64_t *sum) {
  bool is_intact = true;
  uint64_t number = first;
  for (; parcel != NULL; parcel = parcel->next) {
    uint64_t hash;
    memcpy(&hash, parcel->payload, sizeof hash);
    is_intact = is_intact && parcel->number == number && hash == mixed_bits(number);
    *sum += hash;
    number++;
  }
  return is_intact && number == first + count;
}

static void drop_parcel(struct message *parcel) {
  while (parcel != NULL) {
    struct message *next = parcel->next;
    drop(parcel->payload);
    drop(parcel);
    parcel = next;
  }
}

static void make_parcels(struct client *client) {
  const uint64_t *values = client->run->values;
  client->durations = make_histogram();
  for (uint64_t number = 0; number < values[PARCELS]; number++) {
    uint64_t began = monotonic_nanoseconds();
    struct message *parcel = build(first_number(client, number), values[MESSAGES], values[BYTES]);
    record_duration(client->durations, monotonic_nanoseconds() - began);
    put_parcel(client->queue, parcel);
  }
}

static void take_parcels(struct client *client) {
  const uint64_t *values = client->run->values;
  uint64_t check = 0;
  client->is_intact = true;
  for (uint64_t number = 0; number < values[PARCELS]; number++) {
    struct message *parcel = take_parcel(client->queue);
    client->is_intact = walk(parcel, first_number(client, number), values[MESSAGES], &check) && client->is_intact;
    struct message **place = &client->kept[number % KEPT_PARCELS];
    if (FREES_BY_HAND) drop_parcel(*place);
    *place = parcel;
  }
  client->check = check;
}

static void make_or_take(void *argument) {
  struct client *client = argument;
  if (client->is_maker) {
    make_parcels(client);
  } else {
    take_parcels(client);
  }
}

// Whether the parcels that a taker still keeps are whole.
static bool are_kept_intact(const struct client *taker) {
  uint64_t parcels = taker->run->values[PARCELS], sum = 0;
  bool is_intact = true;
  for (uint64_t number = parcels > KEPT_PARCELS ? parcels - KEPT_PARCELS : 0; number < parcels; number++) {
    const struct message *parcel = taker->kept[number % KEPT_PARCELS];
    is_intact = walk(parcel, first_number(taker, number), taker->run->values[MESSAGES], &sum) && is_intact;
  }
  return is_intact;
}

static void perform(const struct run *run, struct report *report) {
  uint64_t pairs = run->threads / 2, check = 0;
  struct client *clients = make_zeroed(run->threads, sizeof *clients);
  for (uint64_t pair = 0; pair < pairs; pair++) {
    struct parcel_queue *queue = make_queue();
    clients[2 * pair] = (struct client){.run = run, .pair = pair, .queue = queue, .is_maker = true};
    clients[2 * pair + 1] = (struct client){.run = run, .pair = pair, .queue = queue, .is_maker = false};
  }
  run_clients(run->threads, clients, sizeof *clients, make_or_take);
  end_measuring(report);
  report->operations = run->values[PARCELS] * pairs;
  report->durations = make_histogram();
  report->verified = true;
  for (uint64_t pair = 0; pair < pairs; pair++) {
    const struct client *maker = &clients[2 * pair], *taker = &clients[2 * pair + 1];
    add_histogram(report->durations, maker->durations);
    report->verified = report->verified && taker->is_intact && are_kept_intact(taker);
    check += taker->check;
  }
  append(
      &report->result, "\"parcels\":%" PRIu64 ",\"messages\":%" PRIu64 ",\"bytes\":%" PRIu64 ",\"check\":%" PRIu64 ",",
      report->operations, run->values[MESSAGES], run->values[BYTES], check);
}

const struct workload cross_thread = {
    .name = "cross-thread",
    .summary = "lists built on one thread, checked and dropped on another",
    .options =
        {[PARCELS] = {"parcels", 1, 1 << 30, 2000, "parcels built by each pair of threads", NULL},
         [MESSAGES] = {"messages", 1, 1 << 24, 1000, "messages in a parcel", NULL},
         [BYTES] = {"bytes", 8, 1 << 20, 64, "bytes of a message's payload", NULL}},
    .thread_group = 2,
    .most_threads = MOST_THREADS,
    .perform = perform,
};
