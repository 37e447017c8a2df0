// The header in C++, with the heap behind a class: the language's own containers hold root handles.
#include <cstdio>
#include <cstdlib>
#include <tricolor.h>
#include <vector>

namespace {

void check(bool condition, const char *what) {
  if (!condition) {
    std::fprintf(stderr, "failed: %s\n", what);
    std::exit(1);
  }
}

struct Node {
  Node *next;
  long number;
};

class Heap {
 public:
  Heap() { check(tricolor_heap_create(nullptr, &heap) == TRICOLOR_OK, "heap"); }
  ~Heap() { check(tricolor_heap_destroy(heap) == TRICOLOR_OK, "destroy"); }
  tricolor_heap *heap = nullptr;
};

class Thread {
 public:
  explicit Thread(Heap &heap) { check(tricolor_thread_attach(heap.heap, &mutator) == TRICOLOR_OK, "attach"); }
  ~Thread() { check(tricolor_thread_detach(mutator) == TRICOLOR_OK, "detach"); }
  tricolor_mutator *mutator = nullptr;
};

}  // namespace

int main() {
  tricolor_layout layout = {};
  const size_t references[] = {offsetof(Node, next)};
  check(tricolor_layout_fixed(&layout, sizeof(Node), references, 1, "Node") == TRICOLOR_OK, "layout");
  Heap heap;
  Thread thread(heap);
  std::vector<tricolor_root *> roots;
  for (long list = 0; list < 100; list++) {
    Node *first = nullptr;
    for (long i = 0; i < 1000; i++) {
      Node *node = static_cast<Node *>(tricolor_allocate(thread.mutator, &layout));
      check(node != nullptr, "allocate");
      node->next = first;
      node->number = list + i;
      first = node;
    }
    roots.push_back(tricolor_root_create(thread.mutator, first));
  }
  check(tricolor_collect(heap.heap) == TRICOLOR_OK, "collect");
  for (long list = 0; list < 100; list++) {
    long expected = list + 999;
    for (Node *node = static_cast<Node *>(tricolor_root_get(roots[list])); node != nullptr; node = node->next) {
      check(node->number == expected--, "number");
      tricolor_store(&node->next, node->next);
    }
    check(expected == list - 1, "length");
    check(tricolor_root_destroy(heap.heap, roots[list]) == TRICOLOR_OK, "root");
  }
  return 0;
}
