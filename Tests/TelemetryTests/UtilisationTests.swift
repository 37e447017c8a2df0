// Minimum mutator utilisation: cases that can be reckoned by hand, and random stalls against a count of every window.

import Testing
import Tricolor

@testable import TricolorTelemetry

@Suite("Minimum mutator utilisation")
struct UtilisationTests {
  private static let millisecond: UInt64 = 1_000_000

  private func stall(_ from: UInt64, _ duration: UInt64, thread: Int32 = 1) -> StallEvent {
    StallEvent(
      thread: thread, startedAt: from * Self.millisecond, durationNanoseconds: duration * Self.millisecond)
  }

  /// The share kept in windows of so many milliseconds.
  private func kept(_ stalls: [StallEvent], elapsed: UInt64 = 2000, _ window: UInt64) -> Double? {
    var utilisation = MutatorUtilisation()
    // One by one, as they come.
    for stall in stalls { utilisation.add([stall], lost: 0) }
    return utilisation.points(elapsed: elapsed * Self.millisecond).first { $0.window == window * Self.millisecond }?
      .utilisation
  }

  @Test("a window no longer than a stall has nothing left, one of twice its length a half")
  func oneStall() {
    #expect(kept([stall(100, 10)], 5) == 0)
    #expect(kept([stall(100, 10)], 10) == 0)
    #expect(kept([stall(100, 10)], 20) == 0.5)
    #expect(kept([stall(100, 10)], 1000) == 0.99)
  }

  @Test("stalls in a row count together, those of different threads do not")
  func stallsInARow() {
    #expect(kept([stall(100, 5), stall(110, 5)], 20) == 0.5)
    #expect(kept([stall(100, 5), stall(110, 5, thread: 2)], 20) == 0.75)
    #expect(kept([stall(100, 5), stall(300, 5)], 20) == 0.75)
  }

  @Test("a stall inside a longer one of its thread counts once")
  func nestedStalls() {
    #expect(kept([stall(102, 1), stall(104, 2), stall(100, 10)], 20) == 0.5)
    #expect(kept([stall(90, 5), stall(102, 1), stall(100, 10), stall(111, 5)], 50) == 0.6)
  }

  @Test("windows longer than the run are left out, and a run without stalls keeps everything")
  func shortRuns() {
    #expect(kept([stall(1, 1)], elapsed: 30, 50) == nil)
    #expect(kept([stall(1, 1)], elapsed: 30, 20) == 0.95)
    #expect(kept([], 10) == 1)
  }

  @Test("random stalls, some nested, are counted as by looking at every window")
  func randomStalls() {
    let seed = UInt64.random(in: 0 ... .max)
    var random = Generator(state: seed)
    for _ in 0..<20 {
      var stalls: [StallEvent] = []
      var busy = [Bool](repeating: false, count: 3000)
      var time: UInt64 = 0
      while true {
        time += random.next(below: 30) + 1
        let length = random.next(below: 12) + 1
        if time + length > 2900 { break }
        if length > 4 { stalls.append(stall(time + 1, 2)) }
        stalls.append(stall(time, length))
        for moment in time..<time + length { busy[Int(moment)] = true }
        time += length
      }
      for window in [1, 5, 20, 100, 500, 1000] {
        var worst = 0
        for start in 0...(2900 - window) { worst = max(worst, busy[start..<start + window].filter { $0 }.count) }
        let expected = 1 - Double(worst) / Double(window)
        #expect(kept(stalls, elapsed: 3000, UInt64(window)) == expected, "seed \(seed), windows of \(window) ms")
      }
    }
  }

  @Test("old stalls are forgotten without changing the curve")
  func longRuns() {
    var utilisation = MutatorUtilisation()
    utilisation.add([stall(0, 10)], lost: 3)
    // A second holds 49 of these beside the first.
    for round in 1..<20_000 as Range<UInt64> { utilisation.add([stall(round * 20, 1)], lost: 0) }
    let points = utilisation.points(elapsed: 400_000 * Self.millisecond)
    #expect(points.first { $0.window == 10 * Self.millisecond }?.utilisation == 0)
    #expect(points.first { $0.window == 1000 * Self.millisecond }?.utilisation == 1 - 0.059)
    #expect(utilisation.lost == 3)
  }
}

private struct Generator {
  var state: UInt64

  mutating func next(below bound: UInt64) -> UInt64 {
    state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
    return (state >> 33) % bound
  }
}
