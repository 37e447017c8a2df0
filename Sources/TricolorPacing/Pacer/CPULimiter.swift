// A ceiling on the share of CPU time that collection takes when the limit cannot be met.
//
// A leaky bucket, filled by CPU time of the collector and drained by CPU time of the program. It holds one second per
// processor: a burst of pure collection of that length passes, more does not. While it is full, assists are off, and
// memory goes over the limit instead of the program standing still. Time in which nothing ran is neither. Source: Go
// 1.27, mgclimit.go, whose share is fixed at one half; with another share c, the program drains c/(1 - c) for each
// nanosecond, so that the bucket stands still at exactly c.
//
// Go forgets what does not fit into the bucket. A collector that is let go after the first drop and overflows at once is at
// its full speed every other time then, and takes up to (1 + 1/4)/2 of the CPU instead of a half. Here what overflowed lately is
// a debt that is drained before assists are on again; at most what a few updates can overflow by, so that one long stretch of pure
// collection is not paid for with minutes.
//
// Pure and trivially copyable; not synchronised.

/// Says when collection has taken its share of the CPU.
public struct CPULimiter: Sendable, BitwiseCopyable {
  /// CPU nanoseconds a processor adds to the capacity.
  public static let capacityPerProcessor: Int64 = 1_000_000_000
  /// An update every so many nanoseconds is often enough.
  public static let updateInterval: Int64 = 10_000_000

  /// The share collection may take for long, in percent, 1...100; at 100 nothing is ever limited.
  public private(set) var capPercent: Int
  /// What the bucket holds and can hold, in CPU nanoseconds.
  public private(set) var fill: Int64 = 0
  public private(set) var capacity: Int64 = 0
  /// Collection over its share since the start, in CPU nanoseconds: what did not fit into the bucket.
  public private(set) var overflow: Int64 = 0
  /// What overflowed lately and is still to be drained.
  private var debt: Int64 = 0
  /// Whether collection has taken its share: assists should do nothing.
  public private(set) var isLimiting = false

  /// An empty bucket. A share outside 1...100 counts as the nearer end.
  public init(capPercent: Int = 50) {
    self.capPercent = min(max(capPercent, 1), 100)
  }
}

extension CPULimiter {
  /// Changes the share, in percent. What the bucket holds stays.
  public mutating func setCapPercent(_ percent: Int) {
    capPercent = min(max(percent, 1), 100)
  }

  /// The share of the processors that marks in the background now. Less than the share set for collection while that has been taken,
  /// so that the bucket drains.
  public var backgroundShare: Double {
    isLimiting
      ? min(PacerConstants.backgroundUtilization, Double(capPercent) / 200) : PacerConstants.backgroundUtilization
  }

  /// Whether an update is due this many nanoseconds after the last.
  public static func needsUpdate(elapsedNanoseconds: Int64) -> Bool { elapsedNanoseconds > updateInterval }

  /// Counts a stretch of time.
  ///
  /// - Parameters:
  ///   - gcNanoseconds: CPU time of the collector: workers, assists, scavenging, holding mutators.
  ///   - mutatorNanoseconds: CPU time the program used or could have used; idle time of processors left out.
  ///   - processors: processors now, positive.
  public mutating func update(gcNanoseconds: Int64, mutatorNanoseconds: Int64, processors: Double) {
    resize(processors: processors)
    let change = max(gcNanoseconds, 0).subtractingSaturated(drain(max(mutatorNanoseconds, 0)))
    let headroom = capacity - fill
    if change > 0, change >= headroom {
      overflow = overflow.addingSaturated(change - headroom)
      debt = min(debt.addingSaturated(change - headroom), capacity / CPULimiter.mostDebt)
      fill = capacity
      isLimiting = true
      return
    }
    let repaid = min(debt, max(0, -change))
    debt -= repaid
    let rest = change.addingSaturated(repaid)
    fill += max(rest, -fill)
    // Exactly at its share the collector neither starts nor stops being limited.
    if rest != 0 { isLimiting = false }
  }

  /// The largest debt is this part of the capacity: 50 ms of every processor, five updates.
  private static let mostDebt: Int64 = 20

  /// Fits the bucket to a number of processors. What it holds stays, if it fits.
  public mutating func resize(processors: Double) {
    let newCapacity = Int64(saturating: Double(CPULimiter.capacityPerProcessor) * processors)
    if newCapacity == capacity { return }
    capacity = newCapacity
    debt = 0
    if fill > capacity {
      fill = capacity
      isLimiting = true
    } else if fill < capacity {
      isLimiting = false
    }
  }

  /// What the program's time takes out of the bucket.
  private func drain(_ mutatorNanoseconds: Int64) -> Int64 {
    if capPercent == 100 { return .max }
    let (product, overflow) = mutatorNanoseconds.multipliedReportingOverflow(by: Int64(capPercent))
    return overflow ? .max : product / Int64(100 - capPercent)
  }
}
