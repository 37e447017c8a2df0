// The planner's own figures: for each part what an item costs, and the ratios between variants with the heap's share in them.

import Harness
import Tricolor

/// What a planner's run found.
struct PlannerFigures {
  let costs: [PartCost]
  let rounds: Int
  let settings: PlannerOptions

  init(costs: [PartCost], rounds: Int, _ settings: PlannerOptions) {
    self.costs = costs
    self.rounds = rounds
    self.settings = settings
  }

  var json: JSONValue {
    .object([
      .init("rounds", .integer(rounds)),
      .init("expressions", expressions),
      .init("statistics", statistics),
      .init("syntaxTree", syntaxTree),
      .init("plans", plans),
      .init("checksum", .string(String(costs.reduce(UInt64(0)) { $0 &+ $1.work.checksum }, radix: 16))),
      .init("wrongResults", .integer(costs.reduce(0) { $0 + $1.work.wrong })),
    ])
  }

  private func cost(_ part: PlannerPart) -> PartCost { costs[part.rawValue] }

  private func ratio(_ slow: PlannerPart, _ fast: PlannerPart) -> JSONValue {
    .ratio(cost(slow).totalNanoseconds, cost(fast).totalNanoseconds)
  }

  /// An item is a node visited for a row.
  private var expressions: JSONValue {
    let (boxed, tagged) = (cost(.boxedEvaluation), cost(.taggedEvaluation))
    return .object([
      .init("boxed", boxed.figures("node")), .init("tagged", tagged.figures("node")),
      .init("typed", cost(.typedEvaluation).figures("node")),
      .init("boxedOverTyped", ratio(.boxedEvaluation, .typedEvaluation)),
      .init("taggedOverTyped", ratio(.taggedEvaluation, .typedEvaluation)),
      // What boxes cost beyond tags is the heap's: making, filling, reading and collecting them.
      .init(
        "heapShareOfBoxed", .ratio(boxed.totalNanoseconds - tagged.totalNanoseconds, boxed.totalNanoseconds)),
      .init("collectorShareOfBoxed", .ratio(collector(boxed), boxed.totalNanoseconds)),
    ])
  }

  /// CPU time of an item that is the collector's, whoever paid.
  private func collector(_ cost: PartCost) -> Double {
    cost.collectorNanoseconds + cost.perItem(Double(cost.heap.assistNanoseconds))
  }

  /// An item is a value of a column.
  private var statistics: JSONValue {
    let boxed = cost(.boxedStatistics)
    return .object([
      .init("boxed", boxed.figures("value")), .init("typed", cost(.typedStatistics).figures("value")),
      .init("boxedOverTyped", ratio(.boxedStatistics, .typedStatistics)),
      .init("collectorShareOfBoxed", .ratio(collector(boxed), boxed.totalNanoseconds)),
    ])
  }

  /// An item is a node of the tree.
  private var syntaxTree: JSONValue {
    .object([
      .init("reflection", cost(.reflectiveWalk).figures("node")),
      .init("keyPath", cost(.keyPathWalk).figures("node")),
      .init("offset", cost(.offsetWalk).figures("node")),
      .init("reflectionOverOffset", ratio(.reflectiveWalk, .offsetWalk)),
      .init("keyPathOverOffset", ratio(.keyPathWalk, .offsetWalk)),
    ])
  }

  /// An item is a query that was planned, not found in the cache.
  private var plans: JSONValue {
    let planning = cost(.planning)
    let work = planning.work
    return .object([
      .init("planned", .integer(work.items)), .init("fromCache", .integer(work.cached)),
      .init("relations", .integer(settings.relations)),
      .init("groups", .float(planning.perItem(Double(work.search.groups)))),
      .init("expressions", .float(planning.perItem(Double(work.search.expressions)))),
      .init("alternatives", .float(planning.perItem(Double(work.search.alternatives)))),
      .init("cost", planning.figures("plan")),
      .init("plansPerCPUSecond", .ratio(1e9, planning.totalNanoseconds)),
      .init("collectorShare", .ratio(collector(planning), planning.totalNanoseconds)),
    ])
  }
}
