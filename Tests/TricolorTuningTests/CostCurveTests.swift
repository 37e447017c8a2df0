// The curve of collector CPU against the limit: known parameters come back, and what is uncertain is said to be.

import Foundation
import Testing
import TricolorTuning

@Suite("Cost curve")
struct CostCurveTests {
  private static let mebibyte = 1024.0 * 1024
  private static let limits = [100.0, 110, 125, 150, 200, 300, 460]

  /// 1 % and 4 MiB of room over 80 MiB: what the store is like.
  private static func share(_ limit: Double) -> Double { 0.01 + 4 / (limit - 80) }

  private static func points(noise deviation: Double, seed: UInt64) -> [CostCurve.Point] {
    var noise = Noise(seed: seed, deviation: deviation)
    return limits.map { limit in
      CostCurve.Point(limitBytes: limit * mebibyte, share: share(limit) * exp(deviation * noise.normal()))
    }
  }

  @Test("known parameters come back from exact measurements")
  func parametersComeBack() throws {
    let curve = try #require(FittedCostCurve(Self.points(noise: 0, seed: 1))).best
    #expect(abs(curve.floorBytes / Self.mebibyte - 80) < 0.5)
    #expect(abs(curve.roomCostBytes / Self.mebibyte - 4) < 0.2)
    #expect(abs(curve.fixedShare - 0.01) < 0.001)
  }

  @Test("the limit for a share is found from noisy measurements, and the interval holds the truth in nearly all cases")
  func intervalHoldsTheTruth() throws {
    let truth = 80 + 4 / (0.25 - 0.01)
    var held = 0
    for seed in 1...40 as ClosedRange<UInt64> {
      let fitted = try #require(FittedCostCurve(Self.points(noise: 0.05, seed: seed)))
      let estimate = try #require(fitted.limit(share: 0.25))
      #expect(abs(estimate.bytes / Self.mebibyte / truth - 1) < 0.06, "seed \(seed)")
      #expect(estimate.low <= estimate.bytes && estimate.bytes <= estimate.high)
      if estimate.low <= truth * Self.mebibyte && truth * Self.mebibyte <= estimate.high { held += 1 }
    }
    #expect(held >= 36, "of 40")
  }

  @Test("noisier measurements give a wider interval")
  func noiseWidens() throws {
    func width(_ noise: Double) throws -> Double {
      try (1...10).map { seed in
        let fitted = try #require(FittedCostCurve(Self.points(noise: noise, seed: UInt64(seed))))
        let estimate = try #require(fitted.limit(share: 0.25))
        return estimate.high - estimate.low
      }.reduce(0, +)
    }
    #expect(try width(0.2) > 1.5 * width(0.03))
  }

  @Test("no curve from two limits, or from costs that fall with less memory")
  func refusesWhatIsNoCurve() {
    let two = Self.points(noise: 0, seed: 1).prefix(2)
    #expect(FittedCostCurve(Array(two) + Array(two)) == nil)
    let falling = Self.limits.map { CostCurve.Point(limitBytes: $0 * Self.mebibyte, share: $0 / 1000) }
    #expect(FittedCostCurve(falling) == nil)
    #expect(FittedCostCurve([]) == nil)
  }

  @Test("a curve has no finite cost at its floor, and no limit for less than its fixed share")
  func curveHasAnEnd() throws {
    let curve = try #require(FittedCostCurve(Self.points(noise: 0, seed: 1))).best
    #expect(curve.share(limitBytes: curve.floorBytes) == .infinity)
    #expect(curve.limit(share: curve.fixedShare) == nil)
  }
}
