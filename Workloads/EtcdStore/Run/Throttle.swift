// Holds a client thread to a rate, so that a long run puts the same load on its heap whatever else the machine does.

/// How far a thread is ahead of its rate.
struct Throttle {
  /// A wait is no longer than this, so that a phase ends and an interrupt is seen in time.
  static let longestWait: UInt64 = 50_000_000

  private let nanosecondsPerOperation: Double
  private let began: UInt64
  private var operations = 0

  init(operationsPerSecond: Double, from began: UInt64) {
    nanosecondsPerOperation = 1e9 / operationsPerSecond
    self.began = began
  }

  mutating func count(_ done: Int) { operations += done }

  /// Nanoseconds to wait now, at most `longestWait`; nil when the thread is not ahead.
  func nanosecondsAhead(at now: UInt64) -> UInt64? {
    let due = began + UInt64(Double(operations) * nanosecondsPerOperation)
    return due > now ? min(due - now, Throttle.longestWait) : nil
  }
}
