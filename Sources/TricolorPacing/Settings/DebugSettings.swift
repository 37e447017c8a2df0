// `GODEBUG`: switches for those who debug collectors, `name=1` or `name=0`, separated by commas. The last mention of a
// name counts.

/// The switches of `GODEBUG`, all off by default.
public struct DebugSettings: Sendable, Equatable {
  /// `gctrace`: a line for every cycle.
  public var gcTrace = false
  /// `gcpacertrace`: what the pacer decided, and why.
  public var gcPacerTrace = false
  /// `scavtrace`: what went back to the operating system.
  public var scavTrace = false
  /// `gccheckmark`: marks again with nobody running, and compares.
  public var gcCheckMark = false
  /// `gcverify`: walks the heap and checks every reference.
  public var gcVerify = false
  /// `gcstoptheworld`: marks with nobody running.
  public var gcStopTheWorld = false
  /// `gcstress`: collects at every poll.
  public var gcStress = false
  /// `clobberfree`: overwrites free cells.
  public var clobberFree = false

  public init() {}

  private enum Switch: String, CaseIterable {
    case gctrace, gcpacertrace, scavtrace, gccheckmark, gcverify, gcstoptheworld, gcstress, clobberfree
  }

  /// Reads a list such as `gctrace=1,gcverify=1`.
  public static func parse(_ text: String, name: String = "GODEBUG") throws(SettingsError) -> DebugSettings {
    var result = DebugSettings()
    for element in text.split(separator: ",", omittingEmptySubsequences: false) {
      guard let (known, isOn) = assignment(element) else {
        let names = Switch.allCases.map(\.rawValue).joined(separator: ", ")
        throw SettingsError(
          name: name, value: text, allowed: "a comma list of NAME=0 or NAME=1, with NAME one of \(names)")
      }
      result[keyPath: path(known)] = isOn
    }
    return result
  }

  private static func assignment(_ element: Substring) -> (Switch, Bool)? {
    let isOn = element.hasSuffix("=1")
    guard isOn || element.hasSuffix("=0"), let known = Switch(rawValue: String(element.dropLast(2))) else { return nil }
    return (known, isOn)
  }

  private static func path(_ known: Switch) -> WritableKeyPath<DebugSettings, Bool> {
    switch known {
    case .gctrace: \.gcTrace
    case .gcpacertrace: \.gcPacerTrace
    case .scavtrace: \.scavTrace
    case .gccheckmark: \.gcCheckMark
    case .gcverify: \.gcVerify
    case .gcstoptheworld: \.gcStopTheWorld
    case .gcstress: \.gcStress
    case .clobberfree: \.clobberFree
    }
  }
}

extension DebugSettings: CustomStringConvertible {
  /// The switches that are on, as `parse` reads them.
  public var description: String {
    Switch.allCases.filter { self[keyPath: DebugSettings.path($0)] }.map { "\($0.rawValue)=1" }.joined(separator: ",")
  }
}
