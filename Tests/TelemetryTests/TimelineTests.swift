// The arithmetic of samples, and what a history within bounds keeps of a long run.

import Testing
import Tricolor

@testable import TricolorTelemetry

@Suite("The timeline")
struct TimelineTests {
  /// Counters of an idle heap, to be changed.
  private func counters() throws -> HeapStatistics { try Heap(configuration: .init()).statistics }

  private func reading(_ statistics: HeapStatistics, operations: DurationCounts = .none) -> TimelineSampler.Reading {
    .init(
      statistics: statistics, capPercent: 50, mappedBytes: 0, groupLimitBytes: nil, operations: 0,
      operationCounts: operations)
  }

  private func counts(_ nanoseconds: [UInt64]) -> DurationCounts {
    var buckets: [Int: Int] = [:]
    for value in nanoseconds { buckets[DurationCounts.bucket(of: value), default: 0] += 1 }
    return DurationCounts(totalNanoseconds: nanoseconds.reduce(0, +)) { buckets[$0] ?? 0 }
  }

  @Test("the layers of memory add up to what is resident, external memory counting as foreign")
  func layersAddUp() throws {
    var statistics = try counters()
    statistics.residentBytes = 1000
    statistics.usedBlockBytes = 500
    statistics.heldFreeBytes = 100
    statistics.metadataBytes = 20
    statistics.liveBytes = 400
    statistics.markedLiveBytes = 250
    statistics.externalBytes = 50
    let sample = TimelineSample(statistics: statistics, availableNanoseconds: 0, fileBytes: 130)
    #expect(sample.liveBytes == 200)
    #expect(sample.newBytes == 150)
    #expect(sample.unusedBytes == 150 + 20)
    #expect(sample.freeBytes == 100)
    #expect(sample.fileBytes == 130)
    #expect(sample.foreignBytes == 250)
    let sum =
      sample.liveBytes + sample.newBytes + sample.unusedBytes + sample.freeBytes + sample.fileBytes
      + sample.foreignBytes
    #expect(sum == sample.residentBytes)
  }

  @Test("no layer is negative where the heap's blocks are not all resident, or files count for more than is left")
  func layersStayPositive() throws {
    var statistics = try counters()
    statistics.residentBytes = 300
    statistics.usedBlockBytes = 500
    statistics.liveBytes = 800
    statistics.markedLiveBytes = 900
    statistics.heldFreeBytes = 0
    statistics.metadataBytes = 0
    let sample = TimelineSample(statistics: statistics, availableNanoseconds: 0, fileBytes: 130)
    #expect(sample.liveBytes == 500)
    #expect(sample.newBytes == 0)
    #expect(sample.unusedBytes == 0)
    #expect(sample.fileBytes == 0)
    #expect(sample.foreignBytes == 0)
  }

  @Test("a goal that is nowhere is none")
  func noGoal() throws {
    var statistics = try counters()
    statistics.goalBytes = .max
    #expect(TimelineSample(statistics: statistics, availableNanoseconds: 0, fileBytes: 0).goalBytes == nil)
  }

  @Test("the mutator's CPU is what the process took and the collector did not")
  func mutatorCPU() throws {
    var statistics = try counters()
    statistics.processCPUNanoseconds = 1000
    statistics.cpu.background = 100
    statistics.cpu.assist = 50
    statistics.cpu.idle = 20
    statistics.cpu.sweep = 5
    statistics.cpu.scavenge = 1
    let sample = TimelineSample(statistics: statistics, availableNanoseconds: 0, fileBytes: 0)
    #expect(sample.mutatorNanoseconds == 824)
    statistics.processCPUNanoseconds = 100
    let behind = TimelineSample(statistics: statistics, availableNanoseconds: 0, fileBytes: 0)
    #expect(behind.mutatorNanoseconds == 0)
  }

  @Test("CPU to be had is added up while the number of processors changes")
  func availableCPU() throws {
    var sampler = TimelineSampler()
    var statistics = try counters()
    statistics.elapsedNanoseconds = 1000
    statistics.processors = 4
    #expect(sampler.sample(reading(statistics)).availableNanoseconds == 4000)
    statistics.elapsedNanoseconds = 2000
    statistics.processors = 1.5
    #expect(sampler.sample(reading(statistics)).availableNanoseconds == 5500)
  }

  @Test("latencies are those since the sample before, and none where there was nothing")
  func latenciesOfTheInterval() throws {
    var sampler = TimelineSampler()
    var statistics = try counters()
    statistics.holdCounts = counts([5, 9])
    statistics.stallCounts = counts([7])
    let first = sampler.sample(reading(statistics, operations: counts([3])))
    #expect(first.holdNanoseconds == 9)
    #expect(first.stallNanoseconds == 7)
    #expect(first.operationNanoseconds == 3)
    statistics.holdCounts = counts([5, 9, 6])
    let second = sampler.sample(reading(statistics, operations: counts([3] + Array(repeating: 2, count: 99) + [12])))
    #expect(second.holdNanoseconds == 6)
    #expect(second.stallNanoseconds == nil)
    #expect(second.operationNanoseconds == 2)
  }

  // MARK: History

  private func sample(_ index: Int, resident: Int = 10) -> TimelineSample {
    var sample = TimelineSample()
    sample.time = UInt64(index) * 200_000_000
    sample.residentBytes = resident
    sample.mutatorNanoseconds = UInt64(index) * 7
    sample.operations = index * 3
    return sample
  }

  @Test("a run of a day is kept within bounds, with its peak, its totals and its longest stall")
  func historyIsBounded() {
    var timeline = Timeline()
    let last = 5 * 86_400
    for index in 1...last {
      var sample = self.sample(index, resident: index == 1234 ? 99 : 10)
      if index == 4321 { sample.stallNanoseconds = 77 }
      timeline.add(sample)
    }
    let kept = timeline.kept
    #expect(kept.count <= Timeline.mostSamples)
    #expect(kept.count > Timeline.mostSamples / 3)
    #expect(kept.map(\.residentBytes).max() == 99)
    #expect(kept.compactMap(\.stallNanoseconds) == [77])
    #expect(kept.last == sample(last))
    for sample in kept { #expect(sample.mutatorNanoseconds == sample.time / 200_000_000 * 7) }
    #expect(zip(kept, kept.dropFirst()).allSatisfy { $0.time < $1.time })
  }

  @Test("merged samples span about the same time each, and the newest are as they came")
  func historyIsEven() {
    var timeline = Timeline()
    for index in 1...100_000 { timeline.add(sample(index)) }
    let times = timeline.kept.map(\.time)
    let steps = zip(times, times.dropFirst()).map { $1 - $0 }
    #expect(steps.suffix(Timeline.unmergedSamples - 1).allSatisfy { $0 == 200_000_000 })
    let old = steps.dropLast(Timeline.unmergedSamples)
    #expect(old.max()! <= 4 * times.last! / UInt64(Timeline.mostSamples))
    #expect(Double(times.first!) < 0.02 * Double(times.last!))
  }

  @Test("who has seen up to a number gets what came after it, each thing once")
  func sinceIsExact() throws {
    var timeline = Timeline()
    timeline.add(sample(1))
    timeline.add(Decision(time: 1, kind: .phase, text: "load"))
    timeline.add(sample(2))
    let seen = timeline.last
    #expect(seen == 3)
    timeline.add(sample(3))
    timeline.add(Decision(time: 2, kind: .limit, text: "unmet"))
    let all = JSONValue.object(timeline.members(after: 0))
    let new = JSONValue.object(timeline.members(after: seen))
    let none = JSONValue.object(timeline.members(after: timeline.last))
    #expect(length(all, "samples") == 3)
    #expect(length(all, "decisions") == 2)
    #expect(length(new, "samples") == 1)
    #expect(length(new, "decisions") == 1)
    #expect(length(none, "samples") == 0)
    #expect(none["last"] == .integer(5))
  }

  @Test("a row has a value for every column")
  func rowsFitColumns() {
    guard case .array(let row) = sample(1).row else { return }
    #expect(row.count == TimelineSample.columns.count)
    #expect(row[TimelineSample.columns.firstIndex(of: "operations")!] == .integer(3))
    #expect(row[TimelineSample.columns.firstIndex(of: "mutator")!] == .unsigned(7))
    #expect(row[TimelineSample.columns.firstIndex(of: "operation")!] == .null)
  }

  @Test("cycles and decisions are bounded, and what is missing is counted")
  func eventsAreBounded() async throws {
    let heap = try Heap(configuration: .init())
    let events = heap.events
    heap.collect()
    let event = try #require(await events.first { _ in true })
    var timeline = Timeline()
    for _ in 0..<20_000 { timeline.add(event) }
    for index in 0..<1000 { timeline.add(Decision(time: UInt64(index), kind: .thread, text: "\(index)")) }
    let members = JSONValue.object(timeline.members(after: 0))
    #expect(length(members, "cycles") <= Timeline.mostCycles)
    #expect(length(members, "cycles") >= Timeline.mostCycles / 2)
    #expect(members["cyclesSeen"] == .integer(20_000))
    #expect(length(members, "decisions") == Timeline.mostDecisions)
    #expect(members["droppedDecisions"] == .integer(1000 - Timeline.mostDecisions))
  }

  private func length(_ object: JSONValue, _ key: String) -> Int {
    guard case .array(let items)? = object[key] else { return -1 }
    return items.count
  }
}
