// Facts about the running process that are asked for rarely: its peak resident set, what it holds of the system, its processors,
// its environment.

import Glibc

/// The running process. Safe from any thread, as long as nobody calls setenv meanwhile.
public enum CurrentProcess {
  /// What is mapped where, in the kernel's words, a line each (proc(5), "maps").
  ///
  /// - Throws: when that cannot be read.
  public static func mappings() throws(PlatformError) -> String {
    let path = "/proc/self/maps"
    guard let text = try KernelFile.text(path) else { throw PlatformError(call: "open of \(path)", code: ENOENT) }
    return text
  }

  /// The largest resident set so far, in bytes.
  ///
  /// VmHWM rather than getrusage: the latter's figure survives exec, so a small program started by a large one would report its
  /// parent's peak. getrusage answers only where proc is not mounted.
  public static func peakResidentBytes() -> Int {
    do {
      let status = try KernelFile("/proc/self/status")
      if let kibibytes = status.read({ TextScan.number($0, after: "VmHWM:") }) {
        return Int(kibibytes) << 10
      }
      return peakByResourceUsage()
    } catch {
      return peakByResourceUsage()
    }
  }

  private static func peakByResourceUsage() -> Int {
    var usage = rusage()
    getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage)
    return usage.ru_maxrss << 10
  }

  /// The machine's memory, in bytes.
  public static let machineMemoryBytes = UInt64(max(0, sysconf(Int32(_SC_PHYS_PAGES)))) * UInt64(AddressSpace.pageSize)

  /// How many mappings the process's address space consists of; the kernel allows some 65,000. Takes longer the more there are.
  ///
  /// - Throws: where /proc is not mounted.
  public static func mappingCount() throws(PlatformError) -> Int {
    let path = "/proc/self/maps"
    guard let text = try KernelFile.text(path) else { throw PlatformError(call: "open of \(path)", code: ENOENT) }
    return text.utf8.reduce(0) { $0 + ($1 == UInt8(ascii: "\n") ? 1 : 0) }
  }

  /// How many file descriptors the process has open.
  ///
  /// - Throws: where /proc is not mounted.
  public static func openDescriptorCount() throws(PlatformError) -> Int {
    guard let folder = opendir("/proc/self/fd") else {
      throw PlatformError(call: "opendir of /proc/self/fd", code: errno)
    }
    defer { closedir(folder) }
    var entries = 0
    while readdir(folder) != nil { entries += 1 }
    // Not counted: the folder itself, its parent, and the descriptor it is read by.
    return entries - 3
  }

  /// How many processors the calling thread may run on; at least 1.
  public static var affinityProcessorCount: Int {
    max(1, ProcessorSet.allowed()?.count ?? Int(sysconf(Int32(_SC_NPROCESSORS_ONLN))))
  }

  /// The value of an environment variable, nil when it is not set.
  public static func environment(_ name: String) -> String? {
    getenv(name).map { String(cString: $0) }
  }

  /// The path of the program that runs, to run it again.
  ///
  /// - Throws: where /proc is not mounted.
  public static func executablePath() throws(PlatformError) -> String {
    var bytes = [UInt8](repeating: 0, count: Int(PATH_MAX))
    let count = bytes.withUnsafeMutableBytes {
      readlink("/proc/self/exe", $0.baseAddress!.assumingMemoryBound(to: CChar.self), $0.count)
    }
    guard count > 0 else { throw PlatformError(call: "readlink of /proc/self/exe", code: errno) }
    return String(decoding: bytes[..<count], as: UTF8.self)
  }
}
