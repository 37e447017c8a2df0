// The store's file: what is written is found again and nothing else is, pages are used again, and a store comes back from it as it was.

import Foundation
import Harness
import Testing
import Tricolor
import TricolorPlatform

@testable import EtcdStore

@Suite("The store's file")
struct BackingTests {
  private static let folder = NSTemporaryDirectory()

  private func bytes(_ seed: UInt64, _ count: Int) -> [UInt8] {
    var bytes = [UInt8](repeating: 0, count: count)
    bytes.withUnsafeMutableBytes { GeneratedValue.fill($0, seed: seed) }
    return bytes
  }

  private func write(_ file: BackingFile, main: Int, sub: Int = 0, _ content: [UInt8]) throws {
    try file.reserve(content.count)
    content.withUnsafeBytes { file.write(main: main, sub: sub, $0) }
  }

  @Test(
    "holds exactly the records that were written and not forgotten, however pages are used again",
    arguments: [UInt64(41), 42])
  func agreesWithModel(seed: UInt64) throws {
    let file = try BackingFile(folder: Self.folder)
    var random = SplitMix64(seed: seed)
    var model: [Int: [UInt8]] = [:]
    var leases: [Int: StoredLease] = [:]
    for main in 1...6_000 {
      // Small ones, some that fill a page to the last bytes, and some of several pages.
      let size = [1 + random.below(700), 4_050 + random.below(60), 4_096 * (1 + random.below(5))][
        random.below(10) < 8 ? 0 : 1 + random.below(2)]
      model[main] = bytes(random.next(), size)
      try write(file, main: main, model[main]!)
      while model.count > 300, let gone = model.keys.min() {
        file.forget(main: gone, sub: 0)
        model[gone] = nil
      }
      if main % 50 == 0 {
        try file.reserve(MemoryLayout<StoredLease>.size)
        let lease = StoredLease(lifetime: main, session: 1, expiry: main * 2)
        file.write(lease: main, lease)
        leases[main] = lease
      }
      if main % 100 == 0 {
        file.renew(lease: main, expiry: 7)
        leases[main]!.expiry = 7
        file.forget(lease: main - 50)
        leases[main - 50] = nil
      }
      if main % 2_000 == 0 { check(file, model, leases, seed) }
    }
    // 300 records of at most 5 pages: pages were used again.
    #expect(file.usedBytes < 12 << 20, "seed \(seed)")
  }

  private func check(_ file: BackingFile, _ model: [Int: [UInt8]], _ leases: [Int: StoredLease], _ seed: UInt64) {
    file.note(revision: 77, compacted: 5)
    let found = file.recover()
    #expect(found.revision == 77 && found.compacted == 5)
    #expect(found.records.map(\.main) == model.keys.sorted(), "seed \(seed)")
    for record in found.records {
      #expect(Array(file.content(of: record)) == model[record.main], "seed \(seed), record \(record.main)")
    }
    #expect(found.leases.map(\.id) == leases.keys.sorted(), "seed \(seed)")
    for (id, lease) in found.leases {
      #expect(lease.expiry == leases[id]?.expiry && lease.lifetime == leases[id]?.lifetime, "seed \(seed)")
    }
  }

  @Test("a folder that is not there, and one in memory, are refused by name")
  func refusesFolders() throws {
    let missing = #expect(throws: PlatformError.self) { try BackingFile(folder: "/nonexistent/folder") }
    #expect(missing?.description.contains("/nonexistent/folder") == true)
    // Where there is no such folder there is nothing to refuse.
    let mounts = try String(contentsOfFile: "/proc/self/mountinfo", encoding: .utf8)
    guard mounts.contains(" /dev/shm ") && mounts.contains(" - tmpfs ") else { return }
    let memory = #expect(throws: PlatformError.self) { try BackingFile(folder: "/dev/shm") }
    #expect(memory?.description.contains("/dev/shm") == true && memory?.description.contains("tmpfs") == true)
  }

  /// A store with updates, deletions, leases and a compaction behind it, and its file.
  private func withWrittenStore(
    _ body: sending (EtcdStore, BackingFile, StoreConfiguration, Mutator) throws -> Void
  ) throws {
    var configuration = StoreConfiguration()
    configuration.sessions = 2
    let file = try BackingFile(folder: Self.folder)
    let heap = try testHeap()
    try heap.withMutator { m in
      let store = try EtcdStore(configuration, backing: file, m)
      try store.grant(1, lifetime: 10, session: 0, now: 0, m)
      try store.grant(2, lifetime: 50, session: 1, now: 3, m)
      for round in 0..<4 {
        for number in 0..<300 {
          let lease = number % 10 == 0 ? 1 : number % 10 == 1 ? 2 : 0
          try store.put("k\(number)", String(repeating: "v", count: (number * 37 + round) % 9_000), lease: lease, m)
        }
        for number in stride(from: round, to: 300, by: 7) { try store.delete("k\(number)", m) }
        if round == 1 { _ = try store.compactAll(m) }
      }
      try store.renew(1, now: 5, m)
      try body(store, file, configuration, m)
    }
  }

  @Test("a store that stops comes back with its keys, versions, leases and the history that was not compacted")
  func recovers() throws {
    try withWrittenStore { store, file, configuration, m in
      let all = PageLimit(keys: .max, bytes: .max)
      let now = try store.list(limit: all, m).pairs
      let compacted = store.state(m).compacted
      let revision = store.currentRevision(m)
      let earlier = stride(from: compacted, through: revision, by: 97)
      let histories = try earlier.map { try store.list(at: $0, limit: all, m).pairs }
      let historyBytes = store.state(m).historyBytes
      let pairBytes = store.state(m).pairBytes
      store.stop(m)
      let (again, records) = try EtcdStore.recovered(from: file, configuration, m)
      #expect(records > now.count && again.currentRevision(m) == revision)
      #expect(try again.list(limit: all, m).pairs == now)
      // A history that was cut short goes on counting where its first record that is left stands.
      again.state(m).keys.ascend(from: UnsafeRawBufferPointer(start: nil, count: 0)) { index in
        guard let pair = index.current, let last = index.lastGeneration else { return true }
        let counted = (last.version, last.created)
        #expect(counted == (pair.version, pair.created))
        return true
      }
      #expect(try earlier.map { try again.list(at: $0, limit: all, m).pairs } == histories)
      #expect(again.state(m).historyBytes == historyBytes && again.state(m).pairBytes == pairBytes)
      #expect(throws: StoreError.compacted(requested: compacted - 1, oldest: compacted)) {
        try again.list(at: compacted - 1, m)
      }
      // Leases end when they would have, with their keys.
      #expect(try again.expireOne(session: 0, now: 14, m) == nil)
      #expect(try again.expireOne(session: 0, now: 15, m) == 1)
      #expect(try again.expireOne(session: 1, now: 53, m) == 2)
      #expect(try again.list(limit: all, m).pairs == now.filter { $0.lease == 0 })
    }
  }

  @Test("a store that came back works on, compacts, and comes back again")
  func recoversTwice() throws {
    try withWrittenStore { store, file, configuration, m in
      store.stop(m)
      let (second, _) = try EtcdStore.recovered(from: file, configuration, m)
      for number in 0..<300 { try second.put("k\(number)", "second", m) }
      let used = file.usedBytes
      _ = try second.compactAll(m)
      #expect(file.usedBytes < used)
      let now = try second.list(limit: PageLimit(keys: .max, bytes: .max), m).pairs
      second.stop(m)
      let (third, records) = try EtcdStore.recovered(from: file, configuration, m)
      #expect(records == 300)
      #expect(try third.list(limit: PageLimit(keys: .max, bytes: .max), m).pairs == now)
    }
  }

  @Test("a watcher that falls behind after the store came back is served from the log as before")
  func servesWatchersAfterRecovery() throws {
    try withWrittenStore { store, file, configuration, m in
      store.stop(m)
      let (again, _) = try EtcdStore.recovered(from: file, configuration, m)
      let watcher = try withBytes("k") { start in
        try withBytes("l") { end in try again.watch(from: start, to: end, stream: 0, m) }
      }
      for number in 0..<500 { try again.put("k\(number % 9)", "\(number)", m) }
      var sender = WatchSender()
      sender.drain(again, m)
      let delivered = again.state(m).watches.watcher(watcher).delivered
      #expect(delivered == 500 && sender.misordered == 0)
    }
  }
}
