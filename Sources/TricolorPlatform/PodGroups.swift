// Several programs at once, each in a memory control group of its own, all inside one group: what a scenario's pods run in, as a node's pods
// do. The group around them may have a limit too, which then counts all of them together.
//
// A pod's standard files are pipes to the process that started it: lines go in, what it says comes out. Its end is looked for, not waited
// for: one thread watches all of them. Every pod dies with that thread, whatever ends it.

import CTricolorShims
import Glibc

/// A memory control group that holds those of pods. Used by one thread, which outlives the pods.
public struct PodGroups: ~Copyable {
  private let group: LimitedGroup

  /// Makes the group around the pods.
  ///
  /// - Parameter limitBytes: the hard limit on all of them together; nil for none.
  /// - Throws: when no group may be made here.
  public init(limitBytes: Int64?) throws(PlatformError) {
    group = try LimitedGroup.make(limitBytes: limitBytes, procRoot: "/proc", mountPrefix: "")
  }

  /// The interface the groups have.
  public var version: ControlGroupVersion { group.version }
  /// The directory of the group around all.
  public var directory: String { group.directory }

  /// The largest usage of all pods together, in bytes; nil on version 2 before Linux 5.19.
  public func peakUsage() throws(PlatformError) -> Int64? { try group.counters.peakUsage() }

  /// Starts a program in a new group.
  ///
  /// - Parameters:
  ///   - name: a part of the directory's name: letters, digits and dashes, another one for each pod.
  ///   - environment: all of it.
  /// - Throws: when the group cannot be made or the program not be started; then no group is left.
  public func start(
    _ name: String, limitBytes: Int64, executable: String, arguments: [String], environment: [String: String]
  ) throws(PlatformError) -> Pod {
    let own = try group.makeChild(name, limitBytes: limitBytes)
    do throws(PlatformError) {
      return try Pod(own, executable, arguments, environment)
    } catch {
      try own.remove()
      throw error
    }
  }

  /// Removes the group, which must have no pods any more.
  public func remove() throws(PlatformError) { try group.remove() }
}

/// A program in a group of its own. Used by one thread.
public final class Pod {
  /// How a pod ended.
  public struct Ending: Sendable {
    /// What it returned, nil when a signal ended it.
    public let exitCode: Int32?
    /// The signal that ended it, nil when it returned.
    public let signal: Int32?
    /// Whether the kernel killed a process of the pod because a limit was reached.
    public let oomKilled: Bool
    /// The largest usage of its group in bytes; nil on version 2 before Linux 5.19.
    public let peakUsageBytes: Int64?
    /// Its limit at the end in bytes, as the kernel rounded it.
    public let limitBytes: Int64?
  }

  /// Its process id.
  public let process: Int32
  /// What it writes to standard output and standard error, to be read without waiting.
  public let output: Int32
  public let errors: Int32
  private let group: LimitedGroup
  private let input: Int32
  private var ending: Ending?

  fileprivate init(
    _ group: LimitedGroup, _ executable: String, _ arguments: [String], _ environment: [String: String]
  ) throws(PlatformError) {
    self.group = group
    var pipes: [(reads: Int32, writes: Int32)] = []
    do throws(PlatformError) {
      // A socket, since writing to a pipe that nobody reads any more raises SIGPIPE.
      pipes.append(try Pod.pipe { socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0, $0) })
      for _ in 0..<2 { pipes.append(try Pod.pipe { Glibc.pipe($0) }) }
      let files = [pipes[0].reads, pipes[1].writes, pipes[2].writes]
      process = try group.start(executable, arguments, environment, files: files)
    } catch {
      for pipe in pipes { Pod.close([pipe.reads, pipe.writes]) }
      throw error
    }
    Pod.close([pipes[0].reads, pipes[1].writes, pipes[2].writes])
    (input, output, errors) = (pipes[0].writes, pipes[1].reads, pipes[2].reads)
    for descriptor in [input, output, errors] { _ = fcntl(descriptor, F_SETFL, O_NONBLOCK) }
  }

  deinit { Pod.close([input, output, errors]) }

  /// How it ended, nil while it runs. Its group is removed then.
  ///
  /// - Throws: when that cannot be found out, or the group not be removed.
  public func poll() throws(PlatformError) -> Ending? {
    if let ending { return ending }
    var exitCode: Int32 = -1
    var signal: Int32 = -1
    let code = tricolor_poll_child(process, &exitCode, &signal)
    guard code >= 0 else { throw PlatformError(call: "looking for the end of process \(process)", code: -code) }
    guard code > 0 else { return nil }
    let ended = Ending(
      exitCode: exitCode >= 0 ? exitCode : nil, signal: signal >= 0 ? signal : nil,
      oomKilled: (try group.counters.oomKills() ?? 0) > 0, peakUsageBytes: try group.counters.peakUsage(),
      limitBytes: try group.limit())
    ending = ended
    try group.remove()
    return ended
  }

  /// Sends a signal, unless it has ended.
  public func send(signal: Int32) {
    if ending == nil { kill(process, signal) }
  }

  /// Writes a line to its standard input; false when it does not read there, or no longer.
  public func tell(_ line: String) -> Bool {
    let text = line + "\n"
    return Glibc.send(input, text, text.utf8.count, Int32(MSG_NOSIGNAL)) == text.utf8.count
  }

  /// What its group uses less the file pages that the kernel gives up before it kills, in bytes; nil where the kernel does not say.
  public func usage() -> Int64? {
    guard let usage = group.counters.usage(), let file = group.counters.inactiveFile() else { return nil }
    return usage - file
  }

  /// Sets another limit, if what it uses lies below; false when not yet. A kubelet that resizes a pod does the same.
  ///
  /// - Throws: when the kernel refuses for any other reason.
  public func changeLimit(to bytes: Int64) throws(PlatformError) -> Bool {
    if let usage = usage(), usage >= bytes { return false }
    do throws(PlatformError) {
      try group.change(limitBytes: bytes)
    } catch {
      if error.code == EBUSY { return false }
      throw error
    }
    return true
  }

  /// What `make` makes, its ends above the standard files, also where one of those is closed, and not passed on to other programs.
  private static func pipe(
    _ make: (UnsafeMutablePointer<Int32>) -> Int32
  ) throws(PlatformError) -> (reads: Int32, writes: Int32) {
    var ends: [Int32] = [-1, -1]
    guard make(&ends) == 0 else { throw PlatformError(call: "making a pipe", code: errno) }
    let moved = ends.map { fcntl($0, F_DUPFD_CLOEXEC, 3) }
    let code = errno
    close(ends)
    guard moved.allSatisfy({ $0 >= 0 }) else {
      close(moved.filter { $0 >= 0 })
      throw PlatformError(call: "moving a pipe", code: code)
    }
    return (moved[0], moved[1])
  }

  private static func close(_ descriptors: [Int32]) {
    for descriptor in descriptors { Glibc.close(descriptor) }
  }
}
