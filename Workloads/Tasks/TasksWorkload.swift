// tasks: ten thousand Swift tasks over one heap, each with state of its own there, and bounded channels between them. What a task takes of
// memory, what a switch from task to task costs, and whether cancellation and deadlines reach every child and lose no message.
//
// The article's figure to stand beside is 24 MB for 10 000 goroutines.

import Harness
import Synchronization
import Tricolor
import TricolorPlatform

/// The kinds of latencies.
enum TasksKind: Int, CaseIterable {
  case hop, delivery, acknowledgement, ending

  var name: String { self == .ending ? "end of a leaf" : "\(self)" }
}

/// `tricolor run tasks`.
public struct TasksWorkload: Workload {
  public static let name = "tasks"
  public static let summary =
    "10 000 Swift tasks with managed state over bounded channels: memory, switches, cancellation, deadlines"
  public static let kinds = TasksKind.allCases.map(\.name)
  /// Tasks run on the pool of Swift concurrency, which has a thread for each processor.
  public static let mostThreads = 1
  public static let takesRate = true
  public static var options: [any AnyWorkloadOption] { TasksOptions.table }

  private static let messagesInRound = 50_000

  private let settings: TasksOptions

  public init(options: OptionValues) throws(UsageError) { settings = try TasksOptions(options) }

  init(_ settings: TasksOptions) { self.settings = settings }

  public func run(_ context: RunContext) throws -> WorkloadResult {
    let pipeline = try Pipeline(context, capacity: settings.capacity)
    let shadow = MessageShadow(seed: context.seed)
    let figures = TasksFigures(settings)
    let ends = try awaitTask { try await self.run(context, pipeline, shadow, figures) }
    let counts = shadow.counts
    let isKnown =
      ends.reduce(0) { $0 + $1.received } == counts.received && ends.reduce(0) { $0 &+ $1.sum } == counts.sum
    return WorkloadResult(
      verified: figures.faults(counts, isKnown: isKnown) == 0, figures: figures.json(counts, isKnown: isKnown))
  }

  /// Everything, as a task: what the workers knew at the end.
  private func run(
    _ context: RunContext, _ pipeline: Pipeline, _ shadow: MessageShadow, _ figures: TasksFigures
  ) async throws -> [Pipeline.WorkerEnd] {
    context.phase("hops")
    figures.hops = try await Hops.measure(context, roundTrips: settings.roundTrips)
    context.phase("stand")
    figures.memory.begin(context.heap)
    return try await withThrowingTaskGroup(of: Pipeline.WorkerEnd?.self) { group in
      for _ in 0..<settings.tasks { group.addTask { try await pipeline.work() } }
      group.addTask {
        defer { pipeline.close() }
        try await drive(context, pipeline, shadow, figures)
        return nil
      }
      var ends: [Pipeline.WorkerEnd] = []
      for try await end in group { if let end { ends.append(end) } }
      return ends
    }
  }

  /// Waits for all to stand, and then does rounds.
  private func drive(
    _ context: RunContext, _ pipeline: Pipeline, _ shadow: MessageShadow, _ figures: TasksFigures
  ) async throws {
    while pipeline.standingTasks < settings.tasks { try await Task.sleep(for: .milliseconds(1)) }
    // The last ones have still to reach the channel.
    try await Task.sleep(for: .milliseconds(20))
    figures.memory.end(context.heap)
    context.restartDuration()
    var left = Int.max
    if case .operations(let most) = context.extent {
      left = most
    } else if context.extent == .natural {
      left = settings.messages
    }
    var number = 0
    repeat {
      context.phase("pipeline")
      let count = min(left, TasksWorkload.messagesInRound)
      try await pipeline.round(count, from: number, into: shadow)
      number += count
      left -= count
      context.phase("trees")
      for byDeadline in [false, true] where !context.isInterrupted {
        let tree = try TaskTree(context, leaves: settings.leaves, number: figures.trees.trees)
        try await tree.live(byDeadline: byDeadline, &figures.trees)
      }
    } while left > 0 && !context.shouldStop
    context.endMeasuring()
  }
}
