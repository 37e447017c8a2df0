// The tasks workload's own options.

import Harness

/// What a `tasks` run works with.
struct TasksOptions: Sendable {
  var tasks = 10_000
  /// Elements a channel has room for.
  var capacity = 256
  /// Messages, when neither --duration nor --operations is given.
  var messages = 500_000
  /// There and back between two tasks, for the cost of a switch.
  var roundTrips = 50_000
  /// Children of each tree that is cancelled.
  var leaves = 1_000

  init() {}

  private static let defaults = TasksOptions()
  static let tasksOption = WorkloadOption.integer(
    "tasks", 1...1_000_000, default: defaults.tasks, help: "tasks that stand with state of their own")
  static let capacityOption = WorkloadOption.integer(
    "capacity", 1...1_000_000, default: defaults.capacity, help: "elements that a channel has room for")
  static let messagesOption = WorkloadOption.integer(
    "messages", 1...1_000_000_000, default: defaults.messages, help: "messages, without --duration and --operations")
  static let tripsOption = WorkloadOption.integer(
    "round-trips", 1...100_000_000, default: defaults.roundTrips, help: "round trips between two tasks")
  static let leavesOption = WorkloadOption.integer(
    "leaves", 1...1_000_000, default: defaults.leaves, help: "children of each tree of tasks that is cancelled")
  static let table: [any AnyWorkloadOption] = [tasksOption, capacityOption, messagesOption, tripsOption, leavesOption]

  /// The options as typed.
  ///
  /// - Throws: for a value out of bounds.
  init(_ values: OptionValues) throws(UsageError) {
    tasks = try values.value(of: Self.tasksOption)
    capacity = try values.value(of: Self.capacityOption)
    messages = try values.value(of: Self.messagesOption)
    roundTrips = try values.value(of: Self.tripsOption)
    leaves = try values.value(of: Self.leavesOption)
  }
}
