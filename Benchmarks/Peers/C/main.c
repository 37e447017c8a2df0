// The programs of the comparison in C: glibc, mimalloc or bdwgc WORKLOAD --option value ...
#include "collector.h"
#include "options.h"
#include "report.h"
#include "workload.h"

int main(int count, char **arguments) {
  static struct report report;
  struct run run;
  const struct workload *workload = parse_command_line(count, arguments, &run);
  start_collector();
  begin_measuring(&report, workload, &run);
  workload->perform(&run, &report);
  finish(&report);
}
