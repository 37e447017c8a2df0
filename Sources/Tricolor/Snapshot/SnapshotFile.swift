// A snapshot as a file that the memory panel of Chrome's developer tools opens: V8's .heapsnapshot format, a JSON object of a description
// (what the fields of nodes and edges are, and how many there are), all nodes in one array of numbers, all edges, in the order of their nodes, in
// another, and the strings both refer to. A target is the index of the first number of its node.
//
// Objects are of type `object`, which the panel groups by name; groups of roots are `native`, children of the root that count as roots
// of the program, so that distances are counted from them. Elements are edges of type `element`, fields of type `property`, named by
// their offset. The panel keeps numbers in 32 bits: an object of 4 GiB and more is shown with its size modulo that.
//
// Written in pieces: a snapshot of 10 million objects is a file of some 700 MB.

import Glibc
import TricolorPlatform

extension HeapSnapshot {
  /// Writes the snapshot to a file, for Chrome's memory panel ("Load profile"; the name must end in `.heapsnapshot`) and for
  /// `tricolor snapshot`. A file that is there is replaced.
  ///
  /// Any thread. Cost: about 26 bytes an object and 14 a reference.
  ///
  /// - Throws: ``SnapshotError/file(path:reason:)``; what has been written then stays, and is no whole snapshot.
  public func write(to path: String) throws(SnapshotError) {
    let file = try SnapshotOutput(path)
    var strings = StringTable()
    writeDescription(to: file)
    writeNodes(to: file, &strings)
    writeEdges(to: file, &strings)
    file.text(",\n\"trace_function_infos\":[],\n\"trace_tree\":[],\n\"samples\":[],\n\"locations\":[],\n\"strings\":[")
    for (index, string) in strings.all.enumerated() {
      file.text(index == 0 ? "" : ",\n")
      file.quoted(string)
    }
    file.text("]}\n")
    try file.finish()
  }

  /// The types of nodes and edges in the file, of which some are used.
  package static let nodeTypes = [
    "hidden", "array", "string", "object", "code", "closure", "regexp", "number", "native", "synthetic",
    "concatenated string", "sliced string", "symbol", "bigint", "object shape",
  ]
  package static let edgeTypes = ["context", "element", "property", "internal", "hidden", "shortcut", "weak"]
  private static let object = nodeTypes.firstIndex(of: "object")!
  private static let native = nodeTypes.firstIndex(of: "native")!
  private static let synthetic = nodeTypes.firstIndex(of: "synthetic")!
  private static let element = edgeTypes.firstIndex(of: "element")!
  private static let property = edgeTypes.firstIndex(of: "property")!
  private static let nodeFields = [
    "type", "name", "id", "self_size", "edge_count", "trace_node_id", "detachedness",
  ]

  private func writeDescription(to file: SnapshotOutput) {
    func list(_ texts: [String]) -> String { "[" + texts.map { "\"\($0)\"" }.joined(separator: ",") + "]" }
    file.text("{\"snapshot\":{\"meta\":{\"node_fields\":\(list(HeapSnapshot.nodeFields)),")
    file.text(
      "\"node_types\":[\(list(HeapSnapshot.nodeTypes)),\"string\",\"number\",\"number\",\"number\",\"number\",\"number\"],"
    )
    file.text("\"edge_fields\":[\"type\",\"name_or_index\",\"to_node\"],")
    file.text("\"edge_types\":[\(list(HeapSnapshot.edgeTypes)),\"string_or_number\",\"node\"],")
    file.text(
      "\"trace_function_info_fields\":[\"function_id\",\"name\",\"script_name\",\"script_id\",\"line\",\"column\"],")
    file.text("\"trace_node_fields\":[\"id\",\"function_info_index\",\"count\",\"size\",\"children\"],")
    file.text("\"sample_fields\":[\"timestamp_us\",\"last_assigned_id\"],")
    file.text("\"location_fields\":[\"object_index\",\"script_id\",\"line\",\"column\"]},")
    file.text("\"node_count\":\(nodeCount),\"edge_count\":\(targets.count),\"trace_function_count\":0},\n")
  }

  private func writeNodes(to file: SnapshotOutput, _ strings: inout StringTable) {
    let names = kinds.map { strings.place(of: $0.name) }
    file.text("\"nodes\":[")
    for node in 0..<nodeCount {
      let place = Int(kindOfNode[node])
      let kind = kinds[place]
      let type =
        node == HeapSnapshot.root
        ? HeapSnapshot.synthetic : kind.isGroup ? HeapSnapshot.native : HeapSnapshot.object
      file.number(type, after: node == 0 ? nil : UInt8(ascii: ","))
      file.number(names[place])
      file.number(Int(numbers[node]))
      file.number(kind.bytes)
      file.number(edges(of: node).count)
      file.number(0)
      file.number(0)
      file.newline()
    }
    file.text("],\n")
  }

  private func writeEdges(to file: SnapshotOutput, _ strings: inout StringTable) {
    var fields: [UInt32: Int] = [:]
    file.text("\"edges\":[")
    for edge in 0..<targets.count {
      let label = labels[edge]
      let separator = edge == 0 ? nil : UInt8(ascii: ",")
      if Label.isElement(label) {
        file.number(HeapSnapshot.element, after: separator)
        file.number(Int(label))
      } else {
        file.number(HeapSnapshot.property, after: separator)
        file.number(fields[label] ?? strings.place(of: fieldName(label), &fields[label]))
      }
      file.number(Int(targets[edge]) * HeapSnapshot.nodeFields.count)
      file.newline()
    }
    file.text("]")
  }
}

/// The strings of a file, each once.
private struct StringTable {
  private(set) var all: [String] = []
  private var places: [String: Int] = [:]

  mutating func place(of string: String) -> Int {
    if let place = places[string] { return place }
    places[string] = all.count
    all.append(string)
    return all.count - 1
  }

  /// The same, noted in `known` too.
  mutating func place(of string: String, _ known: inout Int?) -> Int {
    let place = place(of: string)
    known = place
    return place
  }
}

/// A file being written. The first error is kept and told at the end; nothing is written after it.
private final class SnapshotOutput {
  private static let capacity = 1 << 18
  /// What one call may append without a look at the room.
  private static let slack = 64

  private let path: String
  private let descriptor: Int32
  private let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: capacity, alignment: 16)
  private var used = 0
  private var failure: Int32 = 0

  init(_ path: String) throws(SnapshotError) {
    self.path = path
    descriptor = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o644)
    guard descriptor >= 0 else { throw .file(path: path, reason: String(cString: strerror(errno))) }
  }

  deinit {
    close(descriptor)
    buffer.deallocate()
  }

  /// Writes what is left.
  ///
  /// - Throws: when this or anything before failed.
  func finish() throws(SnapshotError) {
    flush()
    if failure != 0 { throw .file(path: path, reason: String(cString: strerror(failure))) }
  }

  func text(_ text: String) {
    for byte in text.utf8 { append(byte) }
  }

  /// A string as JSON has it.
  func quoted(_ text: String) {
    append(UInt8(ascii: "\""))
    for byte in text.utf8 {
      switch byte {
      case UInt8(ascii: "\""), UInt8(ascii: "\\"):
        append(UInt8(ascii: "\\"))
        append(byte)
      case 0..<0x20:
        self.text("\\u00")
        append(SnapshotOutput.digit(byte >> 4))
        append(SnapshotOutput.digit(byte & 15))
      default: append(byte)
      }
    }
    append(UInt8(ascii: "\""))
  }

  private static func digit(_ value: UInt8) -> UInt8 {
    value < 10 ? UInt8(ascii: "0") + value : UInt8(ascii: "a") + value - 10
  }

  func newline() { append(UInt8(ascii: "\n")) }

  /// A number that is not negative, after a separator.
  func number(_ value: Int, after separator: UInt8? = UInt8(ascii: ",")) {
    if used + SnapshotOutput.slack > SnapshotOutput.capacity { flush() }
    if let separator {
      buffer[used] = separator
      used += 1
    }
    var (rest, length) = (value, 1)
    while rest >= 10 {
      rest /= 10
      length += 1
    }
    rest = value
    for place in stride(from: used + length - 1, through: used, by: -1) {
      buffer[place] = UInt8(ascii: "0") + UInt8(truncatingIfNeeded: rest % 10)
      rest /= 10
    }
    used += length
  }

  private func append(_ byte: UInt8) {
    if used + SnapshotOutput.slack > SnapshotOutput.capacity { flush() }
    buffer[used] = byte
    used += 1
  }

  private func flush() {
    var rest = UnsafeRawBufferPointer(rebasing: buffer[..<used])
    used = 0
    while rest.count > 0 && failure == 0 {
      let written = Glibc.write(descriptor, rest.baseAddress!, rest.count)
      if written < 0 && errno == EINTR { continue }
      if written < 0 { failure = errno } else { rest = UnsafeRawBufferPointer(rebasing: rest[written...]) }
    }
  }
}
