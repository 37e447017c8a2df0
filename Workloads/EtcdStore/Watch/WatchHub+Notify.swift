// From commits to queues: who is told what, and what happens to those whose queue is full.
//
// As in etcd: a commit goes to every synced watcher at once; one whose stream has no room becomes a victim with that
// response kept, and misses what follows; when room comes back it is unsynced, and is served from the log until it has
// caught up. Nothing is ever dropped, except for a watcher so late that the log was compacted: it is cancelled and has
// to begin anew.
//
// Filling allocates and may fail; queueing does not. A watcher whose response could not be filled goes on from the log.

import Tricolor

/// The watchers that are being given events, as a chain.
struct WatchBatches: ~BitwiseCopyable {
  var first: Reference<Watcher>? = nil
  /// Memory ran out while filling: some watcher has not been given what it should.
  var isIncomplete = false
}

/// A change to tell watchers about.
struct Change: ~BitwiseCopyable {
  let pair: Reference<KeyValue>
  let previous: Reference<KeyValue>?
  /// When it was committed.
  let committedAt: UInt64
}

extension Reference where Target == WatchHub {
  // MARK: Filling

  /// Counts the change in the ranges that hold its key.
  func count(_ change: Change) {
    forEachRange(holding: change.pair.keyBytes) { $0.eventCount += 1 }
  }

  /// Adds the change to the response of every watcher in `state` that watches its key and wants its revision, and from
  /// the log nothing at or before `compacted`: one that does waits to be cancelled.
  func collect(
    _ change: Change, state: Int, after compacted: Int = 0, into batches: inout WatchBatches, _ m: Mutator
  ) {
    var event: Reference<Event>? = nil
    forEachRange(holding: change.pair.keyBytes) { range in
      var next = range.watchers
      while let watcher = next, !batches.isIncomplete {
        next = watcher.nextInRange
        if watcher.state != state || watcher.minimum > change.pair.modified { continue }
        if watcher.minimum <= compacted { continue }
        do throws(OutOfMemory) {
          if event == nil { event = try m.make(Event(pair: change.pair, previous: change.previous)) }
          try add(event.unsafelyUnwrapped, of: change, to: watcher, &batches, m)
        } catch {
          batches.isIncomplete = true
        }
      }
    }
  }

  private func add(
    _ event: Reference<Event>, of change: Change, to watcher: Reference<Watcher>, _ batches: inout WatchBatches,
    _ m: Mutator
  ) throws(OutOfMemory) {
    if let batch = watcher.batch { return try batch.append(event, m) }
    let batch = try m.make(
      WatchResponse(
        watcher: watcher, events: nil, eventCount: 0, committedAt: change.committedAt, isCancellation: false))
    try batch.append(event, m)
    watcher.batch = batch
    watcher.nextInBatch = batches.first
    batches.first = watcher
  }

  /// Forgets the responses being filled.
  func abandon(_ batches: inout WatchBatches) {
    while let watcher = batches.first {
      batches.first = watcher.nextInBatch
      watcher.batch = nil
      watcher.nextInBatch = nil
    }
    batches.isIncomplete = false
  }

  // MARK: Queueing

  /// Queues every response, the queue lock held. Each watcher has then been sent everything through `revision`, or is a
  /// victim.
  func enqueue(_ batches: inout WatchBatches, through revision: Int) {
    while let watcher = batches.first, let response = watcher.batch {
      batches.first = watcher.nextInBatch
      watcher.batch = nil
      watcher.nextInBatch = nil
      watcher.minimum = revision + 1
      enqueue(response, for: watcher)
    }
  }

  private func enqueue(_ response: Reference<WatchResponse>, for watcher: Reference<Watcher>) {
    let stream = watcher.stream.unsafelyUnwrapped
    if stream.hasRoom { return stream.push(response) }
    if watcher.state == WatcherState.synced { self.behind += 1 }
    watcher.state = WatcherState.victim
    watcher.pending = response
    self.victims += 1
  }

  /// After a commit at `revision` whose responses could not all be filled: those it did not reach are served from the
  /// log.
  func recoverFromLog(from revision: Int) {
    for id in 0..<self.watcherCount where watcher(id).state == WatcherState.synced && watcher(id).minimum <= revision {
      watcher(id).state = WatcherState.unsynced
      watcher(id).minimum = revision
      self.behind += 1
    }
  }

  // MARK: Catching up

  /// Gives victims whose stream has room again their response; the queue lock held. They are unsynced from then on.
  func retryVictims() {
    for id in 0..<self.watcherCount where watcher(id).state == WatcherState.victim {
      let victim = watcher(id)
      let stream = victim.stream.unsafelyUnwrapped
      guard stream.hasRoom, let response = victim.pending else { continue }
      stream.push(response)
      victim.pending = nil
      victim.state = WatcherState.unsynced
    }
  }

  /// Cancels unsynced watchers that want revisions at or before `compacted`; the queue lock held. One whose stream has
  /// no room stays for the next time.
  func cancelCompacted(_ compacted: Int, _ m: Mutator) {
    for id in 0..<self.watcherCount where watcher(id).state == WatcherState.unsynced {
      let late = watcher(id)
      let stream = late.stream.unsafelyUnwrapped
      guard late.minimum <= compacted, stream.hasRoom else { continue }
      do throws(OutOfMemory) {
        stream.push(
          try m.make(
            WatchResponse(watcher: late, events: nil, eventCount: 0, committedAt: 0, isCancellation: true)))
      } catch {
        return
      }
      late.state = WatcherState.cancelled
      self.behind -= 1
      self.cancellations += 1
    }
  }

  /// The first revision an unsynced watcher wants that is still there, nil when none is unsynced.
  func oldestWanted(after compacted: Int) -> Int? {
    var oldest: Int? = nil
    for id in 0..<self.watcherCount where watcher(id).state == WatcherState.unsynced && watcher(id).minimum > compacted
    {
      oldest = min(oldest ?? .max, watcher(id).minimum)
    }
    return oldest
  }

  /// Unsynced watchers have been sent everything through `revision`; where that is `current`, they are synced.
  func advanceUnsynced(through revision: Int, current: Int, compacted: Int) {
    for id in 0..<self.watcherCount where watcher(id).state == WatcherState.unsynced {
      let watcher = self.watcher(id)
      if watcher.minimum <= compacted { continue }
      watcher.minimum = max(watcher.minimum, revision + 1)
      if revision >= current {
        watcher.state = WatcherState.synced
        self.behind -= 1
      }
    }
  }
}
