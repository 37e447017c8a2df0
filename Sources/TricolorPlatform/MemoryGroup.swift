// The memory control group of the process: the limits that bind it, and what it uses of them.
//
// The effective limit is the smallest on the path from the process's own group to the root, since the kernel kills at whichever
// is reached first; reading only the leaf misses a pod's limit around a container's. Limits are read through open descriptors
// each time they are asked for, so a pod resized in place is followed without looking anything up again; `refresh` looks
// everything up anew, for a process that was moved.
//
// "Unlimited" is the word max, or on version 1 the largest multiple of the page size below 2^63, which differs with the page
// size. Limits above the machine's memory are cut to it.

import Synchronization

/// The limits and figures of the memory control group that the process is in. Safe from any thread but for `refresh`.
public struct MemoryGroup: Sendable {
  /// Whose figures to read.
  public enum Level: Sendable {
    /// The process's own group.
    case own
    /// The group whose limit is the smallest on the path: its usage, siblings of the process included, meets the limit first.
    case binding
  }

  /// The interface the group has.
  public var version: ControlGroupVersion { state.own.version }
  /// The process's own group.
  public var directory: String { state.own.directory }
  /// The group whose limit binds; the own group where there is no limit.
  public var bindingDirectory: String { state.binding.directory }
  /// The machine's memory in bytes, nil where /proc/meminfo is hidden.
  public var memoryTotal: Int64? { state.memoryTotal }

  private var state: State
  private let procRoot: String
  private let mountPrefix: String
  private let pageSize: Int

  /// The group of the process, or nil when no memory controller is to be seen.
  ///
  /// - Parameters:
  ///   - procRoot: where proc is mounted.
  ///   - mountPrefix: put before the mount points in mountinfo, so that a copied tree can stand for a machine.
  ///   - pageSize: bytes in a page, which decides what "unlimited" looks like on version 1.
  /// - Throws: when a file exists and cannot be read.
  public static func current(
    procRoot: String = "/proc", mountPrefix: String = "", pageSize: Int = AddressSpace.pageSize
  ) throws(PlatformError) -> MemoryGroup? {
    guard let state = try State(procRoot: procRoot, mountPrefix: mountPrefix, pageSize: pageSize) else { return nil }
    return MemoryGroup(state: state, procRoot: procRoot, mountPrefix: mountPrefix, pageSize: pageSize)
  }

  /// The smallest hard limit on the path in bytes, now; nil when there is none.
  public func hardLimit() -> Int64? { state.hardLimit() }

  /// The smallest memory.high on the path in bytes, now; nil when there is none, as always on version 1.
  public func softLimit() -> Int64? { state.softLimit() }

  /// The smaller of `hardLimit` and `softLimit`: what a limit relative to the group's is relative to. Above memory.high nobody is
  /// killed, but everybody waits.
  public func limit() -> Int64? {
    guard let hard = hardLimit() else { return softLimit() }
    return min(hard, softLimit() ?? hard)
  }

  /// Bytes charged to the group and to the groups below it; nil at the root of version 2, which has no such count.
  public func usage(at level: Level = .own) -> Int64? { state.counters(level).usage() }

  /// Bytes of `usage` in file pages that the kernel drops before it kills.
  public func inactiveFile(at level: Level = .own) -> Int64? { state.counters(level).inactiveFile() }

  /// The largest usage so far; nil on version 2 before Linux 5.19.
  public func peakUsage(at level: Level = .own) throws(PlatformError) -> Int64? {
    try state.counters(level).peakUsage()
  }

  /// Processes killed at the limit since the group was made.
  public func oomKills(at level: Level = .own) throws(PlatformError) -> Int64? {
    try state.counters(level).oomKills()
  }

  /// How often the group was slowed down at memory.high; nil on version 1.
  public func highEvents(at level: Level = .own) throws(PlatformError) -> Int64? {
    try state.counters(level).highEvents()
  }

  /// How often the group met its hard limit, so that the kernel had to reclaim.
  public func limitEvents(at level: Level = .own) throws(PlatformError) -> Int64? {
    try state.counters(level).limitEvents()
  }

  /// Looks the group and its limits up again. Costs some 200 µs: once in some seconds is often enough.
  ///
  /// - Throws: when the process no longer is in a group that can be read; the old values stay.
  public mutating func refresh() throws(PlatformError) {
    guard let fresh = try State(procRoot: procRoot, mountPrefix: mountPrefix, pageSize: pageSize) else {
      throw PlatformError(
        call: "looking up the memory control group of the process", code: 0,
        detail: "\(procRoot)/self/cgroup no longer names one that is mounted (it was \(directory))")
    }
    state = fresh
  }
}

extension MemoryGroup {
  /// All descriptors of one look-up.
  private final class State: Sendable {
    private struct Limits {
      let hard: LimitFile?
      let soft: LimitFile?
    }

    let own: GroupCounters
    let binding: GroupCounters
    let memoryTotal: Int64?
    private let levels: [Limits]
    private let unlimited: Int64

    init?(procRoot: String, mountPrefix: String, pageSize: Int) throws(PlatformError) {
      let paths = try ControlGroupPaths(procRoot: procRoot, mountPrefix: mountPrefix)
      guard let chain = try paths.chain(of: "memory", mark: "memory.max") else { return nil }
      let unlimited = Int64.max / Int64(pageSize) * Int64(pageSize)
      var levels: [Limits] = []
      var smallest: (limit: Int64, directory: String)? = nil
      for directory in chain.directories {
        let limits = try State.limits(of: directory, version: chain.version, isOwn: levels.isEmpty)
        if let limit = limits.hard?.value(), limit < unlimited, limit < smallest?.limit ?? .max {
          smallest = (limit, directory)
        }
        levels.append(limits)
      }
      self.levels = levels
      self.unlimited = unlimited
      own = try GroupCounters(directory: chain.directories[0], version: chain.version)
      if let bound = smallest?.directory, bound != own.directory {
        binding = try GroupCounters(directory: bound, version: chain.version)
      } else {
        binding = own
      }
      memoryTotal = try KernelFile.ifPresent(procRoot + "/meminfo")?.read { text in
        TextScan.number(text, after: "MemTotal:").map { $0 << 10 }
      }
    }

    func counters(_ level: Level) -> GroupCounters { level == .own ? own : binding }

    func hardLimit() -> Int64? {
      var smallest = own.version == .v1 ? own.hierarchicalLimit() ?? .max : .max
      for level in levels { smallest = min(smallest, level.hard?.value() ?? .max) }
      return smallest >= unlimited ? nil : min(smallest, memoryTotal ?? .max)
    }

    func softLimit() -> Int64? {
      let smallest = levels.reduce(.max) { min($0, $1.soft?.value() ?? .max) }
      return smallest >= unlimited ? nil : min(smallest, memoryTotal ?? .max)
    }

    /// The limit files of one group. A version 1 group that does not count the groups below it limits only itself.
    private static func limits(
      of directory: String, version: ControlGroupVersion, isOwn: Bool
    ) throws(PlatformError) -> Limits {
      switch version {
      case .v1:
        if !isOwn, try KernelFile.text(directory + "/memory.use_hierarchy")?.first == "0" {
          return Limits(hard: nil, soft: nil)
        }
        return Limits(hard: try LimitFile.ifPresent(directory + "/memory.limit_in_bytes"), soft: nil)
      case .v2:
        return Limits(
          hard: try LimitFile.ifPresent(directory + "/memory.max"),
          soft: try LimitFile.ifPresent(directory + "/memory.high"))
      }
    }
  }
}

/// A file that holds a limit. A read that fails answers what the last one read: a limit must not vanish because of one.
private final class LimitFile: Sendable {
  private let file: KernelFile
  private let last = Atomic<Int64>(.max)

  private init(_ file: KernelFile) { self.file = file }

  static func ifPresent(_ path: String) throws(PlatformError) -> LimitFile? {
    try KernelFile.ifPresent(path).map { LimitFile($0) }
  }

  /// The number in the file; the largest for "max" and for what is too large to count.
  func value() -> Int64 {
    let read = file.read { text in
      var index = 0
      return TextScan.number(text, at: &index) ?? .max
    }
    guard let read else { return last.load(ordering: .relaxed) }
    last.store(read, ordering: .relaxed)
    return read
  }
}
