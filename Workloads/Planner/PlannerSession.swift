// What one client works on: its own expressions, columns, tree and plan cache on the managed heap, held by roots between the parts of a
// round, and the shadow of each outside it.

import Harness
import Tricolor
import TricolorPlatform

/// A client's data. Used by one thread at a time.
final class PlannerSession: Sendable {
  private let options: PlannerOptions
  private let expressions: Root<ReferenceArray<Expression>>
  private let chunk: Root<ReferenceArray<Column>>
  private let columns: Root<ReferenceArray<Column>>
  private let tree: Root<SyntaxNode>
  private let cache: Root<PlanCache>
  private let outcomes: [PlainOutcome]
  private let statistics: [PlainStatistics]
  private let treeChecksum: UInt64
  nonisolated(unsafe) private let paths = SyntaxPaths()
  nonisolated(unsafe) private let offsets: UnsafeMutablePointer<SyntaxOffsets>
  nonisolated(unsafe) private var plainCache: PlainCache
  nonisolated(unsafe) private var bestCosts: [UInt64: Double] = [:]
  nonisolated(unsafe) private var random: SplitMix64

  /// Everything made, or nil when the user interrupts meanwhile.
  init?(_ options: PlannerOptions, seed: UInt64, _ context: RunContext, _ mutator: Mutator) throws(OutOfMemory) {
    var random = SplitMix64(seed: seed)
    let plain = PlainColumns(rows: options.rows, &random)
    let expressions = try mutator.makeArray(of: Expression.self, count: options.expressions)
    var outcomes: [PlainOutcome] = []
    for index in 0..<options.expressions {
      if context.isInterrupted { return nil }
      let type: ValueType = index % 2 == 0 ? .truth : PlainColumns.types[index / 2 % PlainColumns.types.count]
      let expression = PlainExpression.make(type, depth: 4, &random)
      outcomes.append(PlainOutcome(expression, plain))
      expressions[index] = try expression.make(mutator)
    }
    self.outcomes = outcomes
    self.expressions = mutator.root(expressions)
    chunk = mutator.root(try plain.makeChunk(mutator))
    statistics = PlainStatistics.makeAll(rows: options.statisticsRows, &random)
    if context.isInterrupted { return nil }
    let columns = try mutator.makeArray(of: Column.self, count: statistics.count)
    for (index, column) in statistics.enumerated() { columns[index] = try column.makeColumn(mutator) }
    self.columns = mutator.root(columns)
    var maker = SyntaxMaker(random: random)
    tree = mutator.root(try maker.make(size: options.nodes, mutator))
    treeChecksum = maker.checksum
    cache = mutator.root(try PlanCache.make(capacity: options.cachedPlans, mutator))
    plainCache = PlainCache(capacity: options.cachedPlans)
    offsets = .allocate(capacity: 1)
    offsets.initialize(to: SyntaxOffsets())
    self.random = maker.random
    self.options = options
  }

  deinit {
    offsets.deinitialize(count: 1)
    offsets.deallocate()
  }

  /// One round's share of a part.
  func run(_ part: PlannerPart, _ client: Client, _ mutator: Mutator) throws -> PartWork {
    switch part {
    case .boxedEvaluation:
      try evaluate(part, client, mutator) { (expression, chunk) throws(OutOfMemory) in
        try BoxedEvaluation.checksum(expression, chunk, rows: options.rows, mutator)
      }
    case .taggedEvaluation:
      evaluate(part, client, mutator) { TaggedEvaluation.checksum($0, $1, rows: options.rows, mutator) }
    case .typedEvaluation:
      evaluate(part, client, mutator) { TypedEvaluation.checksum($0, $1, rows: options.rows, mutator) }
    case .boxedStatistics:
      try derive(part, client, mutator) { try BoxedDerivation.derive($0, rows: options.statisticsRows, mutator) }
    case .typedStatistics:
      try derive(part, client, mutator) { try TypedDerivation.derive($0, rows: options.statisticsRows, mutator) }
    case .reflectiveWalk: walk(part, times: 1, client, mutator) { SyntaxWalk.byReflection($0, 0, mutator) }
    case .keyPathWalk: walk(part, times: 10, client, mutator) { SyntaxWalk.byKeyPath($0, paths, 0, mutator) }
    case .offsetWalk: walk(part, times: 50, client, mutator) { SyntaxWalk.byOffset($0, offsets.pointee, 0, mutator) }
    case .planning: try plan(client, mutator)
    }
  }

  /// Runs and times `body`, an operation of the client.
  @inline(__always)
  private func time<R, E: Error>(
    _ kind: Int, _ client: Client, _ work: inout PartWork, _ body: () throws(E) -> R
  ) throws(E) -> R {
    let cpu = Clock.threadCPU()
    let began = Clock.monotonic()
    let result = try body()
    client.record(kind: kind, nanoseconds: Clock.monotonic() - began)
    work.nanoseconds += Clock.threadCPU() - cpu
    return result
  }

  // MARK: Parts

  private func evaluate<E: Error>(
    _ part: PlannerPart, _ client: Client, _ mutator: Mutator,
    _ checksum: (Reference<Expression>, RowChunk) throws(E) -> UInt64
  ) throws(E) -> PartWork {
    var work = PartWork()
    let expressions = self.expressions.get(mutator)!
    let chunk = self.chunk.get(mutator)!
    for (index, outcome) in outcomes.enumerated() where !client.shouldStop {
      let found = try time(part.kind, client, &work) { () throws(E) in try checksum(expressions[index]!, chunk) }
      work.note(found, expected: outcome.checksum, items: outcome.nodes)
    }
    return work
  }

  private func derive(
    _ part: PlannerPart, _ client: Client, _ mutator: Mutator,
    _ derive: (Reference<Column>) throws -> Reference<ColumnStatistics>
  ) throws -> PartWork {
    var work = PartWork()
    let columns = self.columns.get(mutator)!
    for (index, column) in statistics.enumerated() where !client.shouldStop {
      let found = try time(part.kind, client, &work) { try derive(columns[index]!) }
      work.note(found.checksum, expected: column.checksum, items: options.statisticsRows)
    }
    return work
  }

  private func walk(
    _ part: PlannerPart, times: Int, _ client: Client, _ mutator: Mutator, _ walk: (Syntax) -> UInt64
  ) -> PartWork {
    var work = PartWork()
    let tree = self.tree.get(mutator)!
    for _ in 0..<times where !client.shouldStop {
      let found = time(part.kind, client, &work) { walk(tree) }
      work.note(found, expected: treeChecksum, items: options.nodes)
    }
    return work
  }

  private static let queriesInRound = 20

  /// Asks for plans; small numbers of queries are asked for more often.
  private func plan(_ client: Client, _ mutator: Mutator) throws(OutOfMemory) -> PartWork {
    var work = PartWork()
    for _ in 0..<PlannerSession.queriesInRound where !client.shouldStop {
      let query = UInt64(random.below(random.below(options.queries) + 1))
      let cost =
        plainCache.use(query)
        ? try cachedPlan(query, client, &work, mutator) : try newPlan(query, client, &work, mutator)
      work.checksum &+= Checksum.mix(cost.bitPattern)
    }
    return work
  }

  private func cachedPlan(
    _ query: UInt64, _ client: Client, _ work: inout PartWork, _ mutator: Mutator
  ) throws(OutOfMemory) -> Double {
    let cache = self.cache.get(mutator)!
    let began = Clock.monotonic()
    let plan = cache.find(query)
    client.record(kind: PlannerPart.cachedKind, nanoseconds: Clock.monotonic() - began)
    work.cached += 1
    guard let plan, plan.cost == bestCosts[query] else {
      work.wrong += 1
      return 0
    }
    return plan.cost
  }

  private func newPlan(
    _ query: UInt64, _ client: Client, _ work: inout PartWork, _ mutator: Mutator
  ) throws(OutOfMemory) -> Double {
    let graph = JoinGraph(query: query, relations: options.relations)
    let cache = self.cache.get(mutator)!
    var counts = SearchCounts()
    let plan = try time(PlannerPart.planning.kind, client, &work) { () throws(OutOfMemory) in
      if let plan = cache.find(query) { return plan }
      var memo = try Memo(graph, mutator)
      let plan = try mutator.makePlan(try memo.search())
      counts = memo.counts
      try cache.insert(query, plan, mutator)
      return plan
    }
    work.items += 1
    work.search.groups += counts.groups
    work.search.expressions += counts.expressions
    work.search.alternatives += counts.alternatives
    let best = mutator.blocking { bestCosts[query] ?? graph.bestCost() }
    bestCosts[query] = best
    // A plan that was there although the shadow had let it go was searched for nothing of.
    if counts.groups == 0 || plan.cost != best || !plan.isSound(graph) { work.wrong += 1 }
    return plan.cost
  }

  // MARK: The check

  /// Whether the cache holds what its shadow does, in order of use, each with the best cost.
  func cacheIsRight(_ mutator: Mutator) -> Bool {
    let cache = self.cache.get(mutator)!
    var entry = cache.newest
    var newer: Reference<CachedPlan>? = nil
    for query in plainCache.queries {
      mutator.poll()
      guard let found = entry, found.query == query, found.newer == newer, found.plan?.cost == bestCosts[query],
        found.plan!.isSound(JoinGraph(query: query, relations: options.relations))
      else { return false }
      newer = found
      entry = found.older
    }
    return entry == nil && cache.oldest == newer && cache.count == plainCache.queries.count
  }
}

extension PartWork {
  /// A result is there.
  mutating func note(_ found: UInt64, expected: UInt64, items: Int) {
    self.items += items
    checksum &+= found
    if found != expected { wrong += 1 }
  }
}
