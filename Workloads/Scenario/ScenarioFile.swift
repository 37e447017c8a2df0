// A scenario as it is written, in YAML:
//
//     title: A calm store
//     duration: 20s
//     limit: 1GiB                     # around all pods together; may be left out
//     pods:
//       - name: store
//         workload: etcd
//         limit: 256MiB
//         options: {keys: 20000, phases: steady}
//         settings: {GOGC: 100, GOMEMLIMIT: auto}
//     schedule:
//       - {at: 8s, pod: store, rate: 2000}

import Harness
import TricolorPacing

/// Reads scenarios.
public enum ScenarioFile {
  private static let settingNames = ["GOGC", "GOMEMLIMIT", "GOMAXPROCS", "GODEBUG"]
  /// Options of `tricolor run` that belong to whoever runs the scenario.
  private static let foreignOptions: Set = [
    "cgroup", "json", "report", "trace", "quiet", "scenario", "check", "help", "obey-orders",
  ]
  private static let flagActions = ["start", "stop"]
  private static let actions = ["start", "stop", "signal", "limit"] + RunOrder.names

  /// The scenario in the file at `path`.
  ///
  /// - Throws: `UsageError` for a file that cannot be read; `ScenarioError` for what is not allowed in it.
  public static func read(_ path: String) throws -> Scenario {
    try parse(String(decoding: try InputFile.bytes(path), as: UTF8.self), file: path)
  }

  /// The scenario in a text; errors name `file`.
  public static func parse(_ text: String, file: String) throws(ScenarioError) -> Scenario {
    let root = try ScenarioField(text, file: file)
    let fields = try Members(root, ["title", "duration", "limit", "pods", "schedule"])
    let pods = try fields.required("pods").elements()
    guard !pods.isEmpty else { throw try fields.required("pods").error("a scenario needs one pod at least") }
    var scenario = Draft()
    for field in pods { try scenario.add(pod(field), at: field) }
    let duration = try fields.required("duration")
    scenario.duration = UInt64(try duration.value(DurationSetting.parse))
    for field in try fields.optional("schedule")?.elements() ?? [] { try scenario.add(action(field), at: field) }
    try scenario.checkOrder(root)
    return Scenario(
      title: try fields.required("title").text(), file: file, duration: scenario.duration,
      limitBytes: try fields.optional("limit")?.value(limit), pods: scenario.pods, schedule: scenario.ordered)
  }

  @Sendable private static func limit(_ text: String, _ name: String) throws(SettingsError) -> Int64 {
    try ByteSize.parse(text, name: name, minimum: Int64(ConstrainedRun.smallestLimit))
  }

  private static func pod(_ field: ScenarioField) throws(ScenarioError) -> ScenarioPod {
    let fields = try Members(field, ["name", "workload", "limit", "options", "settings"])
    let name = try fields.required("name")
    guard isName(try name.text()) else {
      throw name.error("\(try name.text().debugDescription) is not allowed; use 1 to 40 of a to z, 0 to 9 and -")
    }
    return ScenarioPod(
      name: try name.text(), workload: try fields.required("workload").text(),
      limitBytes: try fields.required("limit").value(limit), options: try options(fields.optional("options")),
      settings: try settings(fields.optional("settings")), line: field.line)
  }

  private static func isName(_ text: String) -> Bool {
    (1...40).contains(text.utf8.count)
      && text.utf8.allSatisfy { (97...122).contains($0) || (48...57).contains($0) || $0 == 45 }
  }

  private static func options(_ field: ScenarioField?) throws(ScenarioError) -> [(name: String, value: String?)] {
    var options: [(name: String, value: String?)] = []
    for (name, value) in try field?.members(nil) ?? [] {
      if foreignOptions.contains(name) {
        throw value.error("the option is not a pod's; the scenario says where a pod runs and what is written")
      }
      let text = try value.text()
      options.append((name, text == "true" ? nil : text))
    }
    return options
  }

  private static func settings(_ field: ScenarioField?) throws(ScenarioError) -> [(name: String, value: String)] {
    var settings: [(name: String, value: String)] = []
    for (name, value) in try field?.members(nil) ?? [] {
      guard settingNames.contains(name) || name.hasPrefix("TRICOLOR_") else {
        let known = settingNames.joined(separator: ", ")
        throw value.error("there is no such setting; use \(known) and those that begin with TRICOLOR_")
      }
      settings.append((name, try value.text()))
    }
    return settings
  }

  private static func action(_ field: ScenarioField) throws(ScenarioError) -> ScenarioAction {
    let fields = try Members(field, ["at", "pod"] + actions)
    let given = fields.names.filter(actions.contains)
    guard given.count == 1, let name = given.first else {
      throw field.error("\(given.count) things to do; use exactly one of \(actions.joined(separator: ", "))")
    }
    let value = try fields.required(name)
    return ScenarioAction(
      time: UInt64(try fields.required("at").value(DurationSetting.parse)), pod: try fields.required("pod").text(),
      change: try change(name, value), text: flagActions.contains(name) ? name : "\(name) \(try value.text())",
      line: field.line)
  }

  private static func change(_ name: String, _ value: ScenarioField) throws(ScenarioError) -> ScenarioAction.Change {
    switch name {
    case "start", "stop":
      guard try value.text() == "true" else {
        throw value.error("\(try value.text().debugDescription) is not allowed; use true")
      }
      return name == "start" ? .start : .stop
    case "signal":
      guard let signal = ScenarioSignal(rawValue: try value.text()) else {
        let allowed = ScenarioSignal.allCases.map(\.rawValue).joined(separator: ", ")
        throw value.error("\(try value.text().debugDescription) is not allowed; use \(allowed)")
      }
      return .signal(signal)
    case "limit": return .limit(try value.value(limit))
    default:
      return .order(
        try value.value { (text, place) throws(SettingsError) in try RunOrder(name, text, at: place) })
    }
  }
}

/// The members of a mapping by name.
private struct Members {
  private let whole: ScenarioField
  private let fields: [(key: String, value: ScenarioField)]

  init(_ field: ScenarioField, _ allowed: [String]) throws(ScenarioError) {
    whole = field
    fields = try field.members(allowed)
  }

  var names: [String] { fields.map(\.key) }

  func optional(_ name: String) -> ScenarioField? { fields.first { $0.key == name }?.value }

  func required(_ name: String) throws(ScenarioError) -> ScenarioField {
    guard let field = optional(name) else { throw whole.error("the key \(name.debugDescription) is missing") }
    return field
  }
}

/// What has been read so far, and whether it goes together.
private struct Draft {
  private(set) var pods: [ScenarioPod] = []
  private var actions: [ScenarioAction] = []
  var duration: UInt64 = 0

  /// The actions in the order of time; those of one time in that of the file.
  var ordered: [ScenarioAction] {
    actions.enumerated().sorted { ($0.element.time, $0.offset) < ($1.element.time, $1.offset) }.map(\.element)
  }

  mutating func add(_ pod: ScenarioPod, at field: ScenarioField) throws(ScenarioError) {
    guard !pods.contains(where: { $0.name == pod.name }) else {
      throw field.error("there is another pod \(pod.name.debugDescription); use another name")
    }
    pods.append(pod)
  }

  mutating func add(_ action: ScenarioAction, at field: ScenarioField) throws(ScenarioError) {
    guard pods.contains(where: { $0.name == action.pod }) else {
      let names = pods.map(\.name).joined(separator: ", ")
      throw field.error("there is no pod \(action.pod.debugDescription); use \(names)")
    }
    guard action.time < duration else {
      throw field.error("it comes after the scenario's end; use a time below its duration")
    }
    if action.change == .start, actions.contains(where: { $0.pod == action.pod && $0.change == .start }) {
      throw field.error("the pod \(action.pod.debugDescription) starts twice; a pod starts once")
    }
    actions.append(action)
  }

  /// Nothing happens to a pod before it starts.
  func checkOrder(_ root: ScenarioField) throws(ScenarioError) {
    var waiting = Set(actions.lazy.filter { $0.change == .start }.map(\.pod))
    for action in ordered {
      if action.change == .start {
        waiting.remove(action.pod)
      } else if waiting.contains(action.pod) {
        throw ScenarioError(
          file: root.file, line: action.line,
          message: "\(action.text): the pod \"\(action.pod)\" has not started then; use a time after its start")
      }
    }
  }
}
