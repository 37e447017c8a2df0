// What a pod has to bear, and when it changes: the day's swing in steps of a quarter of an hour, and spikes.
//
// All randomness of a pod is drawn here, from the fleet's seed and the pod's number: what a setting does to a pod changes neither its size
// nor its spikes, so that settings are compared with the same luck. Between two changes the load is constant, but for the slopes of a spike.

import Glibc
import Harness

/// A pod's load over time. Seconds since the fleet's beginning; time may only go forwards.
struct PodLoad {
  let arrival: Double
  /// What lives without spikes.
  let live: Double
  private let group: PodGroup
  private var random: SplitMix64
  private var swing = 1.0
  private var nextStep = 0.0
  private var spikeBegin = Double.infinity

  private static let day = 86_400.0
  private static let step = 900.0

  init(_ group: PodGroup, index: Int, seed: UInt64) {
    self.group = group
    var random = SplitMix64(seed: seed)
    // The counter of neighbouring pods must not be neighbours.
    random = SplitMix64(seed: random.next() ^ (UInt64(index) &* 0xD134_2543_DE82_EF95))
    live = Double(group.liveBytes) * exp(group.liveSpread * PodLoad.normal(&random))
    arrival = group.arrivalHours * 3600 * PodLoad.uniform(&random)
    self.random = random
    if group.spikes.perHour > 0 { spikeBegin = gap() }
  }

  private static func uniform(_ random: inout SplitMix64) -> Double { (Double(random.next() >> 11) + 0.5) * 0x1p-53 }

  /// By Box and Muller.
  private static func normal(_ random: inout SplitMix64) -> Double {
    (-2 * log(uniform(&random))).squareRoot() * cos(2 * .pi * uniform(&random))
  }

  private mutating func gap() -> Double { -log(PodLoad.uniform(&random)) * 3600 / group.spikes.perHour }

  /// Goes on to `time`.
  mutating func advance(to time: Double) {
    while time >= spikeBegin + group.spikes.seconds { spikeBegin += group.spikes.seconds + gap() }
    if time < nextStep { return }
    swing = 1 + group.dailySwing * sin(2 * .pi * time / PodLoad.day)
    nextStep = (time / PodLoad.step).rounded(.down) * PodLoad.step + PodLoad.step
  }

  /// The first moment after `time` at which the load changes; a slope is followed in eighths.
  func nextChange(after time: Double) -> Double {
    if time < spikeBegin { return min(spikeBegin, nextStep) }
    let eighth = group.spikes.seconds / 24
    let passed = ((time - spikeBegin) / eighth).rounded(.down)
    // In the middle third nothing changes.
    let next = (8..<16).contains(passed) ? 16 : passed + 1
    // What is rounded away must not make a moment come twice.
    return min(max(spikeBegin + next * eighth, time + eighth / 100), nextStep)
  }

  /// How far up a spike is, 0...1.
  func height(_ time: Double) -> Double {
    if time < spikeBegin { return 0 }
    let third = group.spikes.seconds / 3
    let since = time - spikeBegin
    return max(0, min(1, since / third, (group.spikes.seconds - since) / third))
  }

  /// What lives, in bytes, in a process of `age` seconds: it fills within the first half minute.
  func live(_ time: Double, age: Double) -> Double {
    let grown = 1 + group.liveGrowthPerHour * age / 3600
    return live * grown * min(1, age / 30) * (1 + (group.spikes.live - 1) * height(time))
  }

  /// The load as a multiple of the group's mean.
  func load(_ time: Double) -> Double { swing * (1 + (group.spikes.allocation - 1) * height(time)) }
}
