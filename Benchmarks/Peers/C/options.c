// The command line, from tables: workloads by name, their own options, and the two that all have.
#include "options.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "allocator.h"
#include "fail.h"
#include "text.h"

static const struct workload *const workloads[] = {
    &binary_trees, &graph, &latency, &churn, &linked_list, &large_objects, &cross_thread, &write_heavy};
enum { WORKLOADS = sizeof workloads / sizeof *workloads };

static const struct option seed_option = {
    .name = "seed", .least = 0, .most = UINT64_MAX, .fallback = 20261123, .help = "what random numbers begin with"};

static struct option threads_option(const struct workload *workload) {
  return (struct option){
      .name = "threads", .least = workload->thread_group, .most = workload->most_threads,
      .fallback = workload->thread_group, .help = "client threads"};
}

__attribute__((noreturn)) static void refuse_workload(const char *name) {
  struct text names = {.length = 0};
  for (unsigned index = 0; index < WORKLOADS; index++) {
    append(&names, "%s%s", index == 0 ? "" : ", ", workloads[index]->name);
  }
  if (name == NULL) fail(EXIT_USAGE, "name a workload: %s", names.bytes);
  fail(EXIT_USAGE, "there is no workload \"%s\"; use %s", name, names.bytes);
}

static const struct workload *find_workload(const char *name) {
  for (unsigned index = 0; name != NULL && index < WORKLOADS; index++) {
    if (strcmp(workloads[index]->name, name) == 0) return workloads[index];
  }
  refuse_workload(name);
}

// MARK: Values

static void append_allowed(struct text *text, const struct option *option, unsigned group) {
  if (option->choices != NULL) {
    for (unsigned index = 0; option->choices[index] != NULL; index++) {
      append(text, "%s%s", index == 0 ? "" : ", ", option->choices[index]);
    }
  } else if (option->least == option->most) {
    append(text, "%" PRIu64, option->least);
  } else {
    if (group > 1) append(text, "a multiple of %u, ", group);
    append(text, "%" PRIu64 " to %" PRIu64, option->least, option->most);
  }
}

static bool parse_number(const char *text, uint64_t *value) {
  if (!isdigit((unsigned char)*text)) return false;
  char *end;
  errno = 0;
  *value = strtoull(text, &end, 10);
  return errno == 0 && *end == '\0';
}

static bool parse_choice(const char *text, const char *const *choices, uint64_t *value) {
  for (*value = 0; choices[*value] != NULL; ++*value) {
    if (strcmp(choices[*value], text) == 0) return true;
  }
  return false;
}

// The value of `text`, which is a multiple of `group`.
static uint64_t parse_value(const struct option *option, const char *text, unsigned group) {
  uint64_t value;
  bool is_allowed = option->choices != NULL
      ? parse_choice(text, option->choices, &value)
      : parse_number(text, &value) && value >= option->least && value <= option->most && value % group == 0;
  if (is_allowed) return value;
  struct text allowed = {.length = 0};
  append_allowed(&allowed, option, group);
  fail(EXIT_USAGE, "--%s: \"%s\" is not allowed; use %s", option->name, text, allowed.bytes);
}

// MARK: Help

static void print_option(const struct option *option, unsigned group) {
  struct text allowed = {.length = 0};
  append_allowed(&allowed, option, group);
  printf("  --%-10s %s; %s (default: ", option->name, option->help, allowed.bytes);
  if (option->choices != NULL) {
    printf("%s)\n", option->choices[option->fallback]);
  } else {
    printf("%" PRIu64 ")\n", option->fallback);
  }
}

__attribute__((noreturn)) static void print_help(const struct workload *workload) {
  struct option threads = threads_option(workload);
  printf("%s: %s\n", workload->name, workload->summary);
  for (const struct option *option = workload->options; option->name != NULL; option++) print_option(option, 1);
  print_option(&threads, workload->thread_group);
  print_option(&seed_option, 1);
  exit(0);
}

__attribute__((noreturn)) static void print_workloads(void) {
  for (unsigned index = 0; index < WORKLOADS; index++) {
    const char *reason = FREES_BY_HAND ? workloads[index]->needs_collector : NULL;
    printf("  %-14s %s", workloads[index]->name, workloads[index]->summary);
    if (reason != NULL) printf(" (not here: %s)", reason);
    putchar('\n');
  }
  exit(0);
}

// MARK: The command line

// Whether `argument` is the option `name`, and where its value begins if it has one behind "=".
static bool is_option(const char *argument, const char *name, const char **value) {
  size_t length = strlen(name);
  if (strncmp(argument, "--", 2) != 0 || strncmp(argument + 2, name, length) != 0) return false;
  char behind = argument[2 + length];
  *value = behind == '=' ? argument + 3 + length : NULL;
  return behind == '=' || behind == '\0';
}

static void set_defaults(const struct workload *workload, struct run *run) {
  run->threads = workload->thread_group;
  run->seed = seed_option.fallback;
  for (unsigned index = 0; workload->options[index].name != NULL; index++) {
    run->values[index] = workload->options[index].fallback;
  }
}

// The option that `argument` names, where its value goes, and the value's text where it is part of the argument.
static struct option find_option(
    const struct workload *workload, const char *argument, struct run *run, uint64_t **place, const char **value) {
  for (unsigned index = 0; workload->options[index].name != NULL; index++) {
    *place = &run->values[index];
    if (is_option(argument, workload->options[index].name, value)) return workload->options[index];
  }
  *place = &run->threads;
  if (is_option(argument, "threads", value)) return threads_option(workload);
  *place = &run->seed;
  if (is_option(argument, "seed", value)) return seed_option;
  fail(EXIT_USAGE, "%s has no option \"%s\"; %s --help lists its options", workload->name, argument, workload->name);
}

const struct workload *parse_command_line(int count, char **arguments, struct run *run) {
  if (count > 1 && strcmp(arguments[1], "--help") == 0) print_workloads();
  const struct workload *workload = find_workload(count > 1 ? arguments[1] : NULL);
  set_defaults(workload, run);
  for (int index = 2; index < count; index++) {
    if (strcmp(arguments[index], "--help") == 0) print_help(workload);
    uint64_t *place;
    const char *value;
    struct option option = find_option(workload, arguments[index], run, &place, &value);
    if (value == NULL && ++index == count) fail(EXIT_USAGE, "--%s needs a value", option.name);
    *place = parse_value(&option, value != NULL ? value : arguments[index], place == &run->threads ? workload->thread_group : 1);
  }
  if (FREES_BY_HAND && workload->needs_collector != NULL) {
    fail(EXIT_USAGE, "%s cannot be run here: %s", workload->name, workload->needs_collector);
  }
  return workload;
}
