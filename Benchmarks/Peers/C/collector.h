// The collector behind the memory, where there is one. Without one nothing is reported, and nothing can be forced.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "text.h"

// Before the first object is made.
void start_collector(void);

// Collects now, and waits for the end.
void force_collection(void);

// Cycles so far.
uint64_t collector_cycles(void);

// The report's keys about the collector, with a comma behind each.
void append_collector(struct text *text, uint64_t forced_cycles);
