// The measuring of a run, and its report: one line of JSON with the keys of `tricolor run --json`, so that a script reads all
// programs alike. Bytes and nanoseconds. Keys that the virtual machine cannot answer are left out.
//
// Of pauses it knows how many there were and how long all together, in milliseconds; no quantiles. ZGC has a bean for its cycles and one
// for its pauses; the other collectors' beans count cycles that are pauses.

import com.sun.management.OperatingSystemMXBean;
import java.io.IOException;
import java.lang.management.GarbageCollectorMXBean;
import java.lang.management.ManagementFactory;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

final class Report {
  private static final List<GarbageCollectorMXBean> COLLECTORS = ManagementFactory.getGarbageCollectorMXBeans();
  private static final OperatingSystemMXBean SYSTEM =
      (OperatingSystemMXBean) ManagementFactory.getOperatingSystemMXBean();

  private final Run run;
  private final long began;
  private final long beganCPU;
  private long nanoseconds;
  private long cpu;

  // For the workload to fill in.
  long operations;
  /** Of the timed operations; null where none are timed. */
  Histogram durations;
  /** Null where it is not measured. */
  Double markNanosecondsPerObject;
  long forcedCycles;
  boolean verified;
  final Map<String, Object> result = new LinkedHashMap<>();

  /** Begins to count seconds and CPU. */
  Report(Run run) {
    this.run = run;
    beganCPU = processCPUNanoseconds();
    began = System.nanoTime();
  }

  /** The work is done; what follows is its check. */
  void endMeasuring() {
    nanoseconds = System.nanoTime() - began;
    cpu = processCPUNanoseconds() - beganCPU;
  }

  /** User and system time of the whole process, the compiler's threads included. */
  static long processCPUNanoseconds() {
    return SYSTEM.getProcessCpuTime();
  }

  /** Collections so far. */
  static long cycles() {
    return COLLECTORS.stream().filter(each -> !each.getName().endsWith("Pauses"))
        .mapToLong(GarbageCollectorMXBean::getCollectionCount).sum();
  }

  /** Writes the report and ends the program: with 1 where the check failed. */
  void printAndExit() {
    System.out.println(Json.text(members()));
    if (verified) System.exit(0);
    throw new Ending(Ending.CHECK_FAILED, run.workload.name() + ": the data at the end is not what was stored");
  }

  private Map<String, Object> members() {
    double seconds = nanoseconds / 1e9;
    Map<String, Object> members = new LinkedHashMap<>();
    members.put("workload", run.workload.name());
    members.put("seed", unsigned(run.seed));
    members.put("threads", run.threads);
    members.put("seconds", seconds);
    members.put("operations", operations);
    members.put("operationsPerSecond", operations / seconds);
    if (durations != null) members.put("operationNanoseconds", quantiles(durations));
    members.put("gcCycles", cycles());
    members.put("forcedCycles", forcedCycles);
    members.put("pauseNanoseconds", pauses());
    members.put("processCPUNanoseconds", cpu);
    members.put("peakRSSBytes", peakRSS());
    if (markNanosecondsPerObject != null) members.put("markNanosecondsPerObject", markNanosecondsPerObject);
    members.put("verified", verified);
    result.put("processors", Runtime.getRuntime().availableProcessors());
    result.put("maxHeapBytes", Runtime.getRuntime().maxMemory());
    result.put("collectors", COLLECTORS.stream().map(GarbageCollectorMXBean::getName).toList());
    result.put("runtime", "Java " + System.getProperty("java.runtime.version"));
    members.put("result", result);
    return members;
  }

  private static Map<String, Object> quantiles(Histogram durations) {
    Map<String, Object> members = new LinkedHashMap<>();
    members.put("p50", durations.at(0.5));
    members.put("p99", durations.at(0.99));
    members.put("p999", durations.at(0.999));
    members.put("p9999", durations.at(0.9999));
    members.put("max", durations.max());
    return members;
  }

  private static Map<String, Object> pauses() {
    List<GarbageCollectorMXBean> beans =
        COLLECTORS.stream().filter(each -> !each.getName().endsWith("Cycles")).toList();
    Map<String, Object> members = new LinkedHashMap<>();
    members.put("count", beans.stream().mapToLong(GarbageCollectorMXBean::getCollectionCount).sum());
    members.put("total", beans.stream().mapToLong(GarbageCollectorMXBean::getCollectionTime).sum() * 1_000_000);
    return members;
  }

  /** A long's bits as JSON shows them: from 0 to 2^64. */
  static Object unsigned(long bits) {
    return new java.math.BigInteger(Long.toUnsignedString(bits));
  }

  /** VmHWM, the largest resident set of the process. */
  private static long peakRSS() {
    try {
      return Files.readAllLines(Path.of("/proc/self/status")).stream().filter(line -> line.startsWith("VmHWM:"))
          .mapToLong(line -> Long.parseLong(line.replaceAll("[^0-9]", "")) * 1024).findFirst()
          .orElseThrow(() -> new Ending(Ending.INTERNAL, "/proc/self/status has no VmHWM"));
    } catch (IOException error) {
      throw new Ending(Ending.INTERNAL, "/proc/self/status cannot be read: " + error.getMessage());
    }
  }
}
