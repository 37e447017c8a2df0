// A workload's own command line options, as a table that parses them and prints their help.
//
// A table rather than property wrappers, because the command cannot know the workloads' options when it is compiled into
// one `run` for all of them; what a workload does not declare is a usage error.

import TricolorPacing
import TricolorTelemetry

/// One declared option, whatever its type.
public protocol AnyWorkloadOption: Sendable {
  /// Without the dashes.
  var name: String { get }
  /// What stands for the value in the help: "N". Nil for an option without a value.
  var placeholder: String? { get }
  var help: String { get }
  /// The value that holds when the option is not given, for the help; nil when there is none.
  var fallbackText: String? { get }
}

/// An option of a workload with values of one type.
///
///     static let depth = WorkloadOption.integer("depth", 6...30, default: 18, help: "depth of the long-lived tree")
public struct WorkloadOption<Value: Sendable>: AnyWorkloadOption {
  public let name: String
  public let placeholder: String?
  public let help: String
  public let fallback: Value
  public let fallbackText: String?
  /// What values look like, for the message when one does not: "1 to 100".
  public let allowed: String
  /// The value of a text, nil when it is not allowed.
  public let parse: @Sendable (String) -> Value?

  public init(
    _ name: String, placeholder: String?, help: String, allowed: String, default fallback: Value,
    defaultText: String?, parse: @escaping @Sendable (String) -> Value?
  ) {
    self.name = name
    self.placeholder = placeholder
    self.help = help
    self.allowed = allowed
    self.fallback = fallback
    self.fallbackText = defaultText
    self.parse = parse
  }
}

extension WorkloadOption where Value == Int {
  /// `--name N` with N in `range`.
  public static func integer(
    _ name: String, _ range: ClosedRange<Int>, default fallback: Int, help: String
  ) -> WorkloadOption {
    WorkloadOption(
      name, placeholder: "N", help: help, allowed: "\(range.lowerBound) to \(range.upperBound)", default: fallback,
      defaultText: "\(fallback)"
    ) { text in
      Int(text).flatMap { range.contains($0) ? $0 : nil }
    }
  }
}

extension WorkloadOption where Value == Double {
  /// `--name X` with a decimal X in `range`.
  public static func number(
    _ name: String, _ range: ClosedRange<Double>, default fallback: Double, help: String
  ) -> WorkloadOption {
    WorkloadOption(
      name, placeholder: "X", help: help, allowed: "\(range.lowerBound) to \(range.upperBound)", default: fallback,
      defaultText: "\(fallback)"
    ) { text in
      Double(text).flatMap { range.contains($0) ? $0 : nil }
    }
  }
}

extension WorkloadOption where Value == Int {
  /// `--name SIZE` in bytes: 4096, 512KiB.
  public static func size(_ name: String, default fallback: Int, help: String) -> WorkloadOption {
    WorkloadOption(
      name, placeholder: "SIZE", help: help, allowed: ByteSize.allowed, default: fallback,
      defaultText: ByteSize.text(Int64(fallback))
    ) { text in
      do {
        return Int(clamping: try ByteSize.parse(text, name: name))
      } catch {
        return nil
      }
    }
  }
}

extension WorkloadOption where Value == UInt64 {
  /// `--name TIME` in nanoseconds: 500ms, 1m30s.
  public static func duration(_ name: String, default fallback: UInt64, help: String) -> WorkloadOption {
    WorkloadOption(
      name, placeholder: "TIME", help: help, allowed: DurationSetting.allowed, default: fallback,
      defaultText: Figures.duration(fallback)
    ) { text in
      do {
        return UInt64(try DurationSetting.parse(text, name: name))
      } catch {
        return nil
      }
    }
  }
}

extension WorkloadOption where Value: RawRepresentable & CaseIterable, Value.RawValue == String {
  /// `--name one|two` with the raw values of an enumeration.
  public static func choice(_ name: String, default fallback: Value, help: String) -> WorkloadOption {
    let names = Value.allCases.map(\.rawValue)
    return WorkloadOption(
      name, placeholder: names.joined(separator: "|"), help: help, allowed: names.joined(separator: ", "),
      default: fallback, defaultText: fallback.rawValue
    ) { Value(rawValue: $0) }
  }
}

extension WorkloadOption where Value == String? {
  /// `--name FILE`, nil when not given.
  public static func file(_ name: String, help: String) -> WorkloadOption {
    WorkloadOption(
      name, placeholder: "FILE", help: help, allowed: "the path of a file", default: nil, defaultText: nil
    ) { $0.isEmpty ? nil : .some($0) }
  }
}

extension WorkloadOption where Value == Bool {
  /// `--name`, false when not given.
  public static func flag(_ name: String, help: String) -> WorkloadOption {
    WorkloadOption(name, placeholder: nil, help: help, allowed: "no value", default: false, defaultText: nil) { _ in
      true
    }
  }
}

/// The own options of a workload as they were typed.
public struct OptionValues: Sendable {
  private var texts: [String: String] = [:]

  /// Nothing typed: every option has its default.
  public init() {}

  /// Reads "--name value", "--name=value" and, for options without a value, "--name".
  ///
  /// - Throws: for what `table` does not declare, a missing value, or one too many.
  public init(_ arguments: [String], of workload: String, table: [any AnyWorkloadOption]) throws(UsageError) {
    var rest = arguments[...]
    while let argument = rest.popFirst() {
      guard argument.hasPrefix("--") else {
        throw UsageError("unexpected argument \"\(argument)\"; tricolor run \(workload) --help lists the options")
      }
      let parts = argument.dropFirst(2).split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
      let name = String(parts[0])
      guard let option = table.first(where: { $0.name == name }) else {
        throw UsageError("\(workload) has no option --\(name); tricolor run \(workload) --help lists its options")
      }
      guard texts[name] == nil else { throw UsageError("--\(name) is given twice") }
      if option.placeholder == nil {
        guard parts.count == 1 else {
          throw UsageError(option: "--\(name)", value: String(parts[1]), allowed: "no value")
        }
        texts[name] = ""
      } else if parts.count == 2 {
        texts[name] = String(parts[1])
      } else {
        guard let value = rest.popFirst() else { throw UsageError("--\(name) needs a value \(option.placeholder!)") }
        texts[name] = value
      }
    }
  }

  /// The value typed for `option`, or its default.
  ///
  /// - Throws: when what was typed is not allowed.
  public func value<Value>(of option: WorkloadOption<Value>) throws(UsageError) -> Value {
    guard let text = texts[option.name] else { return option.fallback }
    guard let value = option.parse(text) else {
      throw UsageError(option: "--\(option.name)", value: text, allowed: option.allowed)
    }
    return value
  }

  /// Whether `option` was typed.
  public func has(_ option: any AnyWorkloadOption) -> Bool { texts[option.name] != nil }
}

extension Workload {
  /// The help of its own options, a line each.
  public static var optionsHelp: String {
    let names = options.map { "  --\($0.name)" + ($0.placeholder.map { " \($0)" } ?? "") }
    let width = (names.map(\.count).max() ?? 0) + 2
    return zip(names, options).map { name, option in
      let fallback = option.fallbackText.map { " (default: \($0))" } ?? ""
      return Figures.filled(name, width) + option.help + fallback + "\n"
    }.joined()
  }
}
