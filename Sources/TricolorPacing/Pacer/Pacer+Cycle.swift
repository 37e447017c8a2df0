// The pacer within a cycle: how much marking an allocation has to pay for, and what the cycle teaches about the next
// one.
//
// At every revision the work that remains is spread over the bytes that may still be allocated before the goal. That
// holds while the cycle finds no more work than the last one did. If it does, the heap has grown, and the runway is
// stretched in proportion, so that the price stays the same; at most to the heap the next cycle will have anyway. Past
// that goal a tenth is granted once more, then the price is so high that allocation waits for marking. Source: Go 1.27,
// mgcpacer.go, revise and endCycle.

/// The values of `consMark` measured in the last four cycles, oldest first.
struct ConsMarkHistory: Sendable, BitwiseCopyable {
  private var values = (0.0, 0.0, 0.0, 0.0)

  /// Remembers a measurement; answers the largest of it and the four before it.
  mutating func add(_ value: Double) -> Double {
    let largest = max(values.0, values.1, values.2, values.3)
    values = (values.1, values.2, values.3, value)
    return value < largest ? largest : value
  }
}

extension Pacer {
  /// A cycle begins now: counts its work from zero and sets the price of allocation.
  ///
  /// - Parameter processors: processors the collector plans with, positive.
  public mutating func startCycle(processors: Double) {
    heapScanWork = 0
    stackScanWork = 0
    globalsScanWork = 0
    triggered = heapLive
    workers = WorkerPlan(processors: processors)
    revise()
  }

  /// Work done in the running cycle.
  var scanWork: UInt64 { heapScanWork.addingSaturated(stackScanWork).addingSaturated(globalsScanWork) }

  /// Sets the price of allocation anew, from the counters as they are now. To be called often while a cycle runs.
  public mutating func revise() {
    let live = Int64(clamping: heapLive)
    let work = Int64(clamping: scanWork)
    let mostWork = Int64(clamping: heapScan.addingSaturated(maxStackScan).addingSaturated(globalsScan))
    var expected = Int64(clamping: lastHeapScan.addingSaturated(lastStackScan).addingSaturated(globalsScan))
    var goal = Int64(clamping: heapGoal())
    if work > expected {
      goal = stretched(goal, expected: expected, mostWork: mostWork)
      expected = mostWork
    }
    if live > goal {
      goal = Int64(saturating: Double(goal) * PacerConstants.mostOvershoot)
      expected = mostWork
    }
    let remainingWork = max(expected.subtractingSaturated(work), PacerConstants.leastRemainingWork)
    let remainingHeap = max(goal.subtractingSaturated(live), 1)
    assistWorkPerByte = Double(remainingWork) / Double(remainingHeap)
    assistBytesPerWork = Double(remainingHeap) / Double(remainingWork)
  }

  /// The goal moved out so that `mostWork` costs an allocated byte what `expected` did, but not past what growth allows
  /// next. With neither growth nor limit nothing is out of bounds.
  private func stretched(_ goal: Int64, expected: Int64, mostWork: Int64) -> Int64 {
    if expected == 0, !boundsUnexpectedWork { return .max }
    let percent = gcPercent < 0 ? PacerConstants.percentWhenOff : Double(gcPercent)
    let hardGoal = Int64(saturating: (1 + percent / 100) * Double(goal))
    if hardGoal == .max { return .max }
    let begin = Int64(clamping: triggered)
    let runway = Double(goal.subtractingSaturated(begin)) / Double(expected) * Double(mostWork)
    return min(Int64(saturating: runway).addingSaturated(begin), hardGoal)
  }

  /// Marking is over: learns how fast the program allocates against how fast marking goes. Call `resetLive` and
  /// `commit` next.
  ///
  /// A cycle in which nothing was allocated teaches nothing and changes nothing.
  /// - Parameters:
  ///   - durationNanoseconds: wall time of marking.
  ///   - processors: processors the collector planned with, positive.
  ///   - assistNanoseconds: CPU time mutators spent on assists.
  ///   - idleNanoseconds: CPU time of markers that used idle processors.
  ///   - backgroundUtilization: the share of `processors` that background marking really got.
  public mutating func endCycle(
    durationNanoseconds: Int64, processors: Double, assistNanoseconds: Int64, idleNanoseconds: Int64 = 0,
    backgroundUtilization: Double = PacerConstants.backgroundUtilization
  ) {
    lastHeapGoal = heapGoal()
    if heapLive <= triggered { return }
    var utilization = backgroundUtilization
    var idle = 0.0
    if durationNanoseconds > 0 {
      let available = Double(durationNanoseconds) * processors
      utilization += Double(assistNanoseconds) / available
      idle = Double(idleNanoseconds) / available
    }
    lastUtilization = utilization
    let allocated = Double(heapLive - triggered)
    let measured = allocated * (utilization + idle) / (Double(scanWork) * (1 - utilization))
    consMark = consMarkHistory.add(measured)
  }

  /// The heap after marking: `bytesMarked` live bytes, and as much to scan as the cycle scanned. No cycle runs
  /// afterwards.
  public mutating func resetLive(bytesMarked: UInt64) {
    heapMarked = bytesMarked
    heapLive = bytesMarked
    heapScan = heapScanWork
    lastHeapScan = heapScanWork
    lastStackScan = stackScanWork
    triggered = Pacer.notTriggered
  }
}
