// Random programs of several threads against the shadow, under the heap's own pace and under the switches that make it collect
// always, overwrite what it frees and check itself. A failure names its seed; TRICOLOR_TEST_SEED=N runs that seed again, and
// `tricolor-fuzz` makes the program smaller. The interleaving of threads is the one thing the seed does not decide.

import Glibc
import ShadowPrograms
import Testing

@Suite("Random programs against a shadow", .serialized)
struct ShadowTests {
  /// Sizes are for an unoptimised build; an optimised one does eight times as much.
  static let scale = isOptimised ? 8 : 1

  static let plans = [
    ShadowPlan(name: "natural pace", threads: 3, operations: 30_000 * scale, changesSettings: true),
    ShadowPlan(
      name: "natural pace, threads that come and go", threads: 3, operations: 30_000 * scale, lives: 60, clobbers: true,
      young: true),
    ShadowPlan(
      name: "clobberfree, delays, many markers", threads: 4, operations: 20_000 * scale, clobbers: true, growth: 20,
      extraMarkers: 3, delays: true, young: true),
    ShadowPlan(
      name: "one processor", threads: 2, operations: 20_000 * scale, clobbers: true, processors: 1, delays: true),
    ShadowPlan(
      name: "gcverify and gccheckmark", threads: 3, operations: 10_000 * scale, clobbers: true, verifies: true,
      checksMarks: true, young: true),
    ShadowPlan(
      name: "gcverify and gccheckmark, threads that come and go", threads: 3, operations: 10_000 * scale, lives: 20,
      clobbers: true, verifies: true, checksMarks: true),
    ShadowPlan(
      name: "four nodes, gcverify and gccheckmark, many markers", threads: 3, operations: 10_000 * scale, lives: 5,
      clobbers: true, verifies: true, checksMarks: true, extraMarkers: 2, nodes: 4),
    ShadowPlan(
      name: "two nodes, delays", threads: 3, operations: 20_000 * scale, clobbers: true, growth: 20, extraMarkers: 1,
      delays: true, changesSettings: true, nodes: 2),
    ShadowPlan(name: "gcstress", threads: 3, operations: 1_000 * scale, stress: true),
    ShadowPlan(
      name: "gcstress and clobberfree, threads that come and go", threads: 3, operations: 1_000 * scale, lives: 10,
      stress: true, clobbers: true, young: true),
  ]

  @Test("What is reachable keeps its identity, content and shape", arguments: plans)
  func program(plan: ShadowPlan) throws {
    let seed = ShadowTests.seed
    do {
      let statistics = try plan.run(seed: seed)
      #expect(statistics.cycles > 1, "no cycle ran beside the program: nothing was tested")
    } catch {
      Issue.record("\(error); again with TRICOLOR_TEST_SEED=\(seed)")
    }
  }

  /// Given by TRICOLOR_TEST_SEED, or another one in every run.
  private static let seed: UInt64 =
    getenv("TRICOLOR_TEST_SEED").flatMap { UInt64(String(cString: $0)) } ?? .random(in: 1...99_999_999)

  private static let isOptimised: Bool = {
    var isOptimised = true
    assert(
      {
        isOptimised = false
        return true
      }())
    return isOptimised
  }()
}

extension ShadowPlan: CustomTestStringConvertible {
  public var testDescription: String { name }
}
