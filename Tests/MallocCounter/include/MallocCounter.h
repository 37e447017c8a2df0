// malloc and its kin for one program, counted: linked into an executable, these stand before the C library's for the whole process,
// Swift's runtime included. The count is the calling thread's, so that the collector's threads do not disturb it.
#ifndef MALLOC_COUNTER_H
#define MALLOC_COUNTER_H

// Whether calls are counted: not in builds with a sanitizer, which has an allocator of its own.
int malloc_counter_is_on(void);
// Calls of malloc, calloc, realloc, posix_memalign and aligned_alloc that this thread has made.
long malloc_counter_calls(void);

#endif
