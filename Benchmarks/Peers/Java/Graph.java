// graph: marking alone. N nodes (two references, two words) stay alive, all of them also held by one array, while the collector is
// forced to run C times. In the sequential shape node i refers to i+1 and i+2 (around the end), in the random shape to two uniformly
// random nodes. The time of marking is the process's CPU per node and cycle: it does not depend on how many threads marked.
//
// The two words are ints, so that a node with its header and compressed references takes 32 bytes, as in the other languages. What
// System.gc() does is up to the collector: G1 and Parallel stop the program and also compact.

import java.util.List;

final class Graph implements Workload {
  private static final String RANDOM = "random";
  private static final String SEQUENTIAL = "sequential";

  private static final class Node {
    Node left;
    Node right;
    final int a;
    final int b;

    Node(int number) {
      a = number;
      b = ~number;
    }

    boolean isIntact() {
      return b == ~a;
    }
  }

  private record Check(long sum, boolean isIntact) {}

  @Override
  public String name() {
    return "graph";
  }

  @Override
  public String summary() {
    return "a large live graph, collected again and again: marking alone";
  }

  @Override
  public List<Option> options() {
    return List.of(
        Option.number("nodes", 1, Option.MOST_ELEMENTS, 4_000_000, "nodes of 32 bytes"),
        Option.number("cycles", 1, 1_000_000, 10, "forced collections"),
        Option.choice(
            "shape", List.of(RANDOM, SEQUENTIAL), "what nodes refer to: two random ones, or the next two"));
  }

  @Override
  public int mostThreads() {
    return 1;
  }

  @Override
  public void perform(Run run, Report report) {
    int cycles = run.intValue("cycles");
    String shape = run.value("shape") == 0 ? RANDOM : SEQUENTIAL;
    Node[] all = makeNodes(run.intValue("nodes"));
    if (shape.equals(RANDOM)) linkAtRandom(all, run.seed);
    else linkInSequence(all);
    Check before = check(all);

    long began = System.nanoTime();
    long beganCPU = Report.processCPUNanoseconds();
    long beganCycles = Report.cycles();
    for (int cycle = 0; cycle < cycles; cycle++) System.gc();
    long nanoseconds = System.nanoTime() - began;
    long cpu = Report.processCPUNanoseconds() - beganCPU;
    report.forcedCycles = Report.cycles() - beganCycles;
    report.endMeasuring();

    Check after = check(all);
    report.operations = cycles;
    report.verified = after.isIntact && before.equals(after);
    report.markNanosecondsPerObject = (double) cpu / all.length / cycles;
    report.result.put("nodes", all.length);
    report.result.put("shape", shape);
    report.result.put("cycles", cycles);
    report.result.put("check", Report.unsigned(after.sum));
    report.result.put("cycleSeconds", nanoseconds / 1e9);
    report.result.put("cycleCPUNanoseconds", cpu);
  }

  private static Node[] makeNodes(int count) {
    Node[] all = new Node[count];
    for (int index = 0; index < count; index++) all[index] = new Node(index);
    return all;
  }

  private static void linkAtRandom(Node[] all, long seed) {
    SplitMix64 random = new SplitMix64(seed);
    for (Node node : all) {
      node.left = all[(int) Long.remainderUnsigned(random.next(), all.length)];
      node.right = all[(int) Long.remainderUnsigned(random.next(), all.length)];
    }
  }

  private static void linkInSequence(Node[] all) {
    for (int index = 0; index < all.length; index++) {
      all[index].left = all[(int) ((index + 1L) % all.length)];
      all[index].right = all[(int) ((index + 2L) % all.length)];
    }
  }

  /**
   * Walks every node and both of its references: all must still hold the two words they were made with. The sum depends on which nodes
   * are referred to.
   */
  private static Check check(Node[] all) {
    boolean isIntact = true;
    long sum = 0;
    for (int index = 0; index < all.length; index++) {
      Node node = all[index];
      isIntact = isIntact && node.a == index && node.isIntact() && node.left.isIntact() && node.right.isIntact();
      sum += (long) node.left.a ^ (long) node.right.a << 1;
    }
    return new Check(sum, isIntact);
  }
}
