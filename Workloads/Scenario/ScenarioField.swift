// A part of a YAML document with its place, read strictly: what is not known is refused, with the line and what is allowed. A misspelt limit would
// otherwise be no limit, silently.
//
// Values are taken as they are written, not as YAML resolves them: "off" is a word here and not false.

import TricolorPacing
import Yams

/// A node of the document.
struct ScenarioField {
  let file: String
  /// "pods[0].limit"; empty for the whole.
  let path: String
  private let node: Node

  var line: Int { node.mark?.line ?? 1 }

  /// The whole document.
  ///
  /// - Throws: `ScenarioError` for text that is not one YAML document.
  init(_ text: String, file: String) throws(ScenarioError) {
    self.file = file
    path = ""
    do {
      guard let root = try Yams.compose(yaml: text) else {
        throw ScenarioError(file: file, line: 1, message: "the file is empty; a scenario is a mapping")
      }
      node = root
    } catch let error as ScenarioError {
      throw error
    } catch {
      throw ScenarioField.refusal(error, file)
    }
  }

  private init(file: String, path: String, node: Node) {
    self.file = file
    self.path = path
    self.node = node
  }

  /// An error at this place.
  func error(_ message: String) -> ScenarioError {
    ScenarioError(file: file, line: line, message: path.isEmpty ? message : "\(path): \(message)")
  }

  /// The members of a mapping, in order.
  ///
  /// - Parameter allowed: the keys there may be; nil for any.
  func members(_ allowed: [String]?) throws(ScenarioError) -> [(key: String, value: ScenarioField)] {
    guard let mapping = node.mapping else {
      throw error("\(kind) is not allowed here; use a mapping of keys and values")
    }
    var members: [(key: String, value: ScenarioField)] = []
    for (key, value) in mapping {
      guard let name = key.scalar?.string else { throw error("a key that is no word is not allowed") }
      let place = path.isEmpty ? name : "\(path).\(name)"
      if let allowed, !allowed.contains(name) {
        throw ScenarioError(
          file: file, line: key.mark?.line ?? line,
          message: "\(place): there is no key \(name.debugDescription); use \(allowed.joined(separator: ", "))")
      }
      members.append((name, ScenarioField(file: file, path: place, node: value)))
    }
    return members
  }

  /// The elements of a sequence.
  func elements() throws(ScenarioError) -> [ScenarioField] {
    guard let sequence = node.sequence else {
      throw error("\(kind) is not allowed here; use a list, its items after dashes")
    }
    return sequence.enumerated().map { index, node in
      ScenarioField(file: file, path: "\(path)[\(index)]", node: node)
    }
  }

  /// A value as it is written.
  func text() throws(ScenarioError) -> String {
    guard let scalar = node.scalar, !(scalar.string.isEmpty && scalar.style == .plain) else {
      throw error("\(kind) is not allowed here; use a value")
    }
    return scalar.string
  }

  /// A value that `parse` understands; its errors name the value and what is allowed.
  func value<Value>(
    _ parse: (_ text: String, _ name: String) throws(SettingsError) -> Value
  ) throws(ScenarioError) -> Value {
    let text = try text()
    do {
      return try parse(text, path)
    } catch {
      throw ScenarioError(file: file, line: line, message: "\(error)")
    }
  }

  private var kind: String {
    switch node {
    case .mapping: "a mapping"
    case .sequence: "a list"
    case .alias: "an alias"
    case .scalar(let scalar): scalar.string.isEmpty ? "nothing" : scalar.string.debugDescription
    }
  }

  /// The parser's error, with its line.
  private static func refusal(_ error: any Error, _ file: String) -> ScenarioError {
    let line: Int
    let message: String
    switch error as? YamlError {
    case .scanner(_, let problem, let mark, _), .parser(_, let problem, let mark, _),
      .composer(_, let problem, let mark, _):
      (line, message) = (mark.line, problem)
    case .duplicatedKeysInMapping(let keys, let context):
      let names = keys.map { $0.debugDescription }.joined(separator: ", ")
      (line, message) = (context.mark.line, "the key \(names) is given twice")
    default: (line, message) = (1, "\(error)")
    }
    return ScenarioError(file: file, line: line, message: "this is not YAML: \(message)")
  }
}
