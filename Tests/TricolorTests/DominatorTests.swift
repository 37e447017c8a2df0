// Dominators, retained sizes and paths of made-up graphs, against what is found by taking nodes away one after the other.

import Testing

@testable import Tricolor

@Suite("Dominators")
struct DominatorTests {
  /// A graph of `count` objects, and a root that refers to some. Node 0 is the root; the objects are of a few kinds.
  private struct Graph {
    var edges: [[Int]]
    var kinds: [HeapSnapshot.Kind]
    var kindOfNode: [Int]

    /// `objects[i]` are the targets of node i, of which 0 is the root; node i is of `bytes[i]` bytes.
    init(_ edges: [[Int]], bytes: [Int], names: [String]) {
      self.edges = edges
      kinds = []
      kindOfNode = []
      for node in edges.indices {
        kindOfNode.append(node)
        kinds.append(.init(name: names[node], bytes: bytes[node], isGroup: node == 0))
      }
    }

    init(random: inout SplitMix) {
      let count = 2 + random.next(below: 40)
      let most = 1 + random.next(below: 4)
      var (edges, bytes, names): ([[Int]], [Int], [String]) = ([], [], [])
      for node in 0..<count {
        edges.append([])
        for _ in 0..<random.next(below: most + 1) { edges[node].append(random.next(below: count)) }
        bytes.append(node == 0 ? 0 : 16 << random.next(below: 4))
        names.append(node == 0 ? "" : "kind \(random.next(below: 4))")
      }
      edges[0].append(1)
      self.init(edges, bytes: bytes, names: names)
    }

    func snapshot() throws -> HeapSnapshot {
      let count = edges.count
      let graph = try CopiedGraph(nodes: count, edges: edges.reduce(0) { $0 + $1.count })
      var edge = 0
      for node in 0..<count {
        graph.kindOfNode[node] = UInt32(kindOfNode[node])
        graph.numbers[node] = UInt32(node + 100)
        graph.firstEdge[node] = UInt32(edge)
        for (index, target) in edges[node].enumerated() {
          graph.targets[edge] = UInt32(target)
          graph.labels[edge] = HeapSnapshot.Label.element(index)
          edge += 1
        }
      }
      graph.firstEdge[count] = UInt32(edge)
      return HeapSnapshot(
        kinds: kinds, nodeCount: count, kindOfNode: graph.kindOfNode, numbers: graph.numbers,
        firstEdge: graph.firstEdge, targets: graph.targets, labels: graph.labels, fieldNames: nil, heldNanoseconds: 0)
    }

    /// How far from the root each node is when those in `gone` are not there; nil for what is not reached.
    func distances(without gone: Set<Int> = []) -> [Int?] {
      var distances = [Int?](repeating: nil, count: edges.count)
      if gone.contains(0) { return distances }
      distances[0] = 0
      var queue = [0]
      var first = 0
      while first < queue.count {
        let node = queue[first]
        first += 1
        for target in edges[node] where !gone.contains(target) && distances[target] == nil {
          distances[target] = distances[node]! + 1
          queue.append(target)
        }
      }
      return distances
    }

    /// The nodes that are lost with those in `gone`.
    func lost(without gone: Set<Int>) -> [Int] {
      let (with, left) = (distances(), distances(without: gone))
      return edges.indices.filter { with[$0] != nil && left[$0] == nil }
    }

    func bytes(_ nodes: [Int]) -> Int { nodes.reduce(0) { $0 + kinds[kindOfNode[$1]].bytes } }
  }

  @Test("What each object and each layout retains is what is lost without it, in random graphs", arguments: 0..<8)
  func againstRemoval(part: Int) throws {
    for round in 0..<100 {
      let seed = UInt64(part * 1000 + round)
      var random = SplitMix(seed)
      let graph = Graph(random: &random)
      let snapshot = try graph.snapshot()
      let retention = try snapshot.retention()
      let reached = graph.distances()
      for node in graph.edges.indices where reached[node] != nil {
        let lost = graph.lost(without: [node])
        #expect(Int(retention.retained[node]) == graph.bytes(lost), "seed \(seed), node \(node)")
        if node == 0 { continue }
        // The last of all that lose this node.
        let above = graph.edges.indices.filter {
          $0 != node && reached[$0] != nil && graph.lost(without: [$0]).contains(node)
        }
        let nearest = above.min { graph.lost(without: [$0]).count < graph.lost(without: [$1]).count }
        #expect(Int(retention.dominators[node]) == nearest, "seed \(seed), node \(node)")
      }
      for layout in try snapshot.layouts() {
        let all = graph.edges.indices.filter { graph.kinds[$0].name == layout.name && $0 != 0 }
        let retained = all.filter { reached[$0] != nil }.reduce(into: Set<Int>()) {
          $0.formUnion(graph.lost(without: [$1]))
        }
        #expect(layout.objects == all.count, "seed \(seed)")
        #expect(layout.retainedBytes == graph.bytes(Array(retained)), "seed \(seed), \(layout.name)")
      }
    }
  }

  @Test("A path to an object is as short as the shortest, and each step follows a reference", arguments: 0..<4)
  func shortestPaths(part: Int) throws {
    for round in 0..<100 {
      let seed = UInt64(10_000 + part * 1000 + round)
      var random = SplitMix(seed)
      let graph = Graph(random: &random)
      let snapshot = try graph.snapshot()
      let distances = graph.distances()
      for node in graph.edges.indices.dropFirst() {
        let path = try snapshot.path(toObject: UInt32(node + 100))
        guard let distance = distances[node] else {
          #expect(path == nil, "seed \(seed), node \(node)")
          continue
        }
        let steps = try #require(path, "seed \(seed), node \(node)").steps
        #expect(steps.count == distance, "seed \(seed), node \(node)")
        var before = 0
        for step in steps {
          let next = Int(step.object.number) - 100
          let index = try #require(Int(step.place.dropFirst().dropLast()))
          #expect(graph.edges[before][index] == next, "seed \(seed)")
          before = next
        }
        #expect(before == node, "seed \(seed)")
      }
      let nearest = graph.edges.indices.filter { graph.kinds[$0].name == "kind 1" }.compactMap { distances[$0] }.min()
      #expect(try snapshot.path(toLayout: "kind 1")?.steps.count == nearest, "seed \(seed)")
    }
  }

  @Test("Known shapes: a list, a ring, a diamond, two owners")
  func shapes() throws {
    func retained(_ edges: [[Int]]) throws -> [Int] {
      let graph = Graph(
        edges, bytes: edges.indices.map { $0 == 0 ? 0 : 16 }, names: edges.indices.map { $0 == 0 ? "" : "x" })
      let retention = try graph.snapshot().retention()
      return edges.indices.map { Int(retention.retained[$0]) / 16 }
    }
    #expect(try retained([[1], [2], [3], []]) == [3, 3, 2, 1])
    #expect(try retained([[1], [2], [3], [1]]) == [3, 3, 2, 1])
    #expect(try retained([[1], [2, 3], [4], [4], []]) == [4, 4, 1, 1, 1])
    #expect(try retained([[1, 2], [3], [3], []]) == [3, 1, 1, 1])
    // Dominated from afar: the loop between 3 and 4 can be entered at both ends.
    #expect(try retained([[1], [3, 4], [], [4], [3, 2]]) == [4, 4, 1, 1, 2])
  }

  @Test("A list of 300000 objects whose every object also refers back is done without recursion")
  func longList() throws {
    let count = 300_000
    var edges = (0..<count).map { [$0 + 1, max(1, $0 - 7)] }
    edges.append([1])
    edges[0] = [1]
    let graph = Graph(edges, bytes: edges.indices.map { _ in 16 }, names: edges.indices.map { _ in "x" })
    let snapshot = try graph.snapshot()
    let retention = try snapshot.retention()
    for node in stride(from: 1, through: count, by: 997) {
      #expect(Int(retention.retained[node]) == 16 * (count + 1 - node))
    }
    #expect(try snapshot.path(toObject: UInt32(count + 100))?.steps.count == count)
  }

  @Test("The objects that retain most come in their order, and no group of roots")
  func largest() throws {
    var random = SplitMix(5)
    for _ in 0..<50 {
      let snapshot = try Graph(random: &random).snapshot()
      let all = try (1..<snapshot.nodeCount).map { try snapshot.object($0).retainedBytes }.sorted(by: >)
      #expect(try snapshot.largestObjects(5).map(\.retainedBytes) == Array(all.prefix(5)))
    }
  }
}
