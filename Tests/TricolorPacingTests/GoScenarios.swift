// Reads the scenarios that Go's own pacer was driven through, inputs and answers, from the CSV files in Fixtures.

import Foundation
import Testing
import TricolorPacing

/// One scenario: a program, and what Go's pacer answered in every cycle.
struct GoScenario: Sendable, CustomTestStringConvertible {
  let name: String
  let model: CycleModel
  let answers: [CycleOutcome]

  var testDescription: String { name }
}

enum GoScenarios {
  /// The nine scenarios of Go's own tests. What is the same in all their cycles is not in the file and is added here.
  static func ofGosTests() throws -> [GoScenario] {
    try read("go-pacer-golden") { row in
      let name = row["scenario"]
      let limit: Int64? = name.contains("MemoryLimit") ? 512 << 20 : nil
      return CycleModel(gcPercent: name.hasSuffix("NoGCPercent") ? nil : 100, memoryLimitBytes: limit, cycles: [])
    }
  }

  /// Programs drawn at random, with other percentages, limits, roots and processors.
  static func drawnAtRandom() throws -> [GoScenario] {
    try read("go-pacer-varied") { row in
      CycleModel(
        gcPercent: Int(row["gcPercent"]), memoryLimitBytes: Int64(row["memoryLimit"]),
        globalsBytes: row.number("globalsBytes"), processors: row.number("processors"), cycles: [])
    }
  }

  private static func read(_ file: String, model: (Row) -> CycleModel) throws -> [GoScenario] {
    let url = try #require(Bundle.module.url(forResource: "Fixtures/\(file)", withExtension: "csv"))
    let lines = try String(contentsOf: url, encoding: .utf8).split(separator: "\n")
    let columns = lines[0].split(separator: ",").map(String.init)
    var scenarios: [GoScenario] = []
    var pending: [Row] = []
    func finish() {
      guard let first = pending.first else { return }
      var program = model(first)
      program.cycles = pending.map(\.draw)
      scenarios.append(GoScenario(name: first["scenario"], model: program, answers: pending.map(\.outcome)))
      pending = []
    }
    for line in lines.dropFirst() {
      let row = Row(columns, line)
      if let before = pending.last, before["scenario"] != row["scenario"] { finish() }
      pending.append(row)
    }
    finish()
    return scenarios
  }
}

/// A line of the file, by column name.
private struct Row {
  private let cells: [String: String]

  init(_ columns: [String], _ line: Substring) {
    let values = line.split(separator: ",", omittingEmptySubsequences: false).map(String.init)
    precondition(values.count == columns.count, "as many values as columns: \(line)")
    cells = Dictionary(uniqueKeysWithValues: zip(columns, values))
  }

  subscript(_ column: String) -> String { cells[column]! }

  func number<Number: LosslessStringConvertible>(_ column: String) -> Number { Number(self[column])! }

  var draw: CycleDraw {
    CycleDraw(
      allocationRate: number("allocRate"), scanRate: number("scanRate"), growthRate: number("growthRate"),
      scannableFraction: number("scannableFrac"), stackBytes: number("stackBytes"))
  }

  var outcome: CycleOutcome {
    var outcome = CycleOutcome()
    outcome.heapLiveBytes = number("heapLiveAtStart")
    outcome.triggerBytes = number("trigger")
    outcome.peakBytes = number("peak")
    outcome.goalBytes = number("goal")
    outcome.gcUtilization = number("gcUtilization")
    outcome.assistNanoseconds = number("assistTimeNs")
    outcome.durationNanoseconds = number("gcDurationNs")
    outcome.nextHeapMarkedBytes = number("nextHeapMarked")
    outcome.allocatedBlackBytes = number("bytesAllocatedBlack")
    outcome.firstAssistWorkPerByte = number("firstAssistWorkPerByte")
    return outcome
  }
}
