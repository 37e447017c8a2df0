// What a workload is to the harness: a name, its own options, and a run that returns figures.
//
// A workload is a value made from its options and run once. Everything it needs of the world (heap, threads, seed, when to
// stop, progress, latencies) comes with `RunContext`; everything the report needs beyond what harness and heap measure
// themselves goes back in `WorkloadResult`.

import Tricolor
import TricolorTelemetry

/// An ordered JSON tree, for a workload's own figures.
public typealias JSONValue = TricolorTelemetry.JSONValue

/// A program that loads a heap in the way of some real one, measures, and checks its own data.
///
/// `run` is called once, on a thread outside `withMutator`. When the work is done
/// it calls `context.endMeasuring()`, or every client calls its own; then it checks its data and returns.
/// It returns early, with a result that is right for what was done, when `shouldStop` says so.
public protocol Workload: Sendable {
  /// As typed: `tricolor run NAME`.
  static var name: String { get }
  /// One line for `tricolor workloads`.
  static var summary: String { get }
  /// Its own options, in the order of the help.
  static var options: [any AnyWorkloadOption] { get }
  /// Names of the kinds of operations, for the latency table; `Client.record(kind:)` takes indices into it.
  static var kinds: [String] { get }
  /// The most client threads it can use; `--threads` above it is a usage error.
  static var mostThreads: Int { get }
  /// How many client threads work together; `--threads` is a multiple of it, and one group by default where it is above 1.
  static var threadGroup: Int { get }
  /// Whether its clients hold to the run's rate, by a `Throttle`; `--rate` is a usage error where they do not.
  static var takesRate: Bool { get }
  /// When to stop when neither --duration nor --operations is given.
  static var defaultExtent: Extent { get }

  /// How many NUMA nodes to make up for the run's heap; nil for the machine's own.
  ///
  /// - Throws: when the machine's nodes cannot be read.
  var simulatedNodes: Int? { get throws }

  /// A workload with these options.
  ///
  /// - Throws: for a value that is not allowed, or a file that cannot be used.
  init(options: OptionValues) throws(UsageError)

  /// Does the work.
  ///
  /// - Throws: `UsageError` for input that only the run can find wrong; `OutOfMemory` under a hard limit.
  func run(_ context: RunContext) throws -> WorkloadResult
}

extension Workload {
  public static var options: [any AnyWorkloadOption] { [] }
  public static var kinds: [String] { ["operation"] }
  public static var mostThreads: Int { 1024 }
  public static var threadGroup: Int { 1 }
  public static var takesRate: Bool { false }
  public static var defaultExtent: Extent { .natural }
  public var simulatedNodes: Int? { nil }
}

/// How much work a run does.
public enum Extent: Sendable, Equatable {
  /// All that the workload's own options say.
  case natural
  /// Until this much wall time has passed.
  case nanoseconds(UInt64)
  /// This many operations over all clients.
  case operations(Int)
}

/// What a workload knows at its end.
public struct WorkloadResult: Sendable {
  /// Operations done, as the workload defines them; nil for those that clients and context counted until `endMeasuring`.
  public var operations: Int?
  /// Whether the check of its own data held.
  public var verified: Bool
  /// The workload's own figures: an object.
  public var figures: JSONValue
  /// CPU nanoseconds per marked object where the workload measured them itself; otherwise the heap's own account is reported.
  public var markNanosecondsPerObject: Double?

  public init(
    operations: Int? = nil, verified: Bool, figures: JSONValue, markNanosecondsPerObject: Double? = nil
  ) {
    self.operations = operations
    self.verified = verified
    self.figures = figures
    self.markNanosecondsPerObject = markNanosecondsPerObject
  }
}
