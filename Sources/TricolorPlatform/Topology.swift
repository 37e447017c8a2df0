// The machine's NUMA nodes as the kernel shows them under /sys: processors, memory and distances of each.
//
// Read from files rather than through libnuma, because libnuma answers for the running machine only (a copied tree can stand for
// another machine here), prints to standard error where it finds no NUMA, and counts nodes that the process's cpuset forbids.
// A kernel without NUMA is one node with all processors and all memory.
//
// Node numbers may have gaps, a node may have no memory (processors only) or no processors (a memory expander), and a
// distance file lists the online nodes in ascending order, gaps left out.

/// The NUMA nodes of the machine, and which of them the process may take memory from.
public struct Topology: Sendable, Equatable {
  /// One node.
  public struct Node: Sendable, Equatable {
    /// The kernel's number.
    public let id: Int
    /// Its processors, empty for a node of memory alone.
    public let processors: ProcessorSet
    /// Its memory in bytes, 0 for a node of processors alone.
    public let memoryBytes: Int64
    /// Whether the process's cpuset lets it take memory here.
    public let isAllowed: Bool
    /// The kernel's relative distances to all nodes, in the order of `Topology.nodes`; 10 is local.
    public let distances: [Int]
  }

  /// All online nodes, ascending by number; at least one.
  public let nodes: [Node]
  private let nodeOfProcessor: [Int16]
  private let indexOfNode: [Int: Int]

  /// Reads the tree.
  ///
  /// - Parameters:
  ///   - sysRoot: where sysfs is mounted.
  ///   - procRoot: where proc is mounted.
  /// - Throws: when a file exists and does not say what it should.
  public static func current(
    sysRoot: String = "/sys", procRoot: String = "/proc"
  ) throws(PlatformError) -> Topology {
    let tree = sysRoot + "/devices/system/node"
    let status = try KernelFile.text(procRoot + "/self/status") ?? ""
    let allowed = try field("Mems_allowed_list:", of: status).map { text throws(PlatformError) in
      try list(text, from: procRoot + "/self/status")
    }
    guard let online = try KernelFile.text(tree + "/online") else {
      return try wholeMachine(sysRoot: sysRoot, procRoot: procRoot)
    }
    var nodes: [Node] = []
    for id in try list(online, from: tree + "/online").processors {
      nodes.append(try node(id, under: tree, isAllowed: allowed?.contains(id) ?? true))
    }
    return try Topology(nodes: nodes, source: tree)
  }

  /// Whether the kernel answers libnuma's calls. Asking prints nothing.
  public static var hasMemoryPolicies: Bool { NodePolicy.isAvailable }

  /// The nodes that the process may take memory from; on a machine with one node, that node.
  public var memoryNodes: [Node] { nodes.filter { $0.memoryBytes > 0 && $0.isAllowed } }

  /// The node of a processor, nil for one that is not online.
  public func node(ofProcessor processor: Int) -> Int? {
    guard nodeOfProcessor.indices.contains(processor), nodeOfProcessor[processor] >= 0 else { return nil }
    return Int(nodeOfProcessor[processor])
  }

  /// The kernel's relative distance between two nodes by number, nil where one is not online.
  public func distance(from first: Int, to second: Int) -> Int? {
    guard let row = indexOfNode[first], let column = indexOfNode[second] else { return nil }
    return nodes[row].distances[column]
  }

  /// The nodes that memory for a thread on node `id` is best taken from: nearest first, those without memory left out.
  public func memoryNodes(nearest id: Int) -> [Int] {
    let far = Int.max
    return memoryNodes.map(\.id).sorted {
      (distance(from: id, to: $0) ?? far, $0) < (distance(from: id, to: $1) ?? far, $1)
    }
  }

  /// A machine that is made up, for models and tests: `count` nodes in a ring, at distance 20 from their neighbours and 30 from all others.
  public static func ring(_ count: Int, memoryBytes: Int64) -> Topology {
    let nodes = (0..<count).map { id in
      let distances = (0..<count).map { other in
        [10, 20, 30][min(2, (id - other + count) % count, (other - id + count) % count)]
      }
      return Node(
        id: id, processors: ProcessorSet([id]), memoryBytes: memoryBytes, isAllowed: true, distances: distances)
    }
    return Topology(nodes: nodes)
  }

  private init(nodes: [Node], source: String) throws(PlatformError) {
    guard !nodes.isEmpty else {
      throw PlatformError(call: "reading \(source)", code: 0, detail: "no node is online")
    }
    for node in nodes where node.distances.count != nodes.count {
      throw PlatformError(
        call: "reading \(source)/node\(node.id)/distance", code: 0,
        detail: "it lists \(node.distances.count) distances for \(nodes.count) nodes online")
    }
    self.init(nodes: nodes)
  }

  private init(nodes: [Node]) {
    self.nodes = nodes
    indexOfNode = Dictionary(uniqueKeysWithValues: nodes.enumerated().map { ($1.id, $0) })
    var table: [Int16] = []
    for node in nodes {
      for processor in node.processors.processors {
        while table.count <= processor { table.append(-1) }
        table[processor] = Int16(node.id)
      }
    }
    nodeOfProcessor = table
  }
}

extension Topology {
  private static func node(_ id: Int, under tree: String, isAllowed: Bool) throws(PlatformError) -> Node {
    let directory = "\(tree)/node\(id)"
    let processors = try list(try KernelFile.text(directory + "/cpulist") ?? "", from: directory + "/cpulist")
    let meminfo = try KernelFile.text(directory + "/meminfo") ?? ""
    let distances = (try KernelFile.text(directory + "/distance") ?? "").split(whereSeparator: \.isWhitespace)
    return Node(
      id: id, processors: processors, memoryBytes: kibibytes(field("Node \(id) MemTotal:", of: meminfo)),
      isAllowed: isAllowed, distances: distances.compactMap { Int($0) })
  }

  /// One node for a kernel that knows none.
  private static func wholeMachine(sysRoot: String, procRoot: String) throws(PlatformError) -> Topology {
    let path = sysRoot + "/devices/system/cpu/online"
    var processors = try list(try KernelFile.text(path) ?? "", from: path)
    if processors.count == 0 { processors = ProcessorSet.allowed() ?? processors }
    let meminfo = try KernelFile.text(procRoot + "/meminfo") ?? ""
    let node = Node(
      id: 0, processors: processors, memoryBytes: kibibytes(field("MemTotal:", of: meminfo)), isAllowed: true,
      distances: [10])
    return try Topology(nodes: [node], source: sysRoot)
  }

  private static func list(_ text: some StringProtocol, from path: String) throws(PlatformError) -> ProcessorSet {
    guard let set = ProcessorSet(list: text) else {
      throw PlatformError(
        call: "reading \(path)", code: 0,
        detail: "it says \"\(text)\", but a list has the form 0-3,8 with numbers below \(ProcessorSet.capacity)")
    }
    return set
  }

  /// What follows `key` on its line.
  private static func field(_ key: String, of text: String) -> Substring? {
    text.split(separator: "\n").first { $0.hasPrefix(key) }?.dropFirst(key.count)
  }

  /// The bytes in "  1024 kB".
  private static func kibibytes(_ field: Substring?) -> Int64 {
    guard let number = field?.split(whereSeparator: \.isWhitespace).first else { return 0 }
    return (Int64(number) ?? 0) << 10
  }
}
