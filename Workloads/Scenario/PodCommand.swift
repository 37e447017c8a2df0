// What a pod runs: the tricolor command with the pod's options and settings. The command itself says whether they are allowed, so that what is
// checked is what will run.

import Foundation
import TricolorPlatform

/// The command of a scenario's pods.
struct PodCommand {
  /// Variables of this process that programs are found by. Settings are the scenario's alone.
  private static let passed = ["PATH", "HOME", "LD_LIBRARY_PATH", "TMPDIR"]

  /// The path of `tricolor`.
  let executable: String

  /// The arguments of a run that reports to standard output.
  ///
  /// - Parameter left: nanoseconds to the end of the scenario, which a pod without an extent of its own is given.
  func arguments(_ pod: ScenarioPod, left: UInt64, isQuiet: Bool) -> [String] {
    var arguments = ["run", pod.workload] + options(of: pod)
    if !pod.hasExtent { arguments += ["--duration", "\(max(1, left / 1_000_000))ms"] }
    if isQuiet { arguments.append("--quiet") }
    return arguments + ["--obey-orders", "--json", "-"]
  }

  private func options(of pod: ScenarioPod) -> [String] {
    pod.options.map { name, value in value.map { "--\(name)=\($0)" } ?? "--\(name)" }
  }

  /// The environment of a pod.
  func environment(_ pod: ScenarioPod) -> [String: String] {
    var environment: [String: String] = [:]
    for name in PodCommand.passed { environment[name] = CurrentProcess.environment(name) }
    for (name, value) in pod.settings { environment[name] = value }
    return environment
  }

  /// Asks the command whether it takes what the scenario gives its pods, orders included.
  ///
  /// - Throws: `ScenarioError` for what it refuses; what starting it failed with.
  func check(_ scenario: Scenario) throws {
    for pod in scenario.pods {
      try check(pod, [], scenario.file, line: pod.line)
      for action in scenario.schedule where action.pod == pod.name {
        guard case .order(let order) = action.change else { continue }
        let words = order.line.split(separator: " ").map(String.init)
        try check(pod, ["--" + words[0], words[1]], scenario.file, line: action.line)
      }
    }
  }

  private func check(_ pod: ScenarioPod, _ more: [String], _ file: String, line: Int) throws {
    let process = Process()
    let errors = Pipe()
    process.executableURL = URL(fileURLWithPath: executable)
    process.arguments = ["run", pod.workload] + options(of: pod) + more + ["--check"]
    process.environment = environment(pod)
    process.standardInput = FileHandle.nullDevice
    process.standardOutput = FileHandle.nullDevice
    process.standardError = errors
    try process.run()
    let words = String(decoding: errors.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
    process.waitUntilExit()
    guard process.terminationStatus != 0 else { return }
    let reason = words.split(separator: "\n").first.map(String.init) ?? "exit code \(process.terminationStatus)"
    throw ScenarioError(
      file: file, line: line,
      message: "pod \(pod.name): " + (reason.hasPrefix("tricolor: ") ? String(reason.dropFirst(10)) : reason))
  }
}
