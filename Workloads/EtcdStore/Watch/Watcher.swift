// What a watch is made of: watchers on a key or a range, streams that several of them share, events and the responses
// that carry them.

import Tricolor

/// Where a watcher stands with respect to the store.
enum WatcherState {
  /// It has been sent everything; commits reach it directly.
  static let synced = 0
  /// It fell behind and is served from the log.
  static let unsynced = 1
  /// Its stream had no room for its last response, which is kept in `pending`.
  static let victim = 2
  /// What it missed has been compacted away; it has to begin again.
  static let cancelled = 3
}

/// A watcher. `state`, `minimum`, `pending`, `batch` and `base` change under the store's lock; `delivered` and `last…`
/// are its sender's.
struct Watcher: Managed {
  static let slot = TypeSlot()
  var id: Int
  var state: Int
  /// The first revision it has not been sent.
  var minimum: Int
  var stream: Reference<WatchStream>?
  var range: Reference<WatchRange>?
  /// A response that its stream had no room for.
  var pending: Reference<WatchResponse>?
  /// The response being filled for it, and the next watcher that is filled at the same time.
  var batch: Reference<WatchResponse>?
  var nextInBatch: Reference<Watcher>?
  var nextInRange: Reference<Watcher>?
  /// The range's count of events when it began, and how many it has been delivered since: equal distances when all is
  /// well.
  var base: Int
  var delivered: Int
  var lastMain: Int
}

/// All watchers of one range of keys.
struct WatchRange: Managed {
  static let slot = TypeSlot()
  var start: Reference<Bytes>?
  /// One past the last key; nil for a single key.
  var end: Reference<Bytes>?
  var watchers: Reference<Watcher>?
  /// Events committed in the range since it was made.
  var eventCount: Int
  /// The next range by start, or the next single key of the bucket.
  var next: Reference<WatchRange>?
}

/// A client's stream with its bounded queue.
struct WatchStream: Managed {
  static let slot = TypeSlot()
  static let queueCapacity = 128
  var id: Int
  var queue: Reference<ReferenceArray<WatchResponse>>?
  var head: Int
  var queued: Int
  /// How long its client takes over an event, 0 for one that keeps up, and when it is ready for the next.
  var delay: UInt64
  var readyAt: UInt64
}

/// A change as watchers see it.
struct Event: Managed {
  static let slot = TypeSlot()
  var pair: Reference<KeyValue>?
  var previous: Reference<KeyValue>?
}

/// Events for one watcher.
struct WatchResponse: Managed {
  static let slot = TypeSlot()
  var watcher: Reference<Watcher>?
  var events: Reference<ReferenceArray<Event>>?
  var eventCount: Int
  /// When the oldest of them was committed.
  var committedAt: UInt64
  /// Says that the watch has ended because what comes next was compacted.
  var isCancellation: Bool
}

extension Reference where Target == WatchRange {
  var startBytes: UnsafeRawBufferPointer { UnsafeRawBufferPointer(self.start.unsafelyUnwrapped.bytes) }

  /// Whether `key`, which is not before the start, is in the range.
  func holds(_ key: UnsafeRawBufferPointer) -> Bool {
    if let end = self.end { return ByteOrder.compare(key, UnsafeRawBufferPointer(end.bytes)) < 0 }
    return ByteOrder.equal(startBytes, key)
  }

  func isSame(_ otherStart: UnsafeRawBufferPointer, _ otherEnd: UnsafeRawBufferPointer?) -> Bool {
    guard ByteOrder.equal(startBytes, otherStart) else { return false }
    guard let end = self.end, let otherEnd else { return self.end == nil && otherEnd == nil }
    return ByteOrder.equal(UnsafeRawBufferPointer(end.bytes), otherEnd)
  }
}

extension Reference where Target == WatchResponse {
  func event(_ index: Int) -> Reference<Event> { self.events.unsafelyUnwrapped[index].unsafelyUnwrapped }

  /// Adds an event, doubling the array when it is full.
  func append(_ event: Reference<Event>, _ m: Mutator) throws(OutOfMemory) {
    let capacity = self.events?.count ?? 0
    if self.eventCount == capacity {
      let grown = try m.makeArray(of: Event.self, count: max(1, capacity * 2))
      if let events = self.events {
        for index in 0..<self.eventCount { grown[index] = events[index] }
      }
      self.events = grown
    }
    self.events.unsafelyUnwrapped[self.eventCount] = event
    self.eventCount += 1
  }
}

extension Reference where Target == WatchStream {
  var hasRoom: Bool { self.queued < WatchStream.queueCapacity }

  func push(_ response: Reference<WatchResponse>) {
    let ring = queue.unsafelyUnwrapped
    ring[(self.head + self.queued) % ring.count] = response
    self.queued += 1
  }

  func pop() -> Reference<WatchResponse>? {
    guard self.queued > 0 else { return nil }
    let ring = queue.unsafelyUnwrapped
    let response = ring[self.head]
    ring[self.head] = nil
    self.head = (self.head + 1) % ring.count
    self.queued -= 1
    return response
  }
}
