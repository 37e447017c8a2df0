// A memory control group of our own making, with a hard limit on memory and none to spare in swap.
//
// It goes below the process's own group, so that limits already there go on to hold. Version 2 forbids a group with processes
// of its own to have groups with controllers below it, so there the nearest group above that allows it is taken instead, but
// never one above a limit that binds us: the child must not escape from its container by way of a measurement.
//
// Version 1 keeps limit <= memory+swap limit at every moment, so a new, unlimited group gets the memory limit first.

import Glibc

/// A control group made for one child; `remove` takes it away.
struct LimitedGroup {
  let directory: String
  let version: ControlGroupVersion
  let counters: GroupCounters

  /// Makes a group with a hard limit.
  ///
  /// - Throws: when there is no memory controller, or no group may be made in any of the places tried.
  static func make(limitBytes: Int64, procRoot: String, mountPrefix: String) throws(PlatformError) -> LimitedGroup {
    let paths = try ControlGroupPaths(procRoot: procRoot, mountPrefix: mountPrefix)
    guard let chain = try paths.chain(of: "memory", mark: "memory.max") else {
      throw PlatformError(
        call: "making a memory control group", code: 0,
        detail: "no memory controller is mounted, neither of version 1 nor of version 2")
    }
    var refusals: [PlatformError] = []
    for parent in chain.directories {
      do {
        return try make(under: parent, version: chain.version, limitBytes: limitBytes)
      } catch {
        refusals.append(error)
      }
      if try hasLimit(parent, version: chain.version) { break }
    }
    throw PlatformError(
      call: "making a memory control group", code: refusals[0].code,
      detail: refusals.map(\.description).joined(separator: "; ")
        + ". Run as root, or inside a group given to you (systemd-run --user --scope -p Delegate=yes)")
  }

  /// Ends what still runs in the group and removes it; waits up to two seconds for the kernel to let go of it.
  func remove() throws(PlatformError) {
    var refusal = EBUSY
    for _ in 0..<200 where refusal == EBUSY {
      if rmdir(directory) == 0 || errno == ENOENT { return }
      refusal = errno
      try endProcesses()
      usleep(10_000)
    }
    throw PlatformError(call: "rmdir of \(directory)", code: refusal)
  }

  /// The limit as the kernel rounded it.
  func limit() throws(PlatformError) -> Int64? {
    let text = try KernelFile.text(directory + "/" + Self.limitFile(version)) ?? ""
    return Int64(text.prefix { $0.isNumber })
  }

  private func endProcesses() throws(PlatformError) {
    for line in (try KernelFile.text(directory + "/cgroup.procs") ?? "").split(separator: "\n") {
      if let process = Int32(line), process > 0 { kill(process, SIGKILL) }
    }
  }

  private static func make(
    under parent: String, version: ControlGroupVersion, limitBytes: Int64
  ) throws(PlatformError) -> LimitedGroup {
    if version == .v2 { try passMemoryOn(in: parent) }
    let directory = try makeDirectory(under: parent)
    do {
      try setLimit(limitBytes, of: directory, version: version)
      let counters = try GroupCounters(directory: directory, version: version)
      return LimitedGroup(directory: directory, version: version, counters: counters)
    } catch {
      rmdir(directory)
      throw error
    }
  }

  private static func makeDirectory(under parent: String) throws(PlatformError) -> String {
    var number = 0
    while true {
      let directory = "\(parent)/tricolor-\(getpid())-\(number)"
      if mkdir(directory, 0o755) == 0 { return directory }
      guard errno == EEXIST else { throw PlatformError(call: "mkdir of \(directory)", code: errno) }
      number += 1
    }
  }

  private static func setLimit(
    _ bytes: Int64, of directory: String, version: ControlGroupVersion
  ) throws(PlatformError) {
    try KernelFile.write("\(bytes)", to: directory + "/" + limitFile(version))
    let swap = directory + (version == .v1 ? "/memory.memsw.limit_in_bytes" : "/memory.swap.max")
    if KernelFile.exists(swap) { try KernelFile.write(version == .v1 ? "\(bytes)" : "0", to: swap) }
  }

  /// Gives the memory controller to the groups below `parent`. Left on: another child may have come to rely on it.
  private static func passMemoryOn(in parent: String) throws(PlatformError) {
    let path = parent + "/cgroup.subtree_control"
    let passed = (try KernelFile.text(path) ?? "").split(whereSeparator: \.isWhitespace)
    guard !passed.contains("memory") else { return }
    do {
      try KernelFile.write("+memory", to: path)
    } catch  where error.code == EBUSY {
      throw PlatformError(
        call: error.call, code: EBUSY,
        detail: "processes sit in the group itself, so version 2 allows no limited group below it")
    }
  }

  private static func hasLimit(_ directory: String, version: ControlGroupVersion) throws(PlatformError) -> Bool {
    let text = try KernelFile.text(directory + "/" + limitFile(version)) ?? "max"
    let unlimited = Int64.max / Int64(AddressSpace.pageSize) * Int64(AddressSpace.pageSize)
    return (Int64(text.prefix { $0.isNumber }) ?? .max) < unlimited
  }

  private static func limitFile(_ version: ControlGroupVersion) -> String {
    version == .v1 ? "memory.limit_in_bytes" : "memory.max"
  }
}
