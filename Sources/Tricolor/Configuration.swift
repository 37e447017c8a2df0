// A heap's settings as programs see them: the environment variables of the manual, each a property.

import TricolorPacing
import TricolorPlatform

extension Heap {
  /// What a heap runs with. Every property has its environment variable's meaning, unit and default.
  public struct Configuration: Sendable {
    public var settings: Settings

    /// The given settings.
    public init(settings: Settings) { self.settings = settings }

    /// Defaults, whatever the environment says.
    public init() { settings = Settings() }

    /// The environment's settings. A value that is not allowed is reported on standard error and its default stays.
    public static var environment: Configuration {
      let (settings, errors) = Settings.parse(environment: { CurrentProcess.environment($0) })
      for error in errors { StandardError.write("tricolor: \(error); the default stays\n") }
      return Configuration(settings: settings)
    }

    /// `GOGC`: growth in percent before the next cycle, nil for off.
    public var gcPercent: Int? {
      get { settings.gcPercent }
      set { settings.gcPercent = newValue }
    }

    /// `GOMEMLIMIT`: the limit on the process's resident memory.
    public var memoryLimit: MemoryLimit {
      get { settings.memoryLimit }
      set { settings.memoryLimit = newValue }
    }
  }
}

extension Settings {
  /// Settings that are understood and asked for, but that this version does not act on: said aloud, so that nobody relies on them.
  var withoutEffect: [String] {
    var names: [String] = []
    if debug.gcStopTheWorld { names.append("GODEBUG=gcstoptheworld=1") }
    if debug.gcPacerTrace { names.append("GODEBUG=gcpacertrace=1") }
    if debug.scavTrace { names.append("GODEBUG=scavtrace=1") }
    if numa != Settings().numa { names.append("TRICOLOR_NUMA") }
    if binding != Settings().binding { names.append("TRICOLOR_BIND") }
    if limitPolicy != Settings().limitPolicy { names.append("TRICOLOR_LIMIT_POLICY") }
    if tunes { names.append("TRICOLOR_TUNE") }
    return names
  }
}
