// graph: marking alone. N nodes of 32 bytes (two references, two words) stay alive, all of them also held by one reference
// array, while the collector is forced to run C times. In the sequential shape node i refers to i+1 and i+2 (around the end),
// which a collector walks in address order; in the random shape to two uniformly random nodes, so that almost every step is a
// cache miss.
//
// `markNanosecondsPerObject` is the process's CPU, not wall time, per node and cycle: it does not depend on how many
// threads marked.

import Harness
import Tricolor
import TricolorPlatform

struct GraphNode: Managed {
  static let slot = TypeSlot()
  var left: Reference<GraphNode>?
  var right: Reference<GraphNode>?
  var a: UInt64
  var b: UInt64
}

typealias GraphNodes = Reference<ReferenceArray<GraphNode>>

/// `tricolor run graph`.
public struct Graph: Workload {
  enum Shape: String, CaseIterable {
    case random, sequential
  }

  public static let name = "graph"
  public static let summary = "a large live graph, collected again and again: marking alone"
  public static let kinds = ["cycle"]
  public static let mostThreads = 1
  public static let options: [any AnyWorkloadOption] = [nodesOption, cyclesOption, shapeOption]
  private static let nodesOption = WorkloadOption.integer(
    "nodes", 1...1 << 32, default: 4_000_000, help: "nodes of 32 bytes")
  private static let cyclesOption = WorkloadOption.integer(
    "cycles", 1...1_000_000, default: 10, help: "forced collections")
  private static let shapeOption = WorkloadOption<Shape>.choice(
    "shape", default: .random, help: "what nodes refer to: two random ones, or the next two")

  private let nodes: Int
  private let cycles: Int
  private let shape: Shape

  public init(options: OptionValues) throws(UsageError) {
    nodes = try options.value(of: Self.nodesOption)
    cycles = try options.value(of: Self.cyclesOption)
    shape = try options.value(of: Self.shapeOption)
  }

  public func run(_ context: RunContext) throws -> WorkloadResult {
    let seed = context.seed
    let parts = try context.runClients { client, mutator in
      context.phase("build")
      let all = try makeNodes(context, mutator)
      let linked = link(all, seed: seed, context, mutator)
      let before = check(all, count: linked, mutator)
      context.phase("collect")
      let forced = collect(context.heap, client)
      client.endMeasuring(mutator)
      return (linked, forced, before, after: check(all, count: linked, mutator))
    }
    let (linked, forced, before, after) = parts[0]
    return WorkloadResult(
      verified: after.intact && before == after,
      figures: [
        "nodes": .integer(linked), "shape": .string(shape.rawValue), "cycles": .integer(forced.cycles),
        "check": .unsigned(after.sum), "cycleSeconds": .float(Double(forced.nanoseconds) / 1e9),
        "cycleCPUNanoseconds": .unsigned(forced.cpu),
      ],
      markNanosecondsPerObject: forced.cycles == 0 ? nil : Double(forced.cpu) / Double(nodes) / Double(forced.cycles))
  }

  private struct Forced {
    var cycles = 0
    var nanoseconds: UInt64 = 0
    var cpu: UInt64 = 0
  }

  private func collect(_ heap: Heap, _ client: Client) -> Forced {
    var forced = Forced()
    let cpu = Clock.processCPU()
    while forced.cycles < cycles && !client.shouldStop {
      let began = Clock.monotonic()
      heap.collect()
      let took = Clock.monotonic() - began
      client.record(kind: 0, nanoseconds: took)
      forced.nanoseconds += took
      forced.cycles += 1
    }
    forced.cpu = Clock.processCPU() - cpu
    return forced
  }

  /// All nodes, as yet unlinked; fewer when the user interrupts.
  private func makeNodes(_ context: RunContext, _ mutator: Mutator) throws(OutOfMemory) -> GraphNodes {
    let all = try mutator.makeArray(of: GraphNode.self, count: nodes)
    for index in 0..<nodes where !context.isInterrupted {
      all[index] = try mutator.make(GraphNode(left: nil, right: nil, a: UInt64(index), b: ~UInt64(index)))
    }
    return all
  }

  /// Links the nodes in turn; how many there was time for before the user interrupted.
  private func link(_ all: GraphNodes, seed: UInt64, _ context: RunContext, _ mutator: Mutator) -> Int {
    var random = SplitMix64(seed: seed)
    let count = UInt64(nodes)
    for index in 0..<nodes {
      if context.isInterrupted { return index }
      mutator.poll()
      let node = all[index]!
      switch shape {
      case .random:
        node.left = all[Int(random.next() % count)]
        node.right = all[Int(random.next() % count)]
      case .sequential:
        node.left = all[(index + 1) % nodes]
        node.right = all[(index + 2) % nodes]
      }
    }
    return nodes
  }

  private struct Check: Equatable {
    var sum: UInt64 = 0
    var intact = true
  }

  /// Walks the first `count` nodes and both references of each: all must still hold the two words they were made with. The sum depends
  /// on which nodes are referred to.
  private func check(_ all: GraphNodes, count: Int, _ mutator: Mutator) -> Check {
    var result = Check()
    for index in 0..<count {
      mutator.poll()
      let node = all[index]!
      let left = node.left!
      let right = node.right!
      result.intact =
        result.intact && node.a == UInt64(index) && node.b == ~node.a && left.b == ~left.a && right.b == ~right.a
      result.sum &+= left.a ^ (right.a << 1)
    }
    return result
  }
}
