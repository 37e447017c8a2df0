// Reads the command line.
#pragma once

#include "workload.h"

// "PROGRAM WORKLOAD --option value --option=value ...": the workload, and in `run` what was asked for. Anything wrong ends
// the process with a usage error; --help with the list of options.
const struct workload *parse_command_line(int count, char **arguments, struct run *run);
