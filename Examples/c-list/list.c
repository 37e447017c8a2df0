// The program of docs/c-library.md: ten million nodes, of which a thousand live at a time.
#include <stdio.h>
#include <tricolor.h>

struct node {
  struct node *next;
  long number;
};

int main(void) {
  tricolor_heap *heap;
  tricolor_mutator *mutator;
  tricolor_layout layout;
  const size_t references[] = {offsetof(struct node, next)};
  if (tricolor_heap_create(NULL, &heap) || tricolor_thread_attach(heap, &mutator) ||
      tricolor_layout_fixed(&layout, sizeof(struct node), references, 1, "node")) {
    return 1;  // each has said what was wrong
  }

  struct node *list = NULL;
  for (long i = 0; i < 10000000; i++) {
    struct node *node = tricolor_allocate(mutator, &layout);
    if (node == NULL) return 1;
    node->next = i % 1000 ? list : NULL;  // new: a plain store
    node->number = i;
    list = node;
  }
  tricolor_store(&list->next, NULL);  // not new any more, maybe: an announced one
  tricolor_collect(heap);
  uint64_t live = 0;
  tricolor_statistic(heap, "live_bytes", &live);
  printf("%llu bytes live, the last number is %ld\n", (unsigned long long)live, list->number);
  tricolor_thread_detach(mutator);
  return tricolor_heap_destroy(heap);
}
