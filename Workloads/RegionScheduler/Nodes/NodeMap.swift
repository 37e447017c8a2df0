// The nodes that a run works on, where a thread sits, and what it costs to read another node's memory: real ones where the process may use
// processors and memory of several, else made-up ones.
//
// Penalties of real nodes are the kernel's distances over the local one. Those of made-up nodes, in a ring, are 1.4 for a neighbour and 2.1 for
// all others, the ends of the range that machines with two and four sockets have; nothing is slowed down by them, what they would
// cost is computed.

@_spi(Simulation) import Tricolor
import TricolorPlatform

/// Nodes by index, which is what the rest of the workload calls a node.
struct NodeMap: Sendable {
  private static let neighbourPenalty = 1.4
  private static let farPenalty = 2.1
  private static let localDistance = 10.0

  /// The heap's numbers of the nodes.
  let numbers: [Int]
  let isSimulated: Bool
  /// How much longer a read takes from memory of the node of the second index by a thread on the node of the first.
  let penalties: [[Double]]
  private let processors: [ProcessorSet]

  var count: Int { numbers.count }

  /// Stores lie on the nodes in turn.
  func node(ofStore store: Int) -> Int { store % count }

  /// The nodes of which the process may use processors and memory.
  static func usable(_ topology: Topology, allowed: ProcessorSet?) -> [(number: Int, processors: ProcessorSet)] {
    topology.memoryNodes.compactMap { node in
      let usable = node.processors.processors.filter { allowed?.contains($0) ?? true }
      return usable.isEmpty ? nil : (node.id, ProcessorSet(usable))
    }
  }

  /// `count` made-up nodes.
  init(simulated count: Int) {
    numbers = Array(0..<count)
    isSimulated = true
    processors = []
    let topology = Topology.ring(count, memoryBytes: .max)
    penalties = (0..<count).map { from in
      (0..<count).map { to in
        switch topology.distance(from: from, to: to)! {
        case 10: 1
        case 20: NodeMap.neighbourPenalty
        default: NodeMap.farPenalty
        }
      }
    }
  }

  /// The machine's nodes, those of `usable`.
  init(_ topology: Topology, allowed: ProcessorSet?) {
    let nodes = NodeMap.usable(topology, allowed: allowed)
    numbers = nodes.map(\.number)
    processors = nodes.map(\.processors)
    isSimulated = false
    penalties = nodes.map { from in
      nodes.map { to in
        Double(topology.distance(from: from.number, to: to.number)!) / NodeMap.localDistance
      }
    }
  }

  /// Lets the calling thread run on a node from now on: bound to its processors, or made to believe so.
  ///
  /// - Throws: when the kernel refuses.
  func sit(on node: Int, _ mutator: Mutator) throws(PlatformError) {
    if isSimulated {
      mutator.run(onSimulatedNode: numbers[node])
    } else {
      try NativeThread.confineCurrent(to: processors[node])
    }
  }

  /// The node an object lies on; nil where it lies on none of these.
  func node<T>(of object: Reference<T>, _ mutator: Mutator) -> Int? {
    mutator.node(of: object).flatMap { numbers.firstIndex(of: $0) }
  }
}
