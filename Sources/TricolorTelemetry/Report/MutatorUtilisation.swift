// The smallest share of its time that any thread kept for itself in any window of a given length: minimum mutator utilisation, after Cheng
// and Blelloch ("A parallel, real-time garbage collector", PLDI 2001). A longest pause says nothing of pauses that come in a row; this does.
//
// Computed as stalls come, so that a run of hours needs no more memory than its last second. Of a thread the stalls of the last second are kept,
// one after the other, each with what had been stalled until its end; a window then costs a difference. The windows that end where a stall
// ends are all that need to be looked at: moved to the left until its end is such a place, a window loses nothing of what was stalled in it.
//
// A stall counts by wall time, also while the system lets another thread run.

import Tricolor

/// Minimum mutator utilisation of the threads whose stalls were added. Used by one thread.
public struct MutatorUtilisation: Sendable {
  /// A point of the curve.
  public struct Point: Sendable, Equatable {
    /// The window's length in nanoseconds.
    public let window: UInt64
    /// The smallest share of such a window that a thread kept, 0 to 1.
    public let utilisation: Double
  }

  /// The lengths looked at, in nanoseconds: 1 ms to 1 s.
  public static let windows: [UInt64] = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000].map { $0 * 1_000_000 }

  private var threads: [Int32: ThreadStalls] = [:]
  /// Stalls that came too fast to be kept: the curve is without them.
  public private(set) var lost = 0

  /// No stalls.
  public init() {}

  /// Adds stalls; those of one thread in the order of their ends, an inner one before the one around it.
  public mutating func add(_ stalls: [StallEvent], lost: Int) {
    for stall in stalls {
      threads[stall.thread, default: ThreadStalls()].add(
        from: stall.startedAt, to: stall.startedAt + stall.durationNanoseconds)
    }
    self.lost += lost
  }

  /// The curve of a run that lasted `elapsed` nanoseconds: of windows that fit into it.
  public func points(elapsed: UInt64) -> [Point] {
    MutatorUtilisation.windows.enumerated().filter { $0.element <= elapsed }.map { place, window in
      let worst = threads.values.map { $0.worst[place] }.max() ?? 0
      return Point(window: window, utilisation: 1 - Double(worst) / Double(window))
    }
  }

  /// The object that reports have.
  public func json(elapsed: UInt64) -> JSONValue {
    [
      "windows": .array(points(elapsed: elapsed).map { [.unsigned($0.window), .float($0.utilisation)] }),
      "lostStalls": .integer(lost),
    ]
  }
}

/// One thread's stalls of the last second, and the most that was stalled in any window.
private struct ThreadStalls: Sendable {
  private struct Stall {
    let began: UInt64
    let ended: UInt64
    /// All that was stalled until its end.
    let total: UInt64
  }

  private var stalls: [Stall] = []
  /// For each window the first stall that reaches into the one that ends last.
  private var first = [Int](repeating: 0, count: MutatorUtilisation.windows.count)
  private(set) var worst = [UInt64](repeating: 0, count: MutatorUtilisation.windows.count)

  mutating func add(from began: UInt64, to ended: UInt64) {
    while let last = stalls.last, last.began >= began { stalls.removeLast() }
    let begin = max(began, stalls.last?.ended ?? 0)
    if ended <= begin { return }
    stalls.append(Stall(began: begin, ended: ended, total: (stalls.last?.total ?? 0) + (ended - begin)))
    for place in first.indices { look(place) }
    forget()
  }

  /// Measures the window that ends with the last stall.
  private mutating func look(_ place: Int) {
    let window = MutatorUtilisation.windows[place]
    guard let last = stalls.last else { return }
    let edge = last.ended > window ? last.ended - window : 0
    var index = min(first[place], stalls.count - 1)
    while stalls[index].ended <= edge { index += 1 }
    first[place] = index
    let before = stalls[index].total - (stalls[index].ended - stalls[index].began)
    let outside = edge > stalls[index].began ? edge - stalls[index].began : 0
    worst[place] = max(worst[place], last.total - before - outside)
  }

  /// Drops what no window reaches any more, once that is half of what is kept.
  private mutating func forget() {
    let needed = first.min() ?? 0
    guard needed > 256, needed > stalls.count / 2 else { return }
    stalls.removeFirst(needed)
    for place in first.indices { first[place] -= needed }
  }
}
