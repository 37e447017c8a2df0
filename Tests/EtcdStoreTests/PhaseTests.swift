// The phases beyond the usual ones, how they are chosen, and the shares they get.

import Foundation
import Harness
import Testing
import Tricolor
import TricolorPacing

@testable import EtcdStore

@Suite("Phases", .serialized)
struct PhaseTests {
  private static let all: EtcdStoreOptions = {
    var options = EtcdStoreOptions()
    options.keys = 1_000
    options.valueBytes = 200
    options.watchers = 30
    options.burstValueBytes = 1_000
    options.historyBytes = 400_000
    options.pageKeys = 100
    options.phases = Array(WorkPhase.allCases.dropFirst())
    options.backingFolder = NSTemporaryDirectory()
    return options
  }()

  private func run(
    _ options: EtcdStoreOptions, threads: Int, operations: Int = 12_000, heap: Heap? = nil
  ) throws -> WorkloadResult {
    let context = RunContext(
      heap: try heap ?? testHeap(), threads: threads, seed: 7, extent: .operations(operations),
      kinds: EtcdStoreWorkload.kinds)
    return try EtcdStoreWorkload(options).run(context)
  }

  private func options(_ arguments: [String]) throws -> EtcdStoreOptions {
    try EtcdStoreOptions(OptionValues(arguments, of: EtcdStoreWorkload.name, table: EtcdStoreWorkload.options))
  }

  @Test("all nine end in one state whatever the number of threads, a restart among them, and say what they did")
  func allAreDeterministic() throws {
    let one = try run(Self.all, threads: 1)
    let four = try run(Self.all, threads: 4)
    #expect(one.verified && four.verified, "\(one.figures.text()) \(four.figures.text())")
    #expect(one.operations == 12_000 && four.operations == 12_000)
    #expect(one.figures["checksum"] != nil && one.figures["checksum"] == four.figures["checksum"])
    for key in ["snapshots", "limitShrink", "leak", "backing"] { #expect(one.figures[key] != .null, "\(key)") }
    guard case .array(let restarts)? = four.figures["restarts"],
      case .array(let phases)? = one.figures["phaseLatencies"]
    else {
      Issue.record("no restarts or phases")
      return
    }
    #expect(restarts.count == 1)
    #expect(phases.map { $0["name"] }.count == 9)
  }

  @Test("a restart changes nothing of the state that the same operations end in")
  func restartKeepsTheState() throws {
    var with = Self.all
    with.phases = [.steady, .restart]
    var without = with
    without.phases = [.steady]
    without.backingFolder = nil
    let restarted = try run(with, threads: 2, operations: 8_600)
    #expect(restarted.verified)
    #expect(restarted.figures["checksum"] == (try run(without, threads: 2, operations: 8_600)).figures["checksum"])
  }

  @Test("lists by pages, in one response and streamed leave the store alike, and finish", arguments: ListStyle.allCases)
  func listStyles(style: ListStyle) throws {
    var options = Self.all
    options.phases = [.listStorm]
    options.lists = style
    let result = try run(options, threads: 2, operations: style == .pages ? 2_000 : 40)
    #expect(result.verified, "\(result.figures.text())")
    #expect(style == .pages || result.figures["listsFinished"] == 40)
  }

  @Test("phases are typed with commas, in any order, once each; load is always done")
  func readsPhases() throws {
    #expect(try options([]).phases == [.steady, .listStorm, .compaction, .watchBurst])
    #expect(try options(["--phases", "snapshot,steady,load"]).phases == [.snapshot, .steady])
    #expect(try options(["--phases", "all"]).phases.count == 8)
    #expect(try options(["--phases", "load"]).phases.isEmpty)
  }

  @Test(
    "phases that are not allowed are refused with their text and what is",
    arguments: ["", "steady,", "steady,steady", "storm", "list storm", "all,steady"])
  func refusesPhases(text: String) {
    let error = #expect(throws: UsageError.self) { try options(["--phases=\(text)"]) }
    let said = error?.description ?? ""
    #expect(said.hasPrefix("--phases: ") && said.contains("\"\(text)\"") && said.contains("list-storm"), "\(said)")
  }

  @Test("a restart turns the file on; a file that was refused in so many words is not turned on")
  func restartNeedsTheFile() throws {
    #expect(try options(["--phases", "restart"]).backingFolder != nil)
    #expect(try options(["--phases", "steady"]).backingFolder == nil)
    #expect(try options(["--backing", "mmap", "--backing-folder", "/var/tmp"]).backingFolder == "/var/tmp")
    #expect(throws: UsageError.self) { try options(["--phases", "restart", "--backing", "none"]) }
    #expect(throws: UsageError.self) { try options(["--backing-folder", "/var/tmp"]) }
  }

  @Test("loading alone is a run of no operations")
  func loadsOnly() throws {
    var options = Self.all
    options.phases = []
    let result = try run(options, threads: 2)
    #expect(result.verified && result.operations == 0 && result.figures["keys"] == 1_000)
  }

  @Test("all of a round's operations are handed out, by the phases' shares")
  func sharesOperations() {
    let usual = RoundPlan.counts(of: WorkPhase.usual, left: 100_000).map(\.total)
    #expect(usual == [80_000, 6_000, 6_000, 8_000])
    for phases in [[WorkPhase.leak], [.steady, .leak, .restart], Array(WorkPhase.allCases.dropFirst())] {
      #expect(RoundPlan.counts(of: phases, left: 12_345).reduce(0) { $0 + $1.total } == 12_345)
    }
  }

  @Test("the limit is four fifths while the phase lasts, and what it was afterwards")
  func shrinksTheLimit() throws {
    var configuration = Heap.Configuration()
    configuration.memoryLimit = .bytes(1_000 << 20)
    let heap = try Heap(configuration: configuration)
    let shrink = LimitShrink(heap)
    let during = try shrink.during {
      for _ in 0..<500 where heap.configuration.memoryLimit == .bytes(1_000 << 20) { usleep(10_000) }
      return heap.configuration.memoryLimit
    }
    #expect(during == .bytes(800 << 20))
    #expect(heap.configuration.memoryLimit == .bytes(1_000 << 20))
    #expect(shrink.figures?.times == 1 && shrink.figures?.limitBytes == 800 << 20)
    #expect(shrink.figures?.limitBefore == 1_000 << 20)
  }

  @Test("a leak ends when memory is refused, and the store works on and is right")
  func leakEndsAtTheHardLimit() throws {
    var options = Self.all
    options.phases = [.leak, .steady]
    options.leakRate = 1 << 32
    options.sheds = false
    var configuration = Heap.Configuration()
    let resident = try testHeap().statistics.residentBytes
    configuration.hardLimit = .bytes(Int64(resident + 128 << 20))
    let result = try run(options, threads: 2, operations: 40_000, heap: try Heap(configuration: configuration))
    #expect(result.verified, "\(result.figures.text())")
    #expect(result.figures["leak"]?["ending"] == .string(Leak.Ending.outOfMemory.rawValue), "\(result.figures.text())")
  }

  @Test("a list that does not fit beside what is alive is turned away, one that fits is not")
  func admitsWhatFits() throws {
    var configuration = Heap.Configuration()
    configuration.memoryLimit = .bytes(4 << 30)
    let heap = try Heap(configuration: configuration)
    let sheds = LoadShedding(isOn: true)
    var ran = 0
    #expect(sheds.admitting(1 << 20, heap) { ran += 1 })
    #expect(!sheds.admitting(5 << 30, heap) { ran += 1 })
    // Two that fit alone do not fit together.
    let both = sheds.admitting(3 << 30, heap) {
      ran += 1
      let second = sheds.admitting(3 << 30, heap) { ran += 1 }
      #expect(!second)
    }
    #expect(both)
    #expect(sheds.admitting(3 << 30, heap) { ran += 1 })
    #expect(LoadShedding(isOn: false).admitting(5 << 30, heap) { ran += 1 })
    #expect(ran == 4)
  }

  @Test("a snapshot is everything at one revision, in order, and compaction waits for it")
  func sendsSnapshot() throws {
    try withStore { store, m in
      for number in 0..<1_000 { try store.put("k\(number)", String(repeating: "v", count: number), m) }
      for number in stride(from: 0, to: 1_000, by: 3) { try store.delete("k\(number)", m) }
      let revision = store.currentRevision(m)
      let first = try store.sendSnapshot(m)
      let pairs = try store.list(limit: PageLimit(keys: .max, bytes: .max), m).pairs
      #expect(first.revision == revision && first.pairs == pairs.count && first.misordered == 0)
      #expect(first.bytes == pairs.reduce(0) { $0 + $1.key.utf8.count + $1.value.utf8.count + 32 })
      #expect(try store.sendSnapshot(m) == first)
      try store.put("k1", "other", m)
      #expect(try store.sendSnapshot(m).checksum != first.checksum)
      store.isCompacting.store(true, ordering: .relaxed)
      #expect(try store.compactAll(m) == nil)
      store.isCompacting.store(false, ordering: .relaxed)
      #expect(try store.compactAll(m) != nil)
    }
  }

  @Test("a whole list in one response has every pair, marshalled")
  func sendsWhole() throws {
    try withStore { store, m in
      for number in 0..<100 { try store.put("k\(number)", String(repeating: "v", count: number), m) }
      let page = try withBytes("") { try store.page(from: $0, to: nil, limit: .none, m) }
      let sent = try store.sendWhole(page, m)
      var expected = 0
      for index in 0..<page.pairCount { expected += Wire.bytesField(try page.pair(index).marshal(m).count) }
      #expect(page.pairCount == 100 && sent.bytes == expected)
      #expect(store.listBytes(m) >= page.pairCount * 48)
    }
  }
}

@Suite("Profiles")
struct ProfileTests {
  @Test("keys are different and of the profile's kinds, sizes near their mean", arguments: StoreProfile.allCases)
  func describesStores(profile: StoreProfile) {
    let count = 9_400
    let keys = KeySpace(count: count, meanValueBytes: profile.meanValueBytes, profile: profile)
    let scratch = UnsafeMutableRawBufferPointer.allocate(byteCount: KeySpace.mostKeyBytes, alignment: 16)
    defer { scratch.deallocate() }
    var random = SplitMix64(seed: 3)
    var seen: Set<String> = []
    var bytes = 0
    for number in 0..<count {
      seen.insert(text(keys.key(number, scratch)))
      bytes += keys.valueBytes(number, draw: random.next())
    }
    let shares = profile.kinds.reduce(0) { $0 + $1.share }
    let mean =
      profile.kinds.reduce(0.0) { $0 + Double($1.share) * $1.size } * Double(profile.meanValueBytes) / Double(shares)
    #expect(seen.count == count)
    #expect(abs(Double(bytes) / Double(count) / mean - 1) < 0.06, "\(profile): \(bytes / count), not \(mean)")
    #expect(profile.keys % shares == 0)
  }

  @Test("tiny-1m has keys of 64 and values of 256 bytes, uniform-2k values of 2048")
  func hasExactSizes() {
    let scratch = UnsafeMutableRawBufferPointer.allocate(byteCount: KeySpace.mostKeyBytes, alignment: 16)
    defer { scratch.deallocate() }
    let tiny = KeySpace(count: 10, meanValueBytes: StoreProfile.tiny1m.meanValueBytes, profile: .tiny1m)
    #expect(tiny.key(7, scratch).count == 64 && tiny.valueBytes(7, draw: 12) == 256)
    let uniform = KeySpace(count: 10, meanValueBytes: StoreProfile.uniform2k.meanValueBytes, profile: .uniform2k)
    #expect(uniform.valueBytes(7, draw: 99) == 2_048)
  }

  @Test("a profile brings its numbers, and typed ones win")
  func optionsWin() throws {
    func options(_ arguments: [String]) throws -> EtcdStoreOptions {
      try EtcdStoreOptions(OptionValues(arguments, of: EtcdStoreWorkload.name, table: EtcdStoreWorkload.options))
    }
    let small = try options(["--profile", "k8s-small"])
    #expect(small.keys == 47_000 && small.valueBytes == 10_240)
    let typed = try options(["--profile", "tiny-1m", "--keys", "500", "--value-size", "64"])
    #expect(typed.keys == 500 && typed.valueBytes == 64)
    #expect(throws: UsageError.self) { try options(["--profile", "tiny-1m", "--load", "x"]) }
    #expect(throws: UsageError.self) { try options(["--profile", "tiny"]) }
  }
}
