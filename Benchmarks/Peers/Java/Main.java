// The programs of the comparison in Java: java FLAGS -cp FOLDER Main WORKLOAD --option value ...
//
// The flags choose the collector (-XX:+UseG1GC, -XX:+UseParallelGC, -XX:+UseZGC) and the size of its heap (-Xmx).

import java.util.List;

final class Main {
  private static final List<Workload> WORKLOADS = List.of(
      new BinaryTrees(), new Graph(), new Latency(), new Churn(), new LinkedLists(), new LargeObjects(),
      new CrossThread(), new WriteHeavy());

  public static void main(String[] arguments) {
    try {
      Run run = CommandLine.parse(arguments, WORKLOADS);
      Report report = new Report(run);
      run.workload.perform(run, report);
      report.printAndExit();
    } catch (RuntimeException | OutOfMemoryError error) {
      endBy(error);
    }
  }

  /** Says what went wrong and ends the program, whichever thread it happened to. */
  static void endBy(Throwable error) {
    int code = error instanceof Ending ending ? ending.exitCode : Ending.INTERNAL;
    try {
      if (error instanceof OutOfMemoryError) {
        // A constant: there may be no memory to put a sentence together, nor for println.
        System.err.println("java: the heap is full; give it more with -Xmx");
      } else {
        System.err.println("java: " + (error instanceof Ending ? error.getMessage() : error));
      }
    } finally {
      Runtime.getRuntime().halt(code);
    }
  }
}
