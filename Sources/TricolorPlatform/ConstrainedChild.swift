// A program run to its end inside a memory control group of its own: what `tricolor run --cgroup SIZE` is made of.
//
// The child joins the group before it becomes the program, so no byte of it is charged elsewhere. Whether the kernel killed it
// for memory is read from the group's own kill counter: a SIGKILL may as well come from a person, and a workload may catch and
// report nothing at all.

import CTricolorShims
import Glibc
import Synchronization

/// Runs programs under a hard memory limit.
public enum ConstrainedChild {
  /// How a child ended.
  public struct Outcome: Sendable {
    /// What it returned, nil when a signal ended it.
    public let exitCode: Int32?
    /// The signal that ended it, nil when it returned.
    public let signal: Int32?
    /// Processes of the group that the kernel killed at the limit; nil where the kernel does not count them.
    public let oomKills: Int64?
    /// The limit in bytes, as the kernel rounded it.
    public let limitBytes: Int64
    /// The largest usage of the group in bytes; nil on version 2 before Linux 5.19.
    public let peakUsageBytes: Int64?
    /// The interface the group had.
    public let version: ControlGroupVersion
    /// Why the group could not be removed afterwards, nil when it is gone.
    public let leftover: PlatformError?

    /// Whether the kernel killed a process of the group because the limit was reached.
    public var oomKilled: Bool { (oomKills ?? 0) > 0 }
  }

  /// Below this a program cannot even be started.
  public static let smallestLimit: Int64 = 1 << 20

  private static let oneAtATime = Mutex(())

  /// Makes a group, runs a program in it with this process's standard files, waits for it, and removes the group.
  ///
  /// SIGINT, SIGTERM, SIGHUP and SIGQUIT sent to this process meanwhile are passed on to the child. Blocks the calling thread; calls of
  /// several threads run one after the other.
  ///
  /// - Parameters:
  ///   - executable: the program's path.
  ///   - arguments: its arguments, without its name.
  ///   - environment: its environment; nil for this process's.
  ///   - limitBytes: the hard limit on memory, swap included; at least `smallestLimit`.
  ///   - procRoot: where proc is mounted.
  ///   - mountPrefix: put before the mount points in mountinfo.
  /// - Throws: when no group may be made or the program cannot be started; a child that is killed is an `Outcome`.
  public static func run(
    executable: String, arguments: [String], environment: [String: String]? = nil, limitBytes: Int64,
    procRoot: String = "/proc", mountPrefix: String = ""
  ) throws(PlatformError) -> Outcome {
    guard limitBytes >= smallestLimit else {
      throw PlatformError(
        call: "running \(executable) with \(limitBytes) bytes of memory", code: EINVAL,
        detail: "the limit must be at least \(describe(bytes: Int(smallestLimit)))")
    }
    return try oneAtATime.withLock { _ throws(PlatformError) in
      let group = try LimitedGroup.make(limitBytes: limitBytes, procRoot: procRoot, mountPrefix: mountPrefix)
      do throws(PlatformError) {
        let child = try start(executable, arguments, environment, in: group)
        return try finish(child, in: group, limitBytes: limitBytes)
      } catch {
        if let leftover = removalFailure(of: group) {
          throw PlatformError(call: error.call, code: error.code, detail: "\(error.detail); and \(leftover)")
        }
        throw error
      }
    }
  }

  private static func start(
    _ executable: String, _ arguments: [String], _ environment: [String: String]?, in group: LimitedGroup
  ) throws(PlatformError) -> Int32 {
    try group.start(executable, arguments, environment, files: nil)
  }

  private static func finish(
    _ child: Int32, in group: LimitedGroup, limitBytes: Int64
  ) throws(PlatformError) -> Outcome {
    var exitCode: Int32 = -1
    var signal: Int32 = -1
    let code = tricolor_await_child(child, &exitCode, &signal)
    guard code == 0 else { throw PlatformError(call: "waiting for process \(child)", code: code) }
    let oomKills = try group.counters.oomKills()
    let peak = try group.counters.peakUsage()
    let limit = try group.limit() ?? limitBytes
    return Outcome(
      exitCode: exitCode >= 0 ? exitCode : nil, signal: signal >= 0 ? signal : nil, oomKills: oomKills,
      limitBytes: limit, peakUsageBytes: peak, version: group.version, leftover: removalFailure(of: group))
  }

  private static func removalFailure(of group: LimitedGroup) -> PlatformError? {
    do {
      try group.remove()
      return nil
    } catch {
      return error
    }
  }
}
