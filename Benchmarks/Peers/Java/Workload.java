// What a workload is: a name, its own options, and a method that does the work, checks its data and says so in the report.

import java.util.List;

interface Workload {
  int MOST_THREADS = 1024;

  String name();

  /** One line for the help. */
  String summary();

  List<Option> options();

  /** Threads that work together: --threads is a multiple of it, and by default one group. */
  default int threadGroup() {
    return 1;
  }

  default int mostThreads() {
    return MOST_THREADS;
  }

  /** Calls Report.endMeasuring between the work and its check. */
  void perform(Run run, Report report);
}
