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
  private(set) var measured: Measured? = nil
  private(set) var latencies: [Histogram<UInt64>]
  private var phaseBegan: PhaseMark? = nil

  init(kinds: Int) { latencies = (0..<kinds).map { _ in Latencies.empty() } }

  mutating func enterPhase(_ name: String, _ now: PhaseMark) {
    closePhase(now)
    phaseName = name
    phaseBegan = now
  }

  mutating func endMeasuring(_ now: PhaseMark, cpu: UInt64) {
    guard measured == nil else { return }
    closePhase(now)
    phaseName = "check"
    measured = Measured(mark: now, cpu: cpu)
  }

  mutating func merge(_ histograms: [Histogram<UInt64>]) {
    for (kind, histogram) in histograms.enumerated() { latencies[kind].add(histogram) }
  }

  private mutating func closePhase(_ now: PhaseMark) {
    if let phaseBegan { finished.append(Phase(name: phaseName, began: phaseBegan, ended: now)) }
    phaseBegan = nil
  }
}
