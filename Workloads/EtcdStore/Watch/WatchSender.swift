// The clients' ends of all watch streams, on one thread: takes responses from the queues in turn, marshals each for its
// watcher as etcd does, checks the order of what arrives, and brings those that fell behind up to date.
//
// A slow client is one whose stream is not looked at again until its delay for what it just got has passed.

import Tricolor
import TricolorPlatform

/// Delivers what is queued. Used by one thread at a time; keeps its counts between uses.
struct WatchSender: Sendable {
  private static let victimInterval: UInt64 = 10_000_000
  private static let syncInterval: UInt64 = 100_000_000
  private static let recordsPerSync = 1_000

  private var nextStream = 0
  private var victimsAt: UInt64 = 0
  private var syncAt: UInt64 = 0
  private(set) var deliveredEvents = 0
  private(set) var deliveredResponses = 0
  private(set) var marshalledBytes = 0
  /// Events that came again or out of order.
  private(set) var misordered = 0
  /// Responses that there was no memory to marshal for.
  private(set) var unsent = 0

  /// Delivers one response if there is one and tells its latency in nanoseconds; false when nothing is ready.
  mutating func deliverOne(
    from store: EtcdStore, ignoringDelays: Bool = false, _ m: Mutator, latency: (UInt64) -> Void
  ) -> Bool {
    let now = Clock.monotonic()
    guard let response = take(from: store, now: now, ignoringDelays: ignoringDelays, m) else { return false }
    let watcher = response.watcher.unsafelyUnwrapped
    if response.isCancellation {
      store.watchAgain(watcher, m)
      return true
    }
    check(response, watcher)
    do throws(OutOfMemory) {
      try marshal(response, fragment: store.configuration.chunkBytes, m)
    } catch {
      unsent += 1
    }
    deliveredResponses += 1
    deliveredEvents += response.eventCount
    let done = Clock.monotonic()
    latency(done > response.committedAt ? done - response.committedAt : 0)
    return true
  }

  /// Does what is due for watchers that are behind.
  mutating func catchUp(_ store: EtcdStore, hurry: Bool = false, _ m: Mutator) {
    let now = Clock.monotonic()
    if hurry || now &- victimsAt >= WatchSender.victimInterval {
      victimsAt = now
      store.retryVictims(m)
    }
    if hurry || now &- syncAt >= WatchSender.syncInterval {
      syncAt = now
      store.serveUnsynced(mostRecords: WatchSender.recordsPerSync, m)
    }
  }

  /// Delivers for as long as `goesOn` says so.
  mutating func run(
    _ store: EtcdStore, _ m: Mutator, while goesOn: () -> Bool, latency: (UInt64) -> Void
  ) {
    while goesOn() {
      let mark = store.queues.mark()
      catchUp(store, m)
      if deliverOne(from: store, m, latency: latency) { continue }
      store.queues.wait(past: mark, nanoseconds: 2_000_000, m)
    }
  }

  /// Delivers everything there is, however slow the clients are, until every watcher has all it should get.
  mutating func drain(_ store: EtcdStore, _ m: Mutator) {
    while store.hasUndelivered(m) {
      while deliverOne(from: store, ignoringDelays: true, m, latency: { _ in }) {}
      catchUp(store, hurry: true, m)
    }
  }

  private mutating func take(
    from store: EtcdStore, now: UInt64, ignoringDelays: Bool, _ m: Mutator
  ) -> Reference<WatchResponse>? {
    let hub = store.state(m).watches
    return store.queues.holding(m) {
      for _ in 0..<hub.streamCount {
        let stream = hub.stream(nextStream % hub.streamCount)
        nextStream = (nextStream + 1) % hub.streamCount
        if stream.queued == 0 || (stream.readyAt > now && !ignoringDelays) { continue }
        let response = stream.pop()
        stream.readyAt = now + stream.delay * UInt64(max(1, response?.eventCount ?? 1))
        return response
      }
      return nil
    }
  }

  /// The response's bytes, made for this watcher alone although others get the same events: in fragments of some size,
  /// as etcd sends responses that would not fit in one message.
  private mutating func marshal(_ response: Reference<WatchResponse>, fragment: Int, _ m: Mutator) throws(OutOfMemory) {
    var first = 0
    while first < response.eventCount {
      var size = 0
      var end = first
      while end < response.eventCount, end == first || size < fragment {
        size += Wire.bytesField(response.event(end).pair.unsafelyUnwrapped.marshalledBytes)
        end += 1
      }
      try marshal(response, first..<end, size, m)
      first = end
    }
  }

  private mutating func marshal(
    _ response: Reference<WatchResponse>, _ events: Range<Int>, _ size: Int, _ m: Mutator
  ) throws(OutOfMemory) {
    _ = try m.makeBytes(count: size) { buffer in
      var writer = WireWriter(buffer)
      for index in events {
        let pair = response.event(index).pair.unsafelyUnwrapped
        writer.nested(1, pair.marshalledBytes)
        pair.writeFields(&writer)
      }
    }
    marshalledBytes += size
  }

  /// What one watcher gets rises in revision.
  private mutating func check(_ response: Reference<WatchResponse>, _ watcher: Reference<Watcher>) {
    for index in 0..<response.eventCount {
      let main = response.event(index).pair.unsafelyUnwrapped.modified
      if main < watcher.lastMain || (index == 0 && main == watcher.lastMain) { misordered += 1 }
      watcher.lastMain = main
    }
    watcher.delivered += response.eventCount
  }
}
