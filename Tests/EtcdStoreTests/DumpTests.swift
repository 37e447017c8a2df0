// Reading dumps of a real etcd: the whole, every way of being cut off, every way of being wrong.

import Foundation
import Testing
import Tricolor

@testable import EtcdStore

/// A dump in a file of its own, removed at the end.
private final class DumpFile {
  let path: String

  init(_ bytes: some Sequence<UInt8>) throws {
    path = FileManager.default.temporaryDirectory.appendingPathComponent("dump-\(UUID().uuidString).json").path
    try Data(bytes).write(to: URL(fileURLWithPath: path))
  }

  convenience init(_ text: String) throws { try self.init(Array(text.utf8)) }

  deinit { unlink(path) }
}

@Suite("Dumps")
struct DumpTests {
  private static let path = Bundle.module.path(forResource: "packages-small", ofType: "json", inDirectory: "Fixtures")!

  /// Reads to the end and answers what was read.
  private func read(_ path: String) throws(DumpError) -> (keys: Int, valueBytes: Int, records: [DumpRecord]) {
    var reader = try DumpReader.open(path: path)
    var valueBytes = 0
    var records: [DumpRecord] = []
    while try reader.next() {
      valueBytes += reader.value.count
      records.append(reader.record)
    }
    return (reader.keyCount, valueBytes, records)
  }

  private func problem(_ text: String) throws -> DumpError? {
    let file = try DumpFile(text)
    do throws(DumpError) {
      _ = try read(file.path)
      return nil
    } catch {
      return error
    }
  }

  private func dump(key: String = "YQ==", value: String = "Yg==", rest: String = "") -> String {
    "{\"header\":{\"revision\":9},\"kvs\":[{\"key\":\"\(key)\",\"create_revision\":2,\"mod_revision\":3,\"version\":1,"
      + "\"value\":\"\(value)\"\(rest)}],\"count\":1}"
  }

  @Test("a real dump has all its keys, values, versions and leases")
  func readsRealDump() throws {
    let (keys, valueBytes, records) = try read(Self.path)
    #expect(keys == 200 && valueBytes == 154_380)
    let versions = Dictionary(grouping: records, by: \.version).mapValues(\.count)
    #expect(versions == [1: 132, 2: 57, 3: 10, 4: 1])
    #expect(records.count { $0.lease != 0 } == 11)
    #expect(records[0] == DumpRecord(created: 3, modified: 48, version: 2, lease: 0))
  }

  @Test("a restored dump reads as the store it came from did")
  func restores() throws {
    try withStore { store, m in
      var reader = try DumpReader.open(path: Self.path)
      while try reader.next() {
        let record = reader.record
        try store.restore(
          RestoredKey(
            key: reader.key, value: reader.value, created: record.created, modified: record.modified,
            version: record.version, lease: record.lease), m)
      }
      store.finishRestore(revision: reader.revision, m)
      let listed = try store.list(m).pairs
      #expect(listed.count == 200)
      #expect(listed.first?.key == "/registry/debian/packages/0ad-data-common/0.0.26-1")
      #expect(listed.first?.value.hasPrefix("Package: 0ad-data-common\n") == true)
      #expect(listed.last?.key == "/registry/debian/packages/yapet/2.6-2~deb12u1")
      #expect(listed.reduce(0) { $0 + $1.value.utf8.count } == 154_380)
      let leases = store.state(m).leases.leaseCount
      #expect(leases == 4)
      #expect(store.currentRevision(m) == 54)
      #expect(throws: StoreError.compacted(requested: 53, oldest: 54)) {
        try store.value("/registry/debian/packages/0ad-data-common/0.0.26-1", at: 53, m)
      }
      let next = try store.put("/registry/debian/packages/0ad-data-common/0.0.26-1", "new", comparing: 48, m)
      #expect(next.succeeded && next.revision == 55)
      #expect(try store.seen("/registry/debian/packages/0ad-data-common/0.0.26-1", m)?.version == 3)
    }
  }

  @Test("a dump cut off anywhere is an error at that byte, never a smaller dump")
  func refusesCutDumps() throws {
    let bytes = try Data(contentsOf: URL(fileURLWithPath: Self.path))
    let end = bytes.lastIndex(of: UInt8(ascii: "}"))!
    let file = try DumpFile(bytes)
    // Every byte at the end, then ever fewer; backwards, so that one file can be cut again and again.
    var length = end
    while length >= 0 {
      truncate(file.path, off_t(length))
      let error = #expect(throws: DumpError.self, "cut at \(length)") { try read(file.path) }
      #expect(error?.offset == length, "cut at \(length): \(error.map { "\($0)" } ?? "")")
      if case .malformed(_, let found)? = error?.problem { #expect(found == "the end of the file") }
      length -= length > end - 300 || length < 600 ? 1 : 1_777
    }
  }

  @Test("base64 that is not is refused where it goes wrong")
  func refusesBadBase64() throws {
    let start = dump(key: "|").split(separator: "|")[0].utf8.count
    #expect(try problem(dump()) == nil)
    for (key, offset) in [
      ("Y", 1), ("YQ", 2), ("YQ=", 3), ("YQ==YQ==", 4), ("YQ===", 4), ("Y!==", 1), ("YR==", 2), ("YWJ=", 3),
      ("YQ-_", 2),
      ("=", 0), ("YQ\\u003d=", 2), ("Y Q=", 1),
    ] {
      let error = try #require(try problem(dump(key: key)), "\(key) was accepted")
      #expect(error.offset == start + offset, "\(key): \(error)")
    }
  }

  @Test(
    "what etcd does not print is refused",
    arguments: [
      "", "[]", "{}", "null", "{\"kvs\":[]}", "{\"header\":{}}x", "{\"header\":{\"revision\":1.5}}",
      "{\"header\":{\"revision\":01}}", "{\"header\":{\"revision\":\"1\"}}",
      "{\"header\":{\"revision\":9223372036854775808}}",
      "{\"header\":{\"cluster_id\":18446744073709551616}}", "{\"header\":{\"colour\":1}}",
      "{\"header\":{},\"kvs\":[],\"count\":1}", "{\"header\":{},\"more\":true}",
      "{\"header\":{},\"kvs\":[{}],\"count\":1}",
      "{\"header\":{},\"kvs\":[],\"kvs\":[]}x", "{\"header\":{},\"kvs\":[1]}", "{\"header\":{} \"count\":0}",
    ])
  func refusesOtherJSON(text: String) throws {
    let error = try #require(try problem(text), "accepted")
    #expect(error.offset <= text.utf8.count)
    #expect(!error.description.isEmpty)
  }

  @Test("impossible numbers, repeated names and keys out of order are refused")
  func refusesImpossibleKeys() throws {
    let good = dump()
    for (old, new) in [
      ("\"revision\":9", "\"revision\":2"), ("\"create_revision\":2", "\"create_revision\":4"),
      ("\"create_revision\":2", "\"create_revision\":0"), ("\"version\":1", "\"version\":0"),
      ("\"version\":1", "\"version\":-1"), ("\"count\":1", "\"count\":2"), ("\"count\":1", "\"count\":0"),
      ("\"version\":1", "\"key\":\"YQ==\""), ("\"YQ==\"", "\"\""), ("\"version\"", "\"colour\""),
    ] {
      let wrong = good.replacingOccurrences(of: old, with: new)
      #expect(wrong != good)
      #expect(try problem(wrong) != nil, "\(new) was accepted")
    }
    let key = "{\"key\":\"YQ==\",\"create_revision\":2,\"mod_revision\":3,\"version\":1}"
    #expect(try problem("{\"header\":{\"revision\":9},\"kvs\":[\(key),\(key)],\"count\":2}") != nil)
  }

  @Test("what is left out means zero or empty, and 64-bit numbers keep all their bits")
  func readsOmissions() throws {
    #expect(try problem("{\"header\":{\"cluster_id\":18446744073709551615,\"revision\":1}}\n") == nil)
    #expect(try problem("{\"header\":{}, \"kvs\" : [ ] , \"more\":false , \"count\":0 }") == nil)
    let file = try DumpFile(dump(value: "", rest: ",\"lease\":-9223372036854775808"))
    let (keys, valueBytes, records) = try read(file.path)
    #expect(keys == 1 && valueBytes == 0 && records[0].lease == Int.min)
  }

  @Test("a file that is not there, or no file, is an error with the system's reason")
  func refusesMissingFiles() throws {
    let missing = #expect(throws: DumpError.self) { try read("/nonexistent/dump.json") }
    #expect(missing?.problem == .unreadable(code: ENOENT))
    let directory = #expect(throws: DumpError.self) { try read("/") }
    #expect(directory?.problem == .unreadable(code: EISDIR))
  }
}
