// A hash map from ids to users that changes in place: buckets with chains on the managed heap. Whoever uses it holds a lock.

import Harness
import Tricolor

struct MapNode: Managed {
  static let slot = TypeSlot()
  var id: Int
  var user: Reference<User>?
  var next: Reference<MapNode>?
}

/// A view of the map's buckets, valid as long as a reference is.
struct UserMap: ~BitwiseCopyable {
  let buckets: Reference<ReferenceArray<MapNode>>

  /// An empty map for about `users` users.
  static func makeBuckets(users: Int, _ mutator: Mutator) throws(OutOfMemory) -> Reference<ReferenceArray<MapNode>> {
    var count = 16
    while count < users { count *= 2 }
    return try mutator.makeArray(of: MapNode.self, count: count)
  }

  func find(_ id: Int) -> Reference<User>? { node(id)?.user }

  /// Puts a user in place of the one with its id, if there is one.
  func put(_ user: Reference<User>, _ mutator: Mutator) throws(OutOfMemory) {
    let id = user.id
    if let node = node(id) {
      node.user = user
    } else {
      let place = place(id)
      buckets[place] = try mutator.make(MapNode(id: id, user: user, next: buckets[place]))
    }
  }

  func remove(_ id: Int) {
    let place = place(id)
    var before: Reference<MapNode>? = nil
    var node = buckets[place]
    while let candidate = node {
      if candidate.id == id {
        if let before { before.next = candidate.next } else { buckets[place] = candidate.next }
        return
      }
      before = candidate
      node = candidate.next
    }
  }

  private func node(_ id: Int) -> Reference<MapNode>? {
    var node = buckets[place(id)]
    while let candidate = node, candidate.id != id { node = candidate.next }
    return node
  }

  private func place(_ id: Int) -> Int { Int(truncatingIfNeeded: Checksum.mix(UInt64(id))) & (buckets.count - 1) }
}
