// Transactions: comparison, several writes at one revision, what is refused.

import Testing
import Tricolor

@testable import EtcdStore

@Suite("Transactions")
struct TransactionTests {
  @Test("a comparison that holds lets the write through, one that does not leaves everything as it was")
  func compares() throws {
    try withStore { store, m in
      let first = try store.put("a", "1", comparing: 0, m)
      #expect(first.succeeded && first.revision == 2)
      let refused = try store.put("a", "2", comparing: 1, m)
      #expect(!refused.succeeded && refused.foundModified == 2 && refused.revision == 2)
      #expect(try store.value("a", m) == "1")
      #expect(try store.put("a", "2", comparing: 2, m).succeeded)
      #expect(try store.value("a", m) == "2")
      #expect(try !store.put("a", "3", comparing: 0, m).succeeded)
    }
  }

  @Test("writes of one transaction share a revision")
  func sharesRevision() throws {
    try withStore { store, m in
      let outcome = try store.putAll((0..<128).map { ("k\($0)", "value") }, m)
      #expect(outcome.revision == 2)
      let modified = try Set(store.list(m).pairs.map(\.modified))
      #expect(modified == [2])
    }
  }

  @Test("what is not allowed is refused by name and changes nothing")
  func refuses() throws {
    try withStore { store, m in
      #expect(throws: StoreError.duplicateKey) { try store.putAll([("a", "1"), ("b", "2"), ("a", "3")], m) }
      #expect(throws: StoreError.emptyKey) { try store.put("", "1", m) }
      #expect(throws: StoreError.tooManyOperations(129)) { try store.putAll((0..<129).map { ("k\($0)", "v") }, m) }
      #expect(throws: StoreError.tooManyOperations(0)) { try store.putAll([], m) }
      #expect(throws: StoreError.leaseNotFound(5)) { try store.put("a", "1", lease: 5, m) }
      let pairs = try store.list(m).pairs
      #expect(pairs.isEmpty && store.currentRevision(m) == 1)
    }
  }

  @Test("a request cut off anywhere is refused or means fewer writes, never a crash")
  func survivesCutRequests() throws {
    try withStore { store, m in
      let frame = try withBytes("some key") { key in
        try withBytes("some value") { value in
          let builder = RequestBuilder()
          builder.compare(key, modified: 3)
          builder.put(key, .copied(value), lease: 77)
          return try builder.frame(m)
        }
      }
      let whole = frame.withBytes { [UInt8]($0) }
      for length in 0..<whole.count {
        let cut = try whole[..<length].withUnsafeBytes { try m.makeBytes(copying: $0) }
        do {
          let outcome = try store.submit(cut, m)
          #expect(!outcome.succeeded, "\(length) bytes were applied")
        } catch is StoreError {
          continue
        }
      }
      #expect(store.currentRevision(m) == 1)
    }
  }

  @Test("deleting a key that does not exist makes no revision")
  func deletesNothing() throws {
    try withStore { store, m in
      try store.put("a", "1", m)
      #expect(try store.delete("b", m).revision == 2)
    }
  }

  @Test("an empty value is a value")
  func keepsEmptyValues() throws {
    try withStore { store, m in
      try store.put("a", "", m)
      #expect(try store.value("a", m) == "")
    }
  }

  @Test("the log keeps as many entries as it was told to")
  func logIsBounded() throws {
    var configuration = StoreConfiguration()
    configuration.raftRetain = 7
    try withStore(configuration) { store, m in
      for number in 0..<20 { try store.put("a", "\(number)", m) }
      let raft = store.state(m).entries
      let retained = raft.retainedCount
      #expect(retained == 7)
      let ring = raft.entries!
      let indexes = (0..<ring.count).map { ring[$0]!.index }.sorted()
      #expect(indexes == Array(14...20))
    }
  }

  @Test("the log is cut while memory is short, and grows again afterwards")
  func logIsCut() throws {
    var configuration = StoreConfiguration()
    configuration.raftRetain = 16
    try withStore(configuration) { store, m in
      func indexes() -> [Int] {
        let ring = store.state(m).entries.entries!
        return (0..<ring.count).compactMap { ring[$0]?.index }.sorted()
      }
      for number in 0..<20 { try store.put("a", "\(number)", m) }
      store.state(m).entries.keep(oneIn: 4)
      #expect(indexes() == Array(17...20))
      for number in 0..<5 { try store.put("a", "\(number)", m) }
      #expect(indexes() == Array(22...25))
      store.state(m).entries.keep(oneIn: 100)
      #expect(indexes() == [25])
      store.state(m).entries.keep(oneIn: 1)
      for number in 0..<30 {
        try store.put("a", "\(number)", m)
        let retained = store.state(m).entries.retainedCount
        #expect(retained == min(16, number + 2))
      }
      #expect(indexes() == Array(40...55))
    }
  }
}
