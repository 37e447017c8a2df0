// Every setting, its default, and the environment variable it is read from.
//
// A variable that is unset or empty leaves the default. One with a value that is not allowed leaves the default too and
// is reported: a library has no right to stop the program, a command stops with the first error. Which, is the caller's
// choice.

/// All settings of a heap, with their defaults.
public struct Settings: Sendable, Equatable {
  /// `GOGC`: growth in percent before the next cycle, nil for off.
  public var gcPercent: Int? = GCPercent.standard
  /// `GOMEMLIMIT`: the limit on the process's memory.
  public var memoryLimit = MemoryLimit.off
  /// `GOMAXPROCS`: processors the collector plans with, nil for those the process may use.
  public var maxProcessors: Int?
  /// `GODEBUG`: switches for debugging.
  public var debug = DebugSettings()
  /// `TRICOLOR_NUMA`: where memory comes from.
  public var numa = NUMAPolicy.local
  /// `TRICOLOR_BIND`: where the collector's threads run.
  public var binding = ProcessorBinding.off
  /// `TRICOLOR_HARD_LIMIT`: the limit at which allocation fails.
  public var hardLimit = MemoryLimit.off
  /// `TRICOLOR_LIMIT_SOURCE`: what counts against the limit.
  public var limitSource = LimitMeasure.auto
  /// `TRICOLOR_LIMIT_SCOPE`: whose memory counts against the limit.
  public var limitScope = LimitScope.process
  /// `TRICOLOR_LIMIT_POLICY`: what happens where the limit cannot be met.
  public var limitPolicy = LimitPolicy.soft
  /// `TRICOLOR_GC_CPU_LIMIT`: percent of the CPU that collection may take near the limit, 1...100.
  public var gcCPULimit = 50
  /// `TRICOLOR_MIN_HEAP`: bytes before which growth starts no cycle, nil for 4 MiB · `GOGC` / 100.
  public var minimumHeap: UInt64?
  /// `TRICOLOR_TUNE`: whether the heap chooses `GOGC` itself.
  public var tunes = false
  /// What it is to hold by that: percent of the CPU used that collection takes, 1...50.
  public var tuneTarget = Settings.standardTuneTarget
  /// `TRICOLOR_YOUNG`: which cycles mark only what was allocated since the last one.
  public var youngCycles = YoungCycles.automatic
  /// `TRICOLOR_RESERVE`: bytes of address space to reserve.
  public var reserveBytes: UInt64 = 256 << 30

  /// The smallest reservation: one arena.
  public static let leastReserveBytes: Int64 = 64 << 20

  /// What `TRICOLOR_TUNE=on` holds, in percent.
  public static let standardTuneTarget = 10

  /// The defaults.
  public init() {}
}

extension Settings {
  enum Variable: String, CaseIterable {
    case gcPercent = "GOGC"
    case memoryLimit = "GOMEMLIMIT"
    case maxProcessors = "GOMAXPROCS"
    case debug = "GODEBUG"
    case numa = "TRICOLOR_NUMA"
    case binding = "TRICOLOR_BIND"
    case hardLimit = "TRICOLOR_HARD_LIMIT"
    case limitSource = "TRICOLOR_LIMIT_SOURCE"
    case limitScope = "TRICOLOR_LIMIT_SCOPE"
    case limitPolicy = "TRICOLOR_LIMIT_POLICY"
    case gcCPULimit = "TRICOLOR_GC_CPU_LIMIT"
    case minimumHeap = "TRICOLOR_MIN_HEAP"
    case tunes = "TRICOLOR_TUNE"
    case youngCycles = "TRICOLOR_YOUNG"
    case reserve = "TRICOLOR_RESERVE"
  }

  /// The names of all environment variables, in the order they are read.
  public static var variableNames: [String] { Variable.allCases.map(\.rawValue) }

  /// Reads all settings.
  ///
  /// - Parameter environment: the value of a variable, nil when it is unset.
  /// - Returns: the settings, defaults where nothing or nothing allowed was given, and an error for each value not
  ///   allowed.
  public static func parse(environment: (String) -> String?) -> (settings: Settings, errors: [SettingsError]) {
    var settings = Settings()
    var errors: [SettingsError] = []
    for variable in Variable.allCases {
      guard let text = environment(variable.rawValue), !text.isEmpty else { continue }
      do throws(SettingsError) {
        try settings.set(variable, to: text)
      } catch {
        errors.append(error)
      }
    }
    return (settings, errors)
  }

  mutating func set(_ variable: Variable, to text: String) throws(SettingsError) {
    let name = variable.rawValue
    switch variable {
    case .gcPercent: gcPercent = try GCPercent.parse(text, name: name)
    case .memoryLimit: memoryLimit = try MemoryLimit.parse(text, name: name)
    case .maxProcessors: maxProcessors = try Int.parse(text, name: name, in: 1...(.max))
    case .debug: debug = try DebugSettings.parse(text, name: name)
    case .numa: numa = try NUMAPolicy.parse(text, name: name)
    case .binding: binding = try ProcessorBinding.parse(text, name: name)
    case .hardLimit: hardLimit = try MemoryLimit.parse(text, name: name)
    case .limitSource: limitSource = try LimitMeasure.parse(text, name: name)
    case .limitScope: limitScope = try LimitScope.parse(text, name: name)
    case .limitPolicy: limitPolicy = try LimitPolicy.parse(text, name: name)
    case .gcCPULimit: gcCPULimit = try Int.parse(text, name: name, in: 1...100, unit: " (percent)")
    case .minimumHeap: minimumHeap = UInt64(try ByteSize.parse(text, name: name))
    case .tunes: (tunes, tuneTarget) = try Settings.parseTune(text, name: name)
    case .youngCycles: youngCycles = try YoungCycles.parse(text, name: name)
    case .reserve: reserveBytes = UInt64(try ByteSize.parse(text, name: name, minimum: Settings.leastReserveBytes))
    }
  }

  /// Targets of the tuner that are allowed, in percent, and what its setting may look like.
  static let tuneTargets = 1...50
  static let tuneAllowed = "off, on, or on:N% with N from 1 to 50 (percent of the CPU used that collection takes)"

  private static func parseTune(_ text: String, name: String) throws(SettingsError) -> (tunes: Bool, target: Int) {
    switch text {
    case "on": return (true, standardTuneTarget)
    case "off": return (false, standardTuneTarget)
    default: break
    }
    guard text.hasPrefix("on:"), text.hasSuffix("%"), let target = Int64(digits: String(text.dropFirst(3).dropLast())),
      tuneTargets.contains(Int(target))
    else { throw SettingsError(name: name, value: text, allowed: tuneAllowed) }
    return (true, Int(target))
  }
}
