// What the memory limit counts, and the largest heap it leaves room for.
//
// The heap's goal is counted in bytes of objects, the limit in bytes the process holds. The difference between the two
// (free room inside blocks, side tables, stacks, memory that is not ours at all) is taken off the limit first. What the
// process already holds over the limit is taken off again, so that an overshoot is recovered from quickly. Three
// percent, at least 1 MiB, stay free for allocation that runs ahead. The rule is that of Go 1.27 (mgcpacer.go,
// memoryLimitHeapGoal); `foreign` is ours.

/// Memory of the process at one moment, in bytes.
public struct MemoryReading: Sendable, Equatable, BitwiseCopyable {
  /// Free heap memory that still holds pages: the heap can use it without growing.
  public var heapFree: UInt64
  /// Objects, live or not yet swept.
  public var heapAlloc: UInt64
  /// All memory that the collector's own heap and tables hold pages for.
  public var mappedReady: UInt64
  /// Memory of the process that is not ours: malloc, mapped files, stacks. Counts against the limit like our own
  /// overhead.
  public var foreign: UInt64

  public init(heapFree: UInt64 = 0, heapAlloc: UInt64 = 0, mappedReady: UInt64 = 0, foreign: UInt64 = 0) {
    self.heapFree = heapFree
    self.heapAlloc = heapAlloc
    self.mappedReady = mappedReady
    self.foreign = foreign
  }
}

extension MemoryReading {
  /// What the limit counts and the heap's goal does not. Zero when the counters, read one after the other, contradict
  /// each other.
  public var outsideGoal: UInt64 {
    let heap = heapFree.addingSaturated(heapAlloc)
    return mappedReady.subtractingSaturated(heap).addingSaturated(foreign)
  }

  /// The heap that `limit` leaves room for, and never less than what the last cycle marked: asking for less cannot free
  /// more.
  func heapGoal(limit: UInt64, heapMarked: UInt64) -> UInt64 {
    let overage = mappedReady.addingSaturated(foreign).subtractingSaturated(limit)
    let taken = outsideGoal.addingSaturated(overage)
    if taken >= limit { return heapMarked }
    let room = limit - taken
    let headroom = max(room / 100 * PacerConstants.headroomPercent, PacerConstants.leastHeadroom)
    let goal = room < headroom || room - headroom < headroom ? headroom : room - headroom
    return max(goal, heapMarked)
  }

  /// Room for a goal of `bytes`, headroom included, and a little more than that.
  static func withHeadroom(_ bytes: UInt64) -> UInt64 {
    bytes.addingSaturated(max(bytes / 100 * (PacerConstants.headroomPercent + 1), PacerConstants.leastHeadroom))
  }
}
