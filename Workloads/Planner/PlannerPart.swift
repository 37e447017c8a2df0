// The parts of a round, and what each has cost so far.

import Harness
import Tricolor

/// What a round consists of, in this order.
enum PlannerPart: Int, CaseIterable {
  case boxedEvaluation, taggedEvaluation, typedEvaluation
  case boxedStatistics, typedStatistics
  case reflectiveWalk, keyPathWalk, offsetWalk
  case planning

  /// The kind of operation, for latencies. Planning has one more: `cachedKind`.
  var kind: Int { rawValue }
  static let cachedKind = PlannerPart.allCases.count

  static let kindNames = [
    "boxed evaluation", "tagged evaluation", "typed evaluation", "boxed statistics", "typed statistics",
    "walk by reflection", "walk by key path", "walk by offset", "plan", "cached plan",
  ]
}

/// What one client did of a part.
struct PartWork: Sendable {
  /// Nodes visited, values read, or queries planned.
  var items = 0
  /// CPU time of the client's thread.
  var nanoseconds: UInt64 = 0
  /// Results that were not what the shadow says.
  var wrong = 0
  /// Of all results.
  var checksum: UInt64 = 0
  var cached = 0
  var search = SearchCounts()

  mutating func add(_ other: PartWork) {
    items += other.items
    nanoseconds += other.nanoseconds
    wrong += other.wrong
    checksum &+= other.checksum
    cached += other.cached
    search.groups += other.search.groups
    search.expressions += other.search.expressions
    search.alternatives += other.search.alternatives
  }
}

/// What a part has cost over all rounds and clients.
struct PartCost: Sendable {
  var work = PartWork()
  var heap = HeapInterval()

  /// CPU nanoseconds for an item: of the clients, their assists and sweeping included.
  var threadNanoseconds: Double { perItem(Double(work.nanoseconds)) }
  /// CPU nanoseconds for an item: of the collector's own threads.
  var collectorNanoseconds: Double { perItem(Double(heap.collectorNanoseconds)) }
  var totalNanoseconds: Double { threadNanoseconds + collectorNanoseconds }

  func perItem(_ total: Double) -> Double { work.items == 0 ? 0 : total / Double(work.items) }

  /// Costs of an item, in the words of the report.
  func figures(_ item: String) -> JSONValue {
    .object([
      .init(item + "s", .integer(work.items)),
      .init("nanosecondsPer\(item.first!.uppercased())\(item.dropFirst())", .float(threadNanoseconds)),
      .init("collectorNanoseconds", .float(collectorNanoseconds)),
      .init("assistNanoseconds", .float(perItem(Double(heap.assistNanoseconds)))),
      .init("allocations", .float(perItem(Double(heap.allocatedObjects)))),
      .init("allocatedBytes", .float(perItem(Double(heap.allocatedBytes)))),
      .init("cycles", .integer(heap.cycles)),
    ])
  }
}
