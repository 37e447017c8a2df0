// Whole runs: the same seed ends in the same state, dumps are loaded, everything is reported.

import Foundation
import Harness
import Testing
import Tricolor

@testable import EtcdStore

@Suite("Runs", .serialized)
struct RunTests {
  private static let small = {
    var options = EtcdStoreOptions()
    options.keys = 1_000
    options.valueBytes = 200
    options.watchers = 30
    options.burstValueBytes = 1_000
    options.historyBytes = 400_000
    options.pageKeys = 100
    return options
  }()

  private func run(
    _ options: EtcdStoreOptions, threads: Int, seed: UInt64 = 7, extent: Extent = .operations(6_000), rate: Int? = nil
  ) throws -> WorkloadResult {
    let context = RunContext(
      heap: try testHeap(), threads: threads, seed: seed, extent: extent, kinds: EtcdStoreWorkload.kinds, rate: rate)
    return try EtcdStoreWorkload(options).run(context)
  }

  private func checksum(_ result: WorkloadResult) -> JSONValue? { result.figures["checksum"] }

  @Test("a seed and a number of operations end in one state, however many threads there are or take over")
  func isDeterministic() throws {
    let one = try run(Self.small, threads: 1)
    let four = try run(Self.small, threads: 4)
    let other = try run(Self.small, threads: 4, seed: 8)
    var relayed = Self.small
    relayed.relays = true
    let relays = try run(relayed, threads: 3)
    #expect(one.verified && four.verified && other.verified, "\(one.figures.text()) \(four.figures.text())")
    #expect(one.operations == 6_000 && four.operations == 6_000)
    #expect(relays.verified && relays.operations == 6_000 && checksum(relays) == checksum(one))
    #expect(checksum(one) != nil && checksum(one) == checksum(four))
    #expect(checksum(one) != checksum(other))
  }

  @Test("a rate limits how fast operations are done, not what they do")
  func rateKeepsTheState() throws {
    let began = ContinuousClock.now
    let throttled = try run(Self.small, threads: 2, rate: 30_000)
    #expect(began.duration(to: .now) >= .milliseconds(150), "6000 operations at that rate take 200 ms")
    #expect(throttled.verified && throttled.operations == 6_000)
    #expect(checksum(throttled) == checksum(try run(Self.small, threads: 1)))
  }

  @Test("a dump is loaded, worked on and verified")
  func runsOnDump() throws {
    var options = Self.small
    options.dumpPath = Bundle.module.path(forResource: "packages-small", ofType: "json", inDirectory: "Fixtures")
    let one = try run(options, threads: 1)
    let three = try run(options, threads: 3)
    #expect(one.verified && three.verified, "\(one.figures.text())")
    #expect(checksum(one) == checksum(three))
  }

  @Test("a dump that is wrong stops the run with the option, the file and the byte")
  func refusesWrongDump() throws {
    var options = Self.small
    options.dumpPath = "/nonexistent/dump.json"
    let error = #expect(throws: UsageError.self) { try run(options, threads: 1) }
    #expect(error?.description.contains("--load: /nonexistent/dump.json cannot be read at byte 0") == true)
  }

  @Test("a run of some time ends by itself and is verified")
  func endsByTime() throws {
    let result = try run(Self.small, threads: 2, extent: .nanoseconds(1_500_000_000))
    #expect(result.verified, "\(result.figures.text())")
    #expect((result.operations ?? 0) > 0)
  }

  @Test("every phase and figure is in the result")
  func reportsFigures() throws {
    let result = try run(Self.small, threads: 2)
    for key in [
      "keys", "revisions", "liveValueBytes", "compactions", "watchEventsDelivered", "watchVictims", "leasesExpired",
      "raftEntries", "shed", "logCuts", "pressure",
    ] {
      #expect(result.figures[key] != nil, "\(key)")
    }
    guard case .array(let phases)? = result.figures["phaseLatencies"] else {
      Issue.record("no phases")
      return
    }
    #expect(phases.map { $0["name"] } == ["load", "steady", "list storm", "compaction", "watch burst"])
  }
}
