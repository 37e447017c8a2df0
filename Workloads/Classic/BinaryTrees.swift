// binary-trees: the Benchmarks Game's allocation test, after its rules: a stretch tree, a long-lived tree, and for every second
// depth from 4 on as many short-lived trees as keep the work per depth the same. A node is two references, 16 bytes.
//
// Several threads divide the iterations of one depth; the long-lived tree is one, held by a root handle meanwhile.

import Harness
import Tricolor

struct TreeNode: Managed {
  static let slot = TypeSlot()
  var left: Reference<TreeNode>?
  var right: Reference<TreeNode>?
}

/// A full binary tree of `depth` levels below its root. Recursion and not a work list, as in every peer.
func bottomUpTree(_ depth: Int, _ mutator: Mutator) throws(OutOfMemory) -> Reference<TreeNode> {
  if depth == 0 { return try mutator.make(TreeNode()) }
  let left = try bottomUpTree(depth - 1, mutator)
  let right = try bottomUpTree(depth - 1, mutator)
  return try mutator.make(TreeNode(left: left, right: right))
}

/// The number of nodes in a tree.
func countNodes(_ tree: Reference<TreeNode>, _ mutator: Mutator) -> Int {
  mutator.poll()
  guard let left = tree.left, let right = tree.right else { return 1 }
  return 1 + countNodes(left, mutator) + countNodes(right, mutator)
}

/// `tricolor run binary-trees`.
public struct BinaryTrees: Workload {
  public static let name = "binary-trees"
  public static let summary = "millions of short-lived trees beside a long-lived one (Benchmarks Game rules)"
  public static let kinds = ["tree"]
  public static let options: [any AnyWorkloadOption] = [depthOption]
  private static let depthOption = WorkloadOption.integer(
    "depth", 6...30, default: 18, help: "depth of the long-lived tree")
  private static let leastDepth = 4

  private let depth: Int

  public init(options: OptionValues) throws(UsageError) { depth = try options.value(of: Self.depthOption) }

  public func run(_ context: RunContext) throws -> WorkloadResult {
    context.phase("stretch")
    let (stretch, stretchNodes) = try context.heap.withMutator { mutator in
      let (tree, nodes) = try grow(depth + 1, context, mutator)
      return (countNodes(tree, mutator), nodes)
    }
    context.add(1)
    context.phase("long-lived")
    let (longLived, longLivedNodes) = try context.heap.withMutator { mutator in
      let (tree, nodes) = try grow(depth, context, mutator)
      return (mutator.root(tree), nodes)
    }
    context.add(1)
    var depths: [JSONValue] = []
    var verified = stretch == stretchNodes
    for depth in stride(from: Self.leastDepth, through: self.depth, by: 2) where !context.shouldStop {
      let (iterations, check) = try growAndCount(depth, context)
      verified = verified && check == iterations * Self.nodes(depth)
      depths.append(["depth": .integer(depth), "iterations": .integer(iterations), "check": .integer(check)])
    }
    let kept = context.heap.withMutator { mutator in countNodes(longLived.get(mutator)!, mutator) }
    context.endMeasuring()
    return WorkloadResult(
      verified: verified && kept == longLivedNodes,
      figures: [
        "depth": .integer(depth), "stretchCheck": .integer(stretch), "longLivedCheck": .integer(kept),
        "depths": .array(depths),
      ])
  }

  /// A tree of `depth`, which may take seconds, and its nodes; where the user interrupts, its branches end early.
  private func grow(
    _ depth: Int, _ context: RunContext, _ mutator: Mutator
  ) throws(OutOfMemory) -> (tree: Reference<TreeNode>, nodes: Int) {
    if context.isInterrupted { return (try mutator.make(TreeNode()), 1) }
    if depth <= 16 { return (try bottomUpTree(depth, mutator), Self.nodes(depth)) }
    let left = try grow(depth - 1, context, mutator)
    let right = try grow(depth - 1, context, mutator)
    return (try mutator.make(TreeNode(left: left.tree, right: right.tree)), 1 + left.nodes + right.nodes)
  }

  /// Builds the trees of one depth, counts their nodes and lets them go: how many there were, and their nodes.
  private func growAndCount(_ depth: Int, _ context: RunContext) throws -> (iterations: Int, check: Int) {
    context.phase("depth \(depth)")
    let iterations = 1 << (self.depth - depth + Self.leastDepth)
    let threads = context.threads
    let parts = try context.runClients { client, mutator in
      let share = iterations * (client.index + 1) / threads - iterations * client.index / threads
      var check = 0
      while client.operations < share && !client.shouldStop {
        check += countNodes(try bottomUpTree(depth, mutator), mutator)
        client.add()
      }
      return (iterations: client.operations, check: check)
    }
    return (parts.reduce(0) { $0 + $1.iterations }, parts.reduce(0) { $0 + $1.check })
  }

  /// The nodes of a full tree.
  private static func nodes(_ depth: Int) -> Int { 1 << (depth + 1) - 1 }
}
