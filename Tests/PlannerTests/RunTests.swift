// Whole runs of the planner.

import Harness
import Testing
import Tricolor

@testable import Planner

@Suite("Runs of the planner", .serialized)
struct PlannerRunTests {
  private static let small = {
    var options = PlannerOptions()
    options.rounds = 2
    options.expressions = 16
    options.rows = 40
    options.statisticsRows = 500
    options.nodes = 300
    options.relations = 5
    options.queries = 30
    options.cachedPlans = 10
    return options
  }()

  private func run(
    _ options: PlannerOptions = small, threads: Int = 2, seed: UInt64 = 7, extent: Extent = .natural
  ) throws -> WorkloadResult {
    let context = RunContext(
      heap: try testHeap(), threads: threads, seed: seed, extent: extent, kinds: PlannerWorkload.kinds)
    return try PlannerWorkload(options).run(context)
  }

  @Test("a seed gives the same results each time, another seed others")
  func isDeterministic() throws {
    let one = try run()
    let again = try run()
    let other = try run(seed: 8)
    #expect(one.verified && again.verified && other.verified, "\(one.figures.text())")
    #expect(one.figures["checksum"] != nil && one.figures["checksum"] == again.figures["checksum"])
    #expect(one.figures["checksum"] != other.figures["checksum"])
  }

  @Test("every ratio is there, and boxes are what allocates")
  func reportsRatios() throws {
    let figures = try run().figures
    for (part, keys) in [
      ("expressions", ["boxedOverTyped", "taggedOverTyped", "heapShareOfBoxed", "collectorShareOfBoxed"]),
      ("statistics", ["boxedOverTyped"]), ("syntaxTree", ["reflectionOverOffset", "keyPathOverOffset"]),
      ("plans", ["planned", "fromCache", "plansPerCPUSecond", "collectorShare"]),
    ] {
      for key in keys { #expect(figures[part]?[key] != nil, "\(part) \(key)") }
    }
    guard case .float(let boxed)? = figures["expressions"]?["boxed"]?["allocations"],
      case .float(let typed)? = figures["expressions"]?["typed"]?["allocations"]
    else {
      Issue.record("no allocations in \(figures.text())")
      return
    }
    #expect(boxed > 0.5 && abs(typed) < 0.1)
  }

  @Test("a number of operations ends a round early, and the data is right")
  func endsByOperations() throws {
    let result = try run(threads: 1, extent: .operations(40))
    #expect(result.verified)
    #expect(result.figures["rounds"] != .integer(2))
  }

  @Test(
    "values out of bounds are refused with the option's name",
    arguments: [("rows", "0"), ("relations", "15"), ("relations", "1"), ("nodes", "x"), ("rounds", "0")])
  func refuses(name: String, value: String) {
    let error = #expect(throws: UsageError.self) {
      try PlannerOptions(OptionValues(["--\(name)=\(value)"], of: "planner", table: PlannerOptions.table))
    }
    #expect(error?.description.hasPrefix("--\(name): ") == true)
  }
}
