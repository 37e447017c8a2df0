// The soak's own parts: a short one runs, samples and verifies; the judge tells what grows from what only varies.

import Harness
import Testing

@testable import tricolor_soak

@Suite("The soak", .serialized)
struct SoakTests {
  @Test("A short soak samples, examines the heap, has threads come and go, and finds the store's data right")
  func shortSoak() throws {
    var options = SoakOptions()
    options.nanoseconds = 6_000_000_000
    options.store.keys = 500
    options.store.valueBytes = 200
    options.store.historyBytes = 400_000
    let report = try Soak(options).run { Issue.record("\($0.text)") }
    #expect(report.isVerified, "\(report.text)")
    #expect(report.result?.operations ?? 0 > 0)
    #expect(report.samples.count > 0 && report.visits > 0 && report.counts.forcedCycles > 0, "\(report.text)")
    let last = try #require(report.samples.last)
    #expect(last.statistics.attachedMutators > report.visits / 2 && last.statistics.cycles > 0)
    #expect(last.statistics.limitBytes == options.limitBytes && last.statistics.gcPercent == 100)
    #expect(last.mappings > 0 && last.descriptors > 0)
  }

  @Test("A figure that grows by a quarter of itself over a run is not flat, however noisy")
  func growthIsFound() throws {
    var random = SystemRandomNumberGenerator()
    let seed = random.next()
    let values = noisy(seed: seed) { 100_000_000 + $0 * 25_000_000 / 360 }
    #expect(try !#require(Flatness(values, slack: 1 << 20)).isFlat, "seed \(seed)")
  }

  @Test("A figure that varies by a tenth around one value and has peaks is flat")
  func noiseIsFlat() throws {
    var random = SystemRandomNumberGenerator()
    let seed = random.next()
    let values = noisy(seed: seed) { $0 % 17 == 0 ? 180_000_000 : 100_000_000 }
    #expect(try #require(Flatness(values, slack: 1 << 20)).isFlat, "seed \(seed)")
  }

  @Test("Growth in the first sixth alone is warming up")
  func warmingUpIsFlat() throws {
    let values = (0..<360).map { min($0, 59) * 1000 }
    #expect(try #require(Flatness(values, slack: 0)).isFlat)
  }

  @Test("A figure that falls is not flat, a small one within its slack is, and eleven values are too few")
  func boundsAreKept() throws {
    #expect(try !#require(Flatness((0..<12).map { 120 - 10 * $0 }, slack: 0)).isFlat)
    #expect(try #require(Flatness((0..<12).map { 10 + $0 / 4 }, slack: 2)).isFlat)
    #expect(try !#require(Flatness((0..<12).map { 10 + $0 / 4 }, slack: 1)).isFlat)
    #expect(Flatness([Int](repeating: 1, count: 11), slack: 0) == nil)
  }

  @Test("A soak that ends before it can be judged has not passed")
  func tooShortIsNotFlat() {
    let report = SoakReport(
      options: SoakOptions(), samples: [], counts: ControlCounts(), visits: 0, brokenChains: 0, faults: nil,
      result: nil)
    #expect(!report.isFlat && !report.passed && report.text.contains("flat: no"))
  }

  /// 360 values that vary by up to a tenth around `base`.
  private func noisy(seed: UInt64, _ base: (Int) -> Int) -> [Int] {
    var random = SplitMix64(seed: seed)
    return (0..<360).map { base($0) * (950 + random.below(100)) / 1000 }
  }
}
