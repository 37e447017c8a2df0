// Counts the calls of malloc that operations on a heap make once they have warmed up, one line an operation: `NAME CALLS`. Exits 2
// when the build cannot count.

import MallocCounter

guard malloc_counter_is_on() != 0 else { exitUncounted() }
try printCounts()
