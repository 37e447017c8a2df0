// The planner's own options.

import Harness

/// What a `planner` run works with.
struct PlannerOptions: Sendable {
  /// Rounds of all parts, when neither --duration nor --operations is given.
  var rounds = 10
  /// Expressions, and the rows each is evaluated over.
  var expressions = 64
  var rows = 1024
  /// Rows of the columns that statistics are derived of.
  var statisticsRows = 65_536
  /// Nodes of the syntax tree.
  var nodes = 10_000
  /// Relations joined by a query, different queries, plans a session caches.
  var relations = 10
  var queries = 1500
  var cachedPlans = 1000

  init() {}

  private static let defaults = PlannerOptions()
  static let roundsOption = WorkloadOption.integer(
    "rounds", 1...1_000_000, default: defaults.rounds, help: "rounds of all parts")
  static let expressionsOption = WorkloadOption.integer(
    "expressions", 1...100_000, default: defaults.expressions, help: "expressions evaluated in a round")
  static let rowsOption = WorkloadOption.integer(
    "rows", 1...1 << 20, default: defaults.rows, help: "rows each is evaluated over")
  static let statisticsOption = WorkloadOption.integer(
    "statistics-rows", 1...1 << 24, default: defaults.statisticsRows, help: "rows of a column with statistics")
  static let nodesOption = WorkloadOption.integer(
    "nodes", 1...1 << 20, default: defaults.nodes, help: "nodes of the syntax tree")
  static let relationsOption = WorkloadOption.integer(
    "relations", 2...14, default: defaults.relations, help: "relations joined by a query")
  static let queriesOption = WorkloadOption.integer(
    "queries", 1...1 << 24, default: defaults.queries, help: "different queries")
  static let cachedOption = WorkloadOption.integer(
    "cached-plans", 1...1 << 20, default: defaults.cachedPlans, help: "plans that a session keeps")
  static let table: [any AnyWorkloadOption] = [
    roundsOption, expressionsOption, rowsOption, statisticsOption, nodesOption, relationsOption, queriesOption,
    cachedOption,
  ]

  init(_ values: OptionValues) throws(UsageError) {
    rounds = try values.value(of: Self.roundsOption)
    expressions = try values.value(of: Self.expressionsOption)
    rows = try values.value(of: Self.rowsOption)
    statisticsRows = try values.value(of: Self.statisticsOption)
    nodes = try values.value(of: Self.nodesOption)
    relations = try values.value(of: Self.relationsOption)
    queries = try values.value(of: Self.queriesOption)
    cachedPlans = try values.value(of: Self.cachedOption)
  }
}
