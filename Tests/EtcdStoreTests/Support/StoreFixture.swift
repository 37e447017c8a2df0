// What the store's tests share: a store on a heap that collects often and overwrites what it frees, and requests with
// texts for keys and values.

import Harness
import Tricolor

@testable import EtcdStore

/// Runs `body` with a new store. Cells the collector frees are overwritten, so a value freed too early reads wrong.
func withStore<R: Sendable>(
  _ configuration: StoreConfiguration = StoreConfiguration(), _ body: sending (EtcdStore, Mutator) throws -> R
) throws -> R {
  let heap = try testHeap()
  return try heap.withMutator { m in
    try body(try EtcdStore(configuration, m), m)
  }
}

/// A heap that collects often.
func testHeap() throws -> Heap {
  var configuration = Heap.Configuration()
  configuration.settings.debug.clobberFree = true
  configuration.settings.minimumHeap = 256 << 10
  return try Heap(configuration: configuration)
}

/// The bytes of a text, for the duration of a call.
func withBytes<R>(_ text: String, _ body: (UnsafeRawBufferPointer) throws -> R) rethrows -> R {
  var copy = text
  return try copy.withUTF8 { try body(UnsafeRawBufferPointer($0)) }
}

func text(_ bytes: UnsafeRawBufferPointer) -> String { String(decoding: bytes, as: UTF8.self) }

/// A key as tests look at it.
struct Seen: Equatable, Sendable {
  var key: String
  var value: String
  var created: Int
  var modified: Int
  var version: Int
  var lease: Int

  init(_ pair: Reference<KeyValue>) {
    key = text(pair.keyBytes)
    value = text(pair.valueBytes)
    created = pair.created
    modified = pair.modified
    version = pair.version
    lease = pair.lease
  }
}

extension EtcdStore {
  /// Puts `key`; a revision in `comparing` makes it conditional.
  @discardableResult
  func put(
    _ key: String, _ value: String, lease: Int = 0, comparing modified: Int? = nil, _ m: Mutator
  ) throws -> TransactionOutcome {
    try withBytes(key) { key in
      try withBytes(value) { value in
        let builder = RequestBuilder()
        if let modified { builder.compare(key, modified: modified) }
        builder.put(key, .copied(value), lease: lease)
        return try submit(try builder.frame(m), m)
      }
    }
  }

  /// Puts several keys in one transaction.
  @discardableResult
  func putAll(_ pairs: [(String, String)], _ m: Mutator) throws -> TransactionOutcome {
    let builder = RequestBuilder()
    for (key, value) in pairs {
      withBytes(key) { key in builder.put(key, .generated(seed: UInt64(value.utf8.count), count: value.utf8.count)) }
    }
    return try submit(try builder.frame(m), m)
  }

  @discardableResult
  func delete(_ key: String, _ m: Mutator) throws -> TransactionOutcome {
    try withBytes(key) { key in
      let builder = RequestBuilder()
      builder.delete(key)
      return try submit(try builder.frame(m), m)
    }
  }

  func value(_ key: String, at revision: Int = 0, _ m: Mutator) throws -> String? {
    try seen(key, at: revision, m)?.value
  }

  func seen(_ key: String, at revision: Int = 0, _ m: Mutator) throws -> Seen? {
    try withBytes(key) { key in try get(key, at: revision, m).map { Seen($0) } }
  }

  /// The whole range in pages, and how many there were.
  func list(
    from start: String = "", to end: String? = nil, at revision: Int = 0, limit: PageLimit = PageLimit(), _ m: Mutator
  ) throws -> (pairs: [Seen], pages: Int) {
    var pairs: [Seen] = []
    var pages = 0
    var next = start
    var pinned = revision
    while true {
      let page = try withBytes(next) { next in
        guard let end else { return try self.page(from: next, to: nil, at: pinned, limit: limit, m) }
        return try withBytes(end) { try self.page(from: next, to: $0, at: pinned, limit: limit, m) }
      }
      pages += 1
      for index in 0..<page.pairCount { pairs.append(Seen(page.pair(index))) }
      if !page.hasMore { return (pairs, pages) }
      pinned = page.header!.revision
      next = pairs.last!.key + "\0"
    }
  }

  func currentRevision(_ m: Mutator) -> Int { state(m).revision }
}
