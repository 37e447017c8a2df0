// Settings by the names of their environment variables, for programs that have them as text: read with the same grammar, written so that
// it can be read back.

extension Settings {
  /// Sets one setting from its text.
  ///
  /// - Parameters:
  ///   - name: an environment variable's name, as `GOGC`.
  ///   - text: its value; an empty one sets what has no value by default (`GOMAXPROCS`, `TRICOLOR_MIN_HEAP`, `GODEBUG`) back to that.
  /// - Throws: when there is no such setting, or the value is not allowed; then nothing has changed.
  public mutating func set(_ name: String, to text: String) throws(SettingsError) {
    switch (try Settings.variable(name), text) {
    case (.maxProcessors, ""): maxProcessors = nil
    case (.minimumHeap, ""): minimumHeap = nil
    case (.debug, ""): debug = DebugSettings()
    case (let variable, _): try set(variable, to: text)
    }
  }

  /// The text of a setting, which `set` reads back.
  ///
  /// - Throws: when there is no such setting.
  public func text(of name: String) throws(SettingsError) -> String {
    switch try Settings.variable(name) {
    case .gcPercent: gcPercent.map { "\($0)" } ?? "off"
    case .memoryLimit: memoryLimit.description
    case .maxProcessors: maxProcessors.map { "\($0)" } ?? ""
    case .debug: debug.description
    case .numa: numa.description
    case .binding: binding.description
    case .hardLimit: hardLimit.description
    case .limitSource: limitSource.rawValue
    case .limitScope: limitScope.rawValue
    case .limitPolicy: limitPolicy.description
    case .gcCPULimit: "\(gcCPULimit)"
    case .minimumHeap: minimumHeap.map { ByteSize.text(Int64(clamping: $0)) } ?? ""
    case .tunes: tunes ? (tuneTarget == Settings.standardTuneTarget ? "on" : "on:\(tuneTarget)%") : "off"
    case .youngCycles: youngCycles.rawValue
    case .reserve: ByteSize.text(Int64(clamping: reserveBytes))
    }
  }

  private static func variable(_ name: String) throws(SettingsError) -> Variable {
    if let known = Variable(rawValue: name) { return known }
    throw SettingsError(name: "setting", value: name, allowed: "one of \(variableNames.joined(separator: ", "))")
  }
}

extension LimitPolicy: CustomStringConvertible {
  /// A spelling that `parse` reads back.
  public var description: String {
    switch self {
    case .soft: "soft"
    case .failFast(let nanoseconds):
      nanoseconds % 1_000_000_000 == 0 ? "failfast:\(nanoseconds / 1_000_000_000)" : "failfast:\(nanoseconds)ns"
    }
  }
}

extension ProcessorBinding: CustomStringConvertible {
  /// A spelling that `parse` reads back.
  public var description: String {
    switch self {
    case .off: "off"
    case .nodes: "nodes"
    case .processors(let processors): processors.map { "\($0)" }.joined(separator: ",")
    }
  }
}
