// How the program ends when it cannot go on: a sentence on standard error, and an exit code.
#pragma once

enum exit_code { EXIT_CHECK_FAILED = 1, EXIT_USAGE = 64, EXIT_INTERNAL = 70 };

// Writes "NAME: sentence" and exits.
__attribute__((noreturn, cold, format(printf, 2, 3))) void fail(enum exit_code code, const char *format, ...);

__attribute__((noreturn, cold)) void out_of_memory(void);
