// Which setting to measure next: the one from which the most improvement is to be expected, times the probability that it is allowed.
//
// Cost and every constraint (memory against the group's limit, each service level) are Gaussian processes of their own. A run that was
// killed says nothing about cost, and about memory that it was not enough; so the search learns where the cliff is and does not go on
// falling from it. Because measurements are noisy, the best so far is the best by the model, and a place measured often is worth less.
//
// Pure: the proposal follows from the measurements so far and the seed, so an interrupted search goes on as if nothing had happened.
// Sources: Jones, Schonlau and Welch, "Efficient global optimization", 1998 (expected improvement); Huang et al., "Global optimization of
// stochastic black-box systems", 2006 (noise); Gardner et al., "Bayesian optimization with inequality constraints", 2014.

import Glibc
import Harness

/// A measurement, as the search sees it.
public struct SearchObservation: Sendable {
  /// The place's number.
  public let index: Int
  /// The logarithm of the cost; nil where the run did not come to its end.
  public let logCost: Double?
  /// For each constraint, the logarithm of the figure over what is allowed: up to 0 it holds. Nil where it is not known.
  public let margins: [Double?]

  public init(index: Int, logCost: Double?, margins: [Double?]) {
    self.index = index
    self.logCost = logCost
    self.margins = margins
  }
}

/// A sample-efficient search over a finite set of places.
public struct ModelSearch: Sendable {
  /// What to measure next, and what is expected of it.
  public struct Proposal: Sendable, Equatable {
    public let index: Int
    /// By what part of itself the cost is expected to fall; infinite while too little is known.
    public let expectedGain: Double
  }

  /// Measurements before the model is asked.
  public static let firstMeasurements = 6

  private let places: [[Double]]
  private let design: [Int]

  /// - Parameters:
  ///   - places: in the unit cube.
  ///   - start: the place measured first.
  ///   - seed: shifts the places measured next.
  public init(places: [[Double]], start: Int, seed: UInt64) {
    self.places = places
    design = ModelSearch.design(places, start: start, seed: seed)
  }

  /// The place to measure next.
  public func proposal(after observations: [SearchObservation]) -> Proposal {
    let measured = Set(observations.map(\.index))
    if let next = design.first(where: { !measured.contains($0) }) {
      return Proposal(index: next, expectedGain: .infinity)
    }
    let models = SearchModels(places: places, observations)
    let incumbent = models.best(among: measured).flatMap { models.logCost(at: $0)?.mean }
    var best = Proposal(index: design[0], expectedGain: -1)
    for index in places.indices {
      let gain = models.gain(at: places[index], below: incumbent)
      if gain > best.expectedGain { best = Proposal(index: index, expectedGain: gain) }
    }
    return incumbent == nil ? Proposal(index: best.index, expectedGain: .infinity) : best
  }

  /// The start, then places near a Halton sequence that the seed shifts.
  private static func design(_ places: [[Double]], start: Int, seed: UInt64) -> [Int] {
    var random = SplitMix64(seed: seed)
    let shift = places[start].map { _ in Double(random.below(1 << 20)) / Double(1 << 20) }
    var chosen = [start]
    var number = 1
    while chosen.count < min(firstMeasurements, places.count) {
      let target = shift.indices.map { axis in
        (halton(number, base: [2, 3, 5, 7, 11, 13][axis]) + shift[axis]).truncatingRemainder(dividingBy: 1)
      }
      number += 1
      let free = places.indices.filter { !chosen.contains($0) }
      chosen.append(free.min { distance(places[$0], target) < distance(places[$1], target) }!)
    }
    return chosen
  }

  private static func distance(_ first: [Double], _ second: [Double]) -> Double {
    zip(first, second).reduce(0) { $0 + ($1.0 - $1.1) * ($1.0 - $1.1) }
  }

  private static func halton(_ number: Int, base: Int) -> Double {
    var (rest, part, result) = (number, 1.0, 0.0)
    while rest > 0 {
      part /= Double(base)
      result += part * Double(rest % base)
      rest /= base
    }
    return result
  }
}

/// What is believed after some measurements.
struct SearchModels {
  private let places: [[Double]]
  private let cost: GaussianProcess?
  private let constraints: [GaussianProcess]

  init(places: [[Double]], _ observations: [SearchObservation]) {
    self.places = places
    let timed = observations.filter { $0.logCost != nil }
    cost =
      timed.isEmpty ? nil : GaussianProcess(timed.map { places[$0.index] }, timed.map { $0.logCost! })
    constraints = (0..<(observations.first?.margins.count ?? 0)).compactMap { number in
      let known = observations.filter { $0.margins[number] != nil }
      return known.isEmpty
        ? nil : GaussianProcess(known.map { places[$0.index] }, known.map { $0.margins[number]! })
    }
  }

  /// The logarithm of the cost at a place and how sure that is; nil while no run came to its end.
  func logCost(at index: Int) -> GaussianProcess.Prediction? { cost?.predict(places[index]) }

  /// The probability that all constraints hold in a run at a place.
  func probabilityAllowed(at place: [Double]) -> Double {
    constraints.reduce(1) { product, model in
      let prediction = model.predict(place)
      let deviation = max(1e-6, hypot(prediction.deviation, model.noiseDeviation))
      return product * Normal.cumulative(-prediction.mean / deviation)
    }
  }

  /// The measured place of least cost by the model that is more likely allowed than not.
  func best(among measured: Set<Int>) -> Int? {
    guard cost != nil else { return nil }
    // In the order of numbers, so that equal costs are decided alike every time.
    return measured.sorted().filter { probabilityAllowed(at: places[$0]) > 0.5 }
      .min { logCost(at: $0)!.mean < logCost(at: $1)!.mean }
  }

  /// The improvement to be expected, in the logarithm of the cost; without an incumbent, the probability that a place is allowed.
  func gain(at place: [Double], below incumbent: Double?) -> Double {
    let allowed = probabilityAllowed(at: place)
    guard let incumbent, let cost else { return allowed }
    let prediction = cost.predict(place)
    guard prediction.deviation > 1e-9 else { return 0 }
    let standardised = (incumbent - prediction.mean) / prediction.deviation
    let improvement =
      (incumbent - prediction.mean) * Normal.cumulative(standardised)
      + prediction.deviation * Normal.density(standardised)
    let news = 1 - cost.noiseDeviation / hypot(cost.noiseDeviation, prediction.deviation)
    return improvement * news * allowed
  }
}
