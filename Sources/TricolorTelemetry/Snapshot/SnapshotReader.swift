// Reading a .heapsnapshot file: those of `HeapSnapshot.write(to:)`, and those of Chrome and Node, whose format it is.
//
// Strict: every count is compared, every index looked at, and what is wrong is said with its value. The two long arrays of numbers are
// scanned straight into the snapshot's arrays, whose sizes the description says; the names at the end are found first. Weak edges are left
// out, since they keep nothing alive.

import Tricolor
import TricolorPlatform

/// A file that is no snapshot: what was met where, and what is expected.
public struct SnapshotFormatError: Error, CustomStringConvertible, Sendable {
  /// In words.
  public let description: String
}

extension HeapSnapshot {
  /// The snapshot in the bytes of a file.
  ///
  /// - Throws: `SnapshotFormatError` for bytes that are no snapshot; `PlatformError` when there is no memory for it.
  public convenience init(reading bytes: [UInt8]) throws {
    let parts = try bytes.withUnsafeBufferPointer { bytes in
      var reader = SnapshotReader(bytes)
      return try reader.read()
    }
    self.init(parts)
  }

  private convenience init(_ parts: SnapshotReader.Parts) {
    self.init(
      kinds: parts.kinds, nodeCount: parts.numbers.count, kindOfNode: parts.kindOfNode, numbers: parts.numbers,
      firstEdge: parts.firstEdge, targets: parts.targets, labels: parts.labels, fieldNames: parts.strings,
      heldNanoseconds: 0)
  }
}

private struct SnapshotReader {
  struct Parts {
    let kinds: [HeapSnapshot.Kind]
    let kindOfNode: MappedArray<UInt32>
    let numbers: MappedArray<UInt32>
    let firstEdge: MappedArray<UInt32>
    let targets: MappedArray<UInt32>
    let labels: MappedArray<UInt32>
    let strings: [String]
  }

  /// What the description says.
  private struct Description {
    var nodeFields: [String] = []
    var nodeTypes: [String] = []
    var edgeFields: [String] = []
    var edgeTypes: [String] = []
    var nodeCount: Int?
    var edgeCount: Int?
  }

  /// At the beginning of the file.
  private let scanner: JSONScanner
  private var description = Description()
  private var nodesAt: Int?
  private var edgesAt: Int?
  private var strings: [String]?

  init(_ bytes: UnsafeBufferPointer<UInt8>) { scanner = JSONScanner(bytes) }

  mutating func read() throws -> Parts {
    var scanner = self.scanner
    try scanner.object { (scanner, key) throws(SnapshotFormatError) in
      switch key {
      case "snapshot": try readDescription(&scanner)
      case "nodes":
        nodesAt = scanner.place
        try scanner.skipValue()
      case "edges":
        edgesAt = scanner.place
        try scanner.skipValue()
      case "strings": strings = try scanner.strings()
      default: try scanner.skipValue()
      }
    }
    try scanner.expectEnd()
    return try readGraph()
  }

  private mutating func readDescription(_ scanner: inout JSONScanner) throws(SnapshotFormatError) {
    try scanner.object { (scanner, key) throws(SnapshotFormatError) in
      switch key {
      case "node_count": description.nodeCount = try scanner.count()
      case "edge_count": description.edgeCount = try scanner.count()
      case "meta":
        try scanner.object { (scanner, key) throws(SnapshotFormatError) in
          switch key {
          case "node_fields": description.nodeFields = try scanner.strings()
          case "edge_fields": description.edgeFields = try scanner.strings()
          case "node_types": description.nodeTypes = try scanner.firstElementStrings()
          case "edge_types": description.edgeTypes = try scanner.firstElementStrings()
          default: try scanner.skipValue()
          }
        }
      default: try scanner.skipValue()
      }
    }
  }

  private func readGraph() throws -> Parts {
    guard let nodesAt, let edgesAt, let strings else {
      throw SnapshotFormatError(description: "one of \"nodes\", \"edges\" and \"strings\" is missing")
    }
    guard let nodeCount = description.nodeCount, let edgeCount = description.edgeCount, nodeCount > 0 else {
      throw SnapshotFormatError(description: "\"snapshot\" has no node_count above 0, or no edge_count")
    }
    guard nodeCount < Int(UInt32.max), edgeCount < Int(UInt32.max) else {
      throw SnapshotFormatError(
        description: "\(nodeCount) nodes and \(edgeCount) edges are more than \(UInt32.max - 1)")
    }
    // Each takes two bytes at least: what a file cannot hold is not made room for.
    guard nodeCount <= scanner.byteCount, edgeCount <= scanner.byteCount else {
      throw SnapshotFormatError(
        description: "\(nodeCount) nodes and \(edgeCount) edges do not fit a file of \(scanner.byteCount) bytes")
    }
    var nodes = try NodeReader(description.nodeFields, description.nodeTypes, strings, count: nodeCount)
    var scanner = self.scanner
    scanner.place = nodesAt
    try nodes.read(&scanner)
    var edges = try EdgeReader(description.edgeFields, description.edgeTypes, strings.count, nodes, count: edgeCount)
    scanner.place = edgesAt
    try edges.read(&scanner)
    return Parts(
      kinds: nodes.kinds, kindOfNode: nodes.kindOfNode, numbers: nodes.numbers, firstEdge: edges.firstEdge,
      targets: edges.targets, labels: edges.labels, strings: strings)
  }
}

/// The place of a field among those of a node or edge.
private func place(of field: String, in fields: [String], _ what: String) throws(SnapshotFormatError) -> Int {
  guard let place = fields.firstIndex(of: field) else {
    throw SnapshotFormatError(description: "\(what) has no \"\(field)\", but \(fields)")
  }
  return place
}

private struct NodeReader {
  private(set) var kinds: [HeapSnapshot.Kind] = []
  let count: Int
  let fieldCount: Int
  let kindOfNode: MappedArray<UInt32>
  let numbers: MappedArray<UInt32>
  let edgeCounts: MappedArray<UInt32>
  private let type: Int
  private let name: Int
  private let id: Int
  private let size: Int
  private let edges: Int
  private let types: [String]
  private let strings: [String]
  private var places: [HeapSnapshot.Kind: UInt32] = [:]
  private var lastKind: (name: Int, size: Int, isGroup: Bool, place: UInt32)?

  init(_ fields: [String], _ types: [String], _ strings: [String], count: Int) throws {
    self.count = count
    self.types = types
    self.strings = strings
    fieldCount = fields.count
    type = try place(of: "type", in: fields, "node_fields")
    name = try place(of: "name", in: fields, "node_fields")
    id = try place(of: "id", in: fields, "node_fields")
    size = try place(of: "self_size", in: fields, "node_fields")
    edges = try place(of: "edge_count", in: fields, "node_fields")
    kindOfNode = try MappedArray(count: count)
    numbers = try MappedArray(count: count)
    edgeCounts = try MappedArray(count: count)
  }

  mutating func read(_ scanner: inout JSONScanner) throws(SnapshotFormatError) {
    let read = try scanner.numbers(groupsOf: fieldCount, named: "nodes", most: count) {
      (node, values) throws(SnapshotFormatError) in
      numbers[node] = UInt32(truncatingIfNeeded: values[id])
      edgeCounts[node] = UInt32(clamping: values[edges])
      kindOfNode[node] = try kind(of: node, values)
    }
    guard read == count else {
      throw SnapshotFormatError(description: "\"nodes\" has \(read) nodes, and node_count is \(count)")
    }
  }

  private mutating func kind(of node: Int, _ values: [Int]) throws(SnapshotFormatError) -> UInt32 {
    guard strings.indices.contains(values[name]), types.indices.contains(values[type]) else {
      throw SnapshotFormatError(
        description:
          "node \(node) has name \(values[name]) of \(strings.count) and type \(values[type]) of \(types.count)")
    }
    let type = types[values[type]]
    let isGroup = type == "synthetic" || type == "native" && values[size] == 0
    if let lastKind, lastKind == (values[name], values[size], isGroup, lastKind.place) { return lastKind.place }
    let kind = HeapSnapshot.Kind(name: strings[values[name]], bytes: values[size], isGroup: isGroup)
    let known = places[kind]
    let place = known ?? UInt32(kinds.count)
    if known == nil {
      places[kind] = place
      kinds.append(kind)
    }
    lastKind = (values[name], values[size], isGroup, place)
    return place
  }
}

private struct EdgeReader {
  let firstEdge: MappedArray<UInt32>
  private(set) var targets: MappedArray<UInt32>
  private(set) var labels: MappedArray<UInt32>
  private let count: Int
  private let nodes: NodeReader
  private let type: Int
  private let name: Int
  private let target: Int
  private let fieldCount: Int
  private let types: [String]
  private let stringCount: Int

  init(_ fields: [String], _ types: [String], _ stringCount: Int, _ nodes: NodeReader, count: Int) throws {
    self.count = count
    self.types = types
    self.nodes = nodes
    self.stringCount = stringCount
    fieldCount = fields.count
    type = try place(of: "type", in: fields, "edge_fields")
    name = try place(of: "name_or_index", in: fields, "edge_fields")
    target = try place(of: "to_node", in: fields, "edge_fields")
    firstEdge = try MappedArray(count: nodes.count + 1)
    targets = try MappedArray(count: count)
    labels = try MappedArray(count: count)
  }

  mutating func read(_ scanner: inout JSONScanner) throws {
    var (node, left, kept) = (0, Int(nodes.edgeCounts[0]), 0)
    let (targets, labels) = (self.targets, self.labels)
    let read = try scanner.numbers(groupsOf: fieldCount, named: "edges", most: count) {
      (edge, values) throws(SnapshotFormatError) in
      while left == 0 {
        node += 1
        guard node < nodes.count else {
          throw SnapshotFormatError(description: "edge \(edge) belongs to no node: their edge counts end before")
        }
        firstEdge[node] = UInt32(kept)
        left = Int(nodes.edgeCounts[node])
      }
      left -= 1
      guard let label = try label(edge, values) else { return }
      targets[kept] = UInt32(values[target] / nodes.fieldCount)
      labels[kept] = label
      kept += 1
    }
    while node < nodes.count {
      node += 1
      firstEdge[node] = UInt32(kept)
      if node < nodes.count { left += Int(nodes.edgeCounts[node]) }
    }
    guard read == count, left == 0 else {
      throw SnapshotFormatError(
        description:
          "\"edges\" has \(read) edges, edge_count is \(count), and \(left) that nodes should have are missing")
    }
    if kept < count { try shorten(to: kept) }
  }

  /// The label of an edge; nil for a weak one.
  private func label(_ edge: Int, _ values: [Int]) throws(SnapshotFormatError) -> UInt32? {
    guard values[target] % nodes.fieldCount == 0, values[target] / nodes.fieldCount < nodes.count,
      types.indices.contains(values[type])
    else {
      throw SnapshotFormatError(
        description: "edge \(edge) of type \(values[type]) leads to \(values[target]); allowed are multiples of "
          + "\(nodes.fieldCount) below \(nodes.fieldCount * nodes.count)")
    }
    let type = types[values[type]]
    if type == "weak" { return nil }
    if type == "element" || type == "hidden" { return HeapSnapshot.Label.element(values[name]) }
    guard values[name] < stringCount else {
      throw SnapshotFormatError(description: "edge \(edge) has name \(values[name]) of \(stringCount)")
    }
    return HeapSnapshot.Label.named(values[name])
  }

  private mutating func shorten(to kept: Int) throws(PlatformError) {
    let (targets, labels): (MappedArray<UInt32>, MappedArray<UInt32>)
    (targets, labels) = (try MappedArray(count: kept), try MappedArray(count: kept))
    targets.base.update(from: self.targets.base, count: kept)
    labels.base.update(from: self.labels.base, count: kept)
    (self.targets, self.labels) = (targets, labels)
  }
}
