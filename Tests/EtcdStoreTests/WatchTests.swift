// Watching: what arrives, in which order, and what becomes of watchers that are slow.

import Testing
import Tricolor

@testable import EtcdStore

@Suite("Watching")
struct WatchTests {
  private func configuration(streams: Int = 1, watchers: Int = 10) -> StoreConfiguration {
    var configuration = StoreConfiguration()
    configuration.streams = streams
    configuration.watchers = watchers
    return configuration
  }

  private func watch(_ store: EtcdStore, _ start: String, _ end: String?, stream: Int = 0, _ m: Mutator) throws -> Int {
    try withBytes(start) { start in
      guard let end else { return try store.watch(from: start, to: nil, stream: stream, m) }
      return try withBytes(end) { try store.watch(from: start, to: $0, stream: stream, m) }
    }
  }

  private func delivered(_ store: EtcdStore, _ id: Int, _ m: Mutator) -> Int {
    store.state(m).watches.watcher(id).delivered
  }
  private func state(_ store: EtcdStore, _ id: Int, _ m: Mutator) -> Int { store.state(m).watches.watcher(id).state }

  @Test("a watcher is sent what is written in its range, and nothing else")
  func matches() throws {
    try withStore(configuration()) { store, m in
      let single = try watch(store, "a/2", nil, m)
      let directory = try watch(store, "a/", "a0", m)
      let everything = try watch(store, "a", "z", m)
      for key in ["a/1", "a/2", "a/3", "b/2", "a/2"] { try store.put(key, "v", m) }
      try store.delete("a/2", m)
      var sender = WatchSender()
      sender.drain(store, m)
      #expect(delivered(store, single, m) == 3)
      #expect(delivered(store, directory, m) == 5)
      #expect(delivered(store, everything, m) == 6)
      #expect(sender.deliveredEvents == 14 && sender.misordered == 0)
    }
  }

  @Test("a watcher is not sent what was written before it came")
  func beginsNow() throws {
    try withStore(configuration()) { store, m in
      try store.put("a", "1", m)
      let watcher = try watch(store, "a", nil, m)
      try store.put("a", "2", m)
      var sender = WatchSender()
      sender.drain(store, m)
      #expect(delivered(store, watcher, m) == 1)
    }
  }

  @Test("the writes of one transaction arrive together")
  func batches() throws {
    try withStore(configuration()) { store, m in
      _ = try watch(store, "k", "l", m)
      try store.putAll((0..<40).map { ("k\($0)", "value") }, m)
      var sender = WatchSender()
      sender.drain(store, m)
      #expect(sender.deliveredResponses == 1 && sender.deliveredEvents == 40)
    }
  }

  @Test("a stream queues 128 responses and no more; who does not fit gets everything later, in order")
  func boundsQueue() throws {
    try withStore(configuration()) { store, m in
      let watcher = try watch(store, "a", "b", m)
      for number in 0..<1_000 { try store.put("a\(number % 9)", "\(number)", m) }
      let queued = store.state(m).watches.stream(0).queued
      #expect(queued == WatchStream.queueCapacity)
      #expect(state(store, watcher, m) == WatcherState.victim)
      var sender = WatchSender()
      sender.drain(store, m)
      #expect(delivered(store, watcher, m) == 1_000)
      #expect(sender.misordered == 0)
      #expect(state(store, watcher, m) == WatcherState.synced)
      try store.put("a1", "after", m)
      sender.drain(store, m)
      #expect(delivered(store, watcher, m) == 1_001)
    }
  }

  @Test("a slow stream does not keep others from being served")
  func slowStreamIsAlone() throws {
    var slow = configuration(streams: 2)
    slow.slowStreams = 1
    slow.slowDelay = 3_600_000_000_000
    try withStore(slow) { store, m in
      let late = try watch(store, "a", "b", stream: 0, m)
      let prompt = try watch(store, "a", "b", stream: 1, m)
      var sender = WatchSender()
      for number in 0..<500 {
        try store.put("a", "\(number)", m)
        while sender.deliverOne(from: store, m, latency: { _ in }) {}
      }
      #expect(delivered(store, prompt, m) == 500)
      #expect(delivered(store, late, m) == 1)
      #expect(state(store, late, m) == WatcherState.victim)
      sender.drain(store, m)
      #expect(delivered(store, late, m) == 500)
    }
  }

  @Test("a watcher so late that its next revision was compacted is cancelled and begins anew")
  func cancelsCompacted() throws {
    try withStore(configuration()) { store, m in
      let watcher = try watch(store, "a", "b", m)
      for number in 0..<600 { try store.put("a", "\(number)", m) }
      _ = try store.compactAll(m)
      var sender = WatchSender()
      sender.drain(store, m)
      let cancellations = store.state(m).watches.cancellations
      #expect(cancellations == 1)
      #expect(state(store, watcher, m) == WatcherState.synced)
      #expect(delivered(store, watcher, m) == 0)
      for number in 0..<10 { try store.put("a", "\(number)", m) }
      sender.drain(store, m)
      #expect(delivered(store, watcher, m) == 10)
      #expect(sender.misordered == 0)
    }
  }

  @Test("a watcher that waits for room to be cancelled is sent nothing from the log that another is served from")
  func lateWatcherIsNotServed() throws {
    try withStore(configuration()) { store, m in
      let late = try watch(store, "a", nil, m)
      let behind = try watch(store, "b", nil, m)
      var sender = WatchSender()
      func fallBehind(_ key: String, writes: Int) throws {
        for number in 0..<writes { try store.put(key, "\(number)", m) }
        _ = sender.deliverOne(from: store, m, latency: { _ in })
        store.retryVictims(m)
      }
      try fallBehind("a", writes: WatchStream.queueCapacity + 2)
      _ = try store.compactAll(m)
      try fallBehind("b", writes: 2)
      #expect(state(store, late, m) == WatcherState.unsynced && state(store, behind, m) == WatcherState.unsynced)
      try store.put("a", "after", m)
      store.serveUnsynced(mostRecords: 1_000, m)
      sender.drain(store, m)
      let cancellations = store.state(m).watches.cancellations
      #expect(cancellations == 1)
      #expect(delivered(store, late, m) == 0 && delivered(store, behind, m) == 2)
    }
  }

  @Test("events carry the value before and after, shared with the store")
  func carriesValues() throws {
    try withStore(configuration()) { store, m in
      _ = try watch(store, "a", nil, m)
      try store.put("a", "1", m)
      try store.put("a", "2", m)
      try store.delete("a", m)
      let stream = store.state(m).watches.stream(0)
      var seen: [String] = []
      while let response = stream.pop() {
        let event = response.event(0)
        let after = event.pair!
        seen.append(
          "\(event.previous.map { text($0.valueBytes) } ?? "-")>\(after.isDeletion ? "-" : text(after.valueBytes))")
      }
      #expect(seen == ["->1", "1>2", "2>-"])
    }
  }
}
