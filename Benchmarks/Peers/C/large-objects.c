// large-objects: buffers of up to some MiB that come and go, as a server makes them for whole responses: few objects, many bytes.
// They come zeroed, and every page is written, so that resident memory is what the buffers are; the check reads the stamp of
// each page. By hand a buffer is freed when it has been checked, before the one that takes its place is made.
#include <inttypes.h>

#include "allocator.h"
#include "clients.h"
#include "random.h"
#include "workload.h"

enum { KEEP, BUFFERS, BYTES };
enum { PAGE = 4096 };

struct buffer {
  uint8_t *bytes;
  uint64_t size;
};

struct client {
  const struct run *run;
  uint64_t index;
  struct buffer *kept;
  uint64_t *stamps;
  bool is_intact;
  struct histogram *durations;
};

static struct buffer make_buffer(uint64_t stamp, uint64_t size) {
  uint8_t *bytes = make_zeroed_leaf(size);
  for (uint64_t offset = 0; offset < size; offset += PAGE) bytes[offset] = (uint8_t)stamp;
  return (struct buffer){bytes, size};
}

// Whether each page begins with the stamp and everything behind it is still zero at the page's end.
static bool is_buffer_intact(struct buffer buffer, uint64_t stamp) {
  for (uint64_t offset = 0; offset < buffer.size; offset += PAGE) {
    uint64_t end = (offset + PAGE < buffer.size ? offset + PAGE : buffer.size) - 1;
    if (buffer.bytes[offset] != (uint8_t)stamp || (end > offset && buffer.bytes[end] != 0)) return false;
  }
  return true;
}

static void make_buffers(void *argument) {
  struct client *client = argument;
  const uint64_t *values = client->run->values;
  uint64_t keep = values[KEEP], buffers = values[BUFFERS], largest = values[BYTES];
  struct generator random = generator_for_client(client->run->seed, client->index);
  struct buffer *kept = client->kept = make_zeroed(keep, sizeof *kept);
  uint64_t *stamps = client->stamps = calloc(keep, sizeof *stamps);
  if (stamps == NULL) out_of_memory();
  client->durations = make_histogram();
  bool is_intact = true;
  for (uint64_t number = 0; number < buffers; number++) {
    uint64_t began = monotonic_nanoseconds();
    uint64_t place = number % keep;
    is_intact = is_intact && is_buffer_intact(kept[place], stamps[place]);
    drop(kept[place].bytes);
    kept[place] = make_buffer(number, 1 + random_below(&random, largest));
    stamps[place] = number;
    record_duration(client->durations, monotonic_nanoseconds() - began);
  }
  client->is_intact = is_intact;
}

static void perform(const struct run *run, struct report *report) {
  uint64_t check = 0;
  struct client *clients = make_zeroed(run->threads, sizeof *clients);
  for (uint64_t index = 0; index < run->threads; index++) clients[index] = (struct client){.run = run, .index = index};
  run_clients(run->threads, clients, sizeof *clients, make_buffers);
  end_measuring(report);
  report->operations = run->values[BUFFERS] * run->threads;
  report->durations = make_histogram();
  report->verified = true;
  for (uint64_t index = 0; index < run->threads; index++) {
    const struct client *client = &clients[index];
    add_histogram(report->durations, client->durations);
    report->verified = report->verified && client->is_intact;
    for (uint64_t place = 0; place < run->values[KEEP]; place++) {
      report->verified = report->verified && is_buffer_intact(client->kept[place], client->stamps[place]);
      check += (place + 1) * (client->stamps[place] * 31 + client->kept[place].size);
    }
  }
  append(
      &report->result, "\"keep\":%" PRIu64 ",\"largestBytes\":%" PRIu64 ",\"check\":%" PRIu64 ",", run->values[KEEP],
      run->values[BYTES], check);
}

const struct workload large_objects = {
    .name = "large-objects",
    .summary = "buffers of up to some MiB that come and go",
    .options =
        {[KEEP] = {"keep", 1, 1 << 20, 16, "buffers that each thread keeps", NULL},
         [BUFFERS] = {"buffers", 1, UINT64_C(1) << 40, 4000, "buffers made by each thread", NULL},
         [BYTES] = {"bytes", 1, UINT64_C(1) << 31, 4 << 20, "the largest buffer; sizes are uniform from 1", NULL}},
    .thread_group = 1,
    .most_threads = MOST_THREADS,
    .perform = perform,
};
