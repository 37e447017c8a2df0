// The memo search finds the best plan, leaves nothing behind, and its cache forgets the right plans.

import Harness
import Testing
import Tricolor

@testable import Planner

@Suite("Search")
struct SearchTests {
  /// The cost of the cheapest of all join trees, by trying every one.
  private func cheapest(_ graph: JoinGraph, _ set: RelationSet) -> Double {
    if set.nonzeroBitCount == 1 { return graph.cardinality(set) }
    var best = Double.infinity
    for left in 1..<set where left & set == left && graph.isConnected(left) && graph.isConnected(set ^ left) {
      let children = cheapest(graph, left) + cheapest(graph, set ^ left)
      for method in JoinMethod.all {
        let own = JoinGraph.cost(
          method, left: graph.cardinality(left), right: graph.cardinality(set ^ left), out: graph.cardinality(set))
        best = min(best, children + own)
      }
    }
    return best
  }

  @Test("the plan found is the cheapest of all there are, and the shadow's", arguments: 2...6)
  func findsCheapest(_ relations: Int) throws {
    try testHeap().withMutator { mutator in
      for query in 0..<20 {
        let graph = JoinGraph(query: UInt64(query), relations: relations)
        var memo = try Memo(graph, mutator)
        let plan = try mutator.makePlan(try memo.search())
        #expect(plan.cost == graph.bestCost() && plan.isSound(graph), "query \(query)")
        #expect(abs(plan.cost - cheapest(graph, graph.all)) <= 1e-9 * plan.cost, "query \(query)")
        #expect(memo.counts.alternatives == 3 * memo.counts.expressions)
      }
    }
  }

  @Test("a plan whose cost, link or relations are wrong is not sound")
  func findsWrongPlans() throws {
    try testHeap().withMutator { mutator in
      let graph = JoinGraph(query: 9, relations: 4)
      var memo = try Memo(graph, mutator)
      let group = try memo.search()
      let plan = try mutator.makePlan(group)
      plan.cost += 1
      #expect(!plan.isSound(graph))
      let unlinked = try mutator.makePlan(group)
      unlinked.left!.parent = nil
      #expect(!unlinked.isSound(graph))
      let twice = try mutator.makePlan(group)
      twice.right = twice.left
      #expect(!twice.isSound(graph))
    }
  }

  @Test("a memo, full of cycles, dies with its search while the plan lives")
  func memoDies() throws {
    let heap = try testHeap()
    let (group, plan) = try heap.withMutator { mutator in try SearchTests.search(mutator) }
    heap.collect()
    heap.withMutator { mutator in
      #expect(group.get(mutator)!.referent == nil)
      #expect(plan.get(mutator)!.isSound(JoinGraph(query: 4, relations: 6)))
    }
  }

  @inline(never)
  private static func search(_ mutator: Mutator) throws -> (Root<Weak<Group>>, Root<Plan>) {
    var memo = try Memo(JoinGraph(query: 4, relations: 6), mutator)
    let group = try memo.search()
    return (mutator.root(try mutator.makeWeak(group)), mutator.root(try mutator.makePlan(group)))
  }

  @Test("a full cache forgets the plan that was used longest ago, and says what its shadow does")
  func cacheForgets() throws {
    try testHeap().withMutator { mutator in
      let cache = try PlanCache.make(capacity: 5, mutator)
      var plain = PlainCache(capacity: 5)
      var random = SplitMix64(seed: 8)
      for _ in 0..<2000 {
        let query = UInt64(random.below(12))
        let plan = cache.find(query)
        #expect((plan != nil) == plain.use(query))
        if plan == nil {
          try cache.insert(query, try mutator.make(emptyPlan(cost: Double(query))), mutator)
        } else {
          #expect(plan!.cost == Double(query))
        }
        #expect(cache.count == plain.queries.count && cache.newest!.query == query)
      }
      var order: [UInt64] = []
      var entry = cache.newest
      while let next = entry {
        order.append(next.query)
        entry = next.older
      }
      #expect(order == plain.queries && cache.oldest!.query == order.last)
    }
  }

  private func emptyPlan(cost: Double) -> Plan {
    Plan(relations: 1, method: .hash, rows: 1, cost: cost, parent: nil)
  }
}
