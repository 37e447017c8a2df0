// binary-trees: the Benchmarks Game's allocation test, after its rules: a stretch tree, a long-lived tree, and for every second
// depth from 4 on as many short-lived trees as keep the work per depth the same. A node is two references; with the header of an
// object it takes 24 bytes (32 where references are not compressed, as with ZGC).

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

final class BinaryTrees implements Workload {
  private static final int LEAST_DEPTH = 4;

  private record DepthCheck(int depth, long iterations, long check) {
    Map<String, Object> members() {
      Map<String, Object> members = new LinkedHashMap<>();
      members.put("depth", depth);
      members.put("iterations", iterations);
      members.put("check", check);
      return members;
    }
  }

  private static final class Node {
    final Node left;
    final Node right;

    Node(Node left, Node right) {
      this.left = left;
      this.right = right;
    }

    static Node bottomUp(int depth) {
      if (depth == 0) return new Node(null, null);
      return new Node(bottomUp(depth - 1), bottomUp(depth - 1));
    }

    long count() {
      return left == null ? 1 : 1 + left.count() + right.count();
    }
  }

  @Override
  public String name() {
    return "binary-trees";
  }

  @Override
  public String summary() {
    return "millions of short-lived trees beside a long-lived one (Benchmarks Game rules)";
  }

  @Override
  public List<Option> options() {
    return List.of(Option.number("depth", 6, 30, 18, "depth of the long-lived tree"));
  }

  @Override
  public void perform(Run run, Report report) {
    int most = run.intValue("depth");
    long stretch = Node.bottomUp(most + 1).count();
    Node longLived = Node.bottomUp(most);
    List<DepthCheck> depths = new ArrayList<>();
    for (int depth = LEAST_DEPTH; depth <= most; depth += 2) depths.add(treesOfDepth(depth, most, run.threads));
    long kept = longLived.count();
    report.endMeasuring();
    report.operations = 2 + depths.stream().mapToLong(DepthCheck::iterations).sum();
    report.verified = stretch == full(most + 1) && kept == full(most)
        && depths.stream().allMatch(each -> each.check == each.iterations * full(each.depth));
    report.result.put("depth", most);
    report.result.put("stretchCheck", stretch);
    report.result.put("longLivedCheck", kept);
    report.result.put("depths", depths.stream().map(DepthCheck::members).toList());
  }

  /** Builds the trees of one depth, counts their nodes, and lets them go. */
  private static DepthCheck treesOfDepth(int depth, int most, int threads) {
    long iterations = 1L << (most - depth + LEAST_DEPTH);
    List<Long> checks =
        Clients.run(threads, index -> growAndCount(depth, Clients.shareOf(iterations, index, threads)));
    return new DepthCheck(depth, iterations, checks.stream().mapToLong(Long::longValue).sum());
  }

  private static long growAndCount(int depth, long iterations) {
    long check = 0;
    for (long done = 0; done < iterations; done++) check += Node.bottomUp(depth).count();
    return check;
  }

  /** The nodes of a full tree. */
  private static long full(int depth) {
    return (2L << depth) - 1;
  }
}
