// What to measure next, from what has been measured: half of the budget looks for settings, a quarter repeats the best of them with other
// seeds, and a quarter makes the group smaller until it is too small.
//
// A pure function of the request and the runs so far. Time is counted by what the runs took, not by a clock, so that a tuning that was
// interrupted goes on where it was, and tests need no time.

import Glibc

/// The schedule of a tuning.
public struct TuningPlan: Sendable {
  /// A setting counts as confirmed after so many runs with different seeds.
  static let confirmations = 3
  /// The recommended one is run so often.
  static let recommendedRuns = 5
  /// Looking goes on until so much of itself is all that the cost is expected to fall by another run.
  private static let leastGain = 0.002
  private static let shares = (explore: 0.5, confirm: 0.25, shrink: 0.25)
  /// The smallest group is known well enough when the largest that was too small is within this ratio.
  private static let bracket = 1.06
  private static let mebibyte: Int64 = 1 << 20
  /// The least that is tried, as `--cgroup` allows.
  private static let leastGroupBytes: Int64 = 8 << 20

  let request: TuningRequest
  let space: SearchSpace
  private let search: ModelSearch

  public init(_ request: TuningRequest) {
    self.request = request
    space = SearchSpace(processors: request.processors)
    search = ModelSearch(places: space.places, start: space.index(of: space.standard)!, seed: request.seed)
  }

  /// How many operations the next run does: nil for all there are, or as many as fit into the calibration's time.
  public func operations(_ runs: [MeasuredRun]) -> Int? {
    switch request.work {
    case .natural: return nil
    case .operations(let count): return count
    case .calibrated(let milliseconds): return calibrated(runs, seconds: Double(milliseconds) / 1000)
    }
  }

  /// The next run; nil when there is nothing more to learn, or no time for it.
  public func next(_ runs: [MeasuredRun]) -> PlannedRun? {
    guard request.measuresGrid || hasTime(runs, until: 1) else { return nil }
    if needsCalibration(runs) { return run(space.standard, .calibrate, seed: 0) }
    if isHopeless(runs) { return nil }
    if let setting = explore(runs) { return run(setting, .explore, seed: 0) }
    let ranking = Ranking(runs, request, space)
    if let (setting, seed) = confirm(runs, ranking) { return run(setting, .confirm, seed: UInt64(seed)) }
    return shrink(runs, ranking)
  }

  private func run(_ setting: TunedSetting, _ purpose: PlannedRun.Purpose, seed: UInt64) -> PlannedRun {
    PlannedRun(setting: setting, groupBytes: request.memoryBytes, seed: request.seed &+ seed, purpose: purpose)
  }

  // MARK: Time

  /// Whether a run of the usual length ends before the plan has used up this part of the budget.
  private func hasTime(_ runs: [MeasuredRun], until part: Double) -> Bool {
    let used = runs.reduce(0) { $0 + $1.wallSeconds }
    let usual = runs.suffix(5).map(\.wallSeconds).max() ?? 0
    return used + usual <= part * request.budgetSeconds
  }

  private func time(_ runs: [MeasuredRun], _ purpose: PlannedRun.Purpose) -> Double {
    runs.reduce(0) { $0 + ($1.plan.purpose == purpose ? $1.wallSeconds : 0) }
  }

  // MARK: Calibrating

  /// Calibrating takes a run of so much time and then one of a quarter of the operations that were done in it. What a second costs is taken from that
  /// one: a workload may mix its operations otherwise when it is given a number than when it is given a time.
  private static let calibrations = 2

  private func needsCalibration(_ runs: [MeasuredRun]) -> Bool {
    guard case .calibrated = request.work else { return false }
    return runs.count { $0.plan.purpose == .calibrate } < Self.calibrations
  }

  private func calibrated(_ runs: [MeasuredRun], seconds: Double) -> Int? {
    let survivors = runs.filter { $0.plan.purpose == .calibrate }.compactMap(\.figures)
    guard let first = survivors.first, let last = survivors.last else { return nil }
    let count = survivors.count < Self.calibrations ? Double(first.operations) / 4 : last.operationsPerSecond * seconds
    return rounded(max(1, Int(count)))
  }

  /// Nothing ever came to its end, and the first places of the search are used up.
  private func isHopeless(_ runs: [MeasuredRun]) -> Bool {
    runs.count >= 2 * ModelSearch.firstMeasurements && runs.allSatisfy { $0.figures == nil }
  }

  /// Two digits, so that the number can be read and typed.
  private func rounded(_ count: Int) -> Int {
    var unit = 1
    while count / unit >= 100 { unit *= 10 }
    return count / unit * unit
  }

  // MARK: Looking

  private func explore(_ runs: [MeasuredRun]) -> TunedSetting? {
    let explored = runs.filter { $0.plan.purpose == .explore }
    if request.measuresGrid {
      let measured = Set(explored.map(\.plan.setting))
      return space.settings.first { !measured.contains($0) }
    }
    guard time(runs, .explore) + time(runs, .calibrate) < Self.shares.explore * request.budgetSeconds else {
      return nil
    }
    let proposal = search.proposal(after: Ranking.observations(runs, request, space))
    return proposal.expectedGain >= Self.leastGain ? space.settings[proposal.index] : nil
  }

  // MARK: Repeating

  /// A simpler setting than the best, or one among the best three that has not been run often enough; and how often it was.
  private func confirm(_ runs: [MeasuredRun], _ ranking: Ranking) -> (TunedSetting, Int)? {
    guard request.measuresGrid || time(runs, .confirm) < Self.shares.confirm * request.budgetSeconds else { return nil }
    if let simpler = ranking.simpler { return (simpler, 0) }
    if let few = ranking.contenders.filter({ $0.runs < Self.confirmations }).min(by: { $0.runs < $1.runs }) {
      return (few.setting, few.runs)
    }
    guard let first = ranking.recommended, first.runs < Self.recommendedRuns else { return nil }
    return (first.setting, first.runs)
  }

  // MARK: Shrinking

  private func shrink(_ runs: [MeasuredRun], _ ranking: Ranking) -> PlannedRun? {
    guard let recommended = ranking.recommended else { return nil }
    let sizes = GroupSizes(runs, recommended, request)
    guard let size = nextSize(sizes, recommended) else { return nil }
    return PlannedRun(
      setting: recommended.setting, groupBytes: size, seed: request.seed &+ UInt64(sizes.runs(at: size)),
      purpose: .shrink)
  }

  /// Halves, by ratio, what lies between too small and enough; then repeats the smallest that was enough.
  private func nextSize(_ sizes: GroupSizes, _ recommended: Ranking.Entry) -> Int64? {
    let enough = sizes.smallestEnough ?? request.memoryBytes
    let tooSmall = sizes.largestTooSmall ?? max(Self.leastGroupBytes, enough / 8)
    let middle = Int64((Double(tooSmall) * Double(enough)).squareRoot()) / Self.mebibyte * Self.mebibyte
    if Double(enough) / Double(tooSmall) > Self.bracket, middle > tooSmall, middle < enough { return middle }
    return enough < request.memoryBytes && sizes.runs(at: enough) < Self.confirmations ? enough : nil
  }
}

/// Which smaller groups were enough for a setting.
struct GroupSizes {
  /// A group in which collection takes more than this is too small, where no service level says otherwise: what Go's pacer plans for marking
  /// itself, above which the program pays in assists.
  static let mostShare = 0.25
  /// So is one in which less than this part of the operations a second is done: near the cliff a program may wait for memory more than it collects.
  static let leastSpeed = 0.5

  private let runs: [MeasuredRun]
  private let request: TuningRequest
  /// Operations a second that are enough.
  private let leastRate: Double

  init(_ runs: [MeasuredRun], _ recommended: Ranking.Entry, _ request: TuningRequest) {
    self.runs = runs.filter { $0.plan.purpose == .shrink && $0.plan.setting == recommended.setting }
    self.request = request
    leastRate = GroupSizes.leastSpeed * (median(recommended.figures.map(\.operationsPerSecond)) ?? 0)
  }

  /// The share of the CPU at which a group counts as too small.
  static func share(_ request: TuningRequest) -> Double {
    request.serviceLevel.bounds.first { $0.figure == .gcCPU }?.most ?? mostShare
  }

  func runs(at size: Int64) -> Int { runs.count { $0.plan.groupBytes == size } }

  /// Whether a run was enough: alive, within the service level, not collecting all the time, and not crawling.
  private func wasEnough(_ run: MeasuredRun) -> Bool {
    guard let figures = run.figures else { return false }
    return figures.gcCPUFraction <= GroupSizes.share(request) && figures.operationsPerSecond >= leastRate
      && request.serviceLevel.isKept(figures)
  }

  /// The largest size at which a run was not enough.
  var largestTooSmall: Int64? { runs.filter { !wasEnough($0) }.map(\.plan.groupBytes).max() }

  /// The smallest size above those at which every run was enough.
  var smallestEnough: Int64? {
    let floor = largestTooSmall ?? 0
    return runs.map(\.plan.groupBytes).filter { $0 > floor }.min()
  }

  /// What collection cost against the limit, where runs survived.
  var points: [CostCurve.Point] {
    runs.compactMap(\.figures).map { CostCurve.Point(limitBytes: Double($0.limitBytes), share: $0.gcCPUFraction) }
  }

  /// What happened at the largest size that was too small.
  var reason: String? {
    guard let size = largestTooSmall else { return nil }
    let bad = runs.filter { $0.plan.groupBytes == size && !wasEnough($0) }
    switch bad.first?.outcome {
    case .oomKilled: return "killed"
    case .failed(let words): return words
    case .survived(let figures):
      if figures.gcCPUFraction > GroupSizes.share(request) { return "too much collection" }
      return figures.operationsPerSecond < leastRate ? "less than half of the speed" : "service level not kept"
    case nil: return nil
    }
  }
}
