// NUMA nodes that are made up, for tests, and for models of a placement on a machine that has one node: pools, hints, policies, marking by node and
// the counts of what is remote are those of a heap on real nodes, but nothing is told to the kernel, and no access costs more than another.
//
// A thread that says nothing moves from one node to the next every few milliseconds, which tests want; a model says where each of its
// threads runs. The collector's own threads always move, so which bytes they mark are remote is not a model of anything but chance.
//
// Not for programs, hence `@_spi(Simulation)`: a heap on made-up nodes pays for several nodes and gains nothing.

import CTricolorShims
import TricolorPlatform

@_spi(Testing) @_spi(Simulation) extension Heap {
  /// How many nodes can be made up.
  public static let mostSimulatedNodes = 8

  /// A heap on `nodes` made-up NUMA nodes, numbered from 0, whatever the machine has.
  ///
  /// - Parameter nodes: 1 to `mostSimulatedNodes`; the program ends otherwise.
  /// - Throws: as `Heap.init(configuration:)`.
  public convenience init(configuration: Configuration, simulatedNodes nodes: Int) throws(HeapError) {
    precondition(
      (1...Heap.mostSimulatedNodes).contains(nodes),
      "\(nodes) made-up nodes; 1 to \(Heap.mostSimulatedNodes) are allowed")
    try self.init(configuration: configuration, simulatedNodes: nodes) { () throws(PlatformError) in try LimitSource() }
  }
}

@_spi(Testing) @_spi(Simulation) extension Mutator {
  /// Lets the calling thread run on made-up node `node` of every heap that has such nodes, from the next block it takes on; nil to let it move
  /// from node to node. Without effect where nodes are real. Two instructions.
  ///
  /// - Parameter node: one of the heap's `memoryNodes`; the program ends otherwise.
  public func run(onSimulatedNode node: Int?) {
    guard let node else { return tricolor_set_simulated_node(0) }
    let count = core.heap.state.pointee.nodes.count
    precondition((0..<count).contains(node), "made-up node \(node); 0 to \(count - 1) are allowed")
    tricolor_set_simulated_node(UInt8(node + 1))
  }
}
