// From a Go program's trace to settings for it: what each would cost, the smallest limit it is safe under, and how sure that is.
//
// Every answer is a replay (GoReplay.swift). The smallest safe limit is found by bisection: the smallest control group whose
// GOMEMLIMIT, with whatever the collector has to do for it, keeps all of the process's memory below the group's limit. It is searched for in
// each way to read the trace; the spread is the uncertainty, and the advice itself goes by the most careful one.

import TricolorPacing

/// Answers questions about a traced Go program. Immutable; safe from any thread.
public struct TraceAdvisor: Sendable {
  public let estimate: TraceEstimate
  private let courses: [Reading: [AllocationCourse]]
  private let memories: [Reading: NonHeapMemory]
  let trace: GoTrace
  let resident: Int?

  /// - Parameters:
  ///   - trace: of one process, or of one that was started again.
  ///   - resident: the most anonymous memory that the process held while the trace was made, in bytes; nil when nobody looked.
  /// - Throws: when the trace is too short, or of several processes.
  public init(_ trace: GoTrace, resident: Int? = nil) throws(GoTraceError) {
    try trace.check()
    let stretches = trace.stretches.filter { $0.count >= GoTrace.leastCycles }
    courses = Dictionary(
      uniqueKeysWithValues: Reading.allCases.map { reading in
        (reading, stretches.map { AllocationCourse($0, reading) })
      })
    estimate = TraceEstimate(trace, courses[.likely]!)
    guard estimate.allocated > 0, estimate.nanoseconds > 0 else { throw .nothingAllocated }
    let heapPeak = estimate.heapPeak
    memories = Dictionary(
      uniqueKeysWithValues: Reading.allCases.map {
        ($0, NonHeapMemory($0, heapPeak: heapPeak, resident: resident, retained: trace.retained))
      })
    self.trace = trace
    self.resident = resident
  }

  /// What a setting would have cost and taken, on average over where its cycles may fall; read with most care, the most memory of these. The time
  /// it takes grows with the collections.
  public func replay(_ setting: GoSetting, _ reading: Reading = .likely) -> ReplayOutcome {
    let outcomes = (0..<TraceAdvisor.phases).map { replay(setting, reading, phase: $0, ceiling: .infinity) }
    func mean(_ value: (ReplayOutcome) -> Double) -> Double {
      outcomes.reduce(0) { $0 + value($1) } / Double(outcomes.count)
    }
    var sum = ReplayOutcome()
    sum.cycles = Int(mean { Double($0.cycles) }.rounded())
    sum.cpuNanoseconds = mean(\.cpuNanoseconds)
    sum.peakHeap = reading == .most ? outcomes.map(\.peakHeap).max()! : mean(\.peakHeap)
    sum.peakMemory = reading == .most ? outcomes.map(\.peakMemory).max()! : mean(\.peakMemory)
    return sum
  }

  private static let phases = 4

  private func replay(_ setting: GoSetting, _ reading: Reading, phase: Int, ceiling: Double)
    -> ReplayOutcome
  {
    let phase = Double(phase) / Double(TraceAdvisor.phases)
    var sum = ReplayOutcome()
    for course in courses[reading]! {
      var walk = GoReplay(course, setting, memories[reading]!, phase: phase)
      let outcome = walk.run(ceiling: ceiling)
      sum.cycles += outcome.cycles
      sum.cpuNanoseconds += outcome.cpuNanoseconds
      sum.peakHeap = max(sum.peakHeap, outcome.peakHeap)
      sum.peakMemory = max(sum.peakMemory, outcome.peakMemory)
    }
    return sum
  }

  /// The part of all processor time that collections would have taken with a setting, at most all of it.
  public func cpuFraction(_ outcome: ReplayOutcome) -> Double { min(1, estimate.fraction(outcome.cpuNanoseconds)) }

  /// The `GOMEMLIMIT` for a group's limit of `memory` bytes, in whole MiB: 90 %, or less where what the Go runtime does not know of, and the
  /// twentieth that its heap may overrun, need more than the rest.
  public func limit(for memory: Int, _ reading: Reading = .likely) -> Int {
    let known = Double(memory) * (1 - TraceAdvisor.overrunShare) - memories[reading]!.outside
    return (Int(max(min(Double(memory) * TraceAdvisor.limitShare, known), 0)) >> 20) << 20
  }

  /// The smallest limit of a group, in bytes, that the program survives under a fitting `GOMEMLIMIT`; a MiB is its resolution.
  public func smallestSafe(_ reading: Reading) -> Int {
    var (low, high) = (0, 1)
    while !isSafe(high << 20, reading), high < TraceAdvisor.largestMemory { (low, high) = (high, 2 * high) }
    while high - low > 1 {
      let middle = (low + high) / 2
      if isSafe(middle << 20, reading) { high = middle } else { low = middle }
    }
    return high << 20
  }

  /// The smallest limit of a group in all three readings of the trace.
  public var smallestSafe: Estimate {
    Estimate(
      least: Double(smallestSafe(.least)), likely: Double(smallestSafe(.likely)), most: Double(smallestSafe(.most)))
  }

  /// Wherever cycles fall. What would take all of the processors is not safe.
  private func isSafe(_ memory: Int, _ reading: Reading) -> Bool {
    let setting = GoSetting(gcPercent: GCPercent.standard, limit: limit(for: memory, reading))
    return (0..<TraceAdvisor.phases).allSatisfy {
      let outcome = replay(setting, reading, phase: $0, ceiling: Double(memory))
      return outcome.peakMemory <= Double(memory) && estimate.fraction(outcome.cpuNanoseconds) <= 1
    }
  }

  static let limitShare = 0.9
  private static let overrunShare = 0.05
  /// In MiB: nothing larger is searched.
  private static let largestMemory = 1 << 30
}

extension NonHeapMemory {
  /// What to reckon with beside the heap.
  ///
  /// Where somebody looked at the process, the difference to the largest heap. If not, an allowance for holes, tables and stacks that etcd 3.4
  /// (Go 1.19) needed: anonymous memory was 10 to 80 MiB above the largest heap of 165 to 1730 MiB; programs differ, so the range is wide. Program
  /// text and kernel memory come on top (6 to 14 MiB there). Lines of the scavenger tell what the heap held at the least.
  init(_ reading: Reading, heapPeak: Double, resident: Int?, retained: Int?) {
    let mebibyte = 1_048_576.0
    switch reading {
    case .least: self.init(fixed: 3 * mebibyte, share: 0.03, outside: 4 * mebibyte)
    case .likely: self.init(fixed: 6 * mebibyte, share: 0.045, outside: 8 * mebibyte)
    case .most: self.init(fixed: 24 * mebibyte, share: 0.12, outside: 32 * mebibyte)
    }
    if let resident {
      let spread = reading == .least ? 0.75 : reading == .likely ? 1 : 1.25
      fixed = max(0, Double(resident) - heapPeak) * spread
      share = 0
    } else if let retained {
      fixed = max(fixed, Double(retained) * mebibyte - heapPeak * (1 + share))
    }
  }
}
