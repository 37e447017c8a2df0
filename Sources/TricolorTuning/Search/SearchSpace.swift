// Where a search looks: every combination of a few values of each setting. Values are spaced as their effects are: growth and CPU share by
// ratios, the limit by what it leaves free.

import Glibc

/// The grid of settings and their places in the unit cube.
public struct SearchSpace: Sendable {
  /// Every setting, in the grid's order.
  public let settings: [TunedSetting]
  /// The place of each, every coordinate in 0...1.
  public let places: [[Double]]
  /// Where a search begins: what holds when nothing is set.
  public let standard: TunedSetting

  /// The grid for a machine with so many processors to plan with.
  public init(processors: Int) {
    let gcPercents: [Int?] = [25, 50, 100, 150, 200, 400, 800, nil]
    let limits = [70, 80, 90, 95]
    let caps = [25, 50, 75]
    let counts = SearchSpace.counts(upTo: max(1, processors))
    var settings: [TunedSetting] = []
    for gcPercent in gcPercents {
      for limit in limits {
        for cap in caps {
          for count in counts {
            settings.append(
              TunedSetting(gcPercent: gcPercent, limitPercent: limit, gcCPULimit: cap, processors: count))
          }
        }
      }
    }
    self.settings = settings
    standard = .standard(processors: max(1, processors))
    places = SearchSpace.places(settings)
  }

  /// The setting's number in the grid; nil for one that is not in it.
  public func index(of setting: TunedSetting) -> Int? { settings.firstIndex(of: setting) }

  /// 1, 2, 4 and so on, and `most` itself.
  private static func counts(upTo most: Int) -> [Int] {
    Array(sequence(first: 1) { $0 * 2 < most ? $0 * 2 : nil }) + (most > 1 ? [most] : [])
  }

  private static func places(_ settings: [TunedSetting]) -> [[Double]] {
    // Off is to 800 as 800 is to 200: growth without an end still has the limit above it.
    let raw = settings.map { setting in
      [
        log2(Double(setting.gcPercent ?? 3200)), Double(setting.limitPercent), log2(Double(setting.gcCPULimit)),
        log2(Double(setting.processors)),
      ]
    }
    var scaled = raw
    for axis in raw[0].indices {
      let values = raw.map { $0[axis] }
      let (low, high) = (values.min()!, values.max()!)
      for point in raw.indices { scaled[point][axis] = high > low ? (raw[point][axis] - low) / (high - low) : 0 }
    }
    return scaled
  }
}
