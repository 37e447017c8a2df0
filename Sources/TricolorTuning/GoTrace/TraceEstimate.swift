// What a trace says of its program: how much lives, how fast it allocates, what collection cost, and which settings it ran with.

/// A range with what is likely inside it.
public struct Estimate: Sendable, Equatable {
  public var least: Double
  public var likely: Double
  public var most: Double

  public init(least: Double, likely: Double, most: Double) {
    self.least = least
    self.likely = likely
    self.most = most
  }
}

/// The traced program, measured. Bytes, nanoseconds, fractions of 1.
public struct TraceEstimate: Sendable, Equatable {
  public var cycles = 0
  /// From the first collection to the last, without the gaps in a trace with lines missing.
  public var nanoseconds = 0.0
  public var processors = 0
  /// Alive when marking began: half of all times, 19 times of 20 by allocation, and at most.
  public var liveMedian = 0.0
  public var live95 = 0.0
  public var livePeak = 0.0
  public var heapPeak = 0.0
  public var allocated = 0.0
  /// Stacks and globals, at most; nil where the trace does not print them.
  public var roots: Double?
  /// Processor time of all collections, and of that on processors that nobody used.
  public var cpuNanoseconds = 0.0
  public var idleNanoseconds = 0.0
  /// `GOGC` as the goals show it; nil when something else set them.
  public var gcPercent: Int?
  /// The mean of what lived in the last quarter of the longest stretch over that in its second, by time; far above 1 for a program that grows.
  public var growth = 1.0

  public init() {}

  /// Bytes allocated in a second.
  public var allocationRate: Double { nanoseconds > 0 ? allocated / nanoseconds * 1e9 : 0 }
  /// Of all processor time there was, collection's part; and without marking on processors that nobody used, which is how Go counts.
  public var cpuFraction: Double { fraction(cpuNanoseconds) }
  public var busyCPUFraction: Double { fraction(cpuNanoseconds - idleNanoseconds) }

  func fraction(_ cpu: Double) -> Double { nanoseconds > 0 ? cpu / (nanoseconds * Double(processors)) : 0 }
}

extension TraceEstimate {
  private static let mebibyte = 1_048_576.0

  init(_ trace: GoTrace, _ courses: [AllocationCourse]) {
    let all = trace.cycles
    cycles = all.count
    nanoseconds = courses.reduce(0) { $0 + $1.nanoseconds }
    processors = all.map(\.processors).max() ?? 1
    allocated = courses.reduce(0) { $0 + $1.length }
    heapPeak = Double(all.map(\.heapAtEnd).max() ?? 0) * TraceEstimate.mebibyte
    if all.contains(where: { $0.stacks != nil }) { roots = courses.map(\.roots).max() }
    cpuNanoseconds = all.reduce(0) { $0 + $1.cpu } * 1e6
    idleNanoseconds = all.reduce(0) { $0 + $1.idleCPU } * 1e6
    readLive(all)
    gcPercent = TraceEstimate.percent(trace)
    growth = TraceEstimate.growth(trace.stretches.max { $0.count < $1.count } ?? [])
  }

  /// The pace of a program's beginning is not that of its life: a collection counts by what was allocated before it.
  private mutating func readLive(_ all: [GoCycle]) {
    let live = all.map { Double(max(0, $0.marked - ($0.heapAtEnd - $0.heapAtStart))) * TraceEstimate.mebibyte }
    livePeak = live.max() ?? 0
    var weighted: [(live: Double, weight: Double)] = []
    for index in all.indices {
      let before = index > 0 ? all[index - 1].marked : 0
      weighted.append((live[index], Double(max(0, all[index].heapAtStart - before)) + 0.5))
    }
    weighted.sort { $0.live < $1.live }
    liveMedian = TraceEstimate.quantile(weighted, 0.5)
    live95 = TraceEstimate.quantile(weighted, 0.95)
  }

  /// The first quarter is left out: programs fill up when they start.
  private static func growth(_ stretch: [GoCycle]) -> Double {
    guard let first = stretch.first, let last = stretch.last else { return 1 }
    func live(_ from: Double, _ to: Double) -> [Double] {
      let (begin, end) = (
        first.start + from * (last.start - first.start), first.start + to * (last.start - first.start)
      )
      return stretch.filter { $0.start >= begin && $0.start <= end }.map {
        Double($0.marked - $0.heapAtEnd + $0.heapAtStart)
      }
    }
    let (early, late) = (live(0.25, 0.5), live(0.75, 1))
    guard early.count >= 2, late.count >= 2, mean(early) > 0 else { return 1 }
    return mean(late) / mean(early)
  }

  private static func mean(_ values: [Double]) -> Double { values.reduce(0, +) / Double(values.count) }

  private static func quantile(_ sorted: [(live: Double, weight: Double)], _ part: Double) -> Double {
    let total = sorted.reduce(0) { $0 + $1.weight }
    var passed = 0.0
    for each in sorted {
      passed += each.weight
      if passed >= part * total { return each.live }
    }
    return sorted.last?.live ?? 0
  }

  /// The growth that goals allowed over what was marked, where they agree: half of them within a tenth. Heaps of a few MiB are
  /// printed too coarsely to tell.
  private static func percent(_ trace: GoTrace) -> Int? {
    var ratios: [Double] = []
    for stretch in trace.stretches {
      for (last, next) in zip(stretch, stretch.dropFirst()) where last.marked >= smallestTold {
        let marked = Double(last.marked) + 0.5
        let base = marked + Double(last.stacks ?? 0) + Double(last.globals ?? 0)
        ratios.append((Double(next.goal) + 0.5 - marked) / base)
      }
    }
    if ratios.count < GoTrace.leastCycles { return nil }
    ratios.sort()
    let (low, middle, high) = (ratios[ratios.count / 4], ratios[ratios.count / 2], ratios[ratios.count * 3 / 4])
    return middle > 0 && high - low <= middle / 10 ? Int((middle * 100).rounded()) : nil
  }

  /// In MiB.
  private static let smallestTold = 20
}
