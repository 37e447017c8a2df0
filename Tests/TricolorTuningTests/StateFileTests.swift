// The state file: what was measured is there again, and what is not of this tuning is refused and left as it is.

import Foundation
import Harness
import Testing
import TricolorTuning

@Suite("State of a tuning")
final class StateFileTests {
  private let path = NSTemporaryDirectory() + "tricolor-tune-\(UUID().uuidString)"
  private let request = MadeUpRuns.standardRequest

  deinit {
    do {
      if FileManager.default.fileExists(atPath: path) { try FileManager.default.removeItem(atPath: path) }
    } catch {
      Issue.record("removing \(path): \(error)")
    }
  }

  /// Runs of all endings.
  private func runs() throws -> [MeasuredRun] {
    let plan = PlannedRun(
      setting: TunedSetting(gcPercent: nil, limitPercent: 95, gcCPULimit: 25, processors: 1), groupBytes: 64 << 20,
      seed: .max, purpose: .shrink)
    return try Tuner.run(request, measure: MadeUpRuns().measure).runs.prefix(3) + [
      MeasuredRun(plan: plan, outcome: .oomKilled, wallSeconds: 1.25),
      MeasuredRun(plan: plan, outcome: .failed("said \"no\"\nand more"), wallSeconds: 0),
    ]
  }

  private func write(_ runs: [MeasuredRun]) throws {
    let file = try StateFile(path, request)
    for run in runs { try file.append(run) }
  }

  private func text() throws -> String { try String(contentsOfFile: path, encoding: .utf8) }

  @Test("runs come back as they were, a line each, and more can be added")
  func runsComeBack() throws {
    let runs = try runs()
    try write(Array(runs.prefix(4)))
    let again = try StateFile(path, request)
    #expect(again.runs == Array(runs.prefix(4)))
    try again.append(runs[4])
    #expect(try StateFile(path, request).runs == runs)
    #expect(try text().split(separator: "\n").count == runs.count + 1)
  }

  @Test("an unfinished last line is what was being written, and is taken off")
  func unfinishedLineIsTakenOff() throws {
    let runs = try runs()
    try write(runs)
    let whole = try text()
    try String(whole.dropLast(20)).write(toFile: path, atomically: true, encoding: .utf8)
    let again = try StateFile(path, request)
    #expect(again.runs == Array(runs.dropLast()))
    try again.append(runs.last!)
    #expect(try text() == whole)
  }

  @Test("the state of another tuning is refused with the difference, and not touched")
  func otherTuningIsRefused() throws {
    try write(try runs())
    let before = try text()
    var others: [(TuningRequest, String)] = []
    func other(_ word: String, _ change: (inout TuningRequest) -> Void) {
      var other = request
      change(&other)
      others.append((other, word))
    }
    other("workload") { $0.workload = "churn" }
    other("--keys 2000") { $0.arguments = ["--keys", "2000"] }
    other("--memory") { $0.memoryBytes = 1 << 30 }
    other("--seed") { $0.seed = 2 }
    other("5000ms") { $0.work = .calibrated(milliseconds: 5000) }
    other("processors") { $0.processors = 8 }
    for (other, word) in others {
      #expect { try StateFile(path, other) } throws: { ($0 as? UsageError)?.description.contains(word) == true }
    }
    #expect(try text() == before)
    var longer = request
    longer.budgetSeconds = 1000
    #expect(try StateFile(path, longer).runs.count == 5)
  }

  @Test("a damaged line is refused with its number, and nothing is lost")
  func damageIsRefused() throws {
    try write(try runs())
    let before = try text()
    let lines = before.split(separator: "\n").map(String.init)
    let damaged = (lines.prefix(2) + ["{\"plan\":7}"] + lines.dropFirst(3)).joined(separator: "\n") + "\n"
    try damaged.write(toFile: path, atomically: true, encoding: .utf8)
    #expect { try StateFile(path, self.request) } throws: {
      ($0 as? UsageError)?.description.contains("line 3") == true
    }
    #expect(try text() == damaged)
    try "a shopping list".write(toFile: path, atomically: true, encoding: .utf8)
    #expect(throws: UsageError.self) { try StateFile(path, self.request) }
    #expect(try text() == "a shopping list")
  }

  @Test("a file that cannot be made is a wrong option, with the system's reason")
  func unwritableIsRefused() {
    #expect { try StateFile("/no/such/folder/state", self.request) } throws: {
      ($0 as? UsageError)?.description.contains("/no/such/folder/state") == true
    }
  }
}
