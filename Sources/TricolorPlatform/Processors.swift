// How much processor the process may use: its affinity, and the quota of its control groups as the fraction it is.
//
// The smallest quota on the path to the root binds, as with memory. Fractions are kept: a quarter of 2.5 processors is not a
// quarter of 3, and a collector that plans with more than the quota is throttled in the middle of its pauses.

/// The processors the process may use.
public struct Processors: Sendable, Equatable {
  /// How many its affinity mask allows; at least 1.
  public let affinity: Int
  /// Processor seconds a second that the control groups allow; nil without a quota.
  public let quota: Double?

  /// Reads affinity and quota.
  ///
  /// - Parameters:
  ///   - procRoot: where proc is mounted.
  ///   - mountPrefix: put before the mount points in mountinfo, so that a copied tree can stand for a machine.
  ///   - affinity: the count to take instead of the process's own.
  /// - Throws: when a file exists and cannot be read.
  public static func current(
    procRoot: String = "/proc", mountPrefix: String = "", affinity: Int? = nil
  ) throws(PlatformError) -> Processors {
    let paths = try ControlGroupPaths(procRoot: procRoot, mountPrefix: mountPrefix)
    var quota: Double? = nil
    if let chain = try paths.chain(of: "cpu", mark: "cpu.max") {
      for directory in chain.directories {
        if let own = try Self.quota(of: directory, version: chain.version) { quota = min(own, quota ?? own) }
      }
    }
    return Processors(affinity: affinity ?? CurrentProcess.affinityProcessorCount, quota: quota)
  }

  /// Processor seconds a second that are to be had: the smaller of affinity and quota.
  public var available: Double { min(Double(affinity), quota ?? .infinity) }

  /// Threads to plan with, by Go's rule: the quota rounded up, but not below 2 and not above the affinity.
  public var planned: Int {
    guard let quota else { return affinity }
    return min(affinity, max(2, Int(quota.rounded(.up))))
  }

  private static func quota(of directory: String, version: ControlGroupVersion) throws(PlatformError) -> Double? {
    let fields: [Substring]
    switch version {
    case .v1:
      let quota = try KernelFile.text(directory + "/cpu.cfs_quota_us") ?? ""
      let period = try KernelFile.text(directory + "/cpu.cfs_period_us") ?? ""
      fields = (quota + " " + period).split(whereSeparator: \.isWhitespace)
    case .v2:
      fields = (try KernelFile.text(directory + "/cpu.max") ?? "").split(whereSeparator: \.isWhitespace)
    }
    // "max" and -1 are no quota.
    guard fields.count == 2, let quota = Int(fields[0]), let period = Int(fields[1]), quota > 0, period > 0 else {
      return nil
    }
    return Double(quota) / Double(period)
  }
}
