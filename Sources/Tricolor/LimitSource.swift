// Where the heap reads what the limit counts: the resident set of the process, or the usage of its memory cgroup less inactive file
// pages, whichever is larger (`TRICOLOR_LIMIT_SOURCE`); where a limit that follows the cgroup comes from; and the kernel's signs that
// memory is short.
//
// A limit that follows the cgroup is one of the group whose limit binds, and what is compared with it is that group's usage, siblings of the
// process included: the kernel compares the same. Any other limit is one on the process, and its own group is read.
//
// Cost: a reading of the resident set takes about 2 µs, one of the cgroup about 15 µs; both happen on the collector's tick and at
// the memory gate, never on an allocation path that has room. Every second the group is looked up anew (200 µs), for a process
// that was moved.

import Synchronization
import TricolorPacing
import TricolorPlatform

final class LimitSource: Sendable {
  private struct State {
    var group: MemoryGroup?
    var pressure: MemoryPressure?
    var measure = LimitMeasure.auto
    var level = MemoryGroup.Level.own
    var lastLimit: Int64?
    /// Whether some group limits the process: then its usage counts, and costs the reading.
    var isLimited: Bool
    var lastLookUp: UInt64
  }

  /// The heaps whose memory is in what is measured here.
  let heaps: HeapRegistry
  private let resident: ResidentSetReader
  private let state: Mutex<State>
  private static let lookUpInterval: UInt64 = 1_000_000_000

  /// - Parameters:
  ///   - procRoot: where proc is mounted.
  ///   - mountPrefix: put before the mount points in mountinfo, so that a copied tree can stand for a machine.
  ///   - heaps: those of the process; of a machine that is a copied tree, others.
  init(
    procRoot: String = "/proc", mountPrefix: String = "", heaps: HeapRegistry = .process
  ) throws(PlatformError) {
    self.heaps = heaps
    resident = try ResidentSetReader(procRoot: procRoot)
    let group = LimitSource.found("memory cgroup") { () throws(PlatformError) in
      try MemoryGroup.current(procRoot: procRoot, mountPrefix: mountPrefix)
    }
    let pressure = LimitSource.found("memory pressure") { () throws(PlatformError) in
      try MemoryPressure.current(group: group, procRoot: procRoot)
    }
    state = Mutex(
      State(
        group: group, pressure: pressure, lastLimit: group?.limit(), isLimited: group?.hardLimit() != nil,
        lastLookUp: Clock.monotonic()))
  }

  /// What `find` finds; a machine whose files cannot be read is one without, and says so.
  private static func found<Part>(_ name: String, _ find: () throws(PlatformError) -> Part?) -> Part? {
    do throws(PlatformError) {
      return try find()
    } catch {
      StandardError.write("tricolor: no \(name) is watched: \(error)\n")
      return nil
    }
  }

  /// What is measured, and at which group.
  func configure(_ settings: Settings) {
    state.withLock {
      $0.measure = settings.limitSource
      $0.level = settings.memoryLimit.followsCgroup || settings.hardLimit.followsCgroup ? .binding : .own
    }
  }

  /// What the limit counts, in bytes.
  func residentBytes() -> Int {
    let (group, measure, level, isLimited) = state.withLock { ($0.group, $0.measure, $0.level, $0.isLimited) }
    var bytes = measure != .cgroup || group == nil ? resident.residentBytes() : 0
    guard let group, measure == .cgroup || (measure == .auto && isLimited) else { return bytes }
    if let usage = group.usage(at: level) {
      bytes = max(bytes, Int(max(0, usage - (group.inactiveFile(at: level) ?? 0))))
    }
    return bytes
  }

  /// The smallest memory limit of the process's cgroup and its ancestors, hard or soft, nil when there is none.
  func cgroupLimit() -> Int64? { state.withLock { $0.group }?.limit() }

  /// The limit of the group that binds, and what it uses but for file pages that can be dropped, in bytes; nil where there is no limit. Less
  /// than the resident set in a process that maps files: their pages may be charged to another group.
  func bindingGroup() -> (limit: Int, usage: Int)? {
    guard let group = state.withLock({ $0.group }), let limit = group.limit(), let usage = group.usage(at: .binding)
    else { return nil }
    return (Int(limit), Int(usage - (group.inactiveFile(at: .binding) ?? 0)))
  }

  /// What the process may use of the machine's memory, in bytes: `cgroupLimit` where there is one, or all of it.
  func memoryBytes(cgroupLimit: Int64?) -> UInt64 {
    min(CurrentProcess.machineMemoryBytes, cgroupLimit.map { UInt64(max(0, $0)) } ?? .max)
  }

  /// Whether the cgroup's limit is another one than at the last call.
  func cgroupLimitChanged() -> Bool {
    state.withLock { state in
      let now = state.group?.limit()
      defer {
        state.lastLimit = now
        state.isLimited = now != nil
      }
      return state.lastLimit != now
    }
  }

  /// Looks the group up anew if that is due. A process that has left every group keeps the one it was in.
  func lookUpIfDue(at now: UInt64) {
    state.withLock { state in
      guard now >= state.lastLookUp + LimitSource.lookUpInterval else { return }
      state.lastLookUp = now
      do throws(PlatformError) {
        try state.group?.refresh()
        state.isLimited = state.group?.limit() != nil
      } catch {
        return
      }
    }
  }

  /// What the kernel says about memory now, nil when a file cannot be read.
  func shortage() -> ShortageReading? {
    let (group, pressure) = state.withLock { ($0.group, $0.pressure) }
    do throws(PlatformError) {
      return ShortageReading(
        stalledPercent: pressure?.someAverage10(), highEvents: try group?.highEvents() ?? 0,
        limitEvents: try group?.limitEvents() ?? 0, kills: try group?.oomKills() ?? 0)
    } catch {
      return nil
    }
  }
}
