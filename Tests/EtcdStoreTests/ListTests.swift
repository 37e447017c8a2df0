// Lists: pages, bounds, one revision over all pages.

import Testing
import Tricolor

@testable import EtcdStore

@Suite("Lists")
struct ListTests {
  private func fill(_ store: EtcdStore, _ m: Mutator) throws {
    for number in 0..<700 { try store.put("k\(number)", String(repeating: "x", count: number % 50), m) }
    for number in stride(from: 0, to: 700, by: 7) { try store.delete("k\(number)", m) }
  }

  @Test("pages of any size make up the whole list", arguments: [1, 2, 7, 64, 500, 5_000])
  func pagesEqualList(size: Int) throws {
    try withStore { store, m in
      try fill(store, m)
      let whole = try store.list(limit: PageLimit(keys: 100_000, bytes: 1 << 30), m)
      let paged = try store.list(limit: PageLimit(keys: size, bytes: 1 << 30), m)
      #expect(whole.pages == 1 && whole.pairs.count == 600)
      #expect(paged.pairs == whole.pairs)
      #expect(paged.pages == (600 + size - 1) / size)
      #expect(whole.pairs.map(\.key) == whole.pairs.map(\.key).sorted())
    }
  }

  @Test("a page ends at its bound in bytes, but holds one pair at least")
  func boundsBytes() throws {
    try withStore { store, m in
      for key in ["a", "b", "c"] { try store.put(key, String(repeating: "v", count: 99), m) }
      #expect(try store.list(limit: PageLimit(keys: 10, bytes: 250), m).pages == 2)
      #expect(try store.list(limit: PageLimit(keys: 10, bytes: 1), m).pages == 3)
    }
  }

  @Test("a range has its start and not its end")
  func boundsRange() throws {
    try withStore { store, m in
      for key in ["a", "b", "c", "d"] { try store.put(key, "v", m) }
      #expect(try store.list(from: "b", to: "d", m).pairs.map(\.key) == ["b", "c"])
      #expect(try store.list(from: "c", m).pairs.map(\.key) == ["c", "d"])
      #expect(try store.list(from: "x", m).pairs.isEmpty)
    }
  }

  @Test("all pages show the revision of the first, whatever is written meanwhile")
  func isConsistent() throws {
    try withStore { store, m in
      for key in ["a", "b", "c"] { try store.put(key, "old", m) }
      let limit = PageLimit(keys: 1, bytes: 1_000)
      let first = try withBytes("") { try store.page(from: $0, to: nil, limit: limit, m) }
      let revision = first.header!.revision
      try store.put("b", "new", m)
      try store.delete("c", m)
      let rest = try store.list(from: "b", at: revision, limit: limit, m).pairs
      #expect(rest.map(\.value) == ["old", "old"])
    }
  }

  @Test("sending a page counts all its bytes through a buffer of any size", arguments: [1, 10, 64, 4_096])
  func sendsThroughBuffer(chunk: Int) throws {
    var configuration = StoreConfiguration()
    configuration.chunkBytes = chunk
    try withStore(configuration) { store, m in
      try store.put("key", String(repeating: "v", count: 1_000), m)
      let page = try withBytes("") { try store.page(from: $0, to: nil, limit: PageLimit(), m) }
      #expect(try store.send(page, m).sentBytes == 3 + 1_000 + 32)
    }
  }
}
