// Why an object is alive: a shortest path to it from the roots, found breadth first.

/// A shortest path from a group of roots to an object.
public struct HeapPath: Sendable, CustomStringConvertible {
  /// One node of the path.
  public struct Step: Sendable {
    /// The object, or for the first step the group of roots.
    public let object: SnapshotObject
    /// Where the one before it refers to it: an element's index in brackets, a field as its offset in bytes (`+8`), or `traced`.
    public let place: String
  }

  /// From the group of roots to the object asked for.
  public let steps: [Step]

  private static let most = 40

  /// On one line; of a path of more than 40 steps the ends.
  public var description: String {
    let texts = steps.enumerated().map { $0 == 0 ? "\($1.object)" : "\($1.place) -> \($1.object)" }
    if texts.count <= HeapPath.most { return texts.joined(separator: " ") }
    let half = HeapPath.most / 2
    let between = "-> (\(texts.count - 2 * half) objects)"
    return (texts.prefix(half) + [between] + texts.suffix(half)).joined(separator: " ")
  }
}

extension HeapSnapshot {
  /// Why the object with a number is alive: a shortest path to it. Nil when it is not in the snapshot.
  ///
  /// - Throws: as `layouts()`, for the sizes of the steps.
  public func path(toObject number: UInt32) throws(SnapshotError) -> HeapPath? {
    guard let wanted = node(numbered: number) else { return nil }
    return try path { $0 == wanted }
  }

  /// Why there are objects of the layout named `name`: a shortest path to the nearest of them. Nil when there is none.
  ///
  /// - Throws: as `layouts()`, for the sizes of the steps.
  public func path(toLayout name: String) throws(SnapshotError) -> HeapPath? {
    let wanted = kinds.map { $0.name == name && !$0.isGroup }
    return try path { wanted[Int(kindOfNode[$0])] }
  }

  /// The number in snapshots of the object that `address` is the start of, in any heap of this process: `Reference.address`. Nil for an
  /// address that no snapshot has a number for.
  public static func number(ofObjectAt address: UnsafeMutableRawPointer) -> UInt32? {
    let word = UInt(bitPattern: address)
    guard addressMap.contains(word), addressMap.granule(of: word) < UInt(SnapshotNumber.mostObjects) else { return nil }
    return SnapshotNumber.object(granule: addressMap.granule(of: word))
  }

  /// A shortest path to the first node met for which `isWanted`.
  private func path(_ isWanted: (Int) -> Bool) throws(SnapshotError) -> HeapPath? {
    let from = try SnapshotError.array(of: UInt32.self, nodeCount)
    let queue = try SnapshotError.array(of: UInt32.self, nodeCount)
    var (first, end) = (0, 1)
    while first < end {
      let node = Int(queue[first])
      first += 1
      if isWanted(node) { return try path(to: node, from) }
      for edge in edges(of: node) {
        let target = Int(targets[edge])
        // Of the root, which is where all begins, nothing leads to it.
        if target == HeapSnapshot.root || from[target] != 0 { continue }
        from[target] = UInt32(node + 1)
        queue[end] = UInt32(target)
        end += 1
      }
    }
    return nil
  }

  private func path(to last: Int, _ from: MappedArray<UInt32>) throws(SnapshotError) -> HeapPath {
    var steps: [HeapPath.Step] = []
    var node = last
    while node != HeapSnapshot.root {
      let before = Int(from[node]) - 1
      steps.append(HeapPath.Step(object: try object(node), place: place(of: node, in: before)))
      node = before
    }
    return HeapPath(steps: steps.reversed())
  }

  /// Where a node refers to another one: the first place.
  private func place(of target: Int, in node: Int) -> String {
    guard let edge = edges(of: node).first(where: { Int(targets[$0]) == target }) else { return "" }
    let label = labels[edge]
    return Label.isElement(label) ? "[\(label)]" : "(\(fieldName(label)))"
  }
}
