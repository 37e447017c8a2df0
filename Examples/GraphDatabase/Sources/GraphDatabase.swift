// A graph database in memory: nodes with properties, labelled edges that can be followed both ways, an index by name and one by property,
// and queries for neighbours, paths and components. The graph is as cyclic as its data; what is deleted is garbage once nothing refers to it.
//
// Any thread or task may use it: a lock makes operations whole. It is taken before the heap is entered, so that no thread waits for it inside,
// where it would hold up a cycle.

import Foundation
import Tricolor

/// A node. Both ends know an edge, so deleting either takes it out.
struct Node: Managed {
  static let slot = TypeSlot()
  let name: ManagedString
  var properties: ManagedDictionary<ManagedString, ManagedString>
  var outgoing: ManagedArray<Reference<Edge>>
  var incoming: ManagedArray<Reference<Edge>>
  /// The number of the query that came here last, and where it came from.
  var visit: Int
  var cameFrom: Reference<Node>?
}

/// A directed edge with a label.
struct Edge: Managed {
  static let slot = TypeSlot()
  let label: ManagedString
  let from: Reference<Node>
  let to: Reference<Node>
}

/// What is at the top: the indices.
struct Graph: Managed {
  static let slot = TypeSlot()
  var byName: ManagedDictionary<ManagedString, Reference<Node>>
  /// Labels, each stored once.
  var labels: ManagedDictionary<ManagedString, ManagedString>
  var edgeCount: Int
  var lastVisit: Int
}

/// What a request got wrong.
enum GraphError: Error, Equatable {
  case noSuchNode(String)
  case nodeExists(String)
}

/// A graph database on a heap of its own.
final class GraphDatabase: Sendable {
  let heap: Heap
  private let root: Root<Graph>
  private let lock = NSLock()

  init(configuration: Heap.Configuration = .environment) throws {
    heap = try Heap(configuration: configuration)
    root = try heap.withMutator { m in
      m.root(
        try m.make(Graph(byName: ManagedDictionary(m), labels: ManagedDictionary(m), edgeCount: 0, lastVisit: 0)))
    }
  }

  /// Runs one operation with the lock held.
  private func operate<R: Sendable>(_ body: sending (Mutator, Reference<Graph>) throws -> R) throws -> R {
    lock.lock()
    defer { lock.unlock() }
    return try heap.withMutator { m in try body(m, root.get(m)!) }
  }

  // MARK: Changes

  func addNode(_ name: String, properties: [String: String] = [:]) throws {
    try operate { m, graph in
      if graph.byName[name] != nil { throw GraphError.nodeExists(name) }
      let text = try ManagedString(name, m)
      let node = try m.make(
        Node(
          name: text, properties: ManagedDictionary(m), outgoing: ManagedArray(m), incoming: ManagedArray(m), visit: 0,
          cameFrom: nil))
      for (key, value) in properties {
        try node.properties.updateValue(ManagedString(value, m), forKey: ManagedString(key, m))
      }
      try graph.byName.updateValue(node, forKey: text)
    }
  }

  func addEdge(_ from: String, _ label: String, _ to: String) throws {
    try operate { m, graph in
      let (first, last) = (try find(from, graph), try find(to, graph))
      let edge = try m.make(Edge(label: self.label(label, graph, m), from: first, to: last))
      try first.outgoing.append(edge)
      try last.incoming.append(edge)
      graph.edgeCount += 1
    }
  }

  /// Deletes a node and its edges.
  func removeNode(_ name: String) throws {
    try operate { m, graph in
      let node = try find(name, graph)
      for edge in node.outgoing where edge.to != node { edge.to.incoming.removeAll { $0 == edge } }
      for edge in node.incoming where edge.from != node { edge.from.outgoing.removeAll { $0 == edge } }
      let loops = node.outgoing.filter { $0.to == node }.count
      graph.edgeCount -= node.outgoing.count + node.incoming.count - loops
      graph.byName.removeValue(forKey: name)
    }
  }

  // MARK: Questions

  func size() throws -> (nodes: Int, edges: Int) { try operate { _, graph in (graph.byName.count, graph.edgeCount) } }

  func property(_ key: String, of name: String) throws -> String? {
    try operate { _, graph in try find(name, graph).properties[key]?.description }
  }

  /// The names that `label` edges lead to from `name`, sorted.
  func neighbours(of name: String, along label: String) throws -> [String] {
    try operate { _, graph in
      guard let wanted = graph.labels[label] else { return [] }
      return try find(name, graph).outgoing.lazy.filter { $0.label == wanted }.map { $0.to.name.description }.sorted()
    }
  }

  /// The names whose property `key` is `value`, sorted.
  func nodes(where key: String, is value: String) throws -> [String] {
    try operate { _, graph in
      graph.byName.lazy.filter { $0.value.properties[key]?.description == value }.map(\.key.description).sorted()
    }
  }

  /// A shortest path from one node to another, along edges of any label; nil when there is none.
  func path(from start: String, to end: String) throws -> [String]? {
    try operate { m, graph in
      let (first, last) = (try find(start, graph), try find(end, graph))
      try visit(from: first, graph, m) { $0 == last }
      guard last.visit == graph.lastVisit else { return nil }
      var names: [String] = []
      var next: Reference<Node>? = last
      while let node = next {
        names.append(node.name.description)
        next = node == first ? nil : node.cameFrom
      }
      return names.reversed()
    }
  }

  /// How many nodes can be reached from `name`, itself included.
  func reach(of name: String) throws -> Int {
    try operate { m, graph in try visit(from: find(name, graph), graph, m) { _ in false } }
  }

  /// Breadth first; how many nodes it came to until `isEnd` answered true for one. The queue is a managed array: references in a Swift array
  /// would keep nothing alive.
  @discardableResult
  private func visit(
    from start: Reference<Node>, _ graph: Reference<Graph>, _ m: Mutator, until isEnd: (Reference<Node>) -> Bool
  ) throws -> Int {
    graph.lastVisit += 1
    let number = graph.lastVisit
    let queue = try ManagedArray([start], m)
    start.visit = number
    var next = 0
    while next < queue.count, !isEnd(queue[next]) {
      for edge in queue[next].outgoing where edge.to.visit != number {
        edge.to.visit = number
        edge.to.cameFrom = queue[next]
        try queue.append(edge.to)
      }
      next += 1
    }
    return queue.count
  }

  // MARK: Parts

  private func find(_ name: String, _ graph: Reference<Graph>) throws -> Reference<Node> {
    guard let node = graph.byName[name] else { throw GraphError.noSuchNode(name) }
    return node
  }

  private func label(_ text: String, _ graph: Reference<Graph>, _ m: Mutator) throws -> ManagedString {
    if let known = graph.labels[text] { return known }
    let label = try ManagedString(text, m)
    try graph.labels.updateValue(label, forKey: label)
    return label
  }
}
