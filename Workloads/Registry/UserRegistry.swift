// The four ways to share a registry that is read much more than it is written: one lock, a lock that lets readers in together, as many
// of those as there are shards, and snapshots that readers need no lock for.

import Harness
import Synchronization
import Tricolor

/// How a registry is shared.
enum Sharing: String, CaseIterable, Sendable {
  case mutex, readWriteLock, sharded, snapshots
}

/// A registry of users, from any thread.
protocol UserRegistry: Sendable {
  /// Finds a user and gives it to `body`, together with whatever keeps it from changing.
  func read<R>(_ id: Int, _ mutator: Mutator, _ body: (Reference<User>?) -> R) -> R
  func put(_ user: Reference<User>, _ mutator: Mutator) throws(OutOfMemory)
  func remove(_ id: Int, _ mutator: Mutator) throws(OutOfMemory)
}

extension Sharing {
  /// An empty registry for ids below `users`.
  func makeRegistry(users: Int, _ mutator: Mutator) throws(OutOfMemory) -> any UserRegistry {
    switch self {
    case .mutex: try MutexRegistry(users: users, mutator)
    case .readWriteLock: try ShardedRegistry(users: users, shards: 1, mutator)
    case .sharded: try ShardedRegistry(users: users, shards: 64, mutator)
    case .snapshots: try SnapshotRegistry(users: users, mutator)
    }
  }
}

/// One lock for everything.
final class MutexRegistry: UserRegistry {
  private let lock = MutatorLock()
  private let buckets: Root<ReferenceArray<MapNode>>

  init(users: Int, _ mutator: Mutator) throws(OutOfMemory) {
    buckets = mutator.root(try UserMap.makeBuckets(users: users, mutator))
  }

  func read<R>(_ id: Int, _ mutator: Mutator, _ body: (Reference<User>?) -> R) -> R {
    lock.holding(mutator) { body(map(mutator).find(id)) }
  }

  func put(_ user: Reference<User>, _ mutator: Mutator) throws(OutOfMemory) {
    try lock.holding(mutator) { () throws(OutOfMemory) in try map(mutator).put(user, mutator) }
  }

  func remove(_ id: Int, _ mutator: Mutator) { lock.holding(mutator) { map(mutator).remove(id) } }

  private func map(_ mutator: Mutator) -> UserMap { UserMap(buckets: buckets.get(mutator)!) }
}

/// Locks that let readers in together, one for each shard.
final class ShardedRegistry: UserRegistry {
  private struct Shard {
    let lock = MutatorReadWriteLock()
    let buckets: Root<ReferenceArray<MapNode>>
  }

  private let shards: [Shard]

  init(users: Int, shards: Int, _ mutator: Mutator) throws(OutOfMemory) {
    var all: [Shard] = []
    for _ in 0..<shards {
      all.append(Shard(buckets: mutator.root(try UserMap.makeBuckets(users: users / shards + 1, mutator))))
    }
    self.shards = all
  }

  private func shard(_ id: Int) -> Shard { shards[Int(Checksum.mix(UInt64(id)) >> 40) % shards.count] }

  func read<R>(_ id: Int, _ mutator: Mutator, _ body: (Reference<User>?) -> R) -> R {
    let shard = shard(id)
    return shard.lock.reading(mutator) { body(UserMap(buckets: shard.buckets.get(mutator)!).find(id)) }
  }

  func put(_ user: Reference<User>, _ mutator: Mutator) throws(OutOfMemory) {
    let shard = shard(user.id)
    try shard.lock.writing(mutator) { () throws(OutOfMemory) in
      try UserMap(buckets: shard.buckets.get(mutator)!).put(user, mutator)
    }
  }

  func remove(_ id: Int, _ mutator: Mutator) {
    let shard = shard(id)
    shard.lock.writing(mutator) { UserMap(buckets: shard.buckets.get(mutator)!).remove(id) }
  }
}

/// Snapshots: readers take the newest and need nothing else; writers take turns. The collector frees a snapshot when the last reader
/// has left it, which without one takes hazard pointers, epochs or counts.
final class SnapshotRegistry: UserRegistry {
  private let shape: TrieShape
  private let newest: Root<Snapshot>
  private let writers = MutatorLock()

  init(users: Int, _ mutator: Mutator) throws(OutOfMemory) {
    shape = TrieShape(users: users)
    newest = mutator.root(try mutator.make(Snapshot(number: 0, count: 0, root: nil)))
  }

  func read<R>(_ id: Int, _ mutator: Mutator, _ body: (Reference<User>?) -> R) -> R {
    body(shape.find(id, in: newest.get(mutator)!))
  }

  func put(_ user: Reference<User>, _ mutator: Mutator) throws(OutOfMemory) { try publish(user.id, user, mutator) }

  func remove(_ id: Int, _ mutator: Mutator) throws(OutOfMemory) { try publish(id, nil, mutator) }

  private func publish(_ id: Int, _ user: Reference<User>?, _ mutator: Mutator) throws(OutOfMemory) {
    try writers.holding(mutator) { () throws(OutOfMemory) in
      let next = try shape.setting(id, user, in: newest.get(mutator)!, mutator)
      // Readers on other processors must not see the reference before what it refers to.
      atomicMemoryFence(ordering: .releasing)
      newest.set(next, mutator)
    }
  }
}
