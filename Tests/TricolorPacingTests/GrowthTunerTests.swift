// The choice of GOGC: whether the collector comes to its share of the CPU and stays there, through steps and noise, within its bounds, and
// what that is worth against the best percentage that never changes.

import Testing

@testable import TricolorPacing

private let mebibyte = ProcessModel.mebibyte

/// A load that stays as it is.
private struct Load: Sendable, CustomTestStringConvertible {
  var live = 64 * mebibyte
  var allocationRate = 0.05 * mebibyte
  var scanRate = 1 * mebibyte
  var busy = 1.0
  var processors = 2.0
  var sweepPerByte = 0.0

  var testDescription: String {
    "\(Int(live / mebibyte)) MiB live, \(allocationRate / mebibyte) MiB/ms, busy \(busy) of \(processors)"
  }

  func process(percent: Int32 = 100, limit: Double? = nil) -> ProcessModel {
    var process = ProcessModel(percent: percent, limit: limit, live: live, processors: processors)
    put(on: &process)
    return process
  }

  func put(on process: inout ProcessModel) {
    process.live = live
    process.allocationRate = allocationRate
    process.scanRate = scanRate
    process.busy = busy
    process.sweepPerByte = sweepPerByte
  }
}

@Suite("A tuned process")
struct TunedProcessTests {
  /// Within a quarter of a tenth of the CPU.
  private static let onTarget = 0.08...0.125

  @Test(
    "comes to its share of the CPU from any percentage, and stays there for hundreds of cycles",
    arguments: [
      Load(), Load(allocationRate: 0.2 * mebibyte), Load(live: 400 * mebibyte, allocationRate: 0.1 * mebibyte),
      Load(live: 8 * mebibyte, allocationRate: 0.3 * mebibyte), Load(busy: 0.2), Load(busy: 0.6, processors: 16),
      Load(allocationRate: 0.1 * mebibyte, sweepPerByte: 4e-7),
    ], [Int32(25), 100, 800])
  private func steady(_ load: Load, percent: Int32) {
    var process = load.process(percent: percent)
    process.tune()
    process.run(cycles: 60)
    for _ in 0..<4 {
      let share = process.share(overCycles: 50)
      #expect(Self.onTarget.contains(share), "\(share) at \(process.tuner!.choice)")
    }
  }

  @Test("holds another target", arguments: [2, 5, 20, 40])
  func otherTarget(_ target: Int) {
    var process = Load(allocationRate: 0.1 * mebibyte, scanRate: 0.5 * mebibyte).process()
    process.tune(target: target)
    process.run(cycles: 60)
    let share = 100 * process.share(overCycles: 100) / Double(target)
    #expect((0.8...1.25).contains(share), "\(process.tuner!.choice)")
  }

  @Test(
    "is back at its share forty cycles after its rate of allocation has changed tenfold, and has moved by more than twice after five",
    arguments: [(0.02, 0.2), (0.2, 0.02)])
  func step(_ before: Double, _ after: Double) {
    var process = Load(allocationRate: before * mebibyte, scanRate: 0.25 * mebibyte).process()
    process.tune()
    process.run(cycles: 100)
    process.allocationRate = after * mebibyte
    let percent = Double(process.tuner!.choice.percent)
    process.run(cycles: 5)
    let moved = Double(process.tuner!.choice.percent) / percent
    #expect(after > before ? moved > 2 : moved < 0.5, "from \(percent) by \(moved)")
    process.run(cycles: 35)
    let share = process.share(overCycles: 20)
    #expect(Self.onTarget.contains(share), "\(share) at \(process.tuner!.choice)")
  }

  @Test("does not swing with noise: of everything it measures, by a third up and down from one moment to the next")
  func noise() {
    var random = SeededRandom()
    let load = Load(allocationRate: 0.1 * mebibyte)
    var process = load.process()
    process.tune()
    var percents: [Double] = []
    for moment in 0..<4000 {
      process.allocationRate = load.allocationRate * .random(in: 0.66...1.5, using: &random)
      process.scanRate = load.scanRate * .random(in: 0.66...1.5, using: &random)
      process.live = load.live * .random(in: 0.9...1.1, using: &random)
      process.run(milliseconds: 50)
      if moment > 400 { percents.append(Double(process.tuner!.choice.percent)) }
    }
    #expect(process.finishedCycles > 300, "seed \(random.seed)")
    #expect(percents.max()! / percents.min()! < 1.6, "\(percents.min()!) to \(percents.max()!), seed \(random.seed)")
  }

  @Test("stays at one percentage where nothing changes")
  func rest() {
    var process = Load(allocationRate: 0.1 * mebibyte).process()
    process.tune()
    process.run(cycles: 100)
    let percent = process.tuner!.choice.percent
    process.run(cycles: 200)
    #expect(process.tuner!.choice.percent == percent)
    #expect(process.tuner!.choice.bound == .steady)
  }

  @Test("under a limit has no percentage above what that leaves, and stays below it as without")
  func limit() {
    let limit = 192 * mebibyte
    var process = Load(allocationRate: 0.2 * mebibyte).process(limit: limit)
    process.tune()
    process.run(cycles: 20)
    var worst = 0.0
    process.run(cycles: 200) {
      worst = max(worst, $0.resident)
      let choice = $0.tuner!.choice
      #expect(Double(choice.percent) / 100 * $0.live <= limit - $0.live)
      #expect(choice.bound == .limit && choice.wantedPercent > choice.percent)
    }
    #expect(worst <= limit)
    #expect(worst > 0.9 * limit, "the room is used")
    // With room again, the target is held again.
    process.pacer.setMemoryLimit(Int64(4096 * mebibyte))
    process.run(cycles: 100)
    #expect(Self.onTarget.contains(process.share(overCycles: 50)))
  }

  @Test("without a limit ends at a quarter of the machine's memory, or at the percentage that was set")
  func machine() {
    let load = Load(allocationRate: 0.2 * mebibyte, scanRate: 0.25 * mebibyte)
    var process = load.process()
    process.tune(memoryBytes: UInt64(1024 * mebibyte))
    process.run(cycles: 60)
    #expect(process.tuner!.choice.bound == .machine)
    var most = 0.0
    process.run(cycles: 50) { most = max(most, Double($0.pacer.heapGoal())) }
    #expect((0.9...1).contains(most / (256 * mebibyte)), "\(most / mebibyte) MiB")
    var large = load.process(percent: 150)
    large.tune(memoryBytes: UInt64(256 * mebibyte))
    large.run(cycles: 60)
    #expect(large.tuner!.choice.percent == 150)
  }

  @Test("costs less memory than the one percentage that costs as much CPU, where what lives changes")
  func againstStatic() {
    let small = Load(live: 24 * mebibyte, allocationRate: 0.1 * mebibyte)
    let large = Load(live: 192 * mebibyte, allocationRate: 0.1 * mebibyte)
    func cost(_ percent: Int32, tuned: Bool) -> (cpu: Double, bytes: Double) {
      var process = small.process(percent: percent)
      if tuned { process.tune() }
      process.run(milliseconds: 30_000)
      let before = process.collectorTime
      var bytes = 0.0
      for turn in 0..<8 {
        (turn % 2 == 0 ? large : small).put(on: &process)
        process.run(milliseconds: 15_000) { bytes += Double($0.pacer.heapGoal()) / 120_000 }
      }
      return (process.collectorTime - before, bytes)
    }
    let tuned = cost(100, tuned: true)
    // The static percentage with the same CPU, between two that enclose it.
    var (least, most): (Int32, Int32) = (25, 1000)
    while most - least > most / 50 {
      let middle = (least + most) / 2
      if cost(middle, tuned: false).cpu > tuned.cpu { least = middle } else { most = middle }
    }
    let best = cost(most, tuned: false)
    #expect(
      tuned.bytes < 0.95 * best.bytes, "\(tuned.bytes / mebibyte) MiB against \(best.bytes / mebibyte) at \(most)")
  }
}

/// A heap whose cycles are given by hand.
private struct Ticker {
  var tuner: GrowthTuner
  var now: UInt64 = 0
  private var process: UInt64 = 0
  private var sweeping: UInt64 = 0

  init(start: Int = 100, target: Int = 10) {
    tuner = GrowthTuner(.init(startPercent: start, targetPercent: target))
    cycle(allocated: 0, seconds: 0)
  }

  /// A cycle that comes `seconds` after the one before, in which the program used `busy` processors. What is not given is that of a heap of 64 MiB.
  @discardableResult
  mutating func cycle(
    young: Bool = false, growth: Bool = true, milliseconds: Double = 10, allocated: Double, seconds: Double,
    busy: Double = 1,
    sweeping: Double = 0, terms: GrowthTerms? = nil
  ) -> Bool {
    now += UInt64(seconds * 1e9)
    process += UInt64(busy * seconds * 1e9 + milliseconds * 1e6)
    self.sweeping += UInt64(sweeping * 1e9)
    return tuner.note(
      .init(
        isYoung: young, isGrowth: growth, nanoseconds: UInt64(milliseconds * 1e6), allocated: UInt64(allocated),
        growth: terms ?? GrowthTerms(grownFrom: UInt64(64 * mebibyte), base: UInt64(64 * mebibyte)), process: process,
        sweeping: self.sweeping, time: now))
  }
}

@Suite("A choice of GOGC")
struct GrowthTunerTests {
  @Test("keeps within bounds whatever is measured, and a percentage set outside of them widens them")
  func bounds() {
    var random = SeededRandom()
    for start in [0, 10, 25, 100, 1000, 5000] {
      var ticker = Ticker(start: start)
      ticker.tuner.memoryBytes = UInt64(random.size())
      let range = min(25, start)...max(1000, start)
      for _ in 0..<2000 {
        let grownFrom = UInt64(random.size())
        let limit = Bool.random(using: &random) ? UInt64(random.size()) : nil
        ticker.cycle(
          young: .random(using: &random), growth: .random(using: &random), milliseconds: Double(random.size() >> 30),
          allocated: Double(random.size()), seconds: Double(random.size() >> 46),
          busy: .random(in: 0...10, using: &random),
          sweeping: Double(random.size() >> 40),
          terms: GrowthTerms(
            grownFrom: grownFrom, base: grownFrom / 2, minimum: .random(using: &random) ? 1 << 26 : nil,
            limitGoal: limit))
        #expect(
          range.contains(ticker.tuner.choice.percent), "start \(start), seed \(random.seed): \(ticker.tuner.choice)")
      }
    }
  }

  @Test("counts young cycles: what they cost, and the room that they leave")
  func young() {
    // Nine young cycles of 8 ms, each in 2 % less of the room, and a full one of 328 ms: 40 ms a cycle.
    var ticker = Ticker(start: 100)
    let rate = 200 * mebibyte
    var (collector, used, measured) = (0.0, 0.0, 0.0)
    for round in 0..<200 {
      for turn in 0..<10 {
        let room = Double(ticker.tuner.choice.percent) / 100 * 64 * mebibyte * (1 - 0.02 * Double(turn))
        let isLast = turn == 9
        ticker.cycle(young: !isLast, milliseconds: isLast ? 328 : 8, allocated: room, seconds: room / rate)
        if round >= 100 {
          collector += isLast ? 0.328 : 0.008
          used += room / rate + (isLast ? 0.328 : 0.008)
        }
      }
      measured = ticker.tuner.choice.collectorShare
    }
    #expect((0.08...0.125).contains(collector / used), "\(ticker.tuner.choice)")
    #expect(abs(measured - collector / used) < 0.01)
  }

  @Test("is made at a full cycle, and no more than every 200 ms")
  func stretches() {
    var ticker = Ticker()
    let made = (0..<12).map { ticker.cycle(young: $0 < 4, allocated: mebibyte, seconds: 0.0625) }
    #expect(made.map { $0 ? 1 : 0 } == [0, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0])
    #expect(ticker.tuner.choice.count == 2)
  }

  @Test("takes cycles that somebody asked for as a measure of what one costs, and not of what growth brings")
  func forced() {
    var (forced, grown) = (Ticker(), Ticker())
    for _ in 0..<50 {
      let room = Double(grown.tuner.choice.percent) / 100 * 64 * mebibyte
      grown.cycle(allocated: room, seconds: room / (100 * mebibyte))
      // The same program, with four cycles for each that growth would begin.
      forced.cycle(growth: false, allocated: 16 * mebibyte, seconds: 0.16)
    }
    let difference = Double(forced.tuner.choice.wantedPercent) / Double(grown.tuner.choice.wantedPercent)
    #expect((0.8...1.25).contains(difference), "\(forced.tuner.choice) against \(grown.tuner.choice)")
  }

  @Test("leaves at least half of the target to cycles, however much sweeping takes")
  func sweeping() {
    func wanted(sweeping: Double) -> Int {
      var ticker = Ticker()
      for _ in 0..<100 { ticker.cycle(allocated: 100 * mebibyte, seconds: 1, sweeping: sweeping) }
      return ticker.tuner.choice.wantedPercent
    }
    let without = Double(wanted(sweeping: 0))
    #expect((1.15...1.35).contains(Double(wanted(sweeping: 0.02)) / without), "a fifth of the target")
    #expect((1.9...2.1).contains(Double(wanted(sweeping: 0.06)) / without))
    #expect((1.9...2.1).contains(Double(wanted(sweeping: 0.5)) / without))
  }

  @Test("gives a small heap its room by the smallest goal, where that follows GOGC")
  func smallHeap() {
    let terms = GrowthTerms(grownFrom: 100 << 10, base: 100 << 10)
    let percent = terms.percent(forExtra: 8 * mebibyte)
    #expect((200...203).contains(percent))
    var pacer = Pacer(gcPercent: Int32(percent), memoryLimit: .max)
    pacer.resetLive(bytesMarked: 100 << 10)
    pacer.commit(sweepDone: true)
    #expect(abs(Double(pacer.heapGoal()) - 8 * mebibyte - 102_400) < 0.1 * mebibyte)
    #expect(abs(terms.extra(atPercent: percent) - 8 * mebibyte) < 0.1 * mebibyte)
    let fixed = GrowthTerms(grownFrom: 1 << 20, base: 1 << 20, minimum: 64 << 20)
    #expect(fixed.percent(forExtra: 8 * mebibyte) == 800)
    #expect(fixed.extra(atPercent: 100) == 63 * mebibyte)
  }

  @Test("follows a step of memory that frees up or goes away at once, where that bounds it")
  func boundsMove() {
    var ticker = Ticker()
    let live = UInt64(64 * mebibyte)
    func terms(_ limit: Double) -> GrowthTerms {
      GrowthTerms(grownFrom: live, base: live, limitGoal: UInt64(limit * mebibyte))
    }
    for _ in 0..<40 { ticker.cycle(milliseconds: 100, allocated: 64 * mebibyte, seconds: 0.5, terms: terms(256)) }
    #expect(ticker.tuner.choice.percent > 250 && ticker.tuner.choice.percent <= 300)
    ticker.cycle(milliseconds: 100, allocated: 64 * mebibyte, seconds: 0.5, terms: terms(96))
    #expect(ticker.tuner.choice.percent == 50)
    ticker.cycle(milliseconds: 100, allocated: 64 * mebibyte, seconds: 0.5, terms: terms(66))
    #expect(ticker.tuner.choice.percent == 25, "the least; the pacer keeps the limit")
  }
}
