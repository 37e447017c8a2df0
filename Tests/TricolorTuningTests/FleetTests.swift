// A fleet of modelled pods: the same answer every time and on any number of threads, deaths where memory is short, and wrong values named.

import Synchronization
import Testing
import TricolorPacing

@testable import TricolorTuning

@Suite("A simulated fleet")
struct FleetTests {
  private static let mebibyte = 1 << 20

  private static func group(_ change: (inout PodGroup) -> Void = { _ in }) -> PodGroup {
    var group = PodGroup(
      name: "store", pods: 16, limitBytes: 512 * mebibyte, liveBytes: 128 * mebibyte, allocationBytesPerSecond: 50e6)
    group.liveSpread = 0.2
    group.dailySwing = 0.3
    change(&group)
    return group
  }

  private static func spiking(_ group: inout PodGroup) {
    group.spikes.perHour = 6
    group.spikes.seconds = 20
    group.spikes.live = 2.4
    group.spikes.allocation = 5
    group.foreignBytes = 24 * mebibyte
  }

  private func run(_ model: FleetModel, threads: Int = 2) throws -> [FleetOutcome] {
    try FleetSimulation(model).run(threads: threads)
  }

  private func run(_ group: PodGroup, hours: Double = 1, percent: Int = 90) throws -> FleetOutcome {
    try #require(try run(FleetModel(hours: hours, limitPercents: [percent], groups: [group])).first)
  }

  @Test("gives the same answer again, on one thread and on three, and another one with another seed")
  func deterministic() throws {
    var model = FleetModel(
      hours: 0.5, limitPercents: [80, 100], limitScales: [1, 0.8], groups: [Self.group(Self.spiking), Self.group()])
    let first = try run(model, threads: 1)
    #expect(first == (try run(model, threads: 3)))
    #expect(first.count == 4)
    #expect(first.contains { $0.kills > 0 })
    model.seed = 2
    #expect(first != (try run(model)))
  }

  @Test("a pod with room lives, and its cycles are what its growth makes them")
  func calm() throws {
    let outcome = try run(
      Self.group {
        $0.liveSpread = 0
        $0.dailySwing = 0
        $0.pods = 1
      })
    #expect(outcome.kills == 0)
    #expect(abs(outcome.podHours - 1) < 0.001)
    // 50 MB a second against 128 MiB of growth, less the half minute in which the heap fills.
    let expected = 3600 * 50e6 / Double(128 * Self.mebibyte)
    #expect(abs(Double(outcome.cycles) / expected - 1) < 0.15, "\(outcome.cycles)")
    // An eighth of a processor second marks 128 MiB.
    #expect(abs(outcome.gcCPUFraction - Double(outcome.cycles) * 0.125 / 3600) < 0.01)
  }

  @Test("a pod whose live heap exceeds its limit is lost, whatever its share, and again after every start")
  func tooLarge() throws {
    for percent in [50, 80, 100] {
      let group = Self.group {
        $0.liveBytes = 700 * Self.mebibyte
        $0.liveSpread = 0
      }
      let outcome = try run(group, percent: percent)
      #expect(outcome.podsKilled == 16)
      // Every five minutes in the end.
      #expect((8 * 16...18 * 16).contains(outcome.kills), "\(outcome.kills)")
    }
  }

  @Test("a leak ends in a kill; without it nothing does")
  func leak() throws {
    let calm = Self.group {
      $0.pods = 4
      $0.liveSpread = 0
      $0.allocationBytesPerSecond = 5e6
    }
    var leaking = calm
    leaking.liveGrowthPerHour = 0.5
    #expect(try run(leaking, hours: 8).podsKilled == 4)
    #expect(try run(calm, hours: 8).podsKilled == 0)
  }

  @Test("under spikes a share of 100 % loses more pods than one of 80 %")
  func shareUnderSpikes() throws {
    let careful = try run(Self.group(Self.spiking), hours: 2, percent: 80)
    let careless = try run(Self.group(Self.spiking), hours: 2, percent: 100)
    #expect(careless.kills > careful.kills, "\(careless.kills) and \(careful.kills)")
  }

  @Test(
    "memory outside the heap that the limit counts kills no pod that has room for it, and one that it does not count does"
  )
  func foreign() throws {
    let group = Self.group {
      $0.liveSpread = 0
      $0.liveBytes = 240 * Self.mebibyte
      $0.foreignBytes = 80 * Self.mebibyte
    }
    #expect(try run(group, percent: 95).kills > 0)
    var counting = group
    counting.countsForeign = true
    #expect(try run(counting, percent: 95).kills == 0)
  }

  @Test("the answer names the share with the fewest kills, and what saving costs")
  func answer() throws {
    let model = FleetModel(
      hours: 1, limitPercents: [70, 85, 100], limitScales: [1, 0.8], groups: [Self.group(Self.spiking)])
    let answer = FleetAnswer(try run(model), of: model)
    for best in answer.bestOfScale {
      #expect(answer.outcomes.allSatisfy { $0.limitScale != best.limitScale || $0.kills >= best.kills })
    }
    let cheapest = try #require(answer.cheapest)
    #expect(cheapest.limitScale == 0.8)
    #expect(abs(answer.savedGiB(cheapest) - 1.6) < 0.01)
    let price = try #require(answer.killsPerGiBSaved(cheapest))
    #expect(abs(price * 1.6 - Double(cheapest.kills - answer.bestOfScale[0].kills)) < 0.1)
    #expect(answer.isComplete)
    #expect(answer.text.contains("loses the fewest pods"))
  }

  @Test("an interrupted simulation keeps what was finished, and says so")
  func interrupted() throws {
    let model = FleetModel(hours: 0.02, limitPercents: [80, 90, 100], groups: [Self.group { $0.pods = 80 }])
    let pieces = Atomic<Int>(0)
    let outcomes = try FleetSimulation(model).run(
      threads: 1, isCancelled: { pieces.load(ordering: .relaxed) >= 3 },
      progress: { _ in pieces.add(1, ordering: .relaxed) })
    // Two pieces are a combination of 80 pods.
    #expect(outcomes.map(\.limitPercent) == [80])
    let answer = FleetAnswer(outcomes, of: model)
    #expect(!answer.isComplete)
    #expect(answer.text.contains("interrupted"))
  }

  @Test("names the key whose value makes no sense, and the value")
  func refusals() throws {
    func error(_ change: (inout FleetModel) -> Void) -> SettingsError? {
      var model = FleetModel(hours: 1, limitPercents: [90], groups: [Self.group(), Self.group()])
      change(&model)
      return #expect(throws: SettingsError.self) { try FleetSimulation(model) }
    }
    #expect(error { $0.hours = 0 }?.name == "hours")
    #expect(error { $0.limitPercents = [90, 101] }?.name == "limitPercents[1]")
    #expect(error { $0.limitPercents = [90, 101] }?.value == "101")
    #expect(error { $0.limitScales = [] }?.name == "limitScales")
    #expect(error { $0.limitScales = [.nan] }?.name == "limitScales[0]")
    #expect(error { $0.groups = [] }?.name == "groups")
    #expect(error { $0.groups[1].pods = 0 }?.name == "groups[1].pods")
    #expect(error { $0.groups[0].liveBytes = -5 }?.value == "-5")
    #expect(error { $0.groups[1].spikes.live = 0.5 }?.name == "groups[1].spikes.live")
    #expect(error { $0.groups[0].allocationBytesPerSecond = .infinity }?.name == "groups[0].allocationBytesPerSecond")
    #expect(error { $0.groups[0].dailySwing = 1.5 }?.name == "groups[0].dailySwing")
    #expect(error { $0.groups[0].gcPercent = 0 }?.name == "groups[0].gcPercent")
  }
}
