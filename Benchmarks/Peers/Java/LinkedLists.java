// linked-list: the shape that marks worst, for a list has one path through it. Each operation builds a new list while the last one is
// alive, then walks and drops the old one. A node takes 24 bytes with its header (32 where references are not compressed).

import java.util.List;

final class LinkedLists implements Workload {
  private static final class Node {
    final Node next;
    final long value;

    Node(Node next, long value) {
      this.next = next;
      this.value = value;
    }

    /** A list of the values `first` ..< `first` + `count`, the largest at its head. */
    static Node build(long first, long count) {
      Node head = null;
      for (long value = first; value < first + count; value++) head = new Node(head, value);
      return head;
    }
  }

  private record Part(Node last, boolean isIntact, Histogram durations) {}

  @Override
  public String name() {
    return "linked-list";
  }

  @Override
  public String summary() {
    return "long singly linked lists: marking without parallelism or prefetch";
  }

  @Override
  public List<Option> options() {
    return List.of(
        Option.number("nodes", 1, 1L << 32, 1_000_000, "nodes in a list"),
        Option.number("lists", 1, 1L << 32, 20, "lists built, by each thread"));
  }

  @Override
  public void perform(Run run, Report report) {
    long count = run.value("nodes");
    long lists = run.value("lists");
    List<Part> parts = Clients.run(run.threads, index -> buildLists(count, lists));
    report.endMeasuring();
    report.operations = lists * run.threads;
    report.durations = new Histogram();
    parts.forEach(each -> report.durations.add(each.durations));
    report.verified = parts.stream().allMatch(each -> each.isIntact && sum(each.last) == expectedSum(lists, count));
    report.result.put("nodes", count);
    report.result.put("lists", report.operations);
  }

  private static Part buildLists(long count, long lists) {
    boolean isIntact = true;
    Histogram durations = new Histogram();
    Node last = Node.build(0, count);
    for (long number = 1; number <= lists; number++) {
      long began = System.nanoTime();
      Node next = Node.build(number, count);
      isIntact = isIntact && sum(last) == expectedSum(number - 1, count);
      last = next;
      durations.record(System.nanoTime() - began);
    }
    return new Part(last, isIntact, durations);
  }

  private static long sum(Node list) {
    long sum = 0;
    for (Node node = list; node != null; node = node.next) sum += node.value;
    return sum;
  }

  /** Modulo 2^64, like the sum. */
  private static long expectedSum(long first, long count) {
    return count * first + (count * (count - 1) >>> 1);
  }
}
