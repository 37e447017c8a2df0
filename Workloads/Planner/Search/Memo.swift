// Search for the best plan over a memo: a group for every set of relations that can be joined, in it an expression for every way to
// split the set in two groups, for every expression a physical alternative for every method. Graefe, "The Cascades framework for query
// optimization", 1995, top-down with groups explored once.
//
// The memo is a graph full of cycles: a group lists its expressions, an expression knows its group and the two it joins, and a group
// lists the expressions that use it. All of it is garbage when the plan has been copied out: what an optimiser in C++ frees as an
// arena, and reference counting can not free at all without breaking every cycle by hand.

import Harness
import Tricolor

struct Group: Managed {
  static let slot = TypeSlot()
  var relations: RelationSet
  var rows: Double
  var bestCost: Double
  var best: Reference<Alternative>? = nil
  var expressions: Reference<GroupExpression>? = nil
  var users: Reference<GroupUse>? = nil
}

struct GroupExpression: Managed {
  static let slot = TypeSlot()
  var group: Reference<Group>?
  var next: Reference<GroupExpression>?
  var left: Reference<Group>?
  var right: Reference<Group>?
  var alternatives: Reference<Alternative>? = nil
}

/// An entry in a group's list of the expressions that use it.
struct GroupUse: Managed {
  static let slot = TypeSlot()
  var user: Reference<GroupExpression>?
  var next: Reference<GroupUse>?
}

/// A physical way to compute an expression, or to scan a relation.
struct Alternative: Managed {
  static let slot = TypeSlot()
  var method: JoinMethod
  var cost: Double
  var expression: Reference<GroupExpression>?
  var next: Reference<Alternative>?
}

/// What a search went through.
struct SearchCounts: Sendable {
  var groups = 0
  var expressions = 0
  var alternatives = 0
}

/// One search. Lives on the stack of the thread that plans.
struct Memo: ~BitwiseCopyable {
  private let graph: JoinGraph
  private let groups: Reference<ReferenceArray<Group>>
  private let mutator: Mutator
  private(set) var counts = SearchCounts()

  init(_ graph: JoinGraph, _ mutator: Mutator) throws(OutOfMemory) {
    self.graph = graph
    self.mutator = mutator
    groups = try mutator.makeArray(of: Group.self, count: 1 << graph.relations)
  }

  /// The group of all relations, explored, with its best alternative.
  mutating func search() throws(OutOfMemory) -> Reference<Group> { try group(graph.all) }

  /// The group of a connected set, made and explored when it is first asked for.
  private mutating func group(_ set: RelationSet) throws(OutOfMemory) -> Reference<Group> {
    if let group = groups[Int(set)] { return group }
    let group = try mutator.make(Group(relations: set, rows: graph.cardinality(set), bestCost: .infinity))
    groups[Int(set)] = group
    counts.groups += 1
    if set.nonzeroBitCount == 1 {
      group.bestCost = group.rows
      group.best = try mutator.make(Alternative(method: .hash, cost: group.rows, expression: nil, next: nil))
    } else {
      try explore(group)
    }
    return group
  }

  /// All splits of the group in two connected sets. Both orders: methods treat their sides differently.
  private mutating func explore(_ group: Reference<Group>) throws(OutOfMemory) {
    let set = group.relations
    var left = (set - 1) & set
    while left != 0 {
      mutator.poll()
      let right = set ^ left
      if graph.isConnected(left) && graph.isConnected(right) {
        let expression = try add(to: group, try self.group(left), try self.group(right))
        try implement(expression)
      }
      left = (left - 1) & set
    }
  }

  private mutating func add(
    to group: Reference<Group>, _ left: Reference<Group>, _ right: Reference<Group>
  ) throws(OutOfMemory) -> Reference<GroupExpression> {
    let expression = try mutator.make(
      GroupExpression(group: group, next: group.expressions, left: left, right: right))
    group.expressions = expression
    left.users = try mutator.make(GroupUse(user: expression, next: left.users))
    right.users = try mutator.make(GroupUse(user: expression, next: right.users))
    counts.expressions += 1
    return expression
  }

  private mutating func implement(_ expression: Reference<GroupExpression>) throws(OutOfMemory) {
    let (group, left, right) = (expression.group!, expression.left!, expression.right!)
    for method in JoinMethod.all {
      let own = JoinGraph.cost(method, left: left.rows, right: right.rows, out: group.rows)
      let alternative = try mutator.make(
        Alternative(
          method: method, cost: left.bestCost + right.bestCost + own, expression: expression,
          next: expression.alternatives))
      expression.alternatives = alternative
      counts.alternatives += 1
      if alternative.cost < group.bestCost {
        group.bestCost = alternative.cost
        group.best = alternative
      }
    }
  }
}
