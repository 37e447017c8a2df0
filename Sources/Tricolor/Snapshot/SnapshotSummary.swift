// A snapshot by layouts, the objects that retain most, and what has changed from one snapshot to another.

/// The objects of one layout in a snapshot.
public struct LayoutSummary: Sendable, Hashable, CustomStringConvertible {
  /// The payload's type, `bytes`, `reference array`, or the name that a layout was registered under.
  public let name: String
  /// How many objects there are.
  public let objects: Int
  /// The bytes of their cells.
  public let bytes: Int
  /// What each of them retains, in bytes, what several of them retain counted once: theirs, and those of all that is reachable through one of them
  /// only. What is reachable through any of two is retained by neither.
  public let retainedBytes: Int

  /// One line.
  public var description: String { "\(name): \(objects) objects, \(bytes) bytes, \(retainedBytes) retained" }
}

/// An object of a snapshot.
public struct SnapshotObject: Sendable, Hashable, CustomStringConvertible {
  /// The name of its layout; for a group of roots, what they are.
  public let name: String
  /// The same in every snapshot as long as the object lives; an object made later in the same place has it again.
  public let number: UInt32
  /// The bytes of its cell; 0 for a group of roots.
  public let bytes: Int
  /// The bytes that would be garbage if it were.
  public let retainedBytes: Int

  /// Name and number.
  public var description: String { bytes == 0 ? name : "\(name)@\(number)" }
}

/// How the objects of one layout have changed from a snapshot to a later one.
public struct LayoutDifference: Sendable, Hashable, CustomStringConvertible {
  /// As in `LayoutSummary`.
  public let name: String
  /// More objects than before; negative for fewer.
  public let objects: Int
  /// More bytes of cells.
  public let bytes: Int
  /// More bytes retained.
  public let retainedBytes: Int

  /// One line.
  public var description: String { "\(name): \(objects) objects, \(bytes) bytes, \(retainedBytes) retained" }
}

extension HeapSnapshot {
  /// The objects by their layouts, those that retain most first.
  ///
  /// The first question for retained bytes computes the dominator tree: one to two microseconds an object.
  ///
  /// - Throws: `SnapshotError.platform` when there is no memory for that.
  public func layouts() throws(SnapshotError) -> [LayoutSummary] {
    let retention = try self.retention()
    var counts = [(objects: Int, bytes: Int)](repeating: (0, 0), count: retention.classes.count)
    for node in 0..<nodeCount {
      let kind = Int(kindOfNode[node])
      counts[retention.classOfKind[kind]].objects += 1
      counts[retention.classOfKind[kind]].bytes += kinds[kind].bytes
    }
    return retention.classes.indices.filter { !retention.classes[$0].isGroup }.map {
      LayoutSummary(
        name: retention.classes[$0].name, objects: counts[$0].objects, bytes: counts[$0].bytes,
        retainedBytes: retention.retainedOfClass[$0])
    }.sorted { ($0.retainedBytes, $1.name) > ($1.retainedBytes, $0.name) }
  }

  /// The `count` objects that retain most, the largest first. Groups of roots are not among them.
  ///
  /// - Throws: as `layouts()`.
  public func largestObjects(_ count: Int) throws(SnapshotError) -> [SnapshotObject] {
    let retained = try self.retention().retained.base
    var found: [Int] = []
    for node in 0..<nodeCount where !kinds[Int(kindOfNode[node])].isGroup {
      if found.count == count, let last = found.last, retained[node] <= retained[last] { continue }
      let place = found.firstIndex { retained[$0] < retained[node] } ?? found.count
      found.insert(node, at: place)
      if found.count > count { found.removeLast() }
    }
    return try found.map { (node) throws(SnapshotError) in try object(node) }
  }

  /// What has changed since `earlier`, by layout, what grew most first. Layouts of which nothing has changed are left out.
  ///
  /// - Throws: as `layouts()`.
  public func difference(since earlier: HeapSnapshot) throws(SnapshotError) -> [LayoutDifference] {
    var before: [String: LayoutSummary] = [:]
    for layout in try earlier.layouts() { before[layout.name] = layout }
    var result: [LayoutDifference] = []
    for now in try layouts() {
      let then = before.removeValue(forKey: now.name)
      result.append(
        LayoutDifference(
          name: now.name, objects: now.objects - (then?.objects ?? 0), bytes: now.bytes - (then?.bytes ?? 0),
          retainedBytes: now.retainedBytes - (then?.retainedBytes ?? 0)))
    }
    for then in before.values {
      result.append(
        LayoutDifference(
          name: then.name, objects: -then.objects, bytes: -then.bytes, retainedBytes: -then.retainedBytes))
    }
    return result.filter { $0.objects != 0 || $0.bytes != 0 || $0.retainedBytes != 0 }
      .sorted { ($0.bytes, $0.retainedBytes, $1.name) > ($1.bytes, $1.retainedBytes, $0.name) }
  }

  /// What is known of a node.
  func object(_ node: Int) throws(SnapshotError) -> SnapshotObject {
    let kind = self.kind(of: node)
    return SnapshotObject(
      name: kind.name, number: numbers[node], bytes: kind.bytes,
      retainedBytes: Int(try retention().retained[node]))
  }
}
