// Watching, as the clients see it: begin, catch up after falling behind, begin anew after a cancellation.

import Tricolor

extension EtcdStore {
  /// Watches the keys from `start` up to `end` (nil: `start` alone) on `stream`, from the next write on, and answers
  /// the watcher's number. The store has room for as many watchers as it was made with.
  func watch(
    from start: UnsafeRawBufferPointer, to end: UnsafeRawBufferPointer?, stream: Int, _ m: Mutator
  ) throws(OutOfMemory) -> Int {
    try lock.writing(m) { () throws(OutOfMemory) in
      let state = self.state(m)
      return try state.watches.watch(from: start, to: end, stream: stream, minimum: state.revision + 1, m).id
    }
  }

  /// Begins a cancelled watch anew from the next write on.
  func watchAgain(_ watcher: Reference<Watcher>, _ m: Mutator) {
    lock.writing(m) {
      watcher.minimum = state(m).revision + 1
      watcher.state = WatcherState.synced
      watcher.base = watcher.range.unsafelyUnwrapped.eventCount
      watcher.delivered = 0
    }
  }

  /// Gives victims their last response again where their streams have room.
  func retryVictims(_ m: Mutator) {
    lock.reading(m) {
      let hub = state(m).watches
      if hub.behind > 0 { queues.holding(m) { hub.retryVictims() } }
    }
  }

  /// Serves watchers that fell behind from the log, `mostRecords` of its records at most. Where memory is out they
  /// wait.
  func serveUnsynced(mostRecords: Int, _ m: Mutator) {
    lock.reading(m) {
      let state = self.state(m)
      let hub = state.watches
      if hub.behind == 0 { return }
      queues.holding(m) { hub.cancelCompacted(state.compacted, m) }
      guard let first = hub.oldestWanted(after: state.compacted) else { return }
      var batches = WatchBatches()
      let reached = collect(from: first, mostRecords: mostRecords, state, into: &batches, m)
      if batches.isIncomplete { return hub.abandon(&batches) }
      queues.holding(m) { hub.enqueue(&batches, through: reached) }
      hub.advanceUnsynced(through: reached, current: state.revision, compacted: state.compacted)
    }
  }

  /// Fills responses from the log and answers the revision up to which, whole transactions always.
  private func collect(
    from first: Int, mostRecords: Int, _ state: Reference<StoreState>, into batches: inout WatchBatches, _ m: Mutator
  ) -> Int {
    var seen = 0
    var reached = first - 1
    var isCut = false
    state.history.forEach(from: first) { record in
      if seen >= mostRecords && record.main != reached {
        isCut = true
        return false
      }
      seen += 1
      reached = record.main
      let pair = record.pair.unsafelyUnwrapped
      let previous = state.keys.find(pair.keyBytes)?.value(at: record.main - 1)
      let change = Change(pair: pair, previous: previous, committedAt: record.nanoseconds)
      state.watches.collect(
        change, state: WatcherState.unsynced, after: state.compacted, into: &batches, m)
      return !batches.isIncomplete
    }
    return isCut ? reached : state.revision
  }

  /// Whether any watcher is behind, or any queue holds a response.
  func hasUndelivered(_ m: Mutator) -> Bool {
    lock.reading(m) {
      let hub = state(m).watches
      if hub.behind > 0 { return true }
      return queues.holding(m) {
        for id in 0..<hub.streamCount where hub.stream(id).queued > 0 { return true }
        return false
      }
    }
  }
}
