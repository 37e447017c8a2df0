// Text of bounded length that grows at its end: the report, and the members of its "result".
#pragma once

#include <stddef.h>

struct text {
  char bytes[8192];
  size_t length;
};

// Adds text as printf would write it.
__attribute__((format(printf, 2, 3))) void append(struct text *text, const char *format, ...);
