// The pacer driven through the cycles of an idealised program, as Go drives its own in its tests, so that both can be
// compared number by number.
//
// The program allocates and the markers scan at given rates, in steps of half a millisecond; a step's split between the
// two is what the assist ratio demands, and never less marking than the background workers do. The only memory is the
// heap, so the limit is a limit on the heap. Integers are cut from floating-point products in the same places and the
// same order of operations as in Go's model (runtime/mgcpacer_test.go): another order gives other integers.
//
// Pure: no clock, no randomness; the same input gives the same output.

/// What one cycle of the modelled program is like.
public struct CycleDraw: Sendable, Equatable {
  /// KiB allocated per millisecond of CPU time.
  public var allocationRate: Double
  /// KiB scanned per millisecond of CPU time.
  public var scanRate: Double
  /// The live heap in terms of the previous cycle's.
  public var growthRate: Double
  /// The part of the heap that has to be scanned, 0...1.
  public var scannableFraction: Double
  /// Stacks to scan, in bytes.
  public var stackBytes: UInt64

  public init(
    allocationRate: Double, scanRate: Double, growthRate: Double, scannableFraction: Double, stackBytes: UInt64
  ) {
    self.allocationRate = allocationRate
    self.scanRate = scanRate
    self.growthRate = growthRate
    self.scannableFraction = scannableFraction
    self.stackBytes = stackBytes
  }
}

/// What the pacer made of one cycle. Sizes are bytes.
public struct CycleOutcome: Sendable, Equatable {
  /// Live after the cycle before.
  public var heapLiveBytes: UInt64 = 0
  /// The heap when the cycle began.
  public var triggerBytes: UInt64 = 0
  /// The heap when marking ended.
  public var peakBytes: UInt64 = 0
  /// The goal when marking ended.
  public var goalBytes: UInt64 = 0
  /// The share of CPU time that marking took.
  public var gcUtilization = 0.0
  /// CPU time of assists.
  public var assistNanoseconds: Int64 = 0
  /// Wall time of marking.
  public var durationNanoseconds: Int64 = 0
  /// What this cycle found live, without what was allocated meanwhile.
  public var nextHeapMarkedBytes: UInt64 = 0
  /// What was allocated meanwhile.
  public var allocatedBlackBytes: UInt64 = 0
  /// Scan work per allocated byte that the cycle began with.
  public var firstAssistWorkPerByte = 0.0

  /// All zero.
  public init() {}
}

/// A program for the pacer to collect after.
public struct CycleModel: Sendable, Equatable {
  /// `GOGC`, nil for off.
  public var gcPercent: Int?
  /// The limit on the heap, nil for none.
  public var memoryLimitBytes: Int64?
  /// Global roots.
  public var globalsBytes: UInt64
  /// Processors the program and the markers share.
  public var processors: Int
  /// The cycles, one after the other.
  public var cycles: [CycleDraw]

  public init(
    gcPercent: Int? = GCPercent.standard, memoryLimitBytes: Int64? = nil, globalsBytes: UInt64 = 32 << 10,
    processors: Int = 8, cycles: [CycleDraw]
  ) {
    self.gcPercent = gcPercent
    self.memoryLimitBytes = memoryLimitBytes
    self.globalsBytes = globalsBytes
    self.processors = processors
    self.cycles = cycles
  }

  /// Runs all cycles. The time it takes grows with the work modelled over the scan rate.
  ///
  /// - Throws: `SettingsError` that names the parameter which is out of range, or whose cycle makes the heap outgrow
  ///   `largestHeap`.
  public func run() throws(SettingsError) -> [CycleOutcome] {
    try validate()
    var program = ModelledProgram(self)
    var outcomes: [CycleOutcome] = []
    outcomes.reserveCapacity(cycles.count)
    for (index, draw) in cycles.enumerated() {
      guard let outcome = program.run(draw) else {
        throw CycleModel.outOfRange(
          "cycles[\(index)]", "\(draw)",
          "rates that keep the heap below \(ByteSize.text(Int64(CycleModel.largestHeap)))")
      }
      outcomes.append(outcome)
    }
    return outcomes
  }

  /// Heaps from here on are refused.
  public static let largestHeap: UInt64 = 1 << 50
}
