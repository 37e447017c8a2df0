// A finished plan: copied out of the memo, so that the memo can die, with a link from each operator to the one above it.

import Tricolor

struct Plan: Managed {
  static let slot = TypeSlot()
  var relations: RelationSet
  var method: JoinMethod
  var rows: Double
  var cost: Double
  var parent: Reference<Plan>?
  var left: Reference<Plan>? = nil
  var right: Reference<Plan>? = nil
}

extension Mutator {
  /// The best plan of a group that was searched.
  func makePlan(_ group: Reference<Group>, under parent: Reference<Plan>? = nil) throws(OutOfMemory) -> Reference<Plan>
  {
    let best = group.best!
    let plan = try make(
      Plan(relations: group.relations, method: best.method, rows: group.rows, cost: group.bestCost, parent: parent))
    if let expression = best.expression {
      plan.left = try makePlan(expression.left!, under: plan)
      plan.right = try makePlan(expression.right!, under: plan)
    }
    return plan
  }
}

extension Reference where Target == Plan {
  /// Whether it joins every relation once, its links are right, and its costs are those of the query `graph`.
  func isSound(_ graph: JoinGraph, under parent: Reference<Plan>? = nil) -> Bool {
    guard self.parent == parent, self.rows == graph.cardinality(self.relations) else { return false }
    guard let left = self.left, let right = self.right else {
      return self.relations.nonzeroBitCount == 1 && self.cost == self.rows
    }
    let own = JoinGraph.cost(self.method, left: left.rows, right: right.rows, out: self.rows)
    return left.relations & right.relations == 0 && left.relations | right.relations == self.relations
      && self.cost == left.cost + right.cost + own && left.isSound(graph, under: self)
      && right.isSound(graph, under: self)
  }
}
