// TRICOLOR_TUNE on a heap: that its choice is in force and told, that the setting takes effect and ends while the heap runs, and what
// it leaves alone. What is chosen, and how well, is tested without a heap (TricolorPacingTests/GrowthTunerTests.swift).

import Testing
import Tricolor

@Suite("A heap that chooses GOGC")
struct GrowthChoiceTests {
  /// Far more than a heap of this size needs at half of the CPU, so that the choice goes down whatever the machine.
  private static let start = 1000

  private func configuration(_ change: (inout Heap.Configuration) -> Void = { _ in }) -> Heap.Configuration {
    var configuration = Heap.Configuration()
    configuration.gcPercent = Self.start
    configuration.tunes = true
    configuration.tuneTarget = 50
    change(&configuration)
    return configuration
  }

  private func allocate(_ heap: Heap, mebibytes: Int) throws {
    try onOwnThread {
      try heap.withMutator { m in
        for i in 0..<mebibytes << 15 { _ = try m.make(Link(key: i, left: nil, right: nil)) }
      }
    }
  }

  /// Allocates until the heap has chosen `count` times.
  private func allocate(_ heap: Heap, untilChoice count: Int) throws {
    repeat { try allocate(heap, mebibytes: 16) } while heap.statistics.growthChoice?.count ?? count < count
  }

  private func metric(_ heap: Heap) -> MetricValue? {
    heap.statistics.metrics.first { $0.name == "/gc/gogc:percent" }?.value
  }

  @Test("has its choice in force and tells it, and what was set when that is over")
  func onAndOff() throws {
    let heap = try Heap(configuration: configuration { $0.tunes = false })
    let root = try heap.makeChain(100)
    #expect(heap.statistics.growthChoice == nil)
    #expect(heap.statistics.gcPercent == Self.start)
    heap.configuration.tunes = true
    #expect(heap.statistics.growthChoice?.count == 0)
    #expect(heap.statistics.gcPercent == Self.start)
    try allocate(heap, untilChoice: 3)
    let statistics = heap.statistics
    let choice = try #require(statistics.growthChoice)
    #expect(choice.percent < Self.start && choice.percent >= 25)
    #expect(choice.collectorShare > 0 && choice.collectorShare <= 1)
    #expect(choice.allocationRate > 0 && choice.cycleNanoseconds > 0)
    #expect(statistics.gcPercent == choice.percent)
    let told = statistics.metrics.first { $0.name == "/gc/gogc:percent" }?.value
    #expect(told == .unsigned(UInt64(choice.percent)))
    #expect(heap.configuration.gcPercent == Self.start, "what is set stays what it was")
    heap.configuration.tunes = false
    #expect(heap.statistics.growthChoice == nil)
    #expect(heap.statistics.gcPercent == Self.start)
    #expect(metric(heap) == .unsigned(UInt64(Self.start)))
    #expect(heap.statistics.goalBytes >= Self.start / 100 * 4 << 20)
    #expect(try root.keys(in: heap) == Array(1...100))
  }

  @Test("begins anew where GOGC or the target is set to another value, and goes on where something else is")
  func settingsMeanwhile() throws {
    let heap = try Heap(configuration: configuration())
    try allocate(heap, untilChoice: 2)
    heap.configuration.limitPolicy = .failFast(afterNanoseconds: 1_000_000_000)
    heap.configuration.memoryLimit = .bytes(1 << 40)
    #expect(heap.statistics.growthChoice?.count ?? 0 >= 2)
    #expect(heap.statistics.gcPercent != Self.start)
    heap.configuration.gcPercent = 700
    #expect(heap.statistics.growthChoice?.count == 0)
    #expect(heap.statistics.gcPercent == 700)
    try allocate(heap, untilChoice: 2)
    heap.configuration.tuneTarget = 5
    #expect(heap.statistics.growthChoice?.count == 0)
  }

  @Test("with GOGC off has nothing to choose: off stays off, and the limit alone sets the goal")
  func off() throws {
    let heap = try Heap(configuration: configuration { $0.gcPercent = nil })
    try allocate(heap, mebibytes: 40)
    #expect(heap.statistics.cycles == 0)
    #expect(heap.statistics.gcPercent == nil && heap.statistics.growthChoice == nil)
    heap.configuration.gcPercent = Self.start
    try allocate(heap, untilChoice: 1)
    heap.configuration.gcPercent = nil
    #expect(heap.statistics.gcPercent == nil && heap.statistics.growthChoice == nil)
    #expect(metric(heap) == .unsigned(.max))
  }

  @Test("counts young cycles too, and chooses at full ones")
  func young() throws {
    let heap = try Heap(configuration: configuration { $0.youngCycles = .always })
    let root = try heap.makeChain(100)
    try allocate(heap, untilChoice: 3)
    #expect(heap.statistics.youngCycles > 0)
    #expect(heap.statistics.gcPercent! < Self.start)
    #expect(heap.verify().isSound)
    #expect(try root.keys(in: heap) == Array(1...100))
  }

  @Test("writes what it chose among the pacer's lines, under a name of its own")
  func trace() async throws {
    let result = await #expect(processExitsWith: .success, observing: [\.standardErrorContent]) {
      let test = GrowthChoiceTests()
      let heap = try Heap(configuration: test.configuration { $0.debug.gcPacerTrace = true })
      try test.allocate(heap, untilChoice: 2)
    }
    let said = String(decoding: result?.standardErrorContent ?? [], as: UTF8.self)
    let lines = said.split(separator: "\n").filter { !$0.hasPrefix("pacer: ") }
    let pattern = try Regex(
      #"tuner: GOGC \d+->\d+ \(\d+ wanted, (target|steady|least|most|limit|machine)\), collection \d+\.\d% of CPU "#
        + #"\(50 exp\.\), \d+(\.\d+)? ms a cycle, \d+ MB/s allocated"#)
    #expect(lines.count >= 2)
    for line in lines { #expect(try pattern.wholeMatch(in: line) != nil, "\(line)") }
    #expect(lines.first?.hasPrefix("tuner: GOGC 1000->") ?? false)
  }

  @Test("refuses a target that is not allowed")
  func refused() {
    let error = #expect(throws: HeapError.self) { try Heap(configuration: configuration { $0.tuneTarget = 60 }) }
    #expect(error?.description.contains("TRICOLOR_TUNE: \"on:60%\" is not allowed") ?? false)
  }
}
