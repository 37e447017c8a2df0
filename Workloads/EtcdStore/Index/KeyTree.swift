// The index of keys: a B-tree of degree 32 whose items are references to KeyIndex objects, after etcd's treeIndex.
//
// A snapshot costs nothing: it shares all nodes with the tree, whose epoch rises; a node of an older epoch is copied
// before it changes. So compaction walks a snapshot without any lock while writers go on, and the nodes they replace
// become garbage when it is done.
//
// Invariants: items of a node rise strictly; every node but the root holds at least 31; all leaves have the same depth;
// slots past the last item or child are nil, so that the tree keeps nothing alive by accident.

import Tricolor

/// A node: up to 63 items and, unless it is a leaf, one child more than items.
struct IndexNode: Managed {
  static let slot = TypeSlot()
  static let mostItems = 63
  static let fewestItems = 31

  /// The tree's epoch when the node was made.
  var epoch: Int
  var itemCount: Int
  /// Nil in a leaf.
  var children: Reference<ReferenceArray<IndexNode>>?
  var items = InlineArray<63, Reference<KeyIndex>?>(repeating: nil)
}

/// The tree, or a snapshot of one.
struct KeyTree: Managed {
  static let slot = TypeSlot()
  var root: Reference<IndexNode>?
  var keyCount = 0
  var epoch = 0
}

extension Reference where Target == IndexNode {
  var isLeaf: Bool { self.children == nil }

  @inline(__always) func item(_ index: Int) -> Reference<KeyIndex> { self.items[index].unsafelyUnwrapped }
  @inline(__always) func child(_ index: Int) -> Reference<IndexNode> {
    self.children.unsafelyUnwrapped[index].unsafelyUnwrapped
  }

  /// The first item not before `key`, and whether it is `key`.
  func search(_ key: UnsafeRawBufferPointer) -> (index: Int, found: Bool) {
    var low = 0
    var high = self.itemCount
    while low < high {
      let middle = (low + high) / 2
      let order = ByteOrder.compare(item(middle).keyBytes, key)
      if order == 0 { return (middle, true) }
      if order < 0 { low = middle + 1 } else { high = middle }
    }
    return (low, false)
  }
}

extension Reference where Target == KeyTree {
  /// The index of `key`, nil when the tree has none.
  func find(_ key: UnsafeRawBufferPointer) -> Reference<KeyIndex>? {
    var next = self.root
    while let node = next {
      let (index, found) = node.search(key)
      if found { return node.item(index) }
      next = node.isLeaf ? nil : node.child(index)
    }
    return nil
  }

  /// The tree as it is now, for as long as somebody holds the result. Later changes of the tree copy the nodes they
  /// touch.
  func snapshot(_ m: Mutator) throws(OutOfMemory) -> Reference<KeyTree> {
    let copy = try m.make(KeyTree(root: self.root, keyCount: self.keyCount, epoch: self.epoch))
    self.epoch += 1
    return copy
  }

  /// Visits the indexes of all keys not before `start` in order, until `visit` answers false.
  func ascend<E: Error>(
    from start: UnsafeRawBufferPointer, _ visit: (Reference<KeyIndex>) throws(E) -> Bool
  ) throws(E) {
    guard let root = self.root else { return }
    _ = try root.ascend(from: start, visit)
  }
}

extension Reference where Target == IndexNode {
  fileprivate func ascend<E: Error>(
    from start: UnsafeRawBufferPointer, _ visit: (Reference<KeyIndex>) throws(E) -> Bool
  ) throws(E) -> Bool {
    let (first, found) = search(start)
    for index in first..<max(first, self.itemCount) {
      if !isLeaf && !(found && index == first) {
        let goesOn = index == first ? try child(index).ascend(from: start, visit) : try child(index).ascendAll(visit)
        if !goesOn { return false }
      }
      if try !visit(item(index)) { return false }
    }
    if isLeaf { return true }
    return first == self.itemCount
      ? try child(first).ascend(from: start, visit) : try child(self.itemCount).ascendAll(visit)
  }

  private func ascendAll<E: Error>(_ visit: (Reference<KeyIndex>) throws(E) -> Bool) throws(E) -> Bool {
    for index in 0..<self.itemCount {
      if !isLeaf, try !child(index).ascendAll(visit) { return false }
      if try !visit(item(index)) { return false }
    }
    return isLeaf ? true : try child(self.itemCount).ascendAll(visit)
  }
}
