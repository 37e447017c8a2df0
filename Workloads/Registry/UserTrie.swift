// A map from ids to users that never changes: a change makes a new map that shares with the old one all but the path from its root to the
// changed user. Driscoll, Sarnak, Sleator and Tarjan, "Making data structures persistent", 1986.
//
// A radix tree of 16 ways over the id's digits. A node of the lowest level holds users, of the others nodes.

import Harness
import Tricolor

struct TrieNode: Managed {
  static let slot = TypeSlot()
  var nodes = InlineArray<16, Reference<TrieNode>?>(repeating: nil)
}

struct TrieLeaf: Managed {
  static let slot = TypeSlot()
  var users = InlineArray<16, Reference<User>?>(repeating: nil)
}

/// What was published at one time.
struct Snapshot: Managed {
  static let slot = TypeSlot()
  /// How many changes came before.
  var number: Int
  var count: Int
  var root: Reference<TrieNode>?
}

/// How deep the trees of a registry are.
struct TrieShape: Sendable {
  private static let bits = 4
  /// Levels of nodes above the leaves; at least 1.
  let levels: Int

  /// Deep enough for ids below `users`.
  init(users: Int) {
    var levels = 1
    while users > 1 << (TrieShape.bits * (levels + 1)) { levels += 1 }
    self.levels = levels
  }

  @inline(__always) private func digit(_ id: Int, _ level: Int) -> Int { id >> (TrieShape.bits * level) & 15 }

  func find(_ id: Int, in snapshot: Reference<Snapshot>) -> Reference<User>? {
    guard var node = snapshot.root else { return nil }
    for level in stride(from: levels, to: 1, by: -1) {
      guard let next = node.nodes[digit(id, level)] else { return nil }
      node = next
    }
    guard let last = node.nodes[digit(id, 1)] else { return nil }
    return last.leaf.users[digit(id, 0)]
  }

  /// A snapshot with `user` under `id`, or nobody.
  func setting(
    _ id: Int, _ user: Reference<User>?, in snapshot: Reference<Snapshot>, _ mutator: Mutator
  ) throws(OutOfMemory) -> Reference<Snapshot> {
    let change = (user == nil ? 0 : 1) - (find(id, in: snapshot) == nil ? 0 : 1)
    let root = try copy(snapshot.root, level: levels, id, user, mutator)
    return try mutator.make(Snapshot(number: snapshot.number + 1, count: snapshot.count + change, root: root))
  }

  private func copy(
    _ old: Reference<TrieNode>?, level: Int, _ id: Int, _ user: Reference<User>?, _ mutator: Mutator
  ) throws(OutOfMemory) -> Reference<TrieNode> {
    if level == 0 {
      let leaf = try mutator.make(old?.leaf.payload ?? TrieLeaf())
      leaf.users[digit(id, 0)] = user
      return Reference<TrieNode>(unsafeAddress: leaf.address)
    }
    let node = try mutator.make(old?.payload ?? TrieNode())
    let place = digit(id, level)
    node.nodes[place] = try copy(node.nodes[place], level: level - 1, id, user, mutator)
    return node
  }
}

extension Reference where Target == TrieNode {
  /// A child of the lowest level of nodes as what it is. The collector goes by an object's block, not by the reference's type.
  @inline(__always) var leaf: Reference<TrieLeaf> { Reference<TrieLeaf>(unsafeAddress: address) }
  @inline(__always) var payload: TrieNode { address.assumingMemoryBound(to: TrieNode.self).pointee }
}

extension Reference where Target == TrieLeaf {
  @inline(__always) var payload: TrieLeaf { address.assumingMemoryBound(to: TrieLeaf.self).pointee }
}
