// A copy of the graph of what is reachable on a heap: who refers to whom, and how large everything is. No contents.
//
// Nodes are numbered: 0 is the root of all, then the groups of roots (root handles, the stack of a thread, ...), then the objects by their
// addresses. A node has a kind, which says its layout's name and its size; a number that is the same in every snapshot as long as
// the object lives; and a range of edges. An edge has a target and a label: an element's index, or the name of a field, which is its offset.
// Everything is in arrays of 32-bit words: 12 bytes an object and 8 a reference.
//
// Questions that need the dominator tree (Dominators.swift) compute it at the first of them and keep it: 12 bytes an object more.

import Synchronization

/// A copy of the graph of all objects that were reachable at one moment. Any thread.
///
/// It keeps nothing alive: it has no references, only sizes, names and who refers to whom. It takes 12 bytes an object and 8 a reference; what is
/// computed of it takes 52 and 4 more while it is computed, and 12 an object afterwards.
public final class HeapSnapshot: Sendable {
  /// What nodes are, many of one kind.
  package struct Kind: Sendable, Hashable {
    package var name: String
    package var bytes: Int
    /// Whether they are groups of roots, and no objects.
    package var isGroup: Bool

    package init(name: String, bytes: Int, isGroup: Bool) {
      self.name = name
      self.bytes = bytes
      self.isGroup = isGroup
    }
  }

  /// How an object is referred to: words that say where in the referring one the reference is.
  package enum Label {
    static let fieldBit: UInt32 = 1 << 31
    /// Found by a function of the layout, which does not say where.
    static let traced = UInt32.max

    /// The element with an index.
    @inline(__always) package static func element(_ index: Int) -> UInt32 { UInt32(clamping: min(index, 0x7fff_ffff)) }
    /// The field at a byte offset.
    @inline(__always) static func field(_ offset: Int) -> UInt32 { fieldBit | UInt32(clamping: offset >> 3) }
    /// The field with a name of the snapshot's.
    @inline(__always) package static func named(_ index: Int) -> UInt32 { fieldBit | UInt32(clamping: index) }
    package static func isElement(_ label: UInt32) -> Bool { label & fieldBit == 0 }
  }

  /// The root of all nodes.
  package static let root = 0

  package let kinds: [Kind]
  package let nodeCount: Int
  /// By node: its place in `kinds`, its number, its first edge; the latter with one more at the end.
  package let kindOfNode: MappedArray<UInt32>
  package let numbers: MappedArray<UInt32>
  package let firstEdge: MappedArray<UInt32>
  /// By edge.
  package let targets: MappedArray<UInt32>
  package let labels: MappedArray<UInt32>
  /// Names of fields, for a snapshot from a file; nil where they are named by their offsets.
  private let fieldNames: [String]?

  /// How many objects were reachable.
  public let objectCount: Int
  /// How many references they had to each other.
  public let referenceCount: Int
  /// The bytes of all their cells.
  public let bytes: Int
  /// For how long all threads of the heap were held while it was copied, in nanoseconds; 0 for a snapshot from a file.
  public let heldNanoseconds: UInt64

  private let known = Mutex<Retention?>(nil)

  package init(
    kinds: [Kind], nodeCount: Int, kindOfNode: MappedArray<UInt32>, numbers: MappedArray<UInt32>,
    firstEdge: MappedArray<UInt32>, targets: MappedArray<UInt32>, labels: MappedArray<UInt32>, fieldNames: [String]?,
    heldNanoseconds: UInt64
  ) {
    self.kinds = kinds
    self.nodeCount = nodeCount
    self.kindOfNode = kindOfNode
    self.numbers = numbers
    self.firstEdge = firstEdge
    self.targets = targets
    self.labels = labels
    self.fieldNames = fieldNames
    self.heldNanoseconds = heldNanoseconds
    var (objects, bytes, references) = (0, 0, 0)
    for node in 0..<nodeCount where !kinds[Int(kindOfNode[node])].isGroup {
      objects += 1
      bytes += kinds[Int(kindOfNode[node])].bytes
      references += Int(firstEdge[node + 1] - firstEdge[node])
    }
    (objectCount, self.bytes, referenceCount) = (objects, bytes, references)
  }

  /// Bytes outside the heap that a snapshot of so many objects and references takes at its most, with all that can be asked of it.
  static func neededBytes(objects: Int, references: Int) -> Int { 64 * objects + 12 * references }

  // MARK: Small questions

  package func kind(of node: Int) -> Kind { kinds[Int(kindOfNode[node])] }

  package func edges(of node: Int) -> Range<Int> { Int(firstEdge[node])..<Int(firstEdge[node + 1]) }

  /// The words for a label that is no element's.
  package func fieldName(_ label: UInt32) -> String {
    if let fieldNames { return fieldNames[Int(label & ~Label.fieldBit)] }
    return label == Label.traced ? "traced" : "+\(Int(label & ~Label.fieldBit) * 8)"
  }

  /// The node with a number; nil when there is none. Linear in the number of nodes.
  func node(numbered number: UInt32) -> Int? {
    let numbers = self.numbers.base
    return (0..<nodeCount).first { numbers[$0] == number }
  }

  /// What dominates what, computed at the first call.
  func retention() throws(SnapshotError) -> Retention {
    try known.withLock { (known) throws(SnapshotError) in
      if let known { return known }
      let retention = try Retention(of: self)
      known = retention
      return retention
    }
  }
}
