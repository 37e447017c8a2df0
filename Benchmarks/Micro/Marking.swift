// Marking an object: forced cycles over nodes of 32 bytes that all live, one and four million, that refer to the next two or to two
// random ones. The figure is CPU time of all markers, from the heap's statistics; the heaps take turns.
//
// The same cycles give the sweep of blocks that live: a block of 16 KiB has 512 nodes here.

import Harness
@_spi(Testing) import Tricolor

enum Marking {
  static func run(_ session: Session) throws -> [Figure] {
    var graphs: [MarkedGraph] = []
    for nodes in [1_000_000, 4_000_000] {
      graphs.append(try MarkedGraph(nodes: nodes, isRandom: false))
      graphs.append(try MarkedGraph(nodes: nodes, isRandom: true))
    }
    for _ in 0..<max(3, session.repetitions / 5) {
      for graph in graphs { session.verify(graph.collect(), "the marks of \(graph.name)") }
    }
    let marks = graphs.map { graph in
      Figure(
        group: "mark", name: "mark-\(graph.name)", unit: .nanoseconds, samples: graph.markSamples, note: "an object")
    }
    let sweeps = graphs.filter(\.isRandom).map { graph in
      Figure(
        group: "mark", name: "sweep-live-\(graph.name)", unit: .nanoseconds, samples: graph.sweepSamples,
        note: "a block of 16 KiB")
    }
    return marks + sweeps
  }
}

/// A heap with a graph that lives, and what its cycles cost.
final class MarkedGraph {
  let isRandom: Bool
  private let nodes: Int
  private let heap: Heap
  private let root: Root<ReferenceArray<Sample32>>
  private(set) var markSamples: [Double] = []
  private(set) var sweepSamples: [Double] = []

  var name: String { "\(nodes / 1_000_000)M-\(isRandom ? "random" : "sequential")" }

  init(nodes: Int, isRandom: Bool) throws {
    self.nodes = nodes
    self.isRandom = isRandom
    heap = try Heap.uncollected()
    root = try heap.withMutator { mutator in
      mutator.root(try MarkedGraph.make(nodes: nodes, isRandom: isRandom, mutator))
    }
  }

  private static func make(
    nodes: Int, isRandom: Bool, _ mutator: Mutator
  ) throws(OutOfMemory) -> Reference<ReferenceArray<Sample32>> {
    let all = try mutator.makeArray(of: Sample32.self, count: nodes)
    for index in 0..<nodes { all[index] = try mutator.make(Sample32(UInt(index))) }
    var random = SplitMix64(seed: 20_261_123)
    for index in 0..<nodes {
      let node = all[index]!
      node.left = all[isRandom ? random.below(nodes) : (index + 1) % nodes]
      node.right = all[isRandom ? random.below(nodes) : (index + 2) % nodes]
    }
    return all
  }

  /// Runs a cycle; whether it marked all nodes, their array, and nothing else.
  func collect() -> Bool {
    let before = heap.statistics
    heap.collect()
    let after = heap.statistics
    let marked = after.markedObjects - before.markedObjects
    markSamples.append(Double(after.markNanoseconds - before.markNanoseconds) / Double(marked))
    let arrayBlocks = (8 + 8 * nodes + Heap.blockBytes - 1) / Heap.blockBytes
    let runs = before.usedBlockBytes / Heap.blockBytes - arrayBlocks + 1
    sweepSamples.append(Double(after.cpu.sweep - before.cpu.sweep) / Double(runs))
    return marked == nodes + 1
  }
}
