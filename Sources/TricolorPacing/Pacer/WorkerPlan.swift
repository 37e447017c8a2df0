// How a quarter of the processors is dealt out to background markers.
//
// A whole number of workers cannot be a quarter of 1, 2, 3 or 6 processors. Where rounding misses the quarter by more
// than 30 %, one worker fewer marks all the time and the rest is done in turns: on every processor a worker may run
// until it has had its share. Source: Go 1.27, mgcpacer.go, startCycle. Processors may be a fraction here: that of a
// container's CPU quota.

/// Background marking for a number of processors.
public struct WorkerPlan: Sendable, Equatable, BitwiseCopyable {
  /// Workers that mark for the whole cycle.
  public let dedicated: Int
  /// Share of each processor's time for marking in turns, 0 when the dedicated workers are enough.
  public let fractionalGoal: Double

  /// The plan for `processors` processors, which must be positive.
  public init(processors: Double) {
    let wanted = processors * PacerConstants.backgroundUtilization
    let rounded = (wanted + 0.5).rounded(.towardZero)
    if abs(rounded / wanted - 1) <= WorkerPlan.toleratedError {
      dedicated = Int(rounded)
      fractionalGoal = 0
      return
    }
    let whole = rounded > wanted ? rounded - 1 : rounded
    dedicated = Int(whole)
    fractionalGoal = (wanted - whole) / processors
  }

  private static let toleratedError = 0.3
}
