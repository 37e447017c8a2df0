// Where memory and workers go: `TRICOLOR_NUMA` and `TRICOLOR_BIND`. Whether a node or processor exists is for the
// caller to check, who can read the machine.

/// From which NUMA nodes the heap takes memory.
public enum NUMAPolicy: Sendable, Equatable, CustomStringConvertible {
  /// The node the allocating thread runs on.
  case local
  /// All nodes in turn.
  case interleave
  /// One node.
  case node(Int)
  /// Wherever the operating system puts it.
  case off

  /// Node numbers end here.
  public static let highestNode = 1023

  /// Reads `local`, `interleave`, `node:N` or `off`.
  public static func parse(_ text: String, name: String = "TRICOLOR_NUMA") throws(SettingsError) -> NUMAPolicy {
    switch text {
    case "local": return .local
    case "interleave": return .interleave
    case "off": return .off
    default:
      guard let digits = text.remainder(after: "node:"), let node = Int64(digits: digits), node <= highestNode else {
        throw SettingsError(
          name: name, value: text, allowed: "local, interleave, off, or node:N with N from 0 to \(highestNode)")
      }
      return .node(Int(node))
    }
  }

  /// A spelling that `parse` reads back.
  public var description: String {
    switch self {
    case .local: "local"
    case .interleave: "interleave"
    case .node(let node): "node:\(node)"
    case .off: "off"
    }
  }
}

/// To which processors the collector's threads are bound.
public enum ProcessorBinding: Sendable, Equatable {
  /// To none.
  case off
  /// Each to the processors of its NUMA node.
  case nodes
  /// To these processors, ascending and each once.
  case processors([Int])

  /// Processor numbers end here.
  public static let highestProcessor = 8191

  /// Reads `off`, `nodes`, or a list such as `0-3,8`.
  public static func parse(_ text: String, name: String = "TRICOLOR_BIND") throws(SettingsError) -> ProcessorBinding {
    if text == "off" { return .off }
    if text == "nodes" { return .nodes }
    guard let processors = list(text) else {
      throw SettingsError(
        name: name, value: text,
        allowed: "off, nodes, or a list of processors from 0 to \(highestProcessor) such as 0-3,8")
    }
    return .processors(processors)
  }

  private static func list(_ text: String) -> [Int]? {
    var found = Set<Int>()
    for element in text.split(separator: ",", omittingEmptySubsequences: false) {
      guard let range = range(element) else { return nil }
      found.formUnion(range)
    }
    return found.sorted()
  }

  /// `8` or `0-3`.
  private static func range(_ element: Substring) -> ClosedRange<Int>? {
    let (first, rest) = element.splitAfterDigits
    let last = rest.isEmpty ? first : rest.remainder(after: "-")
    guard let last, let from = Int64(digits: first), let to = Int64(digits: last), from <= to, to <= highestProcessor
    else {
      return nil
    }
    return Int(from)...Int(to)
  }
}
