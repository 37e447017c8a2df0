// binary-trees: the Benchmarks Game's allocation test, after its rules: a stretch tree, a long-lived tree, and for every second depth
// from 4 on as many short-lived trees as keep the work per depth the same. A node is two references; with the header of an
// object it takes 32 bytes. A tree is freed recursively, no deeper than it is.

final class TreeNode {
  let left: TreeNode?
  let right: TreeNode?

  init(_ left: TreeNode?, _ right: TreeNode?) {
    self.left = left
    self.right = right
  }

  /// A full binary tree of `depth` levels below its root.
  static func bottomUp(_ depth: Int) -> TreeNode {
    if depth == 0 { return TreeNode(nil, nil) }
    return TreeNode(bottomUp(depth - 1), bottomUp(depth - 1))
  }

  // Without a name for either child: a name would retain it.
  func count() -> Int { 1 + (left?.count() ?? 0) + (right?.count() ?? 0) }
}

enum BinaryTrees: Workload {
  static let name = "binary-trees"
  static let summary = "millions of short-lived trees beside a long-lived one (Benchmarks Game rules)"
  static let options = [Option("depth", 6...30, default: 18, help: "depth of the long-lived tree")]
  private static let leastDepth = 4

  static func perform(_ run: Run, _ report: Report) throws(Ending) {
    let most = run["depth"]
    let stretch = TreeNode.bottomUp(most + 1).count()
    let longLived = TreeNode.bottomUp(most)
    report.operations = 2
    report.verified = stretch == full(most + 1)
    var depths: [JSON] = []
    for depth in stride(from: leastDepth, through: most, by: 2) {
      let iterations = 1 << (most - depth + leastDepth)
      let check = try treesOfDepth(depth, iterations, run.threads)
      report.verified = report.verified && check == iterations * full(depth)
      report.operations += iterations
      depths.append(
        .object([("depth", .integer(depth)), ("iterations", .integer(iterations)), ("check", .integer(check))]))
    }
    let kept = longLived.count()
    report.endMeasuring()
    report.verified = report.verified && kept == full(most)
    report.result = [
      ("depth", .integer(most)), ("stretchCheck", .integer(stretch)), ("longLivedCheck", .integer(kept)),
      ("depths", .array(depths)),
    ]
  }

  /// Builds the trees of one depth and lets them go; their nodes.
  private static func treesOfDepth(_ depth: Int, _ iterations: Int, _ threads: Int) throws(Ending) -> Int {
    try Clients.run(threads) { index in
      var check = 0
      for _ in 0..<Clients.share(of: iterations, index, threads) { check += TreeNode.bottomUp(depth).count() }
      return check
    }.reduce(0, +)
  }

  /// The nodes of a full tree.
  private static func full(_ depth: Int) -> Int { 2 << depth - 1 }
}
