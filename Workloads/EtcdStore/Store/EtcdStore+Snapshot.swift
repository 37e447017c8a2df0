// Sending the whole store, as etcd does for a member that lags too far and for a backup: everything at one revision, in messages of 32 KiB, each
// a fresh buffer, with a checksum at the end. A wave of garbage as large as the store, while writers go on.
//
// No compaction runs meanwhile, as bbolt keeps the pages that a read transaction sees. The checksum is the workloads' own hash instead of
// etcd's SHA-256: its speed is not what is shown.

import Glibc
import Synchronization
import Tricolor

/// What was sent.
struct SnapshotReport: Sendable, Equatable {
  let revision: Int
  var pairs = 0
  var bytes = 0
  var checksum: UInt64 = 0
  /// Keys that did not come after the one before.
  var misordered = 0
}

extension EtcdStore {
  private static let messageBytes = 32 << 10
  private static let keysPerTurn = 256

  /// Sends everything there is now. Waits for a compaction that runs.
  func sendSnapshot(_ m: Mutator) throws(OutOfMemory) -> SnapshotReport {
    while isCompacting.exchange(true, ordering: .acquiring) {
      m.blocking { _ = usleep(1_000) }
    }
    defer { isCompacting.store(false, ordering: .releasing) }
    let (tree, revision) = try lock.writing(m) { () throws(OutOfMemory) in
      (try state(m).keys.snapshot(m), state(m).revision)
    }
    var report = SnapshotReport(revision: revision)
    var messages = try PageMarshaller(chunkBytes: EtcdStore.messageBytes, freshChunks: true, m)
    let turn = try m.makeArray(of: KeyValue.self, count: EtcdStore.keysPerTurn)
    var last: Reference<KeyValue>? = nil
    var next = GrowingBytes(capacity: 128)
    repeat {
      let filled = collect(tree, from: next.bytes, at: revision, into: turn, m)
      for index in 0..<filled {
        let pair = turn[index].unsafelyUnwrapped
        if let last, ByteOrder.compare(last.keyBytes, pair.keyBytes) >= 0 { report.misordered += 1 }
        try messages.append(pair, m)
        m.poll()
        last = pair
      }
      report.pairs += filled
      guard filled == turn.count, let last else { break }
      next.removeAll()
      next.append(last.keyBytes)
      next.append(0)
    } while true
    try messages.finish(m)
    report.bytes = messages.sentBytes
    report.checksum = messages.sum
    return report
  }

  /// The pairs of the next keys at `revision`, as many as `turn` has places for: their histories change, so the lock is held.
  private func collect(
    _ tree: Reference<KeyTree>, from start: UnsafeRawBufferPointer, at revision: Int,
    into turn: Reference<ReferenceArray<KeyValue>>, _ m: Mutator
  ) -> Int {
    lock.reading(m) {
      var filled = 0
      tree.ascend(from: start) { index in
        if let pair = index.value(at: revision) {
          turn[filled] = pair
          filled += 1
        }
        return filled < turn.count
      }
      return filled
    }
  }
}
