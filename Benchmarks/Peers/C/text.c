// Appending, with the bound checked.
#include "text.h"

#include <stdarg.h>
#include <stdio.h>

#include "fail.h"

void append(struct text *text, const char *format, ...) {
  size_t room = sizeof text->bytes - text->length;
  va_list arguments;
  va_start(arguments, format);
  int length = vsnprintf(text->bytes + text->length, room, format, arguments);
  va_end(arguments);
  if (length < 0 || (size_t)length >= room) {
    fail(EXIT_INTERNAL, "the report is longer than %zu bytes", sizeof text->bytes);
  }
  text->length += (size_t)length;
}
