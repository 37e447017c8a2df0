// One of the 64 clients of the store: the part of the keys that only it writes, what it knows of them, and its own
// stream of random numbers.
//
// What a client does follows from the seed, its number and how many operations it has done, never from time or from
// other clients; and its keys are its own. So the state after a number of operations is the same however many threads
// share the clients' work.

import Harness
import Tricolor

/// A client and its part of the keys. Used by one thread at a time.
final class Partition {
  /// As many clients as there can be threads.
  static let count = 64

  let id: Int
  let keys: KeySpace
  let options: EtcdStoreOptions
  var random: SplitMix64
  var shadow = ShadowTable()
  let builder = RequestBuilder()
  let scratch = UnsafeMutableRawBufferPointer.allocate(byteCount: 256, alignment: 16)
  /// Operations done: the clock that its leases end by.
  var clock = 0
  /// Its keys, by role.
  var heartbeats: [UInt32] = []
  var statuses: [UInt32] = []
  var all: [UInt32] = []
  /// Keys it has deleted and not made again, the oldest first.
  var deleted: [UInt32] = []
  var events = EventLeases()
  var list = ListCursor()
  /// The store's answers that were not what the shadow says.
  var wrongAnswers = 0
  var leasesEnded = 0
  /// The last write left so much history that somebody should compact it.
  var compactionIsDue = false

  init(id: Int, seed: UInt64, keys: KeySpace, options: EtcdStoreOptions) {
    self.id = id
    self.keys = keys
    self.options = options
    random = SplitMix64(seed: Checksum.combine(seed, UInt64(id)))
  }

  deinit { scratch.deallocate() }

  /// The client that the key with this hash belongs to.
  static func home(of hash: UInt64, among count: Int) -> Int { Int((hash >> 32) % UInt64(count)) }

  /// Takes key `number` over.
  func own(_ number: Int) {
    all.append(UInt32(number))
    switch keys.role(of: number) {
    case .heartbeat: heartbeats.append(UInt32(number))
    case .status: statuses.append(UInt32(number))
    case .settled: break
    }
  }

  func key(_ number: UInt32) -> UnsafeRawBufferPointer { keys.key(Int(number), scratch) }

  // MARK: Writing

  /// Remembers that a put of `key` at `revision` was answered.
  func noteWritten(_ key: UInt64, value: UInt64, lease: Int, revision: Int) {
    let before = shadow[key]
    shadow.set(
      ShadowEntry(
        key: key, content: ShadowTable.content(value: value, lease: lease), modified: revision,
        version: (before?.version ?? 0) + 1, created: before?.created ?? UInt32(truncatingIfNeeded: revision)))
  }

  /// Puts one key; when `compares`, only if the store has it as the shadow says. A comparison that fails is a wrong
  /// answer.
  func put(
    _ key: UnsafeRawBufferPointer, bytes: Int, lease: Int = 0, compares: Bool = false, _ store: EtcdStore, _ m: Mutator
  ) throws {
    let hash = ShadowTable.hash(key)
    builder.begin()
    if compares { builder.compare(key, modified: shadow[hash]?.modified ?? 0) }
    builder.put(key, .generated(seed: random.next(), count: bytes), lease: lease)
    let frame = try builder.frame(m)
    let value = hashOfValue(0, in: frame)
    let outcome = try store.submit(frame, m)
    compactionIsDue = outcome.compactionIsDue
    if outcome.succeeded {
      noteWritten(hash, value: value, lease: lease, revision: outcome.revision)
    } else {
      wrongAnswers += 1
    }
  }

  func hashOfValue(_ index: Int, in frame: Reference<Bytes>) -> UInt64 {
    frame.withBytes { Checksum.hash(UnsafeRawBufferPointer(rebasing: $0[builder.values[index]])) }
  }

  func delete(_ key: UnsafeRawBufferPointer, _ store: EtcdStore, _ m: Mutator) throws {
    builder.begin()
    builder.delete(key)
    let hash = ShadowTable.hash(key)
    let outcome = try store.submit(try builder.frame(m), m)
    compactionIsDue = outcome.compactionIsDue
    shadow.remove(hash)
  }

  /// The size of the next value of key `number`.
  func nextBytes(_ number: UInt32, _ store: EtcdStore, _ m: Mutator) throws -> Int {
    if keys.isMadeUp { return keys.valueBytes(Int(number), draw: random.next()) }
    return try store.get(key(number), m)?.valueBytes.count ?? 500
  }

  // MARK: Loading

  /// Puts its made-up keys from place `start` on, `count` at most, in one transaction.
  func load(from start: Int, count: Int, _ store: EtcdStore, _ m: Mutator) throws {
    builder.begin()
    let numbers = all[start..<min(all.count, start + count)]
    for number in numbers {
      let bytes = keys.valueBytes(Int(number), draw: random.next())
      builder.put(key(number), .generated(seed: random.next(), count: bytes))
    }
    let frame = try builder.frame(m)
    let outcome = try store.submit(frame, m)
    for (place, number) in numbers.enumerated() {
      noteWritten(
        ShadowTable.hash(key(number)), value: hashOfValue(place, in: frame), lease: 0, revision: outcome.revision)
    }
  }
}

/// The leases a client has granted for its events and that have not ended, the one that ends first in front.
struct EventLeases {
  struct Granted {
    let id: Int
    var expiry: Int
    /// The numbers of the events on it.
    let firstEvent: Int
    var endEvent: Int
  }

  static let lifetime = 1_500
  static let eventsPerLease = 50

  var granted: [Granted] = []
  var nextLease = 1
  var nextEvent = 0

  /// Whether the newest lease can take another event.
  var hasRoom: Bool {
    guard let newest = granted.last else { return false }
    return newest.endEvent - newest.firstEvent < EventLeases.eventsPerLease
  }
}

/// Where a client is in a list of the whole store.
struct ListCursor: ~Copyable {
  /// The first key of the next page; empty at the start of a list.
  var start = GrowingBytes(capacity: 128)
  /// The revision of the list's first page, 0 before it.
  var revision = 0
  var finishedLists = 0
  var restarts = 0
}
