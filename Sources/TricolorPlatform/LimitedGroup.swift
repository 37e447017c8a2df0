// A memory control group of our own making, with a hard limit on memory and none to spare in swap.
//
// It goes below the process's own group, so that limits already there go on to hold. Version 2 forbids a group with processes
// of its own to have groups with controllers below it, so there the nearest group above that allows it is taken instead, but
// never one above a limit that binds us: the child must not escape from its container by way of a measurement.
//
// Version 1 keeps limit <= memory+swap limit at every moment, so whatever falls gets the memory limit first, as a new, unlimited group does,
// and whatever rises gets it last.

import CTricolorShims
import Glibc

/// A control group made for one child, or for several groups below it; `remove` takes it away.
struct LimitedGroup {
  let directory: String
  let version: ControlGroupVersion
  let counters: GroupCounters

  /// Makes a group with a hard limit.
  ///
  /// - Throws: when there is no memory controller, or no group may be made in any of the places tried.
  static func make(limitBytes: Int64?, procRoot: String, mountPrefix: String) throws(PlatformError) -> LimitedGroup {
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

  /// A group below this one, whose limit counts what the groups below use; its directory's name ends with `name`.
  func makeChild(_ name: String, limitBytes: Int64) throws(PlatformError) -> LimitedGroup {
    if version == .v1 { try Self.countChildren(of: directory) }
    if version == .v2 { try Self.passMemoryOn(in: directory) }
    let child = "\(directory)/tricolor-\(getpid())-\(name)"
    guard mkdir(child, 0o755) == 0 else { throw PlatformError(call: "mkdir of \(child)", code: errno) }
    return try Self.prepare(child, version: version, limitBytes: limitBytes)
  }

  /// Sets another limit. Version 1 refuses with EBUSY one that lies below what cannot be taken back; version 2 kills.
  func change(limitBytes: Int64) throws(PlatformError) {
    let rises = limitBytes > (try limit() ?? .max)
    try Self.setLimit(limitBytes, of: directory, version: version, rises: rises)
  }

  /// Starts a program in the group; its process id.
  ///
  /// - Parameters:
  ///   - environment: nil for this process's.
  ///   - files: descriptors above 2 that become its standard files; nil for this process's, and then signals are passed on to it until
  ///     `tricolor_await_child`.
  func start(
    _ executable: String, _ arguments: [String], _ environment: [String: String]?, files: [Int32]?
  ) throws(PlatformError) -> Int32 {
    var stage: Int32 = 0
    let procs = directory + "/cgroup.procs"
    let child = Self.withCStrings([executable] + arguments) { arguments in
      guard let environment else { return tricolor_spawn_in_group(procs, executable, arguments, nil, files, &stage) }
      return Self.withCStrings(environment.map { "\($0)=\($1)" }) { environment in
        tricolor_spawn_in_group(procs, executable, arguments, environment, files, &stage)
      }
    }
    guard child < 0 else { return child }
    let call =
      switch Int(stage) {
      case Int(TRICOLOR_SPAWN_JOIN): "moving a process into \(directory)"
      case Int(TRICOLOR_SPAWN_EXEC): "starting \(executable)"
      default: "forking a process"
      }
    throw PlatformError(call: call, code: -child)
  }

  /// Gives `body` a null-ended array of C strings.
  private static func withCStrings<R>(
    _ strings: [String], _ body: (UnsafePointer<UnsafeMutablePointer<CChar>?>) -> R
  ) -> R {
    var pointers: [UnsafeMutablePointer<CChar>?] = strings.map { strdup($0) }
    defer { for pointer in pointers { free(pointer) } }
    pointers.append(nil)
    return body(pointers)
  }

  private func endProcesses() throws(PlatformError) {
    for line in (try KernelFile.text(directory + "/cgroup.procs") ?? "").split(separator: "\n") {
      if let process = Int32(line), process > 0 { kill(process, SIGKILL) }
    }
  }

  private static func make(
    under parent: String, version: ControlGroupVersion, limitBytes: Int64?
  ) throws(PlatformError) -> LimitedGroup {
    if version == .v2 { try passMemoryOn(in: parent) }
    return try prepare(try makeDirectory(under: parent), version: version, limitBytes: limitBytes)
  }

  /// Makes a new directory a limited group, or removes it.
  private static func prepare(
    _ directory: String, version: ControlGroupVersion, limitBytes: Int64?
  ) throws(PlatformError) -> LimitedGroup {
    do {
      if let limitBytes { try setLimit(limitBytes, of: directory, version: version, rises: false) }
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
    _ bytes: Int64, of directory: String, version: ControlGroupVersion, rises: Bool
  ) throws(PlatformError) {
    let swap = directory + (version == .v1 ? "/memory.memsw.limit_in_bytes" : "/memory.swap.max")
    func limitSwap() throws(PlatformError) {
      if KernelFile.exists(swap) { try KernelFile.write(version == .v1 ? "\(bytes)" : "0", to: swap) }
    }
    if rises { try limitSwap() }
    try KernelFile.write("\(bytes)", to: directory + "/" + limitFile(version))
    if !rises { try limitSwap() }
  }

  /// Makes a group of version 1 count the groups below it, where it does not yet.
  private static func countChildren(of directory: String) throws(PlatformError) {
    let path = directory + "/memory.use_hierarchy"
    if try KernelFile.text(path)?.first == "0" { try KernelFile.write("1", to: path) }
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
