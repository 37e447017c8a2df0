// `tricolor tune` with real runs in real control groups: it answers, killed runs are among its results, and an interrupt loses nothing.

import Foundation
import Testing
import TricolorPacing

@Suite("Tuning in real control groups", .serialized, .enabled(if: Groups.areAvailable))
struct TuneTests {
  private static let store = ["tune", "churn", "--records", "20000", "--bytes", "400", "--threads", "2", "--seed", "5"]

  private static func runs(_ report: [String: Any]) throws -> [[String: Any]] {
    try #require(report["runs"] as? [[String: Any]])
  }

  @Test("answers with settings that were measured and lived")
  func answers() throws {
    let outcome = try LimitedCommand.run(
      Self.store + ["--memory", "96MiB", "--budget", "6s", "--operations", "40000"])
    #expect(outcome.exitCode == 0, "it said: \(outcome.errors)")
    let recommended = try #require(outcome.report["recommended"] as? [String: Any])
    let own = try Self.runs(outcome.report).filter { run in
      let setting = run["setting"] as? [String: Any]
      return setting?["gogc"] as? Int == recommended["gogc"] as? Int
        && setting?["limitPercent"] as? Int == recommended["limitPercent"] as? Int
    }
    #expect(own.contains { $0["operationsPerSecond"] != nil })
    // On a busy machine a run may be ended for taking too long; no other failure is right.
    let failures = try Self.runs(outcome.report).compactMap { $0["failed"] as? String }
    #expect(failures.allSatisfy { $0.hasPrefix("not done after") }, "\(failures)")
    let environment = try #require(outcome.report["environment"] as? [String: String])
    #expect(Settings.parse { environment[$0] }.errors.isEmpty)
  }

  @Test("runs that the kernel kills are results: where all are, exit code 3 says that no setting is enough")
  func killedRunsAreResults() throws {
    let outcome = try LimitedCommand.run(
      [
        "tune", "churn", "--records", "400000", "--threads", "1", "--memory", "24MiB", "--budget", "20s",
        "--operations", "900000",
      ])
    #expect(outcome.exitCode == 3, "it said: \(outcome.errors)")
    #expect(outcome.report["recommended"] is NSNull)
    let runs = try Self.runs(outcome.report)
    #expect(!runs.isEmpty && runs.allSatisfy { $0["oomKilled"] as? Bool == true })
  }

  @Test("an interrupt ends it with an answer, and the state goes on from there")
  func interruptKeepsTheState() throws {
    let state = FileManager.default.temporaryDirectory.appendingPathComponent("tricolor-tune-\(UUID().uuidString)").path
    let arguments = Self.store + ["--memory", "96MiB", "--operations", "40000", "--state", state]
    let running = try LimitedCommand.Running(arguments + ["--budget", "2m"], environment: [:])
    try waitForRuns(3, in: state, while: running)
    running.process.interrupt()
    let outcome = try running.finish()
    #expect(outcome.exitCode == 0, "it said: \(outcome.errors)")
    #expect(outcome.report["interrupted"] as? Bool == true)
    let measured = try Self.runs(outcome.report).count
    #expect(measured >= 3)
    #expect(outcome.report["sentence"] as? String != nil)
    let second = try LimitedCommand.run(arguments + ["--budget", "1s"])
    #expect(try Self.runs(second.report).count >= measured, "nothing is measured again")
    #expect(second.report["interrupted"] as? Bool == false)
    try FileManager.default.removeItem(atPath: state)
  }

  /// Waits until a state file has so many runs.
  private func waitForRuns(_ count: Int, in path: String, while running: LimitedCommand.Running) throws {
    for _ in 0..<3000 where running.process.isRunning {
      if FileManager.default.fileExists(atPath: path) {
        let lines = try String(contentsOfFile: path, encoding: .utf8).split(separator: "\n").count
        if lines > count { return }
      }
      Thread.sleep(forTimeInterval: 0.02)
    }
    Issue.record("the tuning ended, or measured too little, before it could be interrupted")
  }
}
