// The pacer against Go's: the same programs, number by number; and what those programs must look like once settled,
// whoever paces.

import Testing
import TricolorPacing

@Suite("The pacer agrees with Go's")
struct GoAgreementTests {
  @Test("in every integer of every cycle of Go's own scenarios", arguments: try GoScenarios.ofGosTests())
  func agreesInGosScenarios(_ scenario: GoScenario) throws {
    try expectAgreement(scenario)
  }

  @Test("for other percentages, limits, roots and processors", arguments: try GoScenarios.drawnAtRandom())
  func agreesInDrawnScenarios(_ scenario: GoScenario) throws {
    try expectAgreement(scenario)
  }

  @Test("and none of Go's scenarios is missing")
  func scenariosAreComplete() throws {
    let scenarios = try GoScenarios.ofGosTests()
    #expect(scenarios.count == 9)
    #expect(scenarios.map(\.answers.count).reduce(0, +) == 550)
  }

  private func expectAgreement(_ scenario: GoScenario) throws {
    let outcomes = try scenario.model.run()
    try #require(outcomes.count == scenario.answers.count)
    let difference = zip(outcomes, scenario.answers).enumerated().first { !agree($0.element.0, $0.element.1) }
    if let difference {
      Issue.record("cycle \(difference.offset + 1): \(difference.element.0) where Go has \(difference.element.1)")
    }
  }

  private func agree(_ ours: CycleOutcome, _ gos: CycleOutcome) -> Bool {
    var integers = ours
    integers.gcUtilization = gos.gcUtilization
    integers.firstAssistWorkPerByte = gos.firstAssistWorkPerByte
    return integers == gos && abs(ours.gcUtilization - gos.gcUtilization) < 1e-12
      && isClose(ours.firstAssistWorkPerByte, gos.firstAssistWorkPerByte)
  }

  private func isClose(_ a: Double, _ b: Double) -> Bool { abs(a - b) <= 1e-12 * max(abs(a), abs(b)) }
}

@Suite("A paced program settles")
struct SettlingTests {
  private func outcomes(_ name: String) throws -> [CycleOutcome] {
    let scenario = try #require(try GoScenarios.ofGosTests().first { $0.name == name })
    return try scenario.model.run()
  }

  @Test("at a quarter of the processors and within 5 % of its goal", arguments: ["Steady", "SteadyBigStacks"])
  func steadyProgram(_ name: String) throws {
    for outcome in try outcomes(name).dropFirst(24) {
      #expect(abs(outcome.gcUtilization - 0.25) <= 0.005)
      #expect((0.95...1.05).contains(Double(outcome.peakBytes) / Double(outcome.goalBytes)))
    }
  }

  @Test("below its limit, less the headroom")
  func limitedProgram() throws {
    for outcome in try outcomes("SteadyMemoryLimit") { #expect(outcome.peakBytes < 520_764_785) }
  }

  @Test("at the limit's goal when growth is off")
  func limitAlone() throws {
    for outcome in try outcomes("MaintainMemoryLimitNoGCPercent") { #expect(outcome.goalBytes == 520_764_785) }
  }

  @Test("collecting all the time when its live heap exceeds the limit")
  func exceededLimit() throws {
    let outcomes = try outcomes("ExceedMemoryLimit")
    for outcome in outcomes.dropFirst(12) { #expect(outcome.goalBytes == outcome.heapLiveBytes) }
    for outcome in outcomes.dropFirst(24) { #expect(outcome.gcUtilization > 0.999) }
  }
}
