// The simulation's own edges: which parameters it refuses, and how it says so.

import Testing
import TricolorPacing

@Suite("A simulation")
struct CycleModelTests {
  private static let draw = CycleDraw(
    allocationRate: 33, scanRate: 1024, growthRate: 1, scannableFraction: 1, stackBytes: 8192)

  private func model(_ change: (inout CycleModel) -> Void) -> CycleModel {
    var model = CycleModel(cycles: [Self.draw, Self.draw])
    change(&model)
    return model
  }

  private func error(_ change: (inout CycleModel) -> Void) -> SettingsError? {
    #expect(throws: SettingsError.self) { try model(change).run() }
  }

  @Test("names the parameter it refuses")
  func refusals() {
    #expect(error { $0.gcPercent = -1 }?.name == "gcPercent")
    #expect(error { $0.memoryLimitBytes = -1 }?.name == "memoryLimitBytes")
    #expect(error { $0.globalsBytes = .max }?.name == "globalsBytes")
    #expect(error { $0.processors = 0 }?.name == "processors")
    #expect(error { $0.cycles[1].allocationRate = -0.5 }?.name == "cycles[1].allocationRate")
    #expect(error { $0.cycles[1].allocationRate = .nan }?.name == "cycles[1].allocationRate")
    #expect(error { $0.cycles[0].scanRate = 0 }?.name == "cycles[0].scanRate")
    #expect(error { $0.cycles[1].growthRate = .infinity }?.name == "cycles[1].growthRate")
    #expect(error { $0.cycles[1].scannableFraction = 1.5 }?.name == "cycles[1].scannableFraction")
    #expect(error { $0.cycles[0].stackBytes = .max }?.name == "cycles[0].stackBytes")
    #expect(error { $0.cycles[1].stackBytes = .max }?.value == "18446744073709551615")
  }

  @Test("stops with the cycle in which the heap outgrows every machine")
  func outgrown() {
    #expect(error { $0.cycles += [Self.growing, Self.growing] }?.name == "cycles[3]")
  }

  private static let growing = CycleDraw(
    allocationRate: 33, scanRate: 1e9, growthRate: 1e6, scannableFraction: 0.01, stackBytes: 0)

  @Test("without cycles answers none")
  func empty() throws {
    #expect(try model { $0.cycles = [] }.run().isEmpty)
  }

  @Test("with nothing to scan has a cycle of no length at the background's share")
  func nothingToScan() throws {
    let outcome = try model {
      $0.globalsBytes = 0
      $0.cycles[0].scannableFraction = 0
      $0.cycles[0].stackBytes = 0
    }.run()[0]
    #expect(outcome.durationNanoseconds == 0)
    #expect(outcome.gcUtilization == 0.25)
  }

  @Test("with neither growth nor limit ends all the same")
  func unlimited() throws {
    let outcomes = try model {
      $0.gcPercent = nil
      $0.memoryLimitBytes = nil
    }.run()
    #expect(outcomes.count == 2)
  }
}
