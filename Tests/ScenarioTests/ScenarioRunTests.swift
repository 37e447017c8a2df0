// Scenarios played by the built command, in real control groups. Where none may be made the tests are skipped, with the reason.

import Foundation
import Testing
import TricolorPlatform

/// Why no groups can be made here, nil when they can.
private let obstacle: String? = {
  do throws(PlatformError) {
    let groups = try PodGroups(limitBytes: nil)
    try groups.remove()
    return nil
  } catch {
    FileHandle.standardError.write(Data("SKIPPED: tests of scenarios: \(error)\n".utf8))
    return "\(error)"
  }
}()

/// `tricolor run --scenario` at work.
private final class Playing {
  let process = Process()
  private let folder = FileManager.default.temporaryDirectory.appendingPathComponent("tricolor-\(UUID().uuidString)")
  private let output = Pipe()

  init(_ scenario: String, _ options: [String] = []) throws {
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    let file = folder.appendingPathComponent("scenario.yaml")
    try scenario.write(to: file, atomically: true, encoding: .utf8)
    let errors = folder.appendingPathComponent("errors")
    try Data().write(to: errors)
    process.executableURL = URL(fileURLWithPath: try CurrentProcess.executablePath()).deletingLastPathComponent()
      .appendingPathComponent("tricolor")
    process.arguments = ["run", "--scenario", file.path] + options
    process.standardOutput = output
    process.standardError = try FileHandle(forWritingTo: errors)
    try process.run()
  }

  var errors: String {
    get throws { try String(contentsOf: folder.appendingPathComponent("errors"), encoding: .utf8) }
  }

  func finish() throws -> (code: Int32, output: String, errors: String) {
    let text = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
    process.waitUntilExit()
    let words = try errors
    try FileManager.default.removeItem(at: folder)
    return (process.terminationStatus, text, words)
  }

  /// Waits until standard error says `words`.
  func wait(for words: String) throws {
    for _ in 0..<1500 {
      if try errors.contains(words) { return }
      usleep(20_000)
    }
    Issue.record("it did not say \"\(words)\": \(try errors)")
  }
}

@Suite("Scenarios that are played", .serialized, .enabled(if: obstacle == nil, "no memory control group may be made"))
struct ScenarioRunTests {
  private func report(_ text: String) throws -> [String: Any] {
    try #require(try JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: Any], "no object: \(text)")
  }

  private func pod(_ name: String, of report: [String: Any]) throws -> [String: Any] {
    let pods = try #require(report["pods"] as? [String: Any])
    return try #require(pods[name] as? [String: Any], "no pod \(name)")
  }

  private func outcomes(_ report: [String: Any]) throws -> [String] {
    try #require(report["schedule"] as? [[String: Any]]).map { $0["outcome"] as? String ?? "" }
  }

  @Test(
    "pods work beside each other, an order reaches one, a limit waits until it fits, a stop is obeyed, ends are told",
    .timeLimit(.minutes(3)))
  func schedule() throws {
    let done = try Playing(
      """
      title: A short one
      duration: 4s
      limit: 512MiB
      pods:
        - name: store
          workload: etcd
          limit: 96MiB
          options: {keys: 1000, phases: steady, rate: 2000}
          settings: {GOGC: 70}
        - {name: late, workload: churn, limit: 64MiB, options: {records: 500}}
      schedule:
        - {at: 1s, pod: late, start: true}
        - {at: 1500ms, pod: store, rate: 100}
        - {at: 2s, pod: store, limit: 8MiB}
        - {at: 2500ms, pod: store, limit: 80MiB}
        - {at: 2600ms, pod: store, gogc: 90}
        - {at: 3s, pod: late, stop: true}
        - {at: 3900ms, pod: late, gogc: 50}
      """, ["--quiet", "--json", "-"]
    ).finish()
    #expect(done.code == 0 && done.errors.isEmpty, "\(done.errors)")
    let report = try report(done.output)
    let store = try pod("store", of: report)
    let late = try pod("late", of: report)
    #expect(store["ended"] as? String == "by itself" && late["ended"] as? String == "stopped")
    #expect(store["cgroupLimitBytes"] as? Int == 80 << 20 && report["cgroupLimitBytes"] as? Int == 512 << 20)
    #expect((late["startedAtSeconds"] as? Double ?? 0) >= 1 && (late["endedAtSeconds"] as? Double ?? 0) >= 3)
    let run = try #require(store["report"] as? [String: Any])
    #expect(run["workload"] as? String == "etcd" && run["verified"] as? Bool == true && run["gogc"] as? Int == 90)
    // 1.5 s at 2000 and 2.5 at 100.
    let operations = try #require(run["operations"] as? Int)
    #expect(operations > 1_000 && operations < 5_000, "\(operations) operations; 8000 without the order")
    #expect(run["limitBytes"] as? Int == (80 << 20) / 10 * 9, "auto follows the pod's limit")
    #expect(
      try outcomes(report) == [
        "started", "told", "not done: another limit came", "done", "told", "asked to end", "the pod had ended",
      ]
    )
  }

  @Test(
    "a pod at its limit is killed by the kernel or ended by its policy, and the others go on", .timeLimit(.minutes(3)))
  func endings() throws {
    func pod(_ name: String, _ settings: String) -> String {
      """
        - name: \(name)
          workload: churn
          limit: 48MiB
          options: {records: 100000}
          settings: {GOGC: 400, \(settings)}

      """
    }
    let scenario =
      "title: Ends\nduration: 6s\npods:\n" + pod("killed", "GOMEMLIMIT: off")
      + pod("failed", "GOMEMLIMIT: 10MiB, TRICOLOR_LIMIT_POLICY: failfast:300ms")
      + "  - {name: well, workload: churn, limit: 64MiB, options: {records: 100}}\n"
      + "  - {name: signalled, workload: churn, limit: 64MiB, options: {records: 100}}\n"
      + "schedule:\n  - {at: 1s, pod: signalled, signal: KILL}\n"
    let done = try Playing(scenario, ["--json", "-"]).finish()
    #expect(done.code == 3, "\(done.errors)")
    let report = try report(done.output)
    for (name, end) in [
      ("killed", "OOM-killed"), ("failed", "by policy"), ("well", "by itself"), ("signalled", "by signal"),
    ] {
      #expect(try self.pod(name, of: report)["ended"] as? String == end)
    }
    #expect(try self.pod("killed", of: report)["oomKilled"] as? Bool == true)
    #expect(try self.pod("killed", of: report)["report"] is NSNull)
    #expect(done.errors.contains("killed was killed by the kernel"), "\(done.errors)")
  }

  @Test("an interrupt ends all pods, the report is written, and no process or group is left", .timeLimit(.minutes(3)))
  func interrupt() throws {
    let playing = try Playing(
      """
      title: A long one
      duration: 10m
      pods:
        - {name: a, workload: churn, limit: 64MiB, options: {records: 100}}
        - {name: b, workload: churn, limit: 64MiB, options: {records: 100}}
        - {name: never, workload: churn, limit: 64MiB}
      schedule:
        - {at: 9m, pod: never, start: true}
      """, ["--json", "-"])
    try playing.wait(for: "b starts")
    usleep(500_000)
    kill(playing.process.processIdentifier, SIGTERM)
    let done = try playing.finish()
    #expect(done.code == 0, "\(done.errors)")
    let report = try report(done.output)
    #expect(report["interrupted"] as? Bool == true)
    #expect(try pod("a", of: report)["ended"] as? String == "stopped")
    #expect(try pod("a", of: report)["report"] is [String: Any])
    #expect(try pod("never", of: report)["ended"] as? String == "never started")
    #expect(try outcomes(report) == ["the scenario had ended"])
    #expect(try groups(of: playing.process.processIdentifier).isEmpty)
  }

  @Test("a player that is killed takes its pods with it", .timeLimit(.minutes(3)))
  func killedPlayer() throws {
    let playing = try Playing(
      "title: Killed\nduration: 10m\npods:\n  - {name: a, workload: churn, limit: 64MiB, options: {records: 100}}\n")
    try playing.wait(for: "a starts")
    usleep(300_000)
    let player = playing.process.processIdentifier
    let children = try String(contentsOfFile: "/proc/\(player)/task/\(player)/children", encoding: .utf8)
      .split(separator: " ").compactMap { Int32($0) }
    #expect(children.count == 1)
    kill(player, SIGKILL)
    _ = try playing.finish()
    for _ in 0..<500 where children.contains(where: { kill($0, 0) == 0 }) { usleep(10_000) }
    for child in children { #expect(kill(child, 0) != 0) }
    for group in try groups(of: player) { for inner in [group + "/tricolor-\(player)-a", group] { rmdir(inner) } }
  }

  @Test("the scenarios that are shipped are allowed, and take less than 30 seconds")
  func shipped() throws {
    let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent().appendingPathComponent("../../Scenarios")
      .standardizedFileURL
    let files = try FileManager.default.contentsOfDirectory(atPath: folder.path).filter { $0.hasSuffix(".yaml") }
      .sorted()
    #expect(
      files.map { $0.dropLast(5) } == ["calm-store", "leak", "list-storm-at-90", "noisy-neighbour", "resize-in-place"])
    for file in files {
      let text = try String(contentsOf: folder.appendingPathComponent(file), encoding: .utf8)
      let done = try Playing(text, ["--check"]).finish()
      #expect(done.code == 0, "\(file): \(done.errors)")
      let line = try #require(text.split(separator: "\n").first { $0.hasPrefix("duration: ") })
      #expect(try #require(Int(line.dropFirst(10).dropLast())) < 30, "\(file)")
    }
  }

  @Test("what the command refuses for a pod is refused with the pod's line", .timeLimit(.minutes(1)))
  func refusesOptions() throws {
    for (options, line, word) in [
      ("options: {recrods: 1}", 4, "recrods"), ("options: {rate: 5}", 4, "churn"),
      ("settings: {GOGC: banana}", 4, "banana"), ("options: {records: 0}", 4, "\"0\""),
    ] {
      let done = try Playing(
        "title: x\nduration: 1s\npods:\n  - {name: a, workload: churn, limit: 64MiB, \(options)}\n"
      ).finish()
      #expect(done.code == 64 && done.output.isEmpty)
      #expect(done.errors.contains("scenario.yaml:\(line): pod a: ") && done.errors.contains(word), "\(done.errors)")
    }
  }

  /// The groups that a process has made.
  private func groups(of process: Int32) throws -> [String] {
    let own = try #require(try MemoryGroup.current()).directory
    var directories = [own]
    while let last = directories.last, last != "/", last.count > 1,
      FileManager.default.fileExists(atPath: last + "/cgroup.procs")
    {
      directories.append(URL(fileURLWithPath: last).deletingLastPathComponent().path)
    }
    return try directories.flatMap { directory in
      try FileManager.default.contentsOfDirectory(atPath: directory).filter { $0.hasPrefix("tricolor-\(process)-") }
        .map { "\(directory)/\($0)" }
    }
  }
}
