// Memory limits for real: runs inside control groups that the kernel enforces, small enough that a collector which ignores them dies.

import Foundation
import Testing

@Suite(
  "Under a real memory limit", .serialized, .enabled(if: Groups.areAvailable, "no memory control group may be made"))
struct LimitsTests {
  private static let mebibyte = 1 << 20

  private func cyclesByLimit(_ report: [String: Any]) throws -> Int {
    let result = try #require(report["result"] as? [String: Any])
    return try #require((result["cyclesByCause"] as? [String: Any])?["limit"] as? Int)
  }

  private func expectSurvival(_ outcome: LimitedCommand.Outcome, in mebibytes: Int) throws {
    let limit = mebibytes * Self.mebibyte
    #expect(outcome.exitCode == 0, "\(outcome.errors)")
    #expect(outcome.report["oomKilled"] as? Bool == false)
    #expect(outcome.report["verified"] as? Bool == true)
    #expect(outcome.report["cgroupLimitBytes"] as? Int == limit)
    #expect(outcome.report["limitBytes"] as? Int == limit / 100 * 90 + limit % 100 * 90 / 100, "auto is 90 %")
  }

  private func expectKilled(_ outcome: LimitedCommand.Outcome, in mebibytes: Int) throws {
    let limit = mebibytes * Self.mebibyte
    #expect(outcome.exitCode == 3)
    #expect(outcome.report["oomKilled"] as? Bool == true)
    #expect(outcome.report["verified"] as? Bool == false)
    #expect(outcome.report["cgroupLimitBytes"] as? Int == limit)
    #expect(outcome.report["limitBytes"] is NSNull)
    #expect(outcome.report["gogc"] as? Int == 400)
    #expect((outcome.report["peakRSSBytes"] as? Int ?? 0) > limit / 10 * 9)
    #expect(outcome.errors.contains("killed by the kernel"))
    #expect(outcome.report.count == 34, "every key of the contract")
  }

  /// The store, and the groups it must live in: the smaller one so small that the limit has to cause cycles. A debug build is too
  /// slow to fill the real ones, so it has a sixth of the keys.
  private enum Store {
    #if DEBUG
      static let keys = 6000
      static let small = 56
      static let tight = 40
      static let large = 72
    #else
      static let keys = 36_000
      static let small = 173
      static let tight = 110
      static let large = 311
    #endif

    static func arguments(duration: String, mebibytes: Int) -> [String] {
      ["run", "etcd", "--keys", "\(keys)", "--duration", duration, "--cgroup", "\(mebibytes)MiB"]
    }
  }

  @Test("a run that its limit's policy ends says so in the report, and in its exit code")
  func endedByPolicy() throws {
    let outcome = try LimitedCommand.run(
      Store.arguments(duration: "20s", mebibytes: 311) + ["--memory-limit", "10MiB"],
      environment: ["TRICOLOR_LIMIT_POLICY": "failfast:500ms"])
    #expect(outcome.exitCode == 75)
    #expect(outcome.report["oomKilled"] as? Bool == false)
    #expect(outcome.report["verified"] as? Bool == false)
    #expect(outcome.report["limitBytes"] as? Int == 10 * Self.mebibyte)
    #expect(outcome.report["cgroupLimitBytes"] as? Int == 311 * Self.mebibyte)
    let result = try #require(outcome.report["result"] as? [String: Any])
    #expect(result["endedByLimitPolicy"] as? Bool == true)
    #expect(outcome.errors.contains("etcd was ended by TRICOLOR_LIMIT_POLICY"), "\(outcome.errors)")
  }

  @Test("the store lives in the small group, by cycles that the limit causes")
  func storeLivesInTheSmallGroup() throws {
    let outcome = try LimitedCommand.run(Store.arguments(duration: "5s", mebibytes: Store.small))
    try expectSurvival(outcome, in: Store.small)
    #expect(try cyclesByLimit(outcome.report) > 0)
  }

  @Test("the store lives in the large group")
  func storeLivesInTheLargeGroup() throws {
    try expectSurvival(
      try LimitedCommand.run(Store.arguments(duration: "5s", mebibytes: Store.large)), in: Store.large)
  }

  @Test("and dies in the large group with GOGC=400 and no limit")
  func storeDiesWithoutLimit() throws {
    let outcome = try LimitedCommand.run(
      Store.arguments(duration: "30s", mebibytes: Store.large), environment: ["GOGC": "400", "GOMEMLIMIT": "off"])
    try expectKilled(outcome, in: Store.large)
  }

  // About 9 MiB live: 45 MiB with GOGC=400, beside some 16 MiB of the program.
  private static let churn = ["run", "churn", "--records", "30000", "--cgroup"]

  @Test("records that want 60 MiB at their growth live in 48 MiB under its limit")
  func churnLivesUnderTheLimit() throws {
    let outcome = try LimitedCommand.run(
      Self.churn + ["48MiB", "--operations", "150000"], environment: ["GOGC": "400"])
    try expectSurvival(outcome, in: 48)
    #expect(try cyclesByLimit(outcome.report) > 0)
  }

  @Test("and the kernel kills them in 48 MiB without a limit: exit code 3 and a report")
  func churnDiesWithoutLimit() throws {
    let outcome = try LimitedCommand.run(
      Self.churn + ["48MiB", "--duration", "30s"], environment: ["GOGC": "400", "GOMEMLIMIT": "off"])
    try expectKilled(outcome, in: 48)
  }

  @Test("ending the command ends the run in the group, with its report, and the group is removed")
  func interruptReachesTheRun() throws {
    let running = try LimitedCommand.Running(
      ["run", "churn", "--records", "1000", "--duration", "60s", "--cgroup", "64MiB"], environment: [:])
    try waitForGroup(of: running.process.processIdentifier)
    running.process.terminate()
    let outcome = try running.finish()
    try expectSurvival(outcome, in: 64)
    #expect((outcome.report["result"] as? [String: Any])?["interrupted"] as? Bool == true)
    #expect(try groups(of: running.process.processIdentifier).isEmpty)
  }

  @Test(
    "a store short of memory cuts its log, unless it is told not to shed, and stays right", arguments: ["on", "off"])
  func storeSheds(_ choice: String) throws {
    let outcome = try LimitedCommand.run(
      Store.arguments(duration: "6s", mebibytes: Store.tight) + ["--shed", choice])
    // A store that does not shed may be too much for the group, and on a busy machine it is: then the kernel ends it.
    if choice == "off" && outcome.exitCode == 3 { return }
    #expect(outcome.exitCode == 0, "\(outcome.errors)")
    #expect(outcome.report["verified"] as? Bool == true)
    let result = try #require(outcome.report["result"] as? [String: Any])
    let pressure = try #require(result["pressure"] as? [String: Any])
    #expect(try #require(pressure["elevated"] as? Int) > 0)
    // Lists are refused where pressure and a storm of lists coincide, which the kernel's scheduling decides.
    if choice == "off" { #expect(result["shed"] as? Int == 0) }
    #expect((try #require(result["logCuts"] as? Int) > 0) == (choice == "on"))
  }

  // MARK: Limits that change

  /// A run of the store that wants more than it may have, whose group's limit becomes another one as soon as it works.
  private func resized(
    from before: Int, to after: Int, environment: [String: String]
  ) throws -> LimitedCommand.Outcome {
    let running = try LimitedCommand.Running(
      Store.arguments(duration: "6s", mebibytes: before), environment: environment.merging(["GOGC": "400"]) { $1 })
    try waitForGroup(of: running.process.processIdentifier)
    let group = try #require(try groups(of: running.process.processIdentifier).first)
    // Memory and swap together may never be less than memory.
    let files = ["memory.limit_in_bytes", "memory.memsw.limit_in_bytes"].map { group.appendingPathComponent($0) }
    for file in after < before ? files : files.reversed() {
      guard FileManager.default.fileExists(atPath: file.path) else { continue }
      try Data("\(after * Self.mebibyte)".utf8).write(to: file)
    }
    return try running.finish()
  }

  /// Whether the group that the machine makes is one of version 1, whose limits these tests change; for version 2 see VersionTwoTests.
  static let isVersionOne: Bool = {
    do {
      return try (LimitedCommand.machine()["cgroup"] as? [String: Any])?["version"] as? Int == 1
    } catch {
      Issue.record("tricolor topology failed: \(error)")
      return false
    }
  }()

  @Test("a limit lowered by 30 % at work is followed", .enabled(if: isVersionOne))
  func loweredLimit() throws {
    let outcome = try resized(from: Store.small * 10 / 7, to: Store.small, environment: ["GOMEMLIMIT": "auto"])
    #expect(outcome.exitCode == 0, "\(outcome.errors)")
    #expect(outcome.report["verified"] as? Bool == true)
    #expect(outcome.report["cgroupLimitBytes"] as? Int == Store.small * Self.mebibyte)
    let limit = try #require(outcome.report["limitBytes"] as? Int)
    #expect(limit == Store.small * Self.mebibyte / 100 * 90 + Store.small * Self.mebibyte % 100 * 90 / 100)
  }

  @Test("and kills a run that goes by the old one", .enabled(if: isVersionOne))
  func loweredLimitIgnored() throws {
    let outcome = try resized(from: Store.small * 10 / 7, to: Store.small, environment: ["GOMEMLIMIT": "off"])
    #expect(outcome.report["oomKilled"] as? Bool == true)
  }

  @Test("a limit that is raised at work is used", .enabled(if: isVersionOne))
  func raisedLimit() throws {
    let outcome = try resized(from: Store.small, to: 2 * Store.small, environment: ["GOMEMLIMIT": "auto"])
    #expect(outcome.exitCode == 0, "\(outcome.errors)")
    let limit = try #require(outcome.report["limitBytes"] as? Int)
    #expect(limit > Store.small * Self.mebibyte)
    #expect(try #require(outcome.report["peakRSSBytes"] as? Int) > Store.small * Self.mebibyte)
  }

  /// Waits until a client thread of the run inside the group has come up.
  private func waitForGroup(of process: Int32) throws {
    for _ in 0..<1000 {
      if try groups(of: process).contains(where: hasClient) { return }
      usleep(10_000)
    }
    Issue.record("no run came up in a control group within ten seconds")
  }

  /// The control groups that the command with this process number has made.
  private func groups(of process: Int32) throws -> [URL] {
    let group = try #require(try LimitedCommand.machine()["cgroup"] as? [String: Any])
    let parent = URL(fileURLWithPath: try #require(group["path"] as? String))
    return try FileManager.default.contentsOfDirectory(at: parent, includingPropertiesForKeys: nil)
      .filter { $0.lastPathComponent.hasPrefix("tricolor-\(process)-") }
  }

  private func hasClient(_ group: URL) -> Bool {
    do {
      let tasks = try String(contentsOf: group.appendingPathComponent("cgroup.procs"), encoding: .utf8)
      return try tasks.split(separator: "\n").contains { process in
        try FileManager.default.contentsOfDirectory(atPath: "/proc/\(process)/task").contains { task in
          try String(contentsOfFile: "/proc/\(process)/task/\(task)/comm", encoding: .utf8) == "client-0\n"
        }
      }
    } catch {
      // The process or a thread of it has just begun or ended: not up yet.
      return false
    }
  }
}
