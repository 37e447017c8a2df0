// How an operation is measured: a loop that does it many times (a batch), beside the same loop without it, in turns.
//
// Turns, so that a change of the machine's mood meets all of a group alike. The clock is the thread's CPU time, since other
// programs take the processor away within any batch; wall time is kept beside it. From a batch's time the loop's is
// subtracted: smallest from smallest, median from median. The same operations can be run for a counter of instructions instead.

import Harness
import Synchronization
import TricolorPlatform

/// One operation, as a loop that does it `count` times, or a bare loop to compare with.
struct Operation {
  var name: String
  /// The operation that is subtracted: the same loop without what is measured. Its own name when it is such a loop.
  let loop: String
  /// How often in one batch.
  let count: Int
  /// Most nanoseconds and instructions beyond the loop.
  var target: Double? = nil
  var mostInstructions: Int? = nil
  /// Before each batch, unmeasured.
  var prepare: () throws -> Void = {}
  let body: (_ count: Int) throws -> Void
  /// After each batch of `count`, unmeasured: whether the data is what it should be.
  var check: (_ count: Int) -> Bool = { _ in true }

  var isLoop: Bool { name == loop }
}

/// What is to be done with the operations of a group, and what came of it.
final class Session: Sendable {
  enum Purpose {
    case times(repetitions: Int)
    case names
    case instructions(name: String, times: Int)
  }

  /// An operation by name, that of its loop, and the most instructions it may have beyond it.
  struct Listed {
    let name: String
    let loop: String
    let mostInstructions: Int?
  }

  private struct Outcome {
    var isVerified = true
    var listed: [Listed] = []
  }

  let purpose: Purpose
  private let outcome = Mutex(Outcome())

  init(_ purpose: Purpose) { self.purpose = purpose }

  /// Turns to take, for figures that are no operations.
  var repetitions: Int {
    if case .times(let repetitions) = purpose { return repetitions }
    return 1
  }

  /// Whether every check held so far.
  var isVerified: Bool { outcome.withLock { $0.isVerified } }

  /// The operations that were named, bare loops left out.
  var listed: [Listed] { outcome.withLock { $0.listed } }

  /// Notes the outcome of a check of `what`; a failed one is said at once.
  func verify(_ holds: Bool, _ what: String) {
    if holds { return }
    OutputFile.writeToStandardError("tricolor-micro: the check failed of \(what)\n")
    outcome.withLock { $0.isVerified = false }
  }

  /// Measures, names or counts `operations`. A figure for each that is no bare loop, or none unless times are wanted.
  func measure(_ group: String, _ operations: [Operation]) throws -> [Figure] {
    switch purpose {
    case .names:
      let names = operations.filter { !$0.isLoop }.map {
        Listed(name: $0.name, loop: $0.loop, mostInstructions: $0.mostInstructions)
      }
      outcome.withLock { $0.listed += names }
      return []
    case .instructions(let name, let times):
      if let operation = operations.first(where: { $0.name == name }) { try count(operation, times) }
      return []
    case .times(let repetitions):
      return figures(group, operations, try takeTurns(operations, repetitions))
    }
  }

  private func count(_ operation: Operation, _ times: Int) throws {
    // Once before, so that nothing is met for the first time, and memory has been used.
    try operation.prepare()
    try operation.body(times)
    try operation.prepare()
    try counted(operation.body, times)
    verify(operation.check(times), operation.name)
  }

  // MARK: Times

  /// Nanoseconds of each operation, by turns.
  private struct Samples {
    var cpu: [Double] = []
    var wall: [Double] = []
  }

  private func takeTurns(_ operations: [Operation], _ repetitions: Int) throws -> [String: Samples] {
    var samples: [String: Samples] = [:]
    // The first turn warms caches and takes memory from the system.
    for turn in 0...repetitions {
      for operation in operations {
        try operation.prepare()
        let wall = Clock.monotonic()
        let cpu = Clock.threadCPU()
        try operation.body(operation.count)
        let spentCPU = Clock.threadCPU() - cpu
        let spentWall = Clock.monotonic() - wall
        verify(operation.check(operation.count), operation.name)
        if turn == 0 { continue }
        samples[operation.name, default: Samples()].cpu.append(Double(spentCPU) / Double(operation.count))
        samples[operation.name, default: Samples()].wall.append(Double(spentWall) / Double(operation.count))
      }
    }
    return samples
  }

  private func figures(_ group: String, _ operations: [Operation], _ samples: [String: Samples]) -> [Figure] {
    operations.map { operation in
      let times = samples[operation.name]!
      let distribution = Distribution(times.cpu)
      let wall = Distribution(times.wall)
      let loop = operation.isLoop ? nil : samples[operation.loop].map { (Distribution($0.cpu), Distribution($0.wall)) }
      return Figure(
        group: group, name: operation.name, unit: .nanoseconds,
        minimum: distribution.minimum - (loop?.0.minimum ?? 0), median: distribution.median - (loop?.0.median ?? 0),
        spread: distribution.spread, wallMedian: wall.median - (loop?.1.median ?? 0), target: operation.target,
        repetitions: times.cpu.count)
    }
  }
}

/// The function whose instructions are counted: callgrind switches on where it begins and off where it ends.
@inline(never) func counted(_ body: (Int) throws -> Void, _ times: Int) throws {
  try body(times)
  // What follows the call keeps it from becoming a jump, by which this function would end before it.
  countedRuns.wrappingAdd(1, ordering: .relaxed)
}

private let countedRuns = Atomic<Int>(0)

/// Smallest, middle and middle half of a set of samples.
struct Distribution {
  let minimum: Double
  let median: Double
  /// From the first quartile to the third.
  let spread: Double

  init(_ samples: [Double]) {
    let sorted = samples.sorted()
    minimum = sorted[0]
    median = sorted[sorted.count / 2]
    spread = sorted[sorted.count * 3 / 4] - sorted[sorted.count / 4]
  }
}
