// What the context and the reporter's thread share under one lock: phases, clients' counters, merged latencies.

import Histogram
import Tricolor
import TricolorPlatform

/// A reading of clock and counters, taken where phases meet.
struct PhaseMark: Sendable {
  let time: UInt64
  let operations: Int
  let cycles: Int
  let allocatedBytes: Int
  let residentBytes: Int

  init(heap: Heap, operations: Int) {
    let statistics = heap.statistics
    time = Clock.monotonic()
    self.operations = operations
    cycles = statistics.cycles
    allocatedBytes = statistics.allocatedBytes
    residentBytes = statistics.residentBytes
  }
}

/// A finished phase.
struct Phase: Sendable {
  let name: String
  let began: PhaseMark
  let ended: PhaseMark

  var seconds: Double { Double(ended.time - began.time) / 1e9 }
}

struct RunState: Sendable {
  var deadlineStart = Clock.monotonic()
  let began = Clock.monotonic()
  let beganCPU = Clock.processCPU()
  private(set) var phaseName = ""
  private(set) var finished: [Phase] = []
  private(set) var measured: (ended: UInt64, cpu: UInt64)? = nil
  private var phaseBegan: PhaseMark? = nil
  var counters: [OperationCounter] = []
  var directOperations = 0
  private(set) var latencies: [Histogram<UInt64>]

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
    measured = (now.time, cpu)
  }

  mutating func merge(_ histograms: [Histogram<UInt64>]) {
    for (kind, histogram) in histograms.enumerated() { latencies[kind].add(histogram) }
  }

  private mutating func closePhase(_ now: PhaseMark) {
    if let phaseBegan { finished.append(Phase(name: phaseName, began: phaseBegan, ended: now)) }
    phaseBegan = nil
  }
}
