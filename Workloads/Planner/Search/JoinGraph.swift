// A query to plan: relations with sizes and the predicates that join them. Plain data outside the managed heap, from which both the
// search and its shadow compute costs, so that they can be compared to the bit.
//
// Costs are those of textbooks: a hash join reads both sides and builds the right one, a merge join sorts both, nested loops read the
// right side once a row of the left.

import Glibc
import Harness

/// A set of relations, a bit each.
typealias RelationSet = UInt32

/// How two inputs are joined.
enum JoinMethod: UInt8 {
  case hash, merge, nestedLoops

  static let all: [JoinMethod] = [.hash, .merge, .nestedLoops]
}

/// Relations and join predicates of one query.
struct JoinGraph: Sendable {
  let relations: Int
  /// Rows of each relation.
  let rows: [Double]
  /// For each relation the others it is joined with.
  let neighbours: [RelationSet]
  private let predicates: [(first: Int, second: Int, selectivity: Double)]

  /// The query with this number: a spanning tree of predicates and half as many more.
  init(query: UInt64, relations: Int) {
    var random = SplitMix64(seed: Checksum.mix(query) ^ query)
    self.relations = relations
    rows = (0..<relations).map { _ in Double(10 + random.below(1_000_000)) }
    var neighbours = [RelationSet](repeating: 0, count: relations)
    var predicates: [(Int, Int, Double)] = []
    func connect(_ first: Int, _ second: Int, _ random: inout SplitMix64) {
      if first == second || neighbours[first] >> UInt32(second) & 1 == 1 { return }
      neighbours[first] |= 1 << UInt32(second)
      neighbours[second] |= 1 << UInt32(first)
      predicates.append((first, second, 1 / Double(1 + random.below(100_000))))
    }
    for relation in 1..<relations { connect(relation, random.below(relation), &random) }
    for _ in 0..<relations / 2 { connect(random.below(relations), random.below(relations), &random) }
    self.neighbours = neighbours
    self.predicates = predicates
  }

  var all: RelationSet { (1 << RelationSet(relations)) - 1 }

  /// Rows of the join of `set`.
  func cardinality(_ set: RelationSet) -> Double {
    var result = 1.0
    for relation in 0..<relations where set >> UInt32(relation) & 1 == 1 { result *= rows[relation] }
    for predicate in predicates
    where set >> UInt32(predicate.first) & 1 == 1 && set >> UInt32(predicate.second) & 1 == 1 {
      result *= predicate.selectivity
    }
    return max(1, result)
  }

  /// Whether predicates connect all relations of `set`.
  func isConnected(_ set: RelationSet) -> Bool {
    var reached = set & (0 &- set)
    while true {
      let next = reached | (neighbours(of: reached) & set)
      if next == reached { return reached == set }
      reached = next
    }
  }

  /// Relations that are joined with one of `set`.
  func neighbours(of set: RelationSet) -> RelationSet {
    var result: RelationSet = 0
    var rest = set
    while rest != 0 {
      result |= neighbours[rest.trailingZeroBitCount]
      rest &= rest - 1
    }
    return result
  }

  /// What joining inputs of so many rows costs by itself.
  @inline(__always)
  static func cost(_ method: JoinMethod, left: Double, right: Double, out: Double) -> Double {
    switch method {
    case .hash: left + 3 * right + out
    case .merge: 0.1 * (left * log2(left + 2) + right * log2(right + 2)) + out
    case .nestedLoops: left * right * 0.01 + out
    }
  }

  /// The cost of the best plan, by dynamic programming over all connected sets (Moerkotte and Neumann's DPsub, VLDB 2006).
  func bestCost() -> Double {
    var costs = [Double](repeating: .infinity, count: Int(all) + 1)
    var sizes = [Double](repeating: 0, count: Int(all) + 1)
    for set in 1...all where isConnected(set) {
      sizes[Int(set)] = cardinality(set)
      if set.nonzeroBitCount == 1 {
        costs[Int(set)] = sizes[Int(set)]
        continue
      }
      var left = (set - 1) & set
      while left != 0 {
        let right = set ^ left
        if costs[Int(left)] < .infinity && costs[Int(right)] < .infinity {
          for method in JoinMethod.all {
            let own = JoinGraph.cost(
              method, left: sizes[Int(left)], right: sizes[Int(right)], out: sizes[Int(set)])
            costs[Int(set)] = min(costs[Int(set)], costs[Int(left)] + costs[Int(right)] + own)
          }
        }
        left = (left - 1) & set
      }
    }
    return costs[Int(all)]
  }
}
