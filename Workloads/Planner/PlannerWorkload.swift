// planner: what a query planner does to a heap. Expressions are evaluated with a box for every value, with tagged values and by type;
// statistics of columns are derived through boxes and by generics; a syntax tree is walked by reflection, by key paths and by offsets; and
// queries are planned by a memo search whose memo, full of cycles, is garbage when the plan is there, beside a cache of plans.
//
// The variants of a part do the same work on the same data and must yield the same results, which a shadow outside the heap has computed
// beforehand. They take turns in short rounds, so that a slow moment of the machine meets all of them; costs are CPU time, of the client
// threads and of the collector separately, which is how the heap's part in each ratio shows.

import Harness
import Tricolor

/// `tricolor run planner`.
public struct PlannerWorkload: Workload {
  public static let name = "planner"
  public static let summary = "a query planner: boxed against typed expressions, statistics, tree walks, memo search"
  public static let kinds = PlannerPart.kindNames
  public static let mostThreads = 64
  public static var options: [any AnyWorkloadOption] { PlannerOptions.table }

  private let settings: PlannerOptions

  public init(options: OptionValues) throws(UsageError) { settings = try PlannerOptions(options) }

  init(_ settings: PlannerOptions) { self.settings = settings }

  public func run(_ context: RunContext) throws -> WorkloadResult {
    context.phase("prepare")
    var costs = [PartCost](repeating: PartCost(), count: PlannerPart.allCases.count)
    guard let sessions = try prepare(context) else {
      return WorkloadResult(verified: true, figures: PlannerFigures(costs: costs, rounds: 0, settings).json)
    }
    context.restartDuration()
    context.phase("rounds")
    var rounds = 0
    while !context.shouldStop && (rounds < settings.rounds || context.extent != .natural) {
      for part in PlannerPart.allCases {
        let works = try costs[part.rawValue].heap.measure(context.heap) {
          try context.runClients { client, mutator in try sessions[client.index].run(part, client, mutator) }
        }
        for work in works { costs[part.rawValue].work.add(work) }
      }
      rounds += 1
    }
    context.endMeasuring()
    let cachesAreRight = context.heap.withMutator { mutator in sessions.allSatisfy { $0.cacheIsRight(mutator) } }
    return WorkloadResult(
      verified: cachesAreRight && costs.allSatisfy { $0.work.wrong == 0 },
      figures: PlannerFigures(costs: costs, rounds: rounds, settings).json)
  }

  /// A session for each client; nil when the user interrupts.
  private func prepare(_ context: RunContext) throws -> [PlannerSession]? {
    var sessions: [PlannerSession] = []
    for index in 0..<context.threads {
      let seed = Checksum.mix(context.seed &+ UInt64(index))
      let session = try context.heap.withMutator { mutator in
        try PlannerSession(settings, seed: seed, context, mutator)
      }
      guard let session else { return nil }
      sessions.append(session)
    }
    return sessions
  }
}
