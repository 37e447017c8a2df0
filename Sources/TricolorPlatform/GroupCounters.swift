// The figures of one memory control group, under the names its version gives them.
//
// Usage and memory.stat are read every few milliseconds and stay open; peaks and kill counts are read once or twice in a run
// and are opened when asked for. Version 1 counts how often the limit was met in two files: a group whose limit on memory and
// swap together is the same meets that one first, and `memory.failcnt` stays 0.

import Glibc

/// Readers of one group's figures. Safe from any thread.
final class GroupCounters: Sendable {
  let directory: String
  let version: ControlGroupVersion
  private let usageFile: KernelFile?
  private let statFile: KernelFile?

  init(directory: String, version: ControlGroupVersion) throws(PlatformError) {
    self.directory = directory
    self.version = version
    let usage = version == .v1 ? "memory.usage_in_bytes" : "memory.current"
    usageFile = try KernelFile.ifPresent(directory + "/" + usage)
    statFile = try KernelFile.ifPresent(directory + "/memory.stat")
  }

  /// Bytes charged to the group and the groups below it.
  func usage() -> Int64? { usageFile?.read(Self.first) }

  /// Bytes of file pages that the kernel can drop first, of the group and the groups below it.
  func inactiveFile() -> Int64? {
    statFile?.read { [version] text in
      version == .v1
        ? TextScan.number(text, after: "total_inactive_file ") : TextScan.number(text, after: "inactive_file ")
    }
  }

  /// Version 1's own minimum over the path up to the real root, also where a container hides that path.
  func hierarchicalLimit() -> Int64? {
    statFile?.read { TextScan.number($0, after: "hierarchical_memory_limit ") }
  }

  /// Processes the kernel killed because the group was at its limit.
  func oomKills() throws(PlatformError) -> Int64? {
    let file = try KernelFile.ifPresent(directory + (version == .v1 ? "/memory.oom_control" : "/memory.events"))
    return file?.read { TextScan.number($0, after: "oom_kill ") }
  }

  /// How often the group was slowed down at memory.high; version 2 only.
  func highEvents() throws(PlatformError) -> Int64? {
    let file = version == .v1 ? nil : try KernelFile.ifPresent(directory + "/memory.events")
    return file?.read { TextScan.number($0, after: "high ") }
  }

  /// How often the group met its hard limit, so that the kernel had to reclaim.
  func limitEvents() throws(PlatformError) -> Int64? {
    if version == .v2 {
      return try KernelFile.ifPresent(directory + "/memory.events")?.read { TextScan.number($0, after: "max ") }
    }
    let memory = try KernelFile.ifPresent(directory + "/memory.failcnt")?.read(Self.first)
    let withSwap = try KernelFile.ifPresent(directory + "/memory.memsw.failcnt")?.read(Self.first)
    if memory == nil && withSwap == nil { return nil }
    return (memory ?? 0) + (withSwap ?? 0)
  }

  /// The largest usage so far; nil on version 2 before Linux 5.19.
  func peakUsage() throws(PlatformError) -> Int64? {
    let file = try KernelFile.ifPresent(directory + (version == .v1 ? "/memory.max_usage_in_bytes" : "/memory.peak"))
    return file?.read(Self.first)
  }

  private static func first(_ text: UnsafeRawBufferPointer) -> Int64? {
    var index = 0
    return TextScan.number(text, at: &index)
  }
}
