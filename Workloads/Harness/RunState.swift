// What the context and the reporter's thread share under one lock: phases, clients' counters, merged latencies.

import Histogram
import Tricolor
import TricolorPlatform

/// A reading of clock and counters, taken where phases meet.
struct PhaseMark: Sendable {
  let time: UInt64
  let operations: Int
  let statistics: HeapStatistics

  init(heap: Heap, operations: Int) {
    statistics = heap.statistics
    time = Clock.monotonic()
    self.operations = operations
  }
}

/// A finished phase.
struct Phase: Sendable {
  let name: String
  let began: PhaseMark
  let ended: PhaseMark

  var seconds: Double { Double(ended.time - began.time) / 1e9 }
  var operations: Int { ended.operations - began.operations }
  var cycles: Int { ended.statistics.cycles - began.statistics.cycles }
}

/// What all runs of the phases with one name came to.
struct PhaseTotal: Sendable {
  let name: String
  var times = 0
  var seconds = 0.0
  var operations = 0
  var cycles = 0
  var collectorCPU: UInt64 = 0
  var allocatedBytes = 0
  /// The largest resident set seen while it ran.
  var peakResidentBytes = 0
  /// Where memory stood when it last ended.
  var residentBytes = 0
  var liveBytes = 0
  /// Of all kinds of operations.
  var latencies = Latencies.empty()

  mutating func add(_ phase: Phase) {
    times += 1
    seconds += phase.seconds
    operations += phase.operations
    cycles += phase.cycles
    collectorCPU += phase.ended.statistics.cpu.total - phase.began.statistics.cpu.total
    allocatedBytes += phase.ended.statistics.allocatedBytes - phase.began.statistics.allocatedBytes
    residentBytes = phase.ended.statistics.residentBytes
    liveBytes = phase.ended.statistics.liveBytes
    peakResidentBytes = max(peakResidentBytes, phase.began.statistics.residentBytes, residentBytes)
  }
}

/// The end of measuring: clock, counters, and the process's CPU until then.
struct Measured: Sendable {
  let mark: PhaseMark
  let cpu: UInt64
}

struct RunState: Sendable {
  let began = Clock.monotonic()
  let beganCPU = Clock.processCPU()
  var durationBegan = Clock.monotonic()
  var counters: [OperationCounter] = []
  var directOperations = 0
  private(set) var phaseName = ""
  private(set) var finished: [Phase] = []
  /// The phases by name, in the order of their first runs.
  private(set) var totals: [PhaseTotal] = []
  private(set) var measured: Measured? = nil
  private(set) var latencies: [Histogram<UInt64>]
  private var phaseBegan: PhaseMark? = nil
  /// Whose latencies and memory are being counted: the phase that runs or ran last, since clients hand theirs in when they end.
  private var currentTotal: Int? = nil

  init(kinds: Int) { latencies = (0..<kinds).map { _ in Latencies.empty() } }

  mutating func enterPhase(_ name: String, _ now: PhaseMark) {
    closePhase(now)
    phaseName = name
    phaseBegan = now
    currentTotal = totals.firstIndex { $0.name == name }
    if currentTotal == nil {
      currentTotal = totals.count
      totals.append(PhaseTotal(name: name))
    }
  }

  /// Notes how much memory is resident now.
  mutating func noteResident(_ bytes: Int) {
    guard let currentTotal, measured == nil else { return }
    totals[currentTotal].peakResidentBytes = max(totals[currentTotal].peakResidentBytes, bytes)
  }

  mutating func endMeasuring(_ now: PhaseMark, cpu: UInt64) {
    guard measured == nil else { return }
    closePhase(now)
    phaseName = "check"
    measured = Measured(mark: now, cpu: cpu)
  }

  mutating func merge(_ histograms: [Histogram<UInt64>]) {
    for (kind, histogram) in histograms.enumerated() {
      latencies[kind].add(histogram)
      if let currentTotal { totals[currentTotal].latencies.add(histogram) }
    }
  }

  private mutating func closePhase(_ now: PhaseMark) {
    guard let began = phaseBegan, let currentTotal else { return }
    let phase = Phase(name: phaseName, began: began, ended: now)
    finished.append(phase)
    totals[currentTotal].add(phase)
    phaseBegan = nil
  }
}
