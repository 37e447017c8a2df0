// The settings that were measured in the whole group, best first.
//
// Best is the least CPU for an operation by the model, which evens out the noise of single runs, among those that were never killed, failed or
// over the service level in the middle of their runs. Differences of 3 % are none: among such settings those come first that need no
// other variables than the two that everybody knows, then the one that used the least memory. Headroom is worth having where it is free, and a
// variable that changes nothing is worth leaving out.

import Glibc

/// Settings by rank.
struct Ranking {
  /// A setting and the runs it had.
  struct Entry {
    let setting: TunedSetting
    let runs: Int
    /// Those that came to their end.
    let figures: [RunFigures]
    /// The cost by the model, in nanoseconds of CPU for an operation; nil where nothing came to an end.
    let cost: Double?
    let isAllowed: Bool

    /// The middle of their peaks, 0 where there is none.
    var peakBytes: Double { median(figures.map { Double($0.peakGroupBytes) }) ?? 0 }
  }

  /// Peaks within this part of the group's memory are the same.
  private static let peakStep = 0.02
  private static let leastDifference = 0.03
  /// What the model has to be sure of before it proposes a setting for being simple.
  private static let surelyAllowed = 0.9
  /// What costs this much more than the cheapest is not repeated.
  private static let hopeless = 1.1
  /// A killed run counts as one that would have taken this times its group's memory.
  private static let killedRatio = 1.1

  /// Every setting measured in the whole group, in the order in which they were measured first.
  let entries: [Entry]
  /// The allowed ones, best first.
  let best: [Entry]
  /// A setting nearer to the defaults than the best one, with its growth, that the model takes for as good and that was not measured; nil where
  /// there is none.
  let simpler: TunedSetting?

  init(_ runs: [MeasuredRun], _ request: TuningRequest, _ space: SearchSpace) {
    let full = runs.filter { Ranking.counts($0, request) }
    let models = SearchModels(places: space.places, Ranking.observations(runs, request, space))
    var settings: [TunedSetting] = []
    for run in full where !settings.contains(run.plan.setting) { settings.append(run.plan.setting) }
    entries = settings.map { setting in
      let own = full.filter { $0.plan.setting == setting }
      let figures = own.compactMap(\.figures)
      let prediction = figures.isEmpty ? nil : models.logCost(at: space.index(of: setting)!)
      let keepsLevel = request.serviceLevel.bounds.allSatisfy { bound in
        (median(figures.map { bound.figure.value($0) }) ?? .infinity) <= bound.most
      }
      return Entry(
        setting: setting, runs: own.count, figures: figures, cost: prediction.map { exp($0.mean) },
        isAllowed: figures.count == own.count && keepsLevel)
    }
    let allowed = entries.filter(\.isAllowed)
    guard let first = allowed.min(by: { $0.cost! < $1.cost! }) else {
      best = []
      simpler = nil
      return
    }
    let equal = first.cost! * exp(Ranking.leastDifference)
    let step = Ranking.peakStep * Double(request.memoryBytes)
    best = allowed.sorted { one, other in
      let keys = [one, other].map { Ranking.key($0, equal: equal, step: step, space.standard) }
      return keys[0].lexicographicallyPrecedes(keys[1])
    }
    simpler = Ranking.simpler(than: best[0].setting, equal: equal, measured: Set(settings), models, space)
  }

  /// What settings are ordered by, the first difference deciding: extra variables, memory, distance from the defaults, cost; those that cost more come
  /// behind, by cost.
  private static func key(_ entry: Entry, equal: Double, step: Double, _ standard: TunedSetting) -> [Double] {
    if entry.cost! > equal { return [1, entry.cost!] }
    return [
      0, Double(entry.setting.extras(beside: standard)), (entry.peakBytes / step).rounded(),
      Double(entry.setting.distance(from: standard)), entry.cost!,
    ]
  }

  /// Of the settings not measured that have the same growth and are nearer to the defaults, the nearest that may be as good.
  private static func simpler(
    than chosen: TunedSetting, equal: Double, measured: Set<TunedSetting>, _ models: SearchModels, _ space: SearchSpace
  ) -> TunedSetting? {
    space.settings.indices.filter { index in
      let setting = space.settings[index]
      guard setting.gcPercent == chosen.gcPercent, !measured.contains(setting),
        setting.distance(from: space.standard) < chosen.distance(from: space.standard),
        models.probabilityAllowed(at: space.places[index]) > surelyAllowed,
        let prediction = models.logCost(at: index)
      else { return false }
      return exp(prediction.mean - prediction.deviation) <= equal
    }.map { space.settings[$0] }.min { $0.distance(from: space.standard) < $1.distance(from: space.standard) }
  }

  /// The best three, as far as none costs more than a tenth more than the cheapest: worth repeating.
  var contenders: [Entry] {
    guard let least = best.compactMap(\.cost).min() else { return [] }
    return best.prefix(3).filter { $0.cost! <= Ranking.hopeless * least }
  }

  /// The best of those that were run most often: a single good run recommends nothing.
  var recommended: Entry? {
    let most = min(TuningPlan.confirmations, best.map(\.runs).max() ?? 0)
    return best.first { $0.runs >= most }
  }

  /// What the search is told of the runs in the whole group.
  static func observations(
    _ runs: [MeasuredRun], _ request: TuningRequest, _ space: SearchSpace
  ) -> [SearchObservation] {
    runs.filter { counts($0, request) }.map { run in
      let figures = run.figures
      let memory = figures.map { Double($0.peakGroupBytes) / Double(request.memoryBytes) } ?? killedRatio
      return SearchObservation(
        index: space.index(of: run.plan.setting)!, logCost: figures.map { log($0.cpuNanosecondsPerOperation) },
        margins: [log(memory)]
          + (figures.map { request.serviceLevel.margins($0) }
            ?? request.serviceLevel.bounds.map { _ in nil }))
    }
  }

  private static func counts(_ run: MeasuredRun, _ request: TuningRequest) -> Bool {
    (run.plan.purpose == .explore || run.plan.purpose == .confirm) && run.plan.groupBytes == request.memoryBytes
  }
}

/// The middle of some values, nil of none.
func median(_ values: [Double]) -> Double? {
  guard !values.isEmpty else { return nil }
  let sorted = values.sorted()
  let middle = sorted.count / 2
  return sorted.count % 2 == 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
}
