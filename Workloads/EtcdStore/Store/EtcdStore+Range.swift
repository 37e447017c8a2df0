// Reading: one key, or a page of a range, now or at an earlier revision.
//
// The index is walked under the shared lock; what is found is immutable and is marshalled after the lock is free.

import Harness
import Tricolor
import TricolorPlatform

/// A range request as decoded.
struct RangeRequest: Managed {
  static let slot = TypeSlot()
  var key: Reference<Bytes>?
  var end: Reference<Bytes>?
  var limit: Int
  var revision: Int
}

/// How much a page may hold; it ends at whichever comes first.
struct PageLimit: Sendable {
  var keys = 500
  /// Bytes of keys and values; a page holds one pair at least.
  var bytes = 1 << 20

  /// Everything in one page.
  static let none = PageLimit(keys: .max, bytes: .max)
  /// A message of a streamed list.
  static let streamed = PageLimit(keys: .max, bytes: 1_500_000)
}

extension EtcdStore {
  /// What `key` is at `revision` (0: now), nil when it does not exist then.
  ///
  /// - Throws: `StoreError` for a revision that is compacted or in the future; `OutOfMemory`.
  func get(
    _ key: UnsafeRawBufferPointer, at revision: Int = 0, _ m: Mutator
  ) throws -> Reference<KeyValue>? {
    let trace = try Trace.begin(operation: 0, at: Clock.monotonic(), m)
    let request = try m.make(
      RangeRequest(key: try m.makeBytes(copying: key), end: nil, limit: 1, revision: revision))
    let response = try makeRangeResponse(m)
    let wanted = UnsafeRawBufferPointer(request.key.unsafelyUnwrapped.bytes)
    let found = try lock.reading(m) { () throws(StoreError) in
      let state = self.state(m)
      try check(revision, state)
      response.header.unsafelyUnwrapped.revision = state.revision
      let index = state.keys.find(wanted)
      return revision == 0 ? index?.current : index?.value(at: revision)
    }
    guard let found else { return nil }
    try response.append(found, m)
    try trace.step(.searched, field: found.modified, at: Clock.monotonic(), m)
    _ = try found.marshal(m)
    return found
  }

  /// The keys from `start` up to `end` (nil: to the last key) at `revision` (0: now), as many as `limit` lets into a
  /// page.
  ///
  /// The response's header has the revision that was read; asking for the next pages at it gives one consistent list.
  ///
  /// - Throws: `StoreError` for a revision that is compacted or in the future; `OutOfMemory`.
  func page(
    from start: UnsafeRawBufferPointer, to end: UnsafeRawBufferPointer?, at revision: Int = 0, limit: PageLimit,
    _ m: Mutator
  ) throws -> Reference<RangeResponse> {
    let trace = try Trace.begin(operation: 1, at: Clock.monotonic(), m)
    let response = try makeRangeResponse(m)
    try lock.reading(m) {
      let state = self.state(m)
      try check(revision, state)
      let wanted = revision == 0 ? state.revision : revision
      response.header.unsafelyUnwrapped.revision = wanted
      try collect(from: start, to: end, at: wanted, limit, into: response, state, m)
    }
    try trace.step(.collected, field: response.pairCount, at: Clock.monotonic(), m)
    return response
  }

  /// Sends a page as a client would get it, through a buffer of bounded size.
  func send(_ page: Reference<RangeResponse>, _ m: Mutator) throws(OutOfMemory) -> PageMarshaller {
    var marshaller = try PageMarshaller(chunkBytes: configuration.chunkBytes, m)
    for index in 0..<page.pairCount {
      try marshaller.append(page.pair(index), m)
      m.poll()
    }
    try marshaller.finish(m)
    return marshaller
  }

  /// Sends a page as one message, made in one buffer: etcd's way of answering a range. Answers the message's bytes and their hash.
  func sendWhole(_ page: Reference<RangeResponse>, _ m: Mutator) throws(OutOfMemory) -> (bytes: Int, sum: UInt64) {
    var size = 0
    for index in 0..<page.pairCount { size += Wire.bytesField(page.pair(index).marshalledBytes) }
    let message = try m.makeBytes(count: size)
    var position = 0
    var sum: UInt64 = 0
    for index in 0..<page.pairCount {
      let pair = page.pair(index)
      let bytes = message.bytes
      var writer = WireWriter(UnsafeMutableRawBufferPointer(rebasing: bytes[position...]))
      writer.nested(2, pair.marshalledBytes)
      pair.writeFields(&writer)
      let written = position..<position + writer.position
      sum = Checksum.combine(sum, Checksum.hash(UnsafeRawBufferPointer(rebasing: bytes[written])))
      position = written.upperBound
      m.poll()
    }
    return (size, sum)
  }

  /// What a list of everything in one response takes: its bytes, and the array of its pairs while that grows.
  func listBytes(_ m: Mutator) -> Int {
    lock.reading(m) {
      let state = self.state(m)
      return state.pairBytes + state.keys.keyCount * 48
    }
  }

  private func makeRangeResponse(_ m: Mutator) throws(OutOfMemory) -> Reference<RangeResponse> {
    let header = try m.make(ResponseHeader(cluster: 1, member: 1, revision: 0, term: RaftLog.term))
    return try m.make(RangeResponse(header: header, pairs: nil, pairCount: 0, hasMore: false))
  }

  private func check(_ revision: Int, _ state: Reference<StoreState>) throws(StoreError) {
    if revision == 0 { return }
    if revision > state.revision { throw .future(requested: revision, current: state.revision) }
    if revision < state.compacted { throw .compacted(requested: revision, oldest: state.compacted) }
  }

  private func collect(
    from start: UnsafeRawBufferPointer, to end: UnsafeRawBufferPointer?, at revision: Int, _ limit: PageLimit,
    into response: Reference<RangeResponse>, _ state: Reference<StoreState>, _ m: Mutator
  ) throws(OutOfMemory) {
    var bytes = 0
    try state.keys.ascend(from: start) { (index) throws(OutOfMemory) in
      if let end, ByteOrder.compare(index.keyBytes, end) >= 0 { return false }
      guard let pair = index.value(at: revision) else { return true }
      let size = pair.keyBytes.count + pair.valueBytes.count
      if response.pairCount > 0 && (response.pairCount >= limit.keys || bytes + size > limit.bytes) {
        response.hasMore = true
        return false
      }
      bytes += size
      try response.append(pair, m)
      m.poll()
      return true
    }
  }
}
