// One cell of the matrix: a way of sharing under one share of reads. Clients read any user and write only their own, so that each
// knows outside the heap what its users must be, however the threads interleave.

import Harness
import Histogram
import Tricolor
import TricolorPlatform

/// What a client's users must be: the version of each, by its place among the client's users; 0 for one that was removed.
struct PlainUsers: Sendable {
  let client: Int
  let clients: Int
  var versions: [Int32]
  /// The last version each had; a user that comes back goes on counting.
  var last: [Int32]

  /// All ids below `users` that are the client's, at version 1.
  init(users: Int, client: Int, clients: Int) {
    self.client = client
    self.clients = clients
    let count = (users - client + clients - 1) / clients
    versions = [Int32](repeating: 1, count: count)
    last = versions
  }

  func id(_ place: Int) -> Int { place * clients + client }
  func isOwn(_ id: Int) -> Bool { id % clients == client }
  func version(_ id: Int) -> Int { Int(versions[id / clients]) }
}

/// What one client measured in one cell.
struct CellPart: Sendable {
  var reads = Latencies.empty()
  var writes = Latencies.empty()
  var wrong = 0
}

/// What is known of a cell, over all clients and rounds.
struct CellFigures: Sendable {
  var reads = Latencies.empty()
  var writes = Latencies.empty()
  var heap = HeapInterval()
  var wrong = 0

  mutating func add(_ part: CellPart) {
    reads.add(part.reads)
    writes.add(part.writes)
    wrong += part.wrong
  }

  var operations: Int { Int(reads.totalCount + writes.totalCount) }
  var operationsPerSecond: Double { heap.seconds == 0 ? 0 : Double(operations) / heap.seconds }

  var json: JSONValue {
    .object([
      .init("operations", .integer(operations)), .init("operationsPerSecond", .float(operationsPerSecond)),
      .init("readNanoseconds", LatencyFigures(reads).json), .init("writeNanoseconds", LatencyFigures(writes).json),
      .init("allocatedBytesPerOperation", .ratio(Double(heap.allocatedBytes), Double(operations))),
      .init("collectorNanosecondsPerOperation", .ratio(Double(heap.collectorNanoseconds), Double(operations))),
      .init("cycles", .integer(heap.cycles)),
    ])
  }
}

/// The work of one client in one cell.
struct CellClient {
  let registry: any UserRegistry
  let sharing: Sharing
  /// Reads in a thousand operations.
  let readsPerMille: Int
  let users: Int
  let organisations: Organisations

  /// Does `operations` operations, fewer when the run ends; `plain` is what the client's users are before and after.
  func run(
    _ operations: Int, _ plain: inout PlainUsers, _ client: Client, _ mutator: Mutator
  ) throws(OutOfMemory) -> CellPart {
    switch registry {
    case let registry as MutexRegistry: try run(registry, operations, &plain, client, mutator)
    case let registry as ShardedRegistry: try run(registry, operations, &plain, client, mutator)
    case let registry as SnapshotRegistry: try run(registry, operations, &plain, client, mutator)
    default: preconditionFailure("a registry of no known kind")
    }
  }

  /// The loop, compiled for each kind of registry.
  private func run(
    _ registry: some UserRegistry, _ operations: Int, _ plain: inout PlainUsers, _ client: Client, _ mutator: Mutator
  ) throws(OutOfMemory) -> CellPart {
    var part = CellPart()
    let kind = 2 * Sharing.allCases.firstIndex(of: sharing)!
    // One look at the clock an operation: it ends where the next begins.
    var began = Clock.monotonic()
    for _ in 0..<operations {
      if client.shouldStop { break }
      mutator.poll()
      let isRead = client.random.below(1000) < readsPerMille
      let isRight =
        isRead ? read(registry, plain, client, mutator) : try write(registry, &plain, client, mutator)
      if !isRight { part.wrong += 1 }
      let now = Clock.monotonic()
      client.record(kind: isRead ? kind : kind + 1, nanoseconds: now - began)
      if isRead { part.reads.record(now - began) } else { part.writes.record(now - began) }
      began = now
    }
    return part
  }

  @inline(__always)
  private func read(
    _ registry: some UserRegistry, _ plain: PlainUsers, _ client: Client, _ mutator: Mutator
  ) -> Bool {
    let id = client.random.below(users)
    return registry.read(id, mutator) { user in
      if plain.isOwn(id) && (user?.version ?? 0) != plain.version(id) { return false }
      return user.map { $0.isWhole(id: id) } ?? true
    }
  }

  /// Of ten writes eight change a user, one takes one out, one puts one back, where there is one.
  @inline(__always)
  private func write(
    _ registry: some UserRegistry, _ plain: inout PlainUsers, _ client: Client, _ mutator: Mutator
  ) throws(OutOfMemory) -> Bool {
    let place = client.random.below(plain.versions.count)
    let id = plain.id(place)
    if plain.versions[place] > 0 && client.random.below(10) == 0 {
      try registry.remove(id, mutator)
      plain.versions[place] = 0
    } else {
      plain.last[place] += 1
      plain.versions[place] = plain.last[place]
      try registry.put(
        try User.make(id: id, version: Int(plain.last[place]), organisations, mutator), mutator)
    }
    return true
  }
}
