// Whether cycles may be young ones: `TRICOLOR_YOUNG`.

/// Which cycles mark only what was allocated since the last one.
public enum YoungCycles: String, Sendable, BitwiseCopyable, CaseIterable {
  /// Those that promise to pay: decided from what cycles find.
  case automatic = "auto"
  /// None.
  case off
  /// All but the first, every fourth, and those that somebody asks for or the limit needs. To try the machinery.
  case always

  /// Reads `auto`, `off` or `always`.
  public static func parse(_ text: String, name: String = "TRICOLOR_YOUNG") throws(SettingsError) -> YoungCycles {
    guard let known = YoungCycles(rawValue: text) else {
      throw SettingsError(name: name, value: text, allowed: allCases.map(\.rawValue).joined(separator: ", "))
    }
    return known
  }
}
