// A fleet on paper: groups of pods, each with a heap, a load and a memory limit; and what is to be tried on all of them.
//
// Two things are varied, and every combination is simulated with the same pods and the same luck: the limits of all pods, scaled (what
// an operator would save), and GOMEMLIMIT as a share of a pod's limit (what the operator sets). The format of the file is in docs/fleet.md.

import TricolorPacing

/// Pods that are alike.
public struct PodGroup: Sendable, Equatable {
  public var name: String
  public var pods: Int
  /// The pod's memory limit, in bytes.
  public var limitBytes: Int
  /// `GOGC`, nil for off.
  public var gcPercent: Int? = GCPercent.standard
  public var processors = 1.0
  /// What lives in a pod without load spikes, in bytes, and how pods differ: the standard deviation of its logarithm.
  public var liveBytes: Int
  public var liveSpread = 0.0
  /// How much more lives after each hour of a process's life, as a part of `liveBytes`: a leak.
  public var liveGrowthPerHour = 0.0
  /// Bytes allocated in a second, and the part of its processors that the program uses for that.
  public var allocationBytesPerSecond: Double
  public var busyFraction = 0.3
  /// How far the load swings over a day around its mean, 0...1.
  public var dailySwing = 0.0
  /// Bytes of live heap that one processor marks in a second.
  public var markBytesPerSecond = 1_073_741_824.0
  /// Memory of the runtime beside the heap, in bytes, and room lost between objects, as a part of the heap.
  public var nonHeapBytes = 16 << 20
  public var holes = 0.05
  /// Memory of the process that its runtime does not manage, in bytes; and whether its limit counts that (Tricolor's does, Go's does not).
  public var foreignBytes = 0
  public var countsForeign = false
  public var spikes = LoadSpikes()
  /// Pods arrive one by one in this time from the beginning.
  public var arrivalHours = 0.0

  public init(name: String, pods: Int, limitBytes: Int, liveBytes: Int, allocationBytesPerSecond: Double) {
    self.name = name
    self.pods = pods
    self.limitBytes = limitBytes
    self.liveBytes = liveBytes
    self.allocationBytesPerSecond = allocationBytesPerSecond
  }
}

/// Bursts of load: a third of the time they rise, a third they stay, a third they fall.
public struct LoadSpikes: Sendable, Equatable {
  /// How many a pod has in an hour on average; they come independently.
  public var perHour = 0.0
  public var seconds = 30.0
  /// What lives, and what is allocated, at their height, as a multiple.
  public var live = 1.0
  public var allocation = 1.0

  public init() {}
}

/// Groups of pods and what is tried on them.
public struct FleetModel: Sendable, Equatable {
  /// The same seed gives the same pods and the same spikes.
  public var seed: UInt64 = 1
  public var hours: Double
  /// `GOMEMLIMIT` in percent of the pod's limit.
  public var limitPercents: [Int]
  /// What all pods' limits are multiplied with.
  public var limitScales: [Double]
  public var groups: [PodGroup]

  public init(hours: Double, limitPercents: [Int], limitScales: [Double] = [1], groups: [PodGroup]) {
    self.hours = hours
    self.limitPercents = limitPercents
    self.limitScales = limitScales
    self.groups = groups
  }

  public var pods: Int { groups.reduce(0) { $0 + $1.pods } }
  /// Hours of pods that all combinations together take.
  public var podHours: Double { Double(pods * limitPercents.count * limitScales.count) * hours }
}

extension FleetModel {
  /// - Throws: `SettingsError` that names the first key whose value makes no sense.
  public func validate() throws(SettingsError) {
    try check(
      "hours", hours, hours > 0 && hours <= FleetModel.mostHours, "a number above 0, up to \(FleetModel.mostHours)")
    try check("limitPercents", limitPercents, !limitPercents.isEmpty, "at least one percentage")
    for (index, percent) in limitPercents.enumerated() {
      try check("limitPercents[\(index)]", percent, (1...100).contains(percent), "an integer from 1 to 100")
    }
    try check("limitScales", limitScales, !limitScales.isEmpty, "at least one number")
    for (index, scale) in limitScales.enumerated() {
      try check("limitScales[\(index)]", scale, scale > 0 && scale <= 4, "a number above 0, up to 4")
    }
    try check("groups", groups.count, !groups.isEmpty, "at least one group")
    for (index, group) in groups.enumerated() { try group.validate("groups[\(index)].") }
    try check("groups", pods, pods <= FleetModel.mostPods, "at most \(FleetModel.mostPods) pods in all")
  }

  static let mostHours = 100_000.0
  static let mostPods = 1_000_000
}

extension PodGroup {
  fileprivate func validate(_ prefix: String) throws(SettingsError) {
    func check(_ name: String, _ value: Any, _ isAllowed: Bool, _ allowed: String) throws(SettingsError) {
      if !isAllowed { throw SettingsError(name: prefix + name, value: "\(value)", allowed: allowed) }
    }
    func part(_ name: String, _ value: Double) throws(SettingsError) {
      try check(name, value, (0...1).contains(value), "a number from 0 to 1")
    }
    func size(_ name: String, _ value: Int, from least: Int) throws(SettingsError) {
      try check(name, value, (least...PodGroup.largest).contains(value), "bytes from \(least) to \(PodGroup.largest)")
    }
    func number(_ name: String, _ value: Double, _ range: ClosedRange<Double>) throws(SettingsError) {
      try check(name, value, range.contains(value), "a number from \(range.lowerBound) to \(range.upperBound)")
    }
    try check("pods", pods, (1...FleetModel.mostPods).contains(pods), "an integer from 1 to \(FleetModel.mostPods)")
    try size("limitBytes", limitBytes, from: 1 << 20)
    try size("liveBytes", liveBytes, from: 1 << 16)
    try size("nonHeapBytes", nonHeapBytes, from: 0)
    try size("foreignBytes", foreignBytes, from: 0)
    if let gcPercent {
      try check("gcPercent", gcPercent, (1...100_000).contains(gcPercent), "an integer from 1 to 100000, or null")
    }
    try number("processors", processors, 0.01...1024)
    try number("allocationBytesPerSecond", allocationBytesPerSecond, 1...1e12)
    try number("markBytesPerSecond", markBytesPerSecond, 1e6...1e12)
    try number("busyFraction", busyFraction, 0.001...1)
    try part("dailySwing", dailySwing)
    try number("liveSpread", liveSpread, 0...2)
    try number("liveGrowthPerHour", liveGrowthPerHour, 0...1000)
    try number("arrivalHours", arrivalHours, 0...FleetModel.mostHours)
    try part("holes", holes)
    try number("spikes.perHour", spikes.perHour, 0...1000)
    try number("spikes.seconds", spikes.seconds, 0.1...86_400)
    try number("spikes.live", spikes.live, 1...100)
    try number("spikes.allocation", spikes.allocation, 1...1000)
  }

  private static let largest = 1 << 40
}

private func check(_ name: String, _ value: Any, _ isAllowed: Bool, _ allowed: String) throws(SettingsError) {
  if !isAllowed { throw SettingsError(name: name, value: "\(value)", allowed: allowed) }
}
