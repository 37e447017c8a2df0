// The input of `tricolor simulate --fleet` as JSON. What its keys mean is in docs/fleet.md.

import TricolorPacing
import TricolorTuning

/// Reads fleets.
enum FleetFile {
  /// The fleet in the file at `path`.
  ///
  /// - Throws: `UsageError` for a file that cannot be read or is not such an object.
  static func read(_ path: String) throws -> FleetModel { try StrictJSON.read(FleetInput.self, path).model }
}

/// The object as it is written. A key left out has the model's default.
private struct FleetInput: Decodable {
  enum CodingKeys: String, CodingKey, CaseIterable {
    case seed, hours, limitPercents, limitScales, groups
  }

  let model: FleetModel

  init(from decoder: any Decoder) throws {
    try UnknownKey.check(decoder, CodingKeys.self)
    let object = try decoder.container(keyedBy: CodingKeys.self)
    var model = FleetModel(
      hours: try object.decode(Double.self, forKey: .hours),
      limitPercents: try object.decode([Int].self, forKey: .limitPercents),
      groups: try object.decode([GroupInput].self, forKey: .groups).map(\.group))
    if object.contains(.seed) { model.seed = try object.integer(UInt64.self, .seed) }
    if object.contains(.limitScales) { model.limitScales = try object.decode([Double].self, forKey: .limitScales) }
    self.model = model
  }
}

private struct GroupInput: Decodable {
  enum CodingKeys: String, CodingKey, CaseIterable {
    case name, pods, limitBytes, gcPercent, processors, liveBytes, liveSpread, liveGrowthPerHour,
      allocationBytesPerSecond
    case busyFraction, dailySwing, markBytesPerSecond, nonHeapBytes, holes, foreignBytes, countsForeign, spikes
    case arrivalHours
  }

  let group: PodGroup

  init(from decoder: any Decoder) throws {
    try UnknownKey.check(decoder, CodingKeys.self)
    let object = try decoder.container(keyedBy: CodingKeys.self)
    var group = PodGroup(
      name: try object.decode(String.self, forKey: .name), pods: try object.integer(Int.self, .pods),
      limitBytes: try object.integer(Int.self, .limitBytes), liveBytes: try object.integer(Int.self, .liveBytes),
      allocationBytesPerSecond: try object.decode(Double.self, forKey: .allocationBytesPerSecond))
    if object.contains(.gcPercent) {
      group.gcPercent = try object.decodeNil(forKey: .gcPercent) ? nil : object.integer(Int.self, .gcPercent)
    }
    try object.read(.processors, into: &group.processors)
    try object.read(.liveSpread, into: &group.liveSpread)
    try object.read(.liveGrowthPerHour, into: &group.liveGrowthPerHour)
    try object.read(.busyFraction, into: &group.busyFraction)
    try object.read(.dailySwing, into: &group.dailySwing)
    try object.read(.markBytesPerSecond, into: &group.markBytesPerSecond)
    try object.read(.holes, into: &group.holes)
    try object.read(.arrivalHours, into: &group.arrivalHours)
    try object.read(.countsForeign, into: &group.countsForeign)
    if object.contains(.nonHeapBytes) { group.nonHeapBytes = try object.integer(Int.self, .nonHeapBytes) }
    if object.contains(.foreignBytes) { group.foreignBytes = try object.integer(Int.self, .foreignBytes) }
    if object.contains(.spikes) { group.spikes = try object.decode(SpikesInput.self, forKey: .spikes).spikes }
    self.group = group
  }
}

private struct SpikesInput: Decodable {
  enum CodingKeys: String, CodingKey, CaseIterable {
    case perHour, seconds, live, allocation
  }

  let spikes: LoadSpikes

  init(from decoder: any Decoder) throws {
    try UnknownKey.check(decoder, CodingKeys.self)
    let object = try decoder.container(keyedBy: CodingKeys.self)
    var spikes = LoadSpikes()
    try object.read(.perHour, into: &spikes.perHour)
    try object.read(.seconds, into: &spikes.seconds)
    try object.read(.live, into: &spikes.live)
    try object.read(.allocation, into: &spikes.allocation)
    self.spikes = spikes
  }
}

extension KeyedDecodingContainer {
  /// The value behind `key`, if there is one.
  fileprivate func read<Value: Decodable>(_ key: Key, into value: inout Value) throws {
    if contains(key) { value = try decode(Value.self, forKey: key) }
  }
}
