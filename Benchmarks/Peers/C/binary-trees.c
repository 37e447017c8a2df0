// binary-trees: the Benchmarks Game's allocation test, after its rules: a stretch tree, a long-lived tree, and for every
// second depth from 4 on as many short-lived trees as keep the work per depth the same. A node is two references, 16 bytes.
// By hand a tree is freed node by node once it has been counted: a pool for each tree would not be a test of malloc.
#include <inttypes.h>

#include "allocator.h"
#include "clients.h"
#include "workload.h"

enum { DEPTH };
enum { LEAST_DEPTH = 4 };

struct node {
  struct node *left, *right;
};

static struct node *bottom_up_tree(unsigned depth) {
  struct node *left = depth == 0 ? NULL : bottom_up_tree(depth - 1);
  struct node *right = depth == 0 ? NULL : bottom_up_tree(depth - 1);
  struct node *node = make_object(sizeof *node);
  *node = (struct node){left, right};
  return node;
}

static uint64_t count_nodes(const struct node *tree) {
  if (tree->left == NULL) return 1;
  return 1 + count_nodes(tree->left) + count_nodes(tree->right);
}

static void drop_tree(struct node *tree) {
  if (tree->left != NULL) {
    drop_tree(tree->left);
    drop_tree(tree->right);
  }
  drop(tree);
}

// The nodes of a tree that lives no longer than this.
static uint64_t count_and_drop(struct node *tree) {
  uint64_t count = count_nodes(tree);
  if (FREES_BY_HAND) drop_tree(tree);
  return count;
}

// The nodes of a full tree.
static uint64_t full(unsigned depth) { return (UINT64_C(2) << depth) - 1; }

struct client {
  unsigned depth;
  uint64_t iterations;
  uint64_t check;
};

static void grow_and_count(void *argument) {
  struct client *client = argument;
  uint64_t check = 0;
  for (uint64_t done = 0; done < client->iterations; done++) check += count_and_drop(bottom_up_tree(client->depth));
  client->check = check;
}

// The nodes in all trees of one depth.
static uint64_t trees_of_depth(unsigned depth, uint64_t iterations, uint64_t threads) {
  struct client clients[MOST_THREADS];
  for (uint64_t index = 0; index < threads; index++) {
    clients[index] = (struct client){depth, share_of(iterations, index, threads), 0};
  }
  run_clients(threads, clients, sizeof *clients, grow_and_count);
  uint64_t check = 0;
  for (uint64_t index = 0; index < threads; index++) check += clients[index].check;
  return check;
}

static void perform(const struct run *run, struct report *report) {
  unsigned most = (unsigned)run->values[DEPTH];
  uint64_t stretch = count_and_drop(bottom_up_tree(most + 1));
  struct node *long_lived = bottom_up_tree(most);
  report->operations = 2;
  report->verified = stretch == full(most + 1);
  append(&report->result, "\"depths\":[");
  for (unsigned depth = LEAST_DEPTH; depth <= most; depth += 2) {
    uint64_t iterations = UINT64_C(1) << (most - depth + LEAST_DEPTH);
    uint64_t check = trees_of_depth(depth, iterations, run->threads);
    report->verified = report->verified && check == iterations * full(depth);
    report->operations += iterations;
    append(
        &report->result, "%s{\"depth\":%u,\"iterations\":%" PRIu64 ",\"check\":%" PRIu64 "}",
        depth == LEAST_DEPTH ? "" : ",", depth, iterations, check);
  }
  uint64_t kept = count_nodes(long_lived);
  end_measuring(report);
  report->verified = report->verified && kept == full(most);
  append(
      &report->result, "],\"depth\":%u,\"stretchCheck\":%" PRIu64 ",\"longLivedCheck\":%" PRIu64 ",", most, stretch,
      kept);
}

const struct workload binary_trees = {
    .name = "binary-trees",
    .summary = "millions of short-lived trees beside a long-lived one (Benchmarks Game rules)",
    .options = {[DEPTH] = {"depth", 6, 30, 18, "depth of the long-lived tree", NULL}},
    .thread_group = 1,
    .most_threads = MOST_THREADS,
    .perform = perform,
};
