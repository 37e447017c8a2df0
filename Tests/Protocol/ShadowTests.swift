// Random programs of several threads against the shadow, under the heap's own pace and under the switches that make it collect
// always and overwrite what it frees. A failure names its seed; TRICOLOR_TEST_SEED=N runs that seed again. The interleaving of
// threads is the one thing the seed does not decide.

import Glibc
import Testing
import Tricolor

@Suite("Random programs against a shadow", .serialized)
struct ShadowTests {
  /// How a program runs. Sizes are for an unoptimised build; an optimised one does eight times as much.
  struct Plan: Sendable, CustomTestStringConvertible {
    let name: String
    let threads: Int
    let operations: Int
    var lives = 1
    var stress = false
    var clobbers = false
    var verifies = false
    var growth: Int? = 100

    var testDescription: String { name }

    var configuration: Heap.Configuration {
      var configuration = Heap.Configuration()
      configuration.gcPercent = growth
      // Small, so that cycles follow each other without pause.
      configuration.settings.minimumHeap = 256 << 10
      configuration.settings.debug.gcStress = stress
      configuration.settings.debug.clobberFree = clobbers
      configuration.settings.debug.gcVerify = verifies
      configuration.settings.debug.gcCheckMark = verifies
      return configuration
    }
  }

  static let plans = [
    Plan(name: "natural pace", threads: 3, operations: 30_000),
    Plan(name: "natural pace, threads that come and go", threads: 3, operations: 30_000, lives: 60, clobbers: true),
    Plan(name: "clobberfree", threads: 4, operations: 20_000, clobbers: true, growth: 20),
    Plan(name: "gcverify and gccheckmark", threads: 3, operations: 10_000, clobbers: true, verifies: true),
    Plan(
      name: "gcverify and gccheckmark, threads that come and go", threads: 3, operations: 10_000, lives: 20,
      clobbers: true, verifies: true),
    Plan(name: "gcstress", threads: 3, operations: 1_000, stress: true),
    Plan(
      name: "gcstress and clobberfree, threads that come and go", threads: 3, operations: 1_000, lives: 10,
      stress: true, clobbers: true),
  ]

  @Test("What is reachable keeps its identity, content and shape", arguments: plans)
  func program(plan: Plan) throws {
    let seed = ShadowTests.seed
    do {
      let statistics = try ShadowTests.run(plan, seed: seed)
      #expect(statistics.cycles > 1, "no cycle ran beside the program: nothing was tested")
    } catch {
      Issue.record("\(error); again with TRICOLOR_TEST_SEED=\(seed)")
    }
  }

  /// Given by TRICOLOR_TEST_SEED, or another one in every run.
  private static let seed: UInt64 =
    getenv("TRICOLOR_TEST_SEED").flatMap { UInt64(String(cString: $0)) } ?? .random(in: 1...99_999_999)

  private static func run(_ plan: Plan, seed: UInt64) throws -> HeapStatistics {
    let heap = try Heap(configuration: plan.configuration)
    let world = try ShadowWorld(heap: heap)
    let operations = plan.operations * (isOptimised ? 8 : 1) / plan.lives
    try runThreads(plan.threads) { index in
      var part = try onOwnThread { try ShadowThread(seed: seed, index: index, world: world) }
      for _ in 0..<plan.lives {
        let before = part
        part = try onOwnThread {
          var part = before
          try part.run(operations: operations, comparingEvery: 5_000)
          return part
        }
      }
    }
    heap.collect()
    return heap.statistics
  }

  private static var isOptimised: Bool {
    var isOptimised = true
    assert(
      {
        isOptimised = false
        return true
      }())
    return isOptimised
  }
}
