// What the process makes of memory that is short: a tighter goal, a level for the application, an episode for the policy.

import Testing

@testable import TricolorPacing

private let second: UInt64 = 1_000_000_000

@Suite("Signs of the kernel")
final class LimitTighteningTests {
  private var tightening = LimitTightening()
  private var now: UInt64 = second

  private func read(
    _ reading: ShortageReading, resident: UInt64 = 900, after wait: UInt64 = LimitTightening.interval
  ) -> Int {
    now += wait
    tightening.update(reading, residentBytes: resident, limit: 1000, now: now)
    return tightening.percent
  }

  @Test("tighten from the second reading on: what was before the process is not its own")
  func firstReading() {
    #expect(read(ShortageReading(stalledPercent: 50, highEvents: 9, limitEvents: 9, kills: 9)) == 0)
    #expect(read(ShortageReading(highEvents: 9, limitEvents: 9, kills: 9)) == 0)
  }

  @Test("that count: being slowed down, meeting the limit, stalls that are many or become more")
  func signs() {
    _ = read(ShortageReading())
    #expect(read(ShortageReading(highEvents: 1)) == 2)
    #expect(read(ShortageReading(highEvents: 1)) == 2)
    #expect(read(ShortageReading(highEvents: 1, limitEvents: 5)) == 4)
    #expect(read(ShortageReading(stalledPercent: 0.9, highEvents: 1, limitEvents: 5)) == 4)
    #expect(read(ShortageReading(stalledPercent: 2, highEvents: 1, limitEvents: 5)) == 6)
    #expect(read(ShortageReading(stalledPercent: 2, highEvents: 1, limitEvents: 5)) == 6, "not rising")
    #expect(read(ShortageReading(stalledPercent: 12, highEvents: 1, limitEvents: 5)) == 8)
    #expect(read(ShortageReading(stalledPercent: 11, highEvents: 1, limitEvents: 5)) == 10, "falling, but high")
  }

  @Test("at a limit that is full of file pages count for nothing")
  func filePages() {
    _ = read(ShortageReading())
    #expect(read(ShortageReading(highEvents: 3, limitEvents: 1), resident: 799) == 0)
    #expect(read(ShortageReading(highEvents: 4, limitEvents: 2), resident: 800) == 2)
  }

  @Test("take off a quarter of the limit at most, at once when somebody was killed")
  func most() {
    _ = read(ShortageReading())
    for event in 1...20 as ClosedRange<Int64> { _ = read(ShortageReading(highEvents: event)) }
    #expect(tightening.percent == 25)
    #expect(tightening.tightened(1000) == 750)
    #expect(tightening.tightened(.max) == .max)
    var other = LimitTightening()
    other.update(ShortageReading(), residentBytes: 0, limit: 1000, now: 1)
    other.update(ShortageReading(kills: 1), residentBytes: 0, limit: 1000, now: 2)
    #expect(other.percent == 25)
  }

  @Test("that stay away for ten seconds let the goal come back, a percent a second")
  func recovery() {
    _ = read(ShortageReading())
    let after = ShortageReading(highEvents: 1)
    #expect(read(after) == 2)
    #expect(read(after, after: 10 * second - 1) == 2)
    #expect(read(after, after: 1) == 1)
    #expect(read(after, after: second - 1) == 1)
    #expect(read(after, after: 1) == 0)
    #expect(read(after, after: 9 * second) == 0)
    #expect(tightening.tightened(1000) == 1000)
  }
}

@Suite("The level of pressure")
final class PressureGaugeTests {
  private var gauge = PressureGauge()
  private var now: UInt64 = second

  private func level(
    unavoidable: UInt64, resident: UInt64 = 100, limited: Bool = false, kernel: Bool = false, after wait: UInt64 = 1
  ) -> PressureLevel {
    now += wait
    _ = gauge.update(
      PressureReading(
        limitBytes: 1000, residentBytes: resident, unavoidableBytes: unavoidable, collectorIsLimited: limited,
        kernelReports: kernel), now: now)
    return gauge.level
  }

  @Test("rises at once with what no collection frees")
  func rises() {
    #expect(level(unavoidable: 799) == .normal)
    #expect(level(unavoidable: 800) == .elevated)
    #expect(level(unavoidable: 949) == .elevated)
    #expect(level(unavoidable: 950) == .critical)
  }

  @Test("is not raised by garbage that a collection will free")
  func garbage() { #expect(level(unavoidable: 300, resident: 1000) == .normal) }

  @Test("is critical over the limit, and when the collector has used up its share")
  func critical() {
    #expect(level(unavoidable: 300, resident: 1050) == .critical)
    gauge = PressureGauge()
    #expect(level(unavoidable: 300, limited: true) == .critical)
  }

  @Test("is elevated when the kernel says so")
  func kernel() { #expect(level(unavoidable: 300, kernel: true) == .elevated) }

  @Test("falls a step at a time, after a second well below the threshold")
  func falls() {
    #expect(level(unavoidable: 990) == .critical)
    #expect(level(unavoidable: 910, after: 5 * second) == .critical, "not well below")
    #expect(level(unavoidable: 100) == .critical)
    #expect(level(unavoidable: 100, after: second - 1) == .critical)
    #expect(level(unavoidable: 910, after: 1) == .critical, "the second begins anew")
    #expect(level(unavoidable: 100) == .critical)
    #expect(level(unavoidable: 100, after: second) == .elevated)
    #expect(level(unavoidable: 100) == .elevated)
    #expect(level(unavoidable: 100, after: second) == .normal)
  }

  @Test("is normal without a limit, and says whether it changed")
  func noLimit() {
    let reading = PressureReading(limitBytes: 10, residentBytes: 10, unavoidableBytes: 10)
    let changes = [reading, reading, nil, nil].map { gauge.update($0, now: 1) }
    #expect(changes == [true, false, true, false])
    #expect(gauge.level == .normal)
  }
}

@Suite("An episode in which the limit cannot be met")
struct LimitEpisodeTests {
  @Test("begins once and ends once, after a second with room")
  func once() {
    let looks: [(Bool, UInt64)] = [
      (false, 5), (true, 10), (true, 20), (false, 30), (true, second), (false, 2 * second - 1), (false, 2 * second),
      (true, 3 * second),
    ]
    var episode = LimitEpisode()
    let events = looks.map { episode.update(isUnmet: $0.0, patience: nil, now: $0.1) }
    // The gap before `second` is short and belongs to it.
    #expect(events == [nil, .began, nil, nil, nil, nil, .ended(nanoseconds: 2 * second - 10), .began])
    #expect(episode.isOn)
  }

  @Test("expires once, when it has lasted as long as the policy waits and is not over")
  func expires() {
    let looks: [(Bool, UInt64)] = [
      (true, second), (true, 6 * second - 1), (false, 6 * second), (true, 6 * second + 1), (true, 8 * second),
    ]
    var episode = LimitEpisode()
    let events = looks.map { episode.update(isUnmet: $0.0, patience: 5 * second, now: $0.1) }
    #expect(events == [.began, nil, nil, .expired(nanoseconds: 5 * second + 1), nil])
  }

  @Test("begins when holes between live objects have used up the room for a second, not at the first look")
  func starved() {
    let looks: [(Bool, UInt64)] = [
      (true, 5), (false, second), (true, second + 5), (true, 2 * second), (true, 2 * second + 5),
    ]
    var episode = LimitEpisode()
    let events = looks.map { episode.update(isUnmet: false, isStarved: $0.0, patience: nil, now: $0.1) }
    #expect(events == [nil, nil, nil, nil, .began])
  }

  @Test("is on when what no collection frees comes within three percent, or a mebibyte, of the limit")
  func headroom() {
    #expect(LimitEpisode.isUnmet(unavoidableBytes: 970 << 20, limit: 1000 << 20))
    #expect(!LimitEpisode.isUnmet(unavoidableBytes: 969 << 20, limit: 1000 << 20))
    #expect(LimitEpisode.isUnmet(unavoidableBytes: 9 << 20, limit: 10 << 20))
    #expect(!LimitEpisode.isUnmet(unavoidableBytes: 8 << 20, limit: 10 << 20))
    #expect(LimitEpisode.isUnmet(unavoidableBytes: 0, limit: 0))
  }

  @Test("is told from the pacer: no room is left for more than what lives")
  func room() {
    var pacer = Pacer(gcPercent: 100, memoryLimit: 1000 << 20)
    #expect(pacer.hasRoom(under: 1000 << 20))
    #expect(pacer.hasRoom(under: .max))
    pacer.resetLive(bytesMarked: 700 << 20)
    #expect(pacer.hasRoom(under: 1000 << 20))
    pacer.memory.foreign = 400 << 20
    #expect(!pacer.hasRoom(under: 1000 << 20))
    #expect(!pacer.hasRoom(under: 0))
  }
}
