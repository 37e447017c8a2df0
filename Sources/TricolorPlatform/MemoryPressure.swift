// Pressure stall information: how much of the time some task waited for memory. It rises before anything is killed.
//
// A version 2 group has its own file; on version 1 only the machine's figure exists, which is better than none. A kernel with
// PSI switched off has neither.

/// Reads the share of time that tasks were stalled on memory. Safe from any thread.
public struct MemoryPressure: Sendable {
  /// The file the figures come from.
  public let path: String
  private let file: KernelFile

  /// The pressure of `group` where the kernel keeps one for it, else of the machine; nil on a kernel without PSI.
  ///
  /// - Throws: when a file exists and cannot be read.
  public static func current(
    group: MemoryGroup? = nil, procRoot: String = "/proc"
  ) throws(PlatformError) -> MemoryPressure? {
    var paths = [procRoot + "/pressure/memory"]
    if let group, group.version == .v2 { paths.insert(group.directory + "/memory.pressure", at: 0) }
    for path in paths {
      if let file = try KernelFile.ifPresent(path) {
        let pressure = MemoryPressure(path: path, file: file)
        if pressure.someAverage10() != nil { return pressure }
      }
    }
    return nil
  }

  /// Percent of the last ten seconds in which at least one task waited for memory; nil when the group is gone.
  public func someAverage10() -> Double? {
    file.read { TextScan.decimal($0, after: "some avg10=") }
  }
}
