// The memory under test, chosen when the program is built. Every object of a workload comes from here; what only measures (options,
// histograms, shadows) uses calloc, so that it is not part of what is measured.
//
// FREES_BY_HAND says whether the program must free what is dead. Under a collector `drop` does nothing, and code that walks a
// structure only to free it asks FREES_BY_HAND first, so that it costs nothing there.
#pragma once

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "fail.h"

#if defined(MEMORY_GLIBC)

#define MEMORY_NAME "glibc"
enum { FREES_BY_HAND = 1 };
#define MEMORY_MAKE malloc
#define MEMORY_MAKE_ZEROED calloc
#define MEMORY_DROP free

#elif defined(MEMORY_MIMALLOC)

#include <mimalloc.h>
#define MEMORY_NAME "mimalloc"
enum { FREES_BY_HAND = 1 };
#define MEMORY_MAKE mi_malloc
#define MEMORY_MAKE_ZEROED mi_calloc
#define MEMORY_DROP mi_free

#elif defined(MEMORY_BDWGC)

#define GC_THREADS
#include <gc.h>
#define MEMORY_NAME "bdwgc"
enum { FREES_BY_HAND = 0 };

#else
#error "define MEMORY_GLIBC, MEMORY_MIMALLOC or MEMORY_BDWGC"
#endif

static inline void *checked(void *memory) {
  if (__builtin_expect(memory == NULL, 0)) out_of_memory();
  return memory;
}

#if defined(MEMORY_BDWGC)

// An object that may hold references. Its contents are for the caller to write, all of them.
static inline void *make_object(size_t size) { return checked(GC_MALLOC(size)); }

// An array of `count` elements that may hold references, all zero.
static inline void *make_zeroed(size_t count, size_t size) { return checked(GC_MALLOC(count * size)); }

// Bytes without references, not zeroed.
static inline void *make_leaf(size_t size) { return checked(GC_MALLOC_ATOMIC(size)); }

// Bytes without references, all zero. The collector zeroes only what may hold references.
static inline void *make_zeroed_leaf(size_t size) { return memset(make_leaf(size), 0, size); }

// Nothing refers to the object any more.
static inline void drop(void *object) { (void)object; }

#else

static inline void *make_object(size_t size) { return checked(MEMORY_MAKE(size)); }
static inline void *make_zeroed(size_t count, size_t size) { return checked(MEMORY_MAKE_ZEROED(count, size)); }
static inline void *make_leaf(size_t size) { return checked(MEMORY_MAKE(size)); }
static inline void *make_zeroed_leaf(size_t size) { return checked(MEMORY_MAKE_ZEROED(1, size)); }
static inline void drop(void *object) { MEMORY_DROP(object); }

#endif
