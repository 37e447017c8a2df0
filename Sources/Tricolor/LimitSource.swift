// Where the heap reads what the limit counts: the resident set of the process, or the usage of its memory cgroup less inactive file
// pages, whichever is larger (`TRICOLOR_LIMIT_SOURCE`); and where a limit that follows the cgroup comes from.
//
// Cost: a reading of the resident set takes about 2 µs, one of the cgroup about 15 µs; both happen on the collector's tick and at
// the memory gate, never on an allocation path that has room.

import Synchronization
import TricolorPacing
import TricolorPlatform

final class LimitSource: Sendable {
  private let resident: ResidentSetReader
  private let group: MemoryGroup?
  private let readsResident: Bool
  private let readsGroup: Bool
  private let lastLimit: Mutex<Int64?>

  init(_ settings: Settings) throws(PlatformError) {
    resident = try ResidentSetReader()
    group = LimitSource.findGroup()
    let limit = group?.hardLimit()
    lastLimit = Mutex(limit)
    readsResident = settings.limitSource != .cgroup || group == nil
    readsGroup = settings.limitSource == .cgroup || (settings.limitSource == .auto && limit != nil)
  }

  /// The process's memory cgroup; a machine whose cgroup files cannot be read is one without, and says so.
  private static func findGroup() -> MemoryGroup? {
    do {
      return try MemoryGroup.current()
    } catch {
      StandardError.write("tricolor: no memory cgroup is watched: \(error)\n")
      return nil
    }
  }

  /// What the limit counts, in bytes.
  func residentBytes() -> Int {
    var bytes = readsResident ? resident.residentBytes() : 0
    if readsGroup, let usage = group?.usage() {
      bytes = max(bytes, Int(max(0, usage - (group?.inactiveFile() ?? 0))))
    }
    return bytes
  }

  /// The smallest memory limit of the process's cgroup and its ancestors, nil when there is none.
  func cgroupLimit() -> Int64? { group?.hardLimit() }

  /// Whether the cgroup's limit is another one than at the last call.
  func cgroupLimitChanged() -> Bool {
    let now = cgroupLimit()
    return lastLimit.withLock { last in
      defer { last = now }
      return last != now
    }
  }
}
