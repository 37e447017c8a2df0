// Revisions, generations, deletions and what compaction leaves of them.

import Harness
import Synchronization
import Testing
import Tricolor
import TricolorPlatform

@testable import EtcdStore

@Suite("The history of keys")
struct HistoryTests {
  @Test("each write has its revision, its version counts from its creation")
  func revisionsAndVersions() throws {
    try withStore { store, m in
      #expect(try store.put("a", "1", m).revision == 2)
      #expect(try store.put("b", "x", m).revision == 3)
      #expect(try store.put("a", "2", m).revision == 4)
      let seen = try #require(try store.seen("a", m))
      #expect(seen.created == 2 && seen.modified == 4 && seen.version == 2)
      try store.delete("a", m)
      #expect(try store.value("a", m) == nil)
      try store.put("a", "3", m)
      let again = try #require(try store.seen("a", m))
      #expect(again.created == 6 && again.modified == 6 && again.version == 1)
    }
  }

  @Test("a read at a revision sees what was then, across deletions")
  func readsAtRevision() throws {
    try withStore { store, m in
      try store.put("a", "1", m)  // 2
      try store.put("a", "2", m)  // 3
      try store.delete("a", m)  // 4
      try store.put("b", "x", m)  // 5
      try store.put("a", "3", m)  // 6
      let history = try (1...6).map { try store.value("a", at: $0, m) ?? "-" }
      #expect(history == ["-", "1", "2", "-", "-", "3"])
    }
  }

  @Test("a read in the future and one below the compaction are refused with both revisions")
  func refusesImpossibleRevisions() throws {
    try withStore { store, m in
      for value in 1...5 { try store.put("a", "\(value)", m) }
      #expect(throws: StoreError.future(requested: 7, current: 6)) { try store.value("a", at: 7, m) }
      _ = try store.compact(through: 4, m)
      #expect(throws: StoreError.compacted(requested: 3, oldest: 4)) { try store.value("a", at: 3, m) }
      #expect(try store.value("a", at: 4, m) == "3")
      #expect(try store.value("a", at: 5, m) == "4")
      #expect(throws: StoreError.compacted(requested: 4, oldest: 4)) { try store.compact(through: 4, m) }
      #expect(throws: StoreError.future(requested: 9, current: 6)) { try store.compact(through: 9, m) }
    }
  }

  @Test("compaction at a deletion forgets the key, one before it keeps what a read can see")
  func compactsDeletions() throws {
    try withStore { store, m in
      try store.put("a", "1", m)  // 2
      try store.put("a", "2", m)  // 3
      try store.delete("a", m)  // 4
      try store.put("b", "x", m)  // 5
      let first = try #require(try store.compact(through: 3, m))
      #expect(first.droppedRecords == 1 && first.droppedKeys == 0)
      #expect(try store.value("a", at: 3, m) == "2")
      let second = try #require(try store.compact(through: 5, m))
      #expect(second.droppedRecords == 2 && second.droppedKeys == 1)
      #expect(try store.value("a", at: 5, m) == nil)
      let keys = store.state(m).keys.keyCount
      #expect(keys == 1)
    }
  }

  @Test("compaction of a key that was made again forgets only the generation before")
  func compactsGenerations() throws {
    try withStore { store, m in
      try store.put("a", "1", m)  // 2
      try store.delete("a", m)  // 3
      try store.put("a", "2", m)  // 4
      try store.put("a", "3", m)  // 5
      _ = try store.compact(through: 4, m)
      #expect(try store.value("a", at: 4, m) == "2")
      #expect(try store.value("a", m) == "3")
      let seen = try #require(try store.seen("a", m))
      #expect(seen.version == 2 && seen.created == 4)
    }
  }

  @Test("the bytes of history go back to nothing when everything is compacted")
  func accountsHistory() throws {
    try withStore { store, m in
      for round in 0..<5 {
        for key in 0..<50 { try store.put("k\(key)", String(repeating: "v", count: 10 * round + key), m) }
      }
      for key in 0..<25 { try store.delete("k\(key)", m) }
      let grown = store.state(m).historyBytes
      #expect(grown > 0)
      _ = try store.compactAll(m)
      let left = store.state(m).historyBytes
      #expect(left == 0)
    }
  }

  @Test("compacted values are garbage: the heap shrinks to what is left")
  func compactionFrees() throws {
    let heap = try testHeap()
    let store = try heap.withMutator { m in
      var configuration = StoreConfiguration()
      configuration.raftRetain = 1
      let store = try EtcdStore(configuration, m)
      for _ in 0..<100 { try store.put("a", String(repeating: "v", count: 100_000), m) }
      return store
    }
    heap.collect()
    let before = heap.statistics.markedLiveBytes
    try heap.withMutator { m in _ = try store.compactAll(m) }
    heap.collect()
    heap.collect()
    let after = heap.statistics.markedLiveBytes
    #expect(before > 10_000_000)
    #expect(after < 4_000_000, "\(after) bytes are live after compaction, \(before) before")
  }

  @Test("threads that compact at the same time leave it to one of them, and none finds its revision gone")
  func concurrentCompactions() throws {
    let heap = try testHeap()
    let store = try heap.withMutator { m in
      var configuration = StoreConfiguration()
      configuration.historyBytes = 1
      return try EtcdStore(configuration, m)
    }
    let errors = Mutex<[String]>([])
    let threads = try (0..<3).map { index in
      try NativeThread.start(name: "compacts") {
        do {
          for round in 0..<2000 {
            try heap.withMutator { m in
              try store.put("k\(index)", "v\(round)", m)
              _ = try round % 2 == 0 ? store.compactAll(m) : store.compactHistory(m)
            }
          }
        } catch {
          errors.withLock { $0.append("\(error)") }
        }
      }
    }
    for thread in threads { thread.join() }
    let thrown = errors.withLock { $0 }
    #expect(thrown.isEmpty)
    heap.withMutator { m in #expect(store.currentRevision(m) == 1 + 3 * 2000) }
  }

  @Test("any history read at any revision agrees with a model", arguments: [UInt64(11), 12, 13])
  func agreesWithModel(seed: UInt64) throws {
    try withStore { store, m in
      var random = SplitMix64(seed: seed)
      var states: [[String: String]] = [[:], [:]]
      var oldest = 1
      for step in 0..<400 {
        var next = states.last!
        let key = "k\(random.next() % 12)"
        if random.next() % 4 == 0 {
          let existed = next.removeValue(forKey: key) != nil
          try store.delete(key, m)
          if existed { states.append(next) }
        } else {
          next[key] = "v\(step)"
          try store.put(key, "v\(step)", m)
          states.append(next)
        }
        if step % 40 == 39 {
          oldest = max(oldest + 1, states.count - 1 - Int(random.next() % 30))
          if oldest > store.state(m).compacted { _ = try store.compact(through: oldest, m) }
        }
      }
      #expect(store.currentRevision(m) == states.count - 1, "seed \(seed)")
      for revision in oldest..<states.count {
        let listed = try store.list(at: revision, m).pairs
        let model = states[revision].sorted { $0.key < $1.key }
        #expect(listed.map(\.key) == model.map(\.key), "seed \(seed), revision \(revision)")
        #expect(listed.map(\.value) == model.map(\.value), "seed \(seed), revision \(revision)")
      }
    }
  }
}
