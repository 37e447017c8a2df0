// GCBench (Ellis, Kovac, Boehm): trees built top down and bottom up of several depths, beside a long-lived tree and a long-lived
// array of doubles. Every tree is counted.
#include "check.h"

enum { LONG_LIVED_DEPTH = 14, ARRAY_SIZE = 100000, MIN_DEPTH = 4, MAX_DEPTH = 14 };

typedef struct node {
  struct node *left, *right;
  int i, j;
} node;

static tricolor_layout node_layout, leaf_layout;

static long tree_size(int depth) { return (1L << (depth + 1)) - 1; }
static long iterations(int depth) { return 2 * tree_size(MAX_DEPTH) / tree_size(depth); }

static node *new_node(tricolor_mutator *mutator) {
  node *made = tricolor_allocate(mutator, &node_layout);
  CHECK(made != NULL);
  return made;
}

static void populate(tricolor_mutator *mutator, int depth, node *parent) {
  if (depth <= 0) return;
  node *left = new_node(mutator);
  tricolor_storing(&parent->left, left);
  parent->left = left;
  tricolor_store(&parent->right, new_node(mutator));
  populate(mutator, depth - 1, parent->left);
  populate(mutator, depth - 1, parent->right);
}

static node *make_tree(tricolor_mutator *mutator, int depth) {
  if (depth <= 0) return new_node(mutator);
  node *left = make_tree(mutator, depth - 1);
  node *right = make_tree(mutator, depth - 1);
  node *made = new_node(mutator);
  made->left = left;  // new: plain stores
  made->right = right;
  return made;
}

static long count(const node *tree) { return tree == NULL ? 0 : 1 + count(tree->left) + count(tree->right); }

int main(void) {
  const size_t references[] = {offsetof(node, left), offsetof(node, right)};
  CHECK(tricolor_layout_fixed(&node_layout, sizeof(node), references, 2, "node") == TRICOLOR_OK);
  CHECK(tricolor_layout_leaf(&leaf_layout, "doubles") == TRICOLOR_OK);
  tricolor_heap *heap = make_heap(NULL, TRICOLOR_STACKS_CONSERVATIVE, TRICOLOR_STOP_NEVER);
  tricolor_mutator *mutator = attach(heap);

  CHECK(count(make_tree(mutator, MAX_DEPTH + 1)) == tree_size(MAX_DEPTH + 1));
  node *long_lived = new_node(mutator);
  populate(mutator, LONG_LIVED_DEPTH, long_lived);
  double *array = tricolor_allocate_bytes(mutator, &leaf_layout, ARRAY_SIZE * sizeof(double));
  for (int i = 0; i < ARRAY_SIZE / 2; i++) array[i] = 1.0 / (i + 1);

  for (int depth = MIN_DEPTH; depth <= MAX_DEPTH; depth += 2) {
    for (long i = 0; i < iterations(depth); i++) {
      node *tree = new_node(mutator);
      populate(mutator, depth, tree);
      CHECK(count(tree) == tree_size(depth));
      CHECK(count(make_tree(mutator, depth)) == tree_size(depth));
    }
  }
  CHECK(count(long_lived) == tree_size(LONG_LIVED_DEPTH));
  CHECK(array[1000] == 1.0 / 1001);
  CHECK(statistic(heap, "cycles") > 0);
  printf("%llu cycles, longest pause %llu ns\n", (unsigned long long)statistic(heap, "cycles"),
         (unsigned long long)statistic(heap, "pause_max_nanoseconds"));
  finish(heap, mutator);
  return 0;
}
