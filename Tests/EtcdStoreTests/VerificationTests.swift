// The check at the end of a run finds whatever is wrong.

import Harness
import Testing
import Tricolor

@testable import EtcdStore

@Suite("The check at the end")
struct VerificationTests {
  /// A store with 2 000 keys and the clients that wrote them.
  private func withWrittenStore(_ body: sending (EtcdStore, [Partition], Mutator) throws -> Void) throws {
    var options = EtcdStoreOptions()
    options.keys = 2_000
    options.valueBytes = 100
    try withStore(options.storeConfiguration) { store, m in
      let partitions = WorkDriver.shareOut(KeySpace(count: 2_000, meanValueBytes: 100), options, seed: 3)
      for partition in partitions {
        for start in stride(from: 0, to: partition.all.count, by: 10) {
          try partition.load(from: start, count: 10, store, m)
        }
        for _ in 0..<20 { _ = try partition.steadyOperation(store, m) }
      }
      let check = store.verify(against: partitions, m)
      #expect(check.holds && check.keys > 1_900, "\(check)")
      try body(store, partitions, m)
    }
  }

  private func pair(_ number: Int, _ store: EtcdStore, _ m: Mutator) -> Reference<KeyValue> {
    var found: Reference<KeyValue>? = nil
    var seen = 0
    store.state(m).keys.ascend(from: UnsafeRawBufferPointer(start: nil, count: 0)) { index in
      found = index.current ?? found
      seen += 1
      return seen <= number
    }
    return found!
  }

  @Test("finds a value of which one byte has changed")
  func findsCorruptValue() throws {
    try withWrittenStore { store, partitions, m in
      let value = pair(700, store, m).value!
      value[value.count / 2] ^= 1
      let check = store.verify(against: partitions, m)
      #expect(!check.holds && check.wrongValues == 1, "\(check)")
    }
  }

  @Test("finds a key that was lost, and one that should not be there")
  func findsLostAndExtraKeys() throws {
    try withWrittenStore { store, partitions, m in
      let lost = pair(300, store, m)
      _ = try store.state(m).keys.remove(lost.keyBytes, m)
      let check = store.verify(against: partitions, m)
      #expect(!check.holds && check.missing == 1 && check.extra == 0, "\(check)")
      try store.put("/registry/stranger", "x", m)
      let second = store.verify(against: partitions, m)
      #expect(!second.holds && second.missing == 1 && second.extra == 1, "\(second)")
    }
  }

  @Test("finds a wrong version and a wrong revision")
  func findsWrongVersion() throws {
    try withWrittenStore { store, partitions, m in
      pair(900, store, m).version += 1
      let check = store.verify(against: partitions, m)
      #expect(!check.holds && check.wrongVersions == 1 && check.wrongValues == 0, "\(check)")
      pair(100, store, m).modified -= 1
      #expect(store.verify(against: partitions, m).wrongRevisions == 1)
    }
  }

  @Test("finds keys that are out of order")
  func findsDisorder() throws {
    try withWrittenStore { store, partitions, m in
      let node = store.state(m).keys.root!
      let first = node.items[0]
      node.items[0] = node.items[1]
      node.items[1] = first
      #expect(store.verify(against: partitions, m).misplaced > 0)
    }
  }

  @Test("the shadow's table agrees with a dictionary", arguments: [UInt64(31), 32])
  func shadowTableAgrees(seed: UInt64) {
    var random = SplitMix64(seed: seed)
    var table = ShadowTable()
    var model: [UInt64: Int] = [:]
    for step in 0..<20_000 {
      // Few distinct low bits make long clusters.
      let key = 1 + (random.next() % 40) | (random.next() % 50) << 32
      if random.next() % 3 == 0 {
        #expect(table.remove(key) == (model.removeValue(forKey: key) != nil), "seed \(seed), step \(step)")
      } else {
        table.set(ShadowEntry(key: key, content: 0, modified: step, version: 0, created: 0))
        model[key] = step
      }
    }
    #expect(table.count == model.count)
    for (key, value) in model { #expect(table[key]?.modified == value, "seed \(seed)") }
    var visited = 0
    table.visitAll { _ in visited += 1 }
    #expect(visited == model.count)
  }
}
