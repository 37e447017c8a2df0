// latency: the slowest operations of a program that does nothing unusual. A map holds a window of messages; each insert makes a
// message, fills it byte by byte, puts it under its number, and removes (by hand: frees) the one that left the window. Every insert is
// timed, from before the allocation to after the removal.
#include <inttypes.h>

#include "allocator.h"
#include "message-map.h"
#include "workload.h"

enum { WINDOW, INSERTS, BYTES };

static void insert(struct message_map *messages, uint64_t number, uint64_t window, uint64_t bytes) {
  uint8_t *message = make_leaf(bytes);
  for (uint64_t index = 0; index < bytes; index++) message[index] = (uint8_t)number;
  add_message(messages, number, message);
  if (number >= window) drop(remove_message(messages, number - window));
}

// Whether the map holds exactly the last messages and all their bytes.
static bool is_intact(const struct message_map *messages, uint64_t inserts, uint64_t window, uint64_t bytes) {
  uint64_t first = inserts > window ? inserts - window : 0;
  if (messages->count != inserts - first) return false;
  for (uint64_t number = first; number < inserts; number++) {
    const uint8_t *message = get_message(messages, number);
    if (message == NULL) return false;
    for (uint64_t index = 0; index < bytes; index++) {
      if (message[index] != (uint8_t)number) return false;
    }
  }
  return true;
}

static void perform(const struct run *run, struct report *report) {
  uint64_t window = run->values[WINDOW], inserts = run->values[INSERTS], bytes = run->values[BYTES];
  struct message_map messages = make_message_map();
  report->durations = make_histogram();
  for (uint64_t number = 0; number < inserts; number++) {
    uint64_t began = monotonic_nanoseconds();
    insert(&messages, number, window, bytes);
    record_duration(report->durations, monotonic_nanoseconds() - began);
  }
  end_measuring(report);
  report->operations = inserts;
  report->verified = is_intact(&messages, inserts, window, bytes);
  append(&report->result, "\"window\":%" PRIu64 ",\"bytes\":%" PRIu64 ",", window, bytes);
}

const struct workload latency = {
    .name = "latency",
    .summary = "a map with a sliding window of messages; every insert is timed",
    .options =
        {[WINDOW] = {"window", 1, UINT64_C(1) << 32, 200000, "messages that are kept", NULL},
         [INSERTS] = {"inserts", 1, UINT64_C(1) << 40, 2000000, "messages made", NULL},
         [BYTES] = {"bytes", 1, UINT64_C(1) << 30, 1024, "bytes in a message", NULL}},
    .thread_group = 1,
    .most_threads = 1,
    .perform = perform,
};
