// A heap's nodes where allocation and marking look at them: raw tables made once from the plan (PlacementPlan.swift).
//
// Memory comes in pools, one for each node; where there are several nodes there is one more, whose pages lie on all nodes in turn, for large
// objects that all threads use. An arena belongs to a pool for as long as the heap has it, so the pool of an address is a shift and a
// load. With one node there is one pool, and nothing here is asked on any path that matters.
//
// Cost of `current`: the processor's number without a system call, some 20 ns. Whoever needs it asks where a block is taken, not where a cell is.

import CTricolorShims
import Synchronization
import TricolorPacing
import TricolorPlatform

/// What the kernel is told of an arena's pages.
enum ArenaPlacement: Equatable {
  /// Nothing: they lie where they are first touched.
  case anywhere
  /// They lie on a node, by the kernel's number, as long as it has room.
  case node(Int)
  /// They lie on these nodes in turn.
  case spread
}

struct NodeTable: ~Copyable {
  private static let kernelNodes = 1024

  /// How many nodes memory comes from.
  let count: Int
  /// The kernel's numbers of the nodes.
  let kernelNumbers: [Int]
  /// Whether the nodes are made up, for tests and models on a machine that has one: nothing is told to the kernel, and a thread runs on
  /// the node that it says, or else moves from node to node all the time (SimulatedNodes.swift).
  let isSimulated: Bool
  private let homes: UnsafeMutablePointer<UInt8>
  private let nearest: UnsafeMutablePointer<UInt8>
  private let memory: [NodeMemory?]
  private let leastLeft: [Int64]
  private let fullNodes = Atomic<UInt64>(0)
  private let code: Atomic<Int>

  init(_ plan: PlacementPlan, isSimulated: Bool) throws(PlatformError) {
    count = plan.nodes.count
    kernelNumbers = plan.nodes
    self.isSimulated = isSimulated
    var memory: [NodeMemory?] = []
    if count > 1 && !isSimulated {
      for node in plan.nodes { memory.append(try NodeMemory(node: node)) }
    }
    self.memory = memory
    leastLeft = plan.memoryBytes.map { min(1 << 30, max(24 << 20, $0 / 256)) }
    homes = .allocate(capacity: NodeTable.kernelNodes)
    homes.initialize(repeating: 0, count: NodeTable.kernelNodes)
    for (node, home) in plan.homes where node < NodeTable.kernelNodes { homes[node] = UInt8(home) }
    nearest = .allocate(capacity: count * count)
    for (node, order) in plan.nearest.enumerated() {
      for (place, other) in order.enumerated() { (nearest + node * count + place).initialize(to: UInt8(other)) }
    }
    code = Atomic(NodeTable.code(of: plan.policy, plan.nodes))
  }

  deinit {
    homes.deallocate()
    nearest.deallocate()
  }

  /// Pools of blocks: one for each node, and where there are several nodes the spread one.
  var poolCount: Int { count == 1 ? 1 : count + 1 }
  var spreadPool: Int { count }

  /// The index of the node the calling thread runs on at this moment, or whose memory is nearest to it.
  var current: Int {
    if count == 1 { return 0 }
    if isSimulated { return simulatedCurrent }
    return Int(homes[AddressSpace.currentNode & (NodeTable.kernelNodes - 1)])
  }

  private var simulatedCurrent: Int {
    let said = Int(tricolor_simulated_node())
    return (said > 0 ? said - 1 : Int(NativeThread.currentID) + Int(Clock.monotonic() >> 22)) % count
  }

  /// The node that is `place` nodes away from `node`: itself for 0.
  func node(_ place: Int, nearest node: Int) -> Int { Int(nearest[node * count + place]) }

  /// The index of a node by the kernel's number, nil for one that memory does not come from.
  func index(ofKernel node: Int) -> Int? { kernelNumbers.firstIndex(of: node) }
}

// MARK: Policy

extension NodeTable {
  private static let off = 0
  private static let local = 1
  private static let interleave = 2
  private static let firstNode = 3

  private static func code(of policy: NUMAPolicy, _ nodes: [Int]) -> Int {
    switch policy {
    case .off: off
    case .local: local
    case .interleave: interleave
    case .node(let node): firstNode + (nodes.firstIndex(of: node) ?? 0)
    }
  }

  /// Puts another policy into force, for memory taken from now on. A node must be one of the table's.
  func follow(_ policy: NUMAPolicy) { code.store(NodeTable.code(of: policy, kernelNumbers), ordering: .relaxed) }

  /// Whether memory is placed, so that local and remote mean something.
  var places: Bool { code.load(ordering: .relaxed) != NodeTable.off }

  /// The pool that the policy takes memory from, for a thread on `node` that takes its `turn`th block.
  func pool(for node: Int, turn: Int) -> Int {
    switch code.load(ordering: .relaxed) {
    case NodeTable.off: 0
    case NodeTable.local: node
    case NodeTable.interleave: turn % count
    case let chosen: chosen - NodeTable.firstNode
    }
  }

  /// What the kernel is told of an arena of `pool`.
  func placement(ofPool pool: Int) -> ArenaPlacement {
    if count == 1 || isSimulated || !places { return .anywhere }
    return pool == spreadPool ? .spread : .node(kernelNumbers[pool])
  }
}

// MARK: Nodes that are full

extension NodeTable {
  /// Whether a node had hardly any memory left when it was last looked at.
  func isFull(_ node: Int) -> Bool { fullNodes.load(ordering: .relaxed) & 1 << UInt64(node) != 0 }

  /// Looks at what nodes have left. The collector's tick.
  func lookAtMemory() {
    if count == 1 || isSimulated { return }
    var full: UInt64 = 0
    for node in 0..<count {
      if let left = memory[node]?.leftBytes(), left < leastLeft[node] { full |= 1 << UInt64(node) }
    }
    fullNodes.store(full, ordering: .relaxed)
  }

  /// For tests: whether a node counts as full.
  func pretendFull(_ node: Int, _ isFull: Bool) {
    if isFull { fullNodes.bitwiseOr(1 << UInt64(node), ordering: .relaxed) }
    if !isFull { fullNodes.bitwiseAnd(~(1 << UInt64(node)), ordering: .relaxed) }
  }
}

extension HeapCore {
  var nodeStatistics: NodeStatistics {
    let counters = state
    var result = NodeStatistics()
    result.numbers = counters.pointee.nodes.kernelNumbers
    result.arePlaced = counters.pointee.nodes.count == 1 || counters.pointee.nodes.places
    result.remoteAllocatedBytes = counters.pointee.statistics.remoteAllocatedBytes.load(ordering: .relaxed)
    result.remoteMarkedBytes = counters.pointee.statistics.remoteMarkedBytes.load(ordering: .relaxed)
    result.fallbackBytes = counters.pointee.statistics.fallbackBytes.load(ordering: .relaxed)
    result.usedBytes = counters.pointee.blocks.usedInPools(counters.pointee.nodes.poolCount).map {
      $0 * Geometry.blockBytes
    }
    result.refusedPlacements = counters.pointee.blocks.refusedPlacements.load(ordering: .relaxed)
    return result
  }
}
