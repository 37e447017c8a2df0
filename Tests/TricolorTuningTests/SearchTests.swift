// The search over settings: how near it comes to the best of the grid for a tenth of the grid's cost, and that it is a function of its input.

import Foundation
import Testing

@testable import TricolorTuning

@Suite("Search over settings")
struct SearchTests {
  private static let space = SearchSpace(processors: 2)
  /// A tenth of the grid.
  private static let runs = space.settings.count / 10
  private static let seeds: ClosedRange<UInt64> = 1...4

  @Test("comes within 5 % of the best for a tenth of the grid's cost", arguments: Surface.all)
  func comesNearTheBest(_ surface: Surface) throws {
    for seed in Self.seeds {
      let regret = surface.regret(try search(surface, seed: seed), in: Self.space)
      #expect(regret <= 0.05, "seed \(seed)")
    }
  }

  @Test("does better than successive halving at the same cost, over all surfaces")
  func beatsSuccessiveHalving() throws {
    var (own, halving) = (0.0, 0.0)
    for surface in Surface.all {
      for seed in Self.seeds {
        own += surface.regret(try search(surface, seed: seed), in: Self.space)
        halving += surface.regret(halve(surface, seed: seed), in: Self.space)
      }
    }
    #expect(own < halving, "the sums of regrets")
  }

  @Test("learns from kills: where the cheapest places lie behind a cliff, what was killed is not tried again")
  func learnsFromKills() {
    let killed = Self.space.settings.count { Surface.tight.peak($0) > 1 }
    #expect(killed * 7 > Self.space.settings.count, "the surface has a cliff")
    for seed in Self.seeds {
      var kills: [Int: Int] = [:]
      for measurement in measurements(Surface.tight, seed: seed) where measurement.logCost == nil {
        kills[measurement.index, default: 0] += 1
      }
      #expect(kills.values.allSatisfy { $0 == 1 }, "seed \(seed)")
    }
  }

  @Test("proposes places of the grid and nothing else, whatever it is told")
  func staysInside() {
    let search = ModelSearch(places: Self.space.places, start: 0, seed: 3)
    var observations: [SearchObservation] = []
    for number in 0..<25 {
      let proposal = search.proposal(after: observations)
      #expect(Self.space.settings.indices.contains(proposal.index))
      // Nonsense: every second run is killed, costs jump by powers of ten.
      let cost = number % 2 == 0 ? nil : Double((number * 7) % 11)
      observations.append(SearchObservation(index: proposal.index, logCost: cost, margins: [cost == nil ? 0.1 : -3]))
    }
    #expect(Self.space.places.allSatisfy { $0.allSatisfy { (0...1).contains($0) } })
  }

  @Test("begins with what holds when nothing is set, and goes on from any of its measurements as it would have")
  func isAFunctionOfItsMeasurements() {
    let observations = measurements(Surface.valley, seed: 5)
    #expect(Self.space.settings[observations[0].index] == .standard(processors: 2))
    for count in [0, 3, 8, 15] {
      let fresh = ModelSearch(places: Self.space.places, start: Self.space.index(of: Self.space.standard)!, seed: 5)
      #expect(fresh.proposal(after: Array(observations.prefix(count))).index == observations[count].index)
    }
  }

  @Test("a grid has every processor count once, with one processor and with many", arguments: [1, 2, 3, 8, 96])
  func gridHasNoDoubles(_ processors: Int) {
    let space = SearchSpace(processors: processors)
    #expect(Set(space.settings).count == space.settings.count)
    #expect(space.settings.map(\.processors).max() == processors)
    #expect(space.index(of: space.standard) != nil)
  }

  // MARK: Searches

  private func measurements(_ surface: Surface, seed: UInt64) -> [SearchObservation] {
    let search = ModelSearch(
      places: Self.space.places, start: Self.space.index(of: Self.space.standard)!, seed: seed)
    var noise = Noise(seed: seed, deviation: 0.02)
    var observations: [SearchObservation] = []
    for _ in 0..<Self.runs {
      observations.append(noise.measure(surface, search.proposal(after: observations).index, in: Self.space))
    }
    return observations
  }

  /// The best that the search measured and takes for allowed, by its own model.
  private func search(_ surface: Surface, seed: UInt64) throws -> TunedSetting {
    let observations = measurements(surface, seed: seed)
    let models = SearchModels(places: Self.space.places, observations)
    return Self.space.settings[try #require(models.best(among: Set(observations.map(\.index))))]
  }

  /// What successive halving makes of the same cost: 27 settings for a quarter of a run, 9 for a half, 3 for two whole ones. A run of a quarter
  /// is twice as noisy.
  private func halve(_ surface: Surface, seed: UInt64) -> TunedSetting {
    var noise = Noise(seed: seed, deviation: 0.02)
    var all = Array(Self.space.settings.indices)
    for place in all.indices { all.swapAt(place, place + noise.below(all.count - place)) }
    func best(_ count: Int, of some: [Int], noisier: Double) -> [Int] {
      let measured = some.map {
        ($0, noise.measure(surface, $0, in: Self.space, noisier: noisier).logCost ?? .infinity)
      }
      return measured.sorted { $0.1 < $1.1 }.prefix(count).map(\.0)
    }
    var left = best(9, of: Array(all.prefix(27)), noisier: 2)
    left = best(3, of: left, noisier: 2.0.squareRoot())
    return Self.space.settings[best(1, of: left, noisier: 0.5.squareRoot())[0]]
  }
}
