// Decisions found by comparing readings: each told once, with its figures.

import Testing
import Tricolor

@testable import TricolorTelemetry

@Suite("Decisions in words")
struct DecisionTests {
  private var finder = DecisionFinder()
  private var statistics: HeapStatistics

  init() throws {
    statistics = try Heap(configuration: .init()).statistics
    statistics.gcPercent = 100
    statistics.limitBytes = 512 << 20
  }

  private mutating func look(at time: UInt64 = 0, phase: String = "", group: Int? = nil) -> [Decision] {
    finder.decisions(at: time, .init(statistics: statistics, groupLimitBytes: group, phase: phase))
  }

  /// The words of the decision at a place; empty where there is none.
  private func text(_ decisions: [Decision], _ place: Int) -> String {
    decisions.indices.contains(place) ? decisions[place].text : ""
  }

  @Test("the first reading tells the settings and the phase, the same reading again nothing")
  mutating func beginning() {
    let found = look(at: 3, phase: "load", group: 1 << 30)
    #expect(found.map(\.kind) == [.setting, .phase])
    #expect(text(found, 0).contains("GOGC=100"))
    #expect(text(found, 0).contains("512.0 MiB"))
    #expect(text(found, 0).contains("1.00 GiB"))
    #expect(found.allSatisfy { $0.time == 3 })
    #expect(look(at: 4, phase: "load", group: 1 << 30).isEmpty)
  }

  @Test("changed settings and limits are told with both values")
  mutating func settings() {
    _ = look()
    statistics.limitBytes = 256 << 20
    statistics.gcPercent = nil
    let found = look(phase: "steady", group: 300 << 20)
    #expect(found.map(\.kind) == [.phase, .setting, .setting, .setting])
    #expect(text(found, 1).contains("512.0 MiB") && text(found, 1).contains("256.0 MiB"))
    #expect(text(found, 2).contains("GOGC=100 becomes GOGC=off"))
    #expect(text(found, 3).contains("nothing becomes 300.0 MiB"))
  }

  @Test("growth that the heap chooses is told where it has come to a quarter more or less, and why")
  mutating func chosenGrowth() throws {
    statistics = try Heap(configuration: tuned()).statistics
    _ = look()
    for percent in [90, 80, 74] {
      choose(percent)
      #expect(look().isEmpty == (percent != 74), "\(percent)")
    }
    choose(60)
    #expect(look().isEmpty)
    choose(93)
    statistics.growthChoice!.bound = .limit
    statistics.growthChoice!.collectorShare = 0.123
    let found = look()
    #expect(found.map(\.kind) == [.pacer])
    #expect(
      text(found, 0)
        == "the heap takes GOGC from 74 to 93, what the memory limit leaves: collection has taken 12.3 % of the CPU that was used"
    )
    statistics.growthChoice = nil
    statistics.gcPercent = 100
    #expect(text(look(), 0).contains("GOGC=93 becomes GOGC=100"))
  }

  private func tuned() -> Heap.Configuration {
    var configuration = Heap.Configuration()
    configuration.tunes = true
    return configuration
  }

  private mutating func choose(_ percent: Int) {
    statistics.growthChoice!.percent = percent
    statistics.gcPercent = percent
  }

  @Test("what begins cycles is told at the first, and again when three cycles agree on another cause")
  mutating func cause() {
    statistics.cyclesByCause = [:]
    _ = look()
    statistics.cyclesByCause = [.growth: 1]
    #expect(look().map(\.kind) == [.pacer])
    statistics.cyclesByCause = [.growth: 1, .limit: 2]
    #expect(look().isEmpty)
    statistics.cyclesByCause = [.growth: 2, .limit: 2]
    #expect(look().isEmpty)
    statistics.cyclesByCause = [.growth: 2, .limit: 4]
    #expect(look().isEmpty)
    statistics.cyclesByCause = [.growth: 2, .limit: 5]
    let found = look()
    #expect(found.map(\.kind) == [.pacer])
    #expect(text(found, 0).contains("memory limit"))
    statistics.cyclesByCause = [.growth: 2, .limit: 9]
    #expect(look().isEmpty)
  }

  @Test("forced cycles do not change what the pacer is said to do")
  mutating func forcedCycles() {
    statistics.cyclesByCause = [:]
    _ = look()
    statistics.cyclesByCause = [.forced: 50]
    #expect(look().isEmpty)
  }

  @Test("a limit that cannot be met is told with what fills it, and when it can be met again")
  mutating func unmet() {
    _ = look()
    statistics.limitIsUnmet = true
    statistics.markedLiveBytes = 400 << 20
    statistics.foreignBytes = 130 << 20
    let found = look()
    #expect(found.map(\.kind) == [.limit])
    #expect(text(found, 0).contains("400.0 MiB live") && text(found, 0).contains("130.0 MiB outside"))
    statistics.limitIsUnmet = false
    #expect(look().map(\.text) == ["the memory limit can be met again"])
  }

  @Test("signs of the kernel are told when they change")
  mutating func kernel() {
    _ = look()
    statistics.tightenedPercent = 5
    #expect(look().first?.text.contains("5 % below") == true)
    statistics.tightenedPercent = 0
    #expect(look().map(\.kind) == [.kernel])
  }

  @Test("a collector that is held back in several cycles in a row is told of once")
  mutating func limiter() {
    statistics.cycles = 10
    statistics.limiterLastCycle = 0
    _ = look()
    statistics.cycles = 11
    statistics.limiterLastCycle = 11
    #expect(look().map(\.kind) == [.limiter])
    statistics.cycles = 12
    statistics.limiterLastCycle = 12
    #expect(look().isEmpty)
    statistics.cycles = 20
    #expect(look().isEmpty)
    statistics.cycles = 21
    statistics.limiterLastCycle = 21
    #expect(look().map(\.kind) == [.limiter])
  }

  @Test("slow threads are told of every five seconds at the most, and none is forgotten")
  mutating func slowThreads() {
    _ = look()
    statistics.slowSafepoints = 1
    statistics.slowSafepointThread = 42
    #expect(look(at: 1_000_000_000).first?.text.contains("thread 42") == true)
    statistics.slowSafepoints = 4
    #expect(look(at: 2_000_000_000).isEmpty)
    #expect(look(at: 6_000_000_000).first?.text.contains("last of 3 times") == true)
    #expect(look(at: 60_000_000_000).isEmpty)
  }

  @Test("operations that were turned away are told of every second at the most, and none is forgotten")
  mutating func shedOperations() {
    func shed(_ count: Int) -> DecisionFinder.Reading {
      .init(statistics: statistics, groupLimitBytes: nil, phase: "", shedOperations: count)
    }
    _ = finder.decisions(at: 0, shed(0))
    let first = finder.decisions(at: 1_000_000_000, shed(1))
    #expect(first.map(\.kind) == [.shed])
    #expect(text(first, 0).contains("1 operation was"))
    #expect(finder.decisions(at: 1_500_000_000, shed(5)).isEmpty)
    #expect(text(finder.decisions(at: 2_000_000_000, shed(1500)), 0).contains("1,499 operations were"))
    #expect(finder.decisions(at: 9_000_000_000, shed(1500)).isEmpty)
  }
}
