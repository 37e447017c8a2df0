// Inserting into and deleting from the index.
//
// Both work on the way down, so that no step looks back: insertion splits every full node it passes, deletion fills
// every node that holds the fewest items allowed. Each step is complete in itself, which leaves a proper tree behind
// when memory runs out between two of them.

import Tricolor

extension Reference where Target == KeyTree {
  /// Adds the index of a key that the tree does not have.
  func insert(_ new: Reference<KeyIndex>, _ m: Mutator) throws(OutOfMemory) {
    var node = try rootWithRoom(m)
    while true {
      let (index, found) = node.search(new.keyBytes)
      precondition(!found, "the index has this key already")
      if node.isLeaf {
        node.insertItem(new, at: index)
        self.keyCount += 1
        return
      }
      node = try node.childWithRoom(index, for: new.keyBytes, epoch: self.epoch, m)
    }
  }

  /// Removes `key` and answers its index; nil when the tree does not have it.
  func remove(_ key: UnsafeRawBufferPointer, _ m: Mutator) throws(OutOfMemory) -> Reference<KeyIndex>? {
    guard self.root != nil else { return nil }
    let top = try ownedRoot(m)
    let removed = try top.remove(key, epoch: self.epoch, m)
    if top.itemCount == 0 { self.root = top.isLeaf ? nil : top.child(0) }
    if removed != nil { self.keyCount -= 1 }
    return removed
  }

  /// The root, made or split so that an item fits.
  private func rootWithRoom(_ m: Mutator) throws(OutOfMemory) -> Reference<IndexNode> {
    guard self.root != nil else {
      let leaf = try m.make(IndexNode(epoch: self.epoch, itemCount: 0, children: nil))
      self.root = leaf
      return leaf
    }
    let top = try ownedRoot(m)
    if top.itemCount < IndexNode.mostItems { return top }
    let children = try m.makeArray(of: IndexNode.self, count: IndexNode.mostItems + 1)
    children[0] = top
    let taller = try m.make(IndexNode(epoch: self.epoch, itemCount: 0, children: children))
    try taller.splitChild(0, epoch: self.epoch, m)
    self.root = taller
    return taller
  }

  private func ownedRoot(_ m: Mutator) throws(OutOfMemory) -> Reference<IndexNode> {
    let owned = try self.root.unsafelyUnwrapped.owned(by: self.epoch, m)
    if owned != self.root { self.root = owned }
    return owned
  }
}

extension Reference where Target == IndexNode {
  // MARK: Copying on write

  /// The node itself if it belongs to `epoch`, else a copy that does.
  fileprivate func owned(by epoch: Int, _ m: Mutator) throws(OutOfMemory) -> Reference<IndexNode> {
    if self.epoch == epoch { return self }
    var newChildren: Reference<ReferenceArray<IndexNode>>? = nil
    if let children = self.children {
      let copied = try m.makeArray(of: IndexNode.self, count: IndexNode.mostItems + 1)
      for index in 0...self.itemCount { copied[index] = children[index] }
      newChildren = copied
    }
    let copy = try m.make(IndexNode(epoch: epoch, itemCount: self.itemCount, children: newChildren))
    for index in 0..<self.itemCount { copy.items[index] = self.items[index] }
    return copy
  }

  /// Child `index`, replaced by a copy if it belongs to an older epoch.
  fileprivate func ownedChild(_ index: Int, epoch: Int, _ m: Mutator) throws(OutOfMemory) -> Reference<IndexNode> {
    let old = child(index)
    let owned = try old.owned(by: epoch, m)
    if owned != old { self.children.unsafelyUnwrapped[index] = owned }
    return owned
  }

  // MARK: Moving items and children

  fileprivate func insertItem(_ new: Reference<KeyIndex>, at index: Int) {
    let slots = self.items
    var last = self.itemCount
    while last > index {
      slots[last] = slots[last - 1]
      last -= 1
    }
    slots[index] = new
    self.itemCount += 1
  }

  fileprivate func removeItem(at index: Int) -> Reference<KeyIndex> {
    let slots = self.items
    let removed = item(index)
    for place in index..<self.itemCount - 1 { slots[place] = slots[place + 1] }
    slots[self.itemCount - 1] = nil
    self.itemCount -= 1
    return removed
  }

  /// Puts `new` at `index` among `count` children.
  fileprivate func insertChild(_ new: Reference<IndexNode>, at index: Int, count: Int) {
    let slots = self.children.unsafelyUnwrapped
    var last = count
    while last > index {
      slots[last] = slots[last - 1]
      last -= 1
    }
    slots[index] = new
  }

  /// Takes the child at `index` from among `count` children.
  fileprivate func removeChild(at index: Int, count: Int) -> Reference<IndexNode> {
    let slots = self.children.unsafelyUnwrapped
    let removed = child(index)
    for place in index..<count - 1 { slots[place] = slots[place + 1] }
    slots[count - 1] = nil
    return removed
  }

  // MARK: Inserting

  /// The child that `key` belongs under, at or beside `index`, split first when it is full.
  fileprivate func childWithRoom(
    _ index: Int, for key: UnsafeRawBufferPointer, epoch: Int, _ m: Mutator
  ) throws(OutOfMemory) -> Reference<IndexNode> {
    let below = try ownedChild(index, epoch: epoch, m)
    if below.itemCount < IndexNode.mostItems { return below }
    try splitChild(index, epoch: epoch, m)
    return ByteOrder.compare(key, item(index).keyBytes) < 0 ? below : child(index + 1)
  }

  /// Splits the full, owned child `index` in two around its middle item, which moves up into this node.
  fileprivate func splitChild(_ index: Int, epoch: Int, _ m: Mutator) throws(OutOfMemory) {
    let left = child(index)
    let half = IndexNode.mostItems / 2
    let newChildren = left.isLeaf ? nil : try m.makeArray(of: IndexNode.self, count: IndexNode.mostItems + 1)
    let right = try m.make(
      IndexNode(epoch: epoch, itemCount: IndexNode.mostItems - half - 1, children: newChildren))
    for place in 0..<right.itemCount {
      right.items[place] = left.items[half + 1 + place]
      left.items[half + 1 + place] = nil
    }
    if let newChildren, let oldChildren = left.children {
      for place in 0...right.itemCount {
        newChildren[place] = oldChildren[half + 1 + place]
        oldChildren[half + 1 + place] = nil
      }
    }
    let middle = left.item(half)
    left.items[half] = nil
    left.itemCount = half
    insertChild(right, at: index + 1, count: self.itemCount + 1)
    insertItem(middle, at: index)
  }

  // MARK: Deleting

  fileprivate func remove(
    _ key: UnsafeRawBufferPointer, epoch: Int, _ m: Mutator
  ) throws(OutOfMemory) -> Reference<KeyIndex>? {
    let (index, found) = search(key)
    if isLeaf { return found ? removeItem(at: index) : nil }
    if child(index).itemCount <= IndexNode.fewestItems {
      try fillChild(index, epoch: epoch, m)
      return try remove(key, epoch: epoch, m)
    }
    let below = try ownedChild(index, epoch: epoch, m)
    guard found else { return try below.remove(key, epoch: epoch, m) }
    let replacement = try below.removeLast(epoch: epoch, m)
    let removed = item(index)
    self.items[index] = replacement
    return removed
  }

  /// Removes the greatest item below this node.
  private func removeLast(epoch: Int, _ m: Mutator) throws(OutOfMemory) -> Reference<KeyIndex> {
    if isLeaf { return removeItem(at: self.itemCount - 1) }
    if child(self.itemCount).itemCount <= IndexNode.fewestItems {
      try fillChild(self.itemCount, epoch: epoch, m)
      return try removeLast(epoch: epoch, m)
    }
    return try ownedChild(self.itemCount, epoch: epoch, m).removeLast(epoch: epoch, m)
  }

  /// Gives child `index`, which holds the fewest items allowed, one more: from a neighbour that can spare it, or by
  /// merging.
  private func fillChild(_ index: Int, epoch: Int, _ m: Mutator) throws(OutOfMemory) {
    if index > 0 && child(index - 1).itemCount > IndexNode.fewestItems {
      try moveRight(from: index - 1, epoch: epoch, m)
    } else if index < self.itemCount && child(index + 1).itemCount > IndexNode.fewestItems {
      try moveLeft(into: index, epoch: epoch, m)
    } else {
      try mergeChildren(min(index, self.itemCount - 1), epoch: epoch, m)
    }
  }

  /// Rotates the last item of child `index` through this node into the next child.
  private func moveRight(from index: Int, epoch: Int, _ m: Mutator) throws(OutOfMemory) {
    let left = try ownedChild(index, epoch: epoch, m)
    let right = try ownedChild(index + 1, epoch: epoch, m)
    if !left.isLeaf {
      let moved = left.removeChild(at: left.itemCount, count: left.itemCount + 1)
      right.insertChild(moved, at: 0, count: right.itemCount + 1)
    }
    right.insertItem(item(index), at: 0)
    self.items[index] = left.removeItem(at: left.itemCount - 1)
  }

  /// Rotates the first item of child `index + 1` through this node into child `index`.
  private func moveLeft(into index: Int, epoch: Int, _ m: Mutator) throws(OutOfMemory) {
    let left = try ownedChild(index, epoch: epoch, m)
    let right = try ownedChild(index + 1, epoch: epoch, m)
    if !left.isLeaf {
      let moved = right.removeChild(at: 0, count: right.itemCount + 1)
      left.insertChild(moved, at: left.itemCount + 1, count: left.itemCount + 1)
    }
    left.insertItem(item(index), at: left.itemCount)
    self.items[index] = right.removeItem(at: 0)
  }

  /// Merges children `index` and `index + 1` and the item between them into the first.
  private func mergeChildren(_ index: Int, epoch: Int, _ m: Mutator) throws(OutOfMemory) {
    let left = try ownedChild(index, epoch: epoch, m)
    let right = removeChild(at: index + 1, count: self.itemCount + 1)
    left.insertItem(removeItem(at: index), at: left.itemCount)
    let base = left.itemCount
    for place in 0..<right.itemCount { left.items[base + place] = right.items[place] }
    left.itemCount = base + right.itemCount
    if let source = right.children, let target = left.children {
      for place in 0...right.itemCount { target[base + place] = source[place] }
    }
  }
}
