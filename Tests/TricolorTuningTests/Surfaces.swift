// Made-up programs whose cost and memory are known, to search over: what a run of them would report, with noise.

import Foundation
import Harness
import Testing
import TricolorTuning

/// A program whose cost and peak memory follow from its setting.
struct Surface: Sendable, CustomTestStringConvertible {
  let name: String
  /// Cost of an operation.
  let cost: @Sendable (TunedSetting) -> Double
  /// Peak memory over the group's size.
  let peak: @Sendable (TunedSetting) -> Double

  var testDescription: String { name }

  /// Above this part of its group a program is killed sooner or later.
  static let cliff = 0.99

  /// Room above what is alive, with everything over the group's size.
  private static func room(_ setting: TunedSetting, live: Double) -> Double {
    let limit = Double(setting.limitPercent) / 100 - live
    return setting.gcPercent.map { min(Double($0) / 100 * live, limit) } ?? limit
  }

  /// Much memory: more growth costs less collection, but more page faults.
  static let plenty = Surface(name: "plenty of memory") { setting in
    let used = 0.15 + room(setting, live: 0.15)
    let collection = 0.08 * 0.15 / room(setting, live: 0.15)
    return 1 + collection + 0.25 * used * used + (setting.processors == 1 ? 0.03 : 0)
  } peak: { setting in
    0.18 + room(setting, live: 0.15)
  }

  /// Little memory: the limit decides, and the highest kills.
  static let tight = Surface(name: "little memory") { setting in
    let collection = 0.06 * 0.55 / max(0.005, room(setting, live: 0.55))
    return 1 + collection * (setting.gcCPULimit == 25 ? 0.8 : 1) + (setting.processors == 2 ? 0.05 : 0)
  } peak: { setting in
    0.55 + room(setting, live: 0.55) + (setting.gcCPULimit == 25 ? 0.08 : 0.06)
  }

  /// A valley in the middle of every axis.
  static let valley = Surface(name: "valley") { setting in
    let growth = log2(Double(setting.gcPercent ?? 3200)) - 7.2
    let limit = Double(setting.limitPercent) / 100 - 0.83
    let cap = abs(log2(Double(setting.gcCPULimit)) - 5.6)
    return 1 + 0.03 * growth * growth + 4 * limit * limit + 0.06 * cap + (setting.processors == 1 ? 0.07 : 0)
  } peak: { setting in
    0.6 + 0.3 * Double(setting.limitPercent) / 100
  }

  static let all = [plenty, tight, valley]

  /// By how much more than the least cost a setting costs; 1 for one that is killed.
  func regret(_ setting: TunedSetting, in space: SearchSpace) -> Double {
    if peak(setting) > Surface.cliff { return 1 }
    let least = space.settings.filter { peak($0) <= Surface.cliff }.map(cost).min()!
    return cost(setting) / least - 1
  }
}

/// Noise that follows from a seed.
struct Noise {
  private var random: SplitMix64
  /// Relative standard deviation of costs.
  let deviation: Double

  init(seed: UInt64, deviation: Double) {
    random = SplitMix64(seed: seed &* 977)
    self.deviation = deviation
  }

  /// A normal deviate.
  mutating func normal() -> Double {
    let first = Double(random.below(1 << 30) + 1) / Double(1 << 30)
    let second = Double(random.below(1 << 30)) / Double(1 << 30)
    return (-2 * log(first)).squareRoot() * cos(2 * Double.pi * second)
  }

  /// A number in 0 ..< `count`.
  mutating func below(_ count: Int) -> Int { random.below(count) }

  /// A measurement of a surface at a place of the grid.
  mutating func measure(_ surface: Surface, _ index: Int, in space: SearchSpace, noisier: Double = 1)
    -> SearchObservation
  {
    let setting = space.settings[index]
    let peak = surface.peak(setting) * exp(0.01 * normal())
    if peak > 1 { return SearchObservation(index: index, logCost: nil, margins: [log(1.1)]) }
    return SearchObservation(
      index: index, logCost: log(surface.cost(setting)) + noisier * deviation * normal(), margins: [log(peak)])
  }
}
