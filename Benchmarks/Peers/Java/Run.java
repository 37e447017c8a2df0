// A workload as asked for on the command line.

import java.util.HashMap;
import java.util.Map;

final class Run {
  static final long DEFAULT_SEED = 20_261_123;

  final Workload workload;
  int threads;
  /** All 64 bits. */
  long seed = DEFAULT_SEED;
  private final Map<String, Long> values = new HashMap<>();

  /** With every option at its default. */
  Run(Workload workload) {
    this.workload = workload;
    threads = workload.threadGroup();
    for (Option option : workload.options()) values.put(option.name(), option.fallback());
  }

  void set(String option, long value) {
    values.put(option, value);
  }

  long value(String option) {
    return values.get(option);
  }

  int intValue(String option) {
    return Math.toIntExact(values.get(option));
  }

  /** Of a number of things that all threads have together, those of one; at least 1. */
  int shareOf(String option) {
    return Math.toIntExact(Math.max(1, value(option) / threads));
  }
}
