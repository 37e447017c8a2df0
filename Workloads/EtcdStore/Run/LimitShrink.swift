// The pod is resized in place to four fifths while it works: the heap's limit is cut first, and where the run has a control group of its own
// (`--cgroup`), that group's limit as soon as what it uses lies below, as a kubelet would; both are put back when the phase ends.
//
// A group's limit is written only in a group that the parent process made for this run: any other is somebody else's.

import Glibc
import Harness
import Synchronization
import Tricolor
import TricolorPacing
import TricolorPlatform

/// One shrinking at a time, on a thread of its own.
final class LimitShrink: Sendable {
  private static let share = (4, 5)
  private static let interval: Int64 = 10_000_000

  /// What came of the last one. Bytes and nanoseconds.
  struct Figures: Sendable {
    var times = 0
    var limitBefore: Int?
    var limitBytes = 0
    var residentBefore = 0
    /// Until the resident set lay below the new limit, nil when it never did.
    var nanosecondsToObey: UInt64?
    var residentAfter = 0
    var groupBefore: Int?
    /// Nil where there is no group of the run's own, or its use never lay below.
    var groupBytes: Int?
    var groupRefusal: String?

    var json: JSONValue {
      [
        "times": .integer(times), "limitBeforeBytes": .optional(limitBefore), "limitBytes": .integer(limitBytes),
        "rssBeforeBytes": .integer(residentBefore), "rssAfterBytes": .integer(residentAfter),
        "nanosecondsToObey": nanosecondsToObey.map { .unsigned($0) } ?? .null,
        "cgroupBeforeBytes": .optional(groupBefore), "cgroupBytes": .optional(groupBytes),
        "cgroupRefusal": groupRefusal.map { .string($0) } ?? .null,
      ]
    }
  }

  private let heap: Heap
  private let isOver = Atomic<Bool>(false)
  private let wake = FutexEvent()
  private let state = Mutex(Figures())

  init(_ heap: Heap) { self.heap = heap }

  /// What came of the last one, nil when there was none.
  var figures: Figures? { state.withLock { $0.times == 0 ? nil : $0 } }

  /// Runs `body` with the limit cut.
  ///
  /// - Throws: `PlatformError` when the control groups cannot be read or the thread not be started; what `body` throws.
  func during<R>(_ body: () throws -> R) throws -> R {
    let group = try OwnGroup.find()
    let setting = heap.configuration.memoryLimit
    isOver.store(false, ordering: .relaxed)
    let thread = try NativeThread.start(name: "resize") { self.run(group) }
    defer {
      isOver.store(true, ordering: .relaxed)
      wake.signalAll()
      thread.join()
      heap.configuration.memoryLimit = setting
    }
    return try body()
  }

  private func run(_ group: OwnGroup?) {
    let statistics = heap.statistics
    let began = Clock.monotonic()
    var figures = Figures()
    figures.times = state.withLock { $0.times } + 1
    figures.limitBefore = statistics.limitBytes
    figures.residentBefore = statistics.residentBytes
    figures.limitBytes = part(of: statistics.limitBytes ?? statistics.residentBytes)
    figures.groupBefore = group?.limit
    heap.configuration.memoryLimit = .bytes(Int64(figures.limitBytes))
    var left = group
    while !isOver.load(ordering: .relaxed) {
      let seen = wake.current()
      if figures.nanosecondsToObey == nil, heap.statistics.residentBytes <= figures.limitBytes {
        figures.nanosecondsToObey = Clock.monotonic() - began
      }
      if let group = left, let use = group.use, use < part(of: group.limit) {
        figures.groupRefusal = group.set(part(of: group.limit))
        if figures.groupRefusal == nil {
          figures.groupBytes = part(of: group.limit)
          left = nil
        }
      }
      wake.wait(past: seen, timeoutNanoseconds: LimitShrink.interval)
    }
    figures.residentAfter = heap.statistics.residentBytes
    if let group, figures.groupBytes != nil { figures.groupRefusal = group.restore() }
    state.withLock { $0 = figures }
  }

  private func part(of bytes: Int) -> Int { bytes / LimitShrink.share.1 * LimitShrink.share.0 }
}

/// The memory control group that the parent process made for this run.
struct OwnGroup: Sendable {
  /// Its hard limit when it was found.
  let limit: Int
  private let group: MemoryGroup

  /// Nil where there is none.
  static func find() throws(PlatformError) -> OwnGroup? {
    guard let group = try MemoryGroup.current(), let limit = group.hardLimit() else { return nil }
    guard let name = group.directory.split(separator: "/").last, name.hasPrefix("tricolor-\(getppid())-") else {
      return nil
    }
    return OwnGroup(limit: Int(clamping: limit), group: group)
  }

  /// What the group uses less what the kernel gives up before it kills.
  var use: Int? {
    guard let usage = group.usage(), let file = group.inactiveFile() else { return nil }
    return Int(clamping: usage - file)
  }

  /// Makes the limit smaller; the kernel's words when it does not.
  func set(_ bytes: Int) -> String? {
    // In version 1 the limit with swap is never below the limit without.
    let files = group.version == .v1 ? ["memory.limit_in_bytes", "memory.memsw.limit_in_bytes"] : ["memory.max"]
    for file in files { if let refusal = write(bytes, file) { return refusal } }
    return nil
  }

  /// Puts the limit back; the kernel's words when it does not.
  func restore() -> String? {
    let files = group.version == .v1 ? ["memory.memsw.limit_in_bytes", "memory.limit_in_bytes"] : ["memory.max"]
    for file in files { if let refusal = write(limit, file) { return refusal } }
    return nil
  }

  private func write(_ bytes: Int, _ name: String) -> String? {
    let path = "\(group.directory)/\(name)"
    let descriptor = open(path, O_WRONLY | O_CLOEXEC)
    if descriptor < 0 {
      // Without swap accounting version 1 has no such file, and needs none.
      return errno == ENOENT && name.contains("memsw") ? nil : String(cString: strerror(errno))
    }
    defer { close(descriptor) }
    var text = "\(bytes)"
    let written = text.withUTF8 { Glibc.write(descriptor, $0.baseAddress, $0.count) }
    return written < 0 ? String(cString: strerror(errno)) : nil
  }
}
