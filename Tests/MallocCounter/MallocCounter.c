#include "MallocCounter.h"

#include <errno.h>
#include <stddef.h>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define IS_SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define IS_SANITIZED 1
#endif
#endif

static _Thread_local long calls __attribute__((tls_model("initial-exec")));

long malloc_counter_calls(void) { return calls; }

#ifdef IS_SANITIZED

int malloc_counter_is_on(void) { return 0; }

#else

int malloc_counter_is_on(void) { return 1; }

// The C library's own, under the names it exports for those who stand before it.
void *__libc_malloc(size_t bytes);
void *__libc_calloc(size_t count, size_t bytes);
void *__libc_realloc(void *old, size_t bytes);
void *__libc_memalign(size_t alignment, size_t bytes);

void *malloc(size_t bytes) {
  calls++;
  return __libc_malloc(bytes);
}

void *calloc(size_t count, size_t bytes) {
  calls++;
  return __libc_calloc(count, bytes);
}

void *realloc(void *old, size_t bytes) {
  calls++;
  return __libc_realloc(old, bytes);
}

void *aligned_alloc(size_t alignment, size_t bytes) {
  calls++;
  return __libc_memalign(alignment, bytes);
}

int posix_memalign(void **result, size_t alignment, size_t bytes) {
  calls++;
  void *memory = __libc_memalign(alignment, bytes);
  if (memory == NULL) return ENOMEM;
  *result = memory;
  return 0;
}

#endif
