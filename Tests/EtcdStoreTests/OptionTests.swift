// The workload's own options.

import Harness
import Testing

@testable import EtcdStore

@Suite("Options of the store")
struct OptionTests {
  private func options(_ arguments: [String]) throws -> EtcdStoreOptions {
    try EtcdStoreOptions(OptionValues(arguments, of: EtcdStoreWorkload.name, table: EtcdStoreWorkload.options))
  }

  @Test("options are read, and default where not given")
  func reads() throws {
    let read = try options(["--watchers=3", "--history", "2MiB", "--shed", "off", "--load", "x.json"])
    #expect(read.watchers == 3 && read.historyBytes == 2 << 20 && !read.sheds && read.dumpPath == "x.json")
    #expect(try options(["--keys", "12"]).keys == 12)
    #expect(try options([]).keys == EtcdStoreOptions().keys)
  }

  @Test(
    "values out of bounds are refused with option, value and what is allowed",
    arguments: [
      ("keys", "0"), ("keys", "x"), ("value-size", "15"), ("value-size", "1GiB"), ("watchers", "-1"),
      ("slow-streams", "101"), ("raft-retain", "0"), ("history", "1"), ("page-keys", "0"), ("page-size", "0"),
      ("burst-value-size", "2MiB"), ("shed", "maybe"),
    ])
  func refuses(name: String, value: String) {
    let error = #expect(throws: UsageError.self) { try options(["--\(name)=\(value)"]) }
    let text = error?.description ?? ""
    #expect(text.hasPrefix("--\(name): ") && text.contains(value) && text.contains("not allowed"), "\(text)")
  }

  @Test("a dump and a number of keys exclude each other")
  func excludes() {
    #expect(throws: UsageError.self) { try options(["--load", "x", "--keys", "5"]) }
  }
}
