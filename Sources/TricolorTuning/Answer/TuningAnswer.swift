// The answer of a tuning, computed from its runs: what to set, what to expect of it, how near the cliff is.

import Glibc
import Harness

/// What a tuning found out.
public struct TuningAnswer: Sendable {
  /// A setting that no other measured one beats in both memory and cost.
  public struct ParetoPoint: Sendable, Equatable {
    public let setting: TunedSetting
    /// The middle of the largest uses of its group.
    public let peakBytes: Double
    /// Nanoseconds of CPU for an operation, by the model.
    public let cost: Double
    /// The middle of the collector's shares.
    public let gcCPUFraction: Double
    public let runs: Int
  }

  /// The smallest group that is enough for the recommended setting.
  public struct SmallestGroup: Sendable, Equatable {
    /// The smallest that was measured and enough in every run, and in how many.
    public let enoughBytes: Int64?
    public let enoughRuns: Int
    /// The largest that was too small, and why; nil when none was.
    public let tooSmallBytes: Int64?
    public let reason: String?
    /// Where the cost curve says that collection takes the largest share that is allowed.
    public let byCurve: FittedCostCurve.Estimate?
  }

  public let request: TuningRequest
  public let runs: [MeasuredRun]
  /// Operations of a run; nil where a run does all there is, or lasts a time.
  public let operations: Int?
  public let isInterrupted: Bool
  /// What to set; nil when nothing measured may be set.
  public let recommended: TunedSetting?
  /// How many runs of it the expectations are made of.
  public let recommendedRuns: Int
  public let operationsPerSecond: Expectation?
  public let cpuNanosecondsPerOperation: Expectation?
  public let p99Nanoseconds: Expectation?
  public let gcCPUFraction: Expectation?
  public let peakBytes: Expectation?
  /// Processors busy with the recommended setting.
  public let processorsUsed: Double?
  public let pareto: [ParetoPoint]
  public let curve: FittedCostCurve?
  public let smallest: SmallestGroup?

  init(_ request: TuningRequest, _ runs: [MeasuredRun], operations: Int?, isInterrupted: Bool) {
    self.request = request
    self.runs = runs
    self.operations = operations
    self.isInterrupted = isInterrupted
    let ranking = Ranking(runs, request, SearchSpace(processors: request.processors))
    let spread = RunSpread(ranking.entries.map(\.figures))
    let figures = ranking.recommended.map { Self.unbiased($0, runs, request) } ?? []
    recommended = ranking.recommended?.setting
    recommendedRuns = figures.count
    operationsPerSecond = spread.expectation(figures, \.operationsPerSecond)
    cpuNanosecondsPerOperation = spread.expectation(figures, \.cpuNanosecondsPerOperation)
    p99Nanoseconds = spread.expectation(figures) { Double($0.p99) }
    gcCPUFraction = spread.expectation(figures, \.gcCPUFraction)?.clamped(most: 1)
    peakBytes = spread.expectation(figures) { Double($0.peakGroupBytes) }
    processorsUsed = median(figures.map(\.processorsUsed))
    pareto = Self.pareto(ranking)
    let sizes = ranking.recommended.map { GroupSizes(runs, $0, request) }
    curve = sizes.flatMap { FittedCostCurve($0.points + Self.bound(figures)) }
    smallest = Self.smallest(sizes, curve, ranking.recommended?.setting, request)
  }

  /// Share of the group that is left at the peak, 0...1; negative where a run like those would be killed.
  public var headroom: Expectation? {
    peakBytes.map { peak in
      let size = Double(request.memoryBytes)
      return Expectation(
        middle: 1 - peak.middle / size,
        interval: peak.interval.map { (1 - $0.upperBound / size)...(1 - $0.lowerBound / size) })
    }
  }

  /// The repetitions of a setting, without the run that it was picked for, where there are at least two.
  private static func unbiased(
    _ entry: Ranking.Entry, _ runs: [MeasuredRun], _ request: TuningRequest
  ) -> [RunFigures] {
    let repeated = runs.filter {
      $0.plan.purpose == .confirm && $0.plan.setting == entry.setting && $0.plan.groupBytes == request.memoryBytes
    }.compactMap(\.figures)
    return repeated.count >= 2 ? repeated : entry.figures
  }

  /// Runs whose limit set the pace: they were near it.
  private static func bound(_ figures: [RunFigures]) -> [CostCurve.Point] {
    figures.filter { Double($0.peakResidentBytes) > 0.93 * Double($0.limitBytes) }.map {
      CostCurve.Point(limitBytes: Double($0.limitBytes), share: $0.gcCPUFraction)
    }
  }

  private static func pareto(_ ranking: Ranking) -> [ParetoPoint] {
    let points = ranking.best.map { entry in
      ParetoPoint(
        setting: entry.setting, peakBytes: entry.peakBytes, cost: entry.cost!,
        gcCPUFraction: median(entry.figures.map(\.gcCPUFraction)) ?? 0, runs: entry.runs)
    }
    var front: [ParetoPoint] = []
    for point in points.sorted(by: { ($0.peakBytes, $0.cost) < ($1.peakBytes, $1.cost) })
    where point.cost < (front.last?.cost ?? .infinity) {
      front.append(point)
    }
    return front
  }

  private static func smallest(
    _ sizes: GroupSizes?, _ curve: FittedCostCurve?, _ setting: TunedSetting?, _ request: TuningRequest
  ) -> SmallestGroup? {
    guard let sizes, let setting else { return nil }
    let part = Double(setting.limitPercent) / 100
    let limit = curve?.limit(share: GroupSizes.share(request)).map {
      FittedCostCurve.Estimate(bytes: $0.bytes / part, low: $0.low / part, high: $0.high / part)
    }
    guard sizes.smallestEnough != nil || sizes.largestTooSmall != nil || limit != nil else { return nil }
    return SmallestGroup(
      enoughBytes: sizes.smallestEnough, enoughRuns: sizes.smallestEnough.map(sizes.runs(at:)) ?? 0,
      tooSmallBytes: sizes.largestTooSmall, reason: sizes.reason, byCurve: limit)
  }
}
