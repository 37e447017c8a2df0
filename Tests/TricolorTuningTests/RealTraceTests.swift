// Advice from traces of a real etcd, held against what the same etcd did under the same load with other settings. How the traces were made, and where
// the limits of survival come from, is in Fixtures/README.md.

import Testing

@testable import TricolorTuning

@Suite("Traces of etcd")
struct RealTraceTests {
  struct Pair: Sendable, CustomTestStringConvertible {
    /// The trace that the prediction is made from, the setting, and the trace that was recorded with it.
    let from: String
    let setting: GoSetting
    let measured: String

    var testDescription: String { "\(from) predicts \(measured)" }
  }

  private static func pair(_ from: String, _ gcPercent: Int?, _ limit: Int?, _ measured: String) -> Pair {
    Pair(
      from: "etcd-" + from, setting: GoSetting(gcPercent: gcPercent, limit: limit.map { $0 << 20 }),
      measured: "etcd-" + measured)
  }

  @Test(
    "predicted processor time of collection is within a fifth of what was measured",
    arguments: [
      pair("steady-100", 50, nil, "steady-50"), pair("steady-100", 200, nil, "steady-200"),
      pair("steady-50", 100, nil, "steady-100"), pair("steady-50", 200, nil, "steady-200"),
      pair("steady-200", 100, nil, "steady-100"), pair("steady-200", 50, nil, "steady-50"),
      pair("steady-100-later", nil, 500, "steady-off-500"), pair("steady-100-later", 100, 250, "steady-100-250"),
      pair("steady-100-250", nil, 500, "steady-off-500"), pair("steady-100-250", 100, nil, "steady-100-later"),
    ])
  func cost(_ pair: Pair) throws {
    let advisor = try TraceAdvisor(try Fixture.trace(pair.from))
    let predicted = advisor.cpuFraction(advisor.replay(pair.setting))
    let measured = try TraceAdvisor(try Fixture.trace(pair.measured)).estimate.cpuFraction
    #expect(abs(predicted / measured - 1) <= 0.2, "\(predicted) predicted, \(measured) measured")
  }

  @Test("an etcd's own setting is found in its goals, and the model gives its own cost back")
  func ownSetting() throws {
    for (name, percent) in [("etcd-steady-50", 50), ("etcd-steady-100", 100), ("etcd-steady-200", 200)] {
      let advice = try TraceAdvisor(try Fixture.trace(name)).advice(memory: 1 << 30)
      let found = try #require(advice.estimate.gcPercent)
      #expect(abs(found - percent) <= percent / 20, "\(found) for \(name)")
      let check = try #require(advice.selfCheck)
      #expect(abs(check - 1) <= 0.1, "\(check) for \(name)")
    }
  }

  @Test(
    "the smallest safe limit is within a tenth of the smallest that etcd survived, and it survives the most careful one",
    arguments: [
      ("etcd-steady-50", 177), ("etcd-steady-100", 177), ("etcd-steady-200", 177), ("etcd-storm2-50", 680),
      ("etcd-storm4-50", 1180),
    ])
  func smallest(_ name: String, _ survived: Int) throws {
    let safe = try TraceAdvisor(try Fixture.trace(name)).smallestSafe
    let mebibytes = safe.likely / 1_048_576
    #expect(abs(mebibytes / Double(survived) - 1) <= 0.1, "\(mebibytes) MiB for \(name)")
    #expect(safe.most >= Double(survived << 20), "\(safe.most / 1_048_576) MiB at most for \(name)")
  }
}
