// All watchers and streams, and who watches a key: single keys by hash, ranges in a list ordered by their start (there
// are as many ranges as kinds of resources, some tens, so a list beats etcd's interval tree).

import Harness
import Tricolor

struct WatchHub: Managed {
  static let slot = TypeSlot()
  static let keyBucketCount = 256
  var streams: Reference<ReferenceArray<WatchStream>>?
  var watchers: Reference<ReferenceArray<Watcher>>?
  var watcherCount: Int
  var ranges: Reference<WatchRange>?
  var keyBuckets: Reference<ReferenceArray<WatchRange>>?
  /// Watchers that are victims or unsynced, and how often one became a victim.
  var behind: Int
  var victims: Int
  var cancellations: Int
}

extension WatchHub {
  /// A hub with room for `watchers` watchers on `streams` streams. The first `slowStreams` are as slow as `slowDelay`
  /// says.
  static func make(
    streams: Int, watchers: Int, slowStreams: Int, slowDelay: UInt64, _ m: Mutator
  ) throws(OutOfMemory) -> Reference<WatchHub> {
    let streamArray = try m.makeArray(of: WatchStream.self, count: streams)
    for id in 0..<streams {
      let queue = try m.makeArray(of: WatchResponse.self, count: WatchStream.queueCapacity)
      streamArray[id] = try m.make(
        WatchStream(
          id: id, queue: queue, head: 0, queued: 0, delay: id < slowStreams ? slowDelay : 0, readyAt: 0))
    }
    let watcherArray = try m.makeArray(of: Watcher.self, count: watchers)
    let buckets = try m.makeArray(of: WatchRange.self, count: keyBucketCount)
    return try m.make(
      WatchHub(
        streams: streamArray, watchers: watcherArray, watcherCount: 0, ranges: nil, keyBuckets: buckets, behind: 0,
        victims: 0, cancellations: 0))
  }
}

extension Reference where Target == WatchHub {
  var streamCount: Int { self.streams.unsafelyUnwrapped.count }
  func stream(_ id: Int) -> Reference<WatchStream> { self.streams.unsafelyUnwrapped[id].unsafelyUnwrapped }
  func watcher(_ id: Int) -> Reference<Watcher> { self.watchers.unsafelyUnwrapped[id].unsafelyUnwrapped }

  private func bucket(_ key: UnsafeRawBufferPointer) -> Int {
    Int(Checksum.hash(key) & UInt64(WatchHub.keyBucketCount - 1))
  }

  /// Adds a watcher of the keys from `start` up to `end` (nil: of `start` alone) that is sent what is written from
  /// `minimum` on.
  func watch(
    from start: UnsafeRawBufferPointer, to end: UnsafeRawBufferPointer?, stream: Int, minimum: Int, _ m: Mutator
  ) throws(OutOfMemory) -> Reference<Watcher> {
    let range = try self.range(start, end, m)
    let new = try m.make(
      Watcher(
        id: self.watcherCount, state: WatcherState.synced, minimum: minimum, stream: self.stream(stream), range: range,
        pending: nil, batch: nil, nextInBatch: nil, nextInRange: range.watchers, base: range.eventCount, delivered: 0,
        lastMain: 0))
    range.watchers = new
    self.watchers.unsafelyUnwrapped[self.watcherCount] = new
    self.watcherCount += 1
    return new
  }

  /// The range with these bounds, made if need be.
  private func range(
    _ start: UnsafeRawBufferPointer, _ end: UnsafeRawBufferPointer?, _ m: Mutator
  ) throws(OutOfMemory) -> Reference<WatchRange> {
    let buckets = self.keyBuckets.unsafelyUnwrapped
    var next = end == nil ? buckets[bucket(start)] : self.ranges
    while let range = next {
      if range.isSame(start, end) { return range }
      next = range.next
    }
    let endKey = try end.map { (bytes) throws(OutOfMemory) in try m.makeBytes(copying: bytes) }
    let new = try m.make(
      WatchRange(start: try m.makeBytes(copying: start), end: endKey, watchers: nil, eventCount: 0, next: nil))
    if end == nil {
      new.next = buckets[bucket(start)]
      buckets[bucket(start)] = new
    } else {
      insertByStart(new)
    }
    return new
  }

  private func insertByStart(_ new: Reference<WatchRange>) {
    var previous: Reference<WatchRange>? = nil
    var next = self.ranges
    while let range = next, ByteOrder.compare(range.startBytes, new.startBytes) < 0 {
      previous = range
      next = range.next
    }
    new.next = next
    if let previous { previous.next = new } else { self.ranges = new }
  }

  /// Visits every range that holds `key`.
  func forEachRange<E: Error>(
    holding key: UnsafeRawBufferPointer, _ visit: (Reference<WatchRange>) throws(E) -> Void
  ) throws(E) {
    var next = self.keyBuckets.unsafelyUnwrapped[bucket(key)]
    while let single = next {
      if single.holds(key) { try visit(single) }
      next = single.next
    }
    next = self.ranges
    while let range = next, ByteOrder.compare(range.startBytes, key) <= 0 {
      if range.holds(key) { try visit(range) }
      next = range.next
    }
  }
}
