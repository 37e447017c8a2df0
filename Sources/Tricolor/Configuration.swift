// A heap's settings as programs see them: the environment variables of the manual, each a property.

import TricolorPacing
import TricolorPlatform

extension Heap {
  /// What a heap runs with. Every property has its environment variable's meaning, unit and default.
  public struct Configuration: Sendable {
    /// All settings in one value, as the pacing module knows them; the properties below are its fields.
    public var settings: Settings

    /// The given settings.
    public init(settings: Settings) { self.settings = settings }

    /// Defaults, whatever the environment says.
    public init() { settings = Settings() }

    /// The environment's settings. A value that is not allowed is reported on standard error and its default stays.
    public static var environment: Configuration {
      var (settings, errors) = Settings.parse(environment: { CurrentProcess.environment($0) })
      settings.dropAbsentPlaces { errors.append($0) }
      for error in errors { StandardError.write("tricolor: \(error); the default stays\n") }
      return Configuration(settings: settings)
    }

    /// `GOGC`: growth in percent before the next cycle, nil for off. What is in force where the heap chooses is in `Heap.statistics`.
    public var gcPercent: Int? {
      get { settings.gcPercent }
      set { settings.gcPercent = newValue }
    }

    /// `GOMEMLIMIT`: the limit on the process's resident memory.
    public var memoryLimit: MemoryLimit {
      get { settings.memoryLimit }
      set { settings.memoryLimit = newValue }
    }

    /// `TRICOLOR_HARD_LIMIT`: the limit at which allocation throws `OutOfMemory`.
    public var hardLimit: MemoryLimit {
      get { settings.hardLimit }
      set { settings.hardLimit = newValue }
    }

    /// `TRICOLOR_LIMIT_SOURCE`: what counts against the limits.
    public var limitSource: LimitMeasure {
      get { settings.limitSource }
      set { settings.limitSource = newValue }
    }

    /// `TRICOLOR_LIMIT_SCOPE`: whose memory counts against the limits, the process's or the heap's alone.
    public var limitScope: LimitScope {
      get { settings.limitScope }
      set { settings.limitScope = newValue }
    }

    /// `TRICOLOR_LIMIT_POLICY`: what happens when the memory limit cannot be met.
    public var limitPolicy: LimitPolicy {
      get { settings.limitPolicy }
      set { settings.limitPolicy = newValue }
    }

    /// `TRICOLOR_GC_CPU_LIMIT`: percent of the CPU the process gets that collection may take for long, 1...100.
    public var gcCPULimit: Int {
      get { settings.gcCPULimit }
      set { settings.gcCPULimit = newValue }
    }

    /// `TRICOLOR_MIN_HEAP`: bytes before which growth starts no cycle, nil for 4 MiB · `GOGC` / 100. The limits still do.
    public var minimumHeap: UInt64? {
      get { settings.minimumHeap }
      set { settings.minimumHeap = newValue }
    }

    /// `TRICOLOR_YOUNG`: which cycles mark only what was allocated since the last one.
    public var youngCycles: YoungCycles {
      get { settings.youngCycles }
      set { settings.youngCycles = newValue }
    }

    /// `TRICOLOR_NUMA`: from which NUMA nodes memory comes. Changed while the heap is there, it holds for memory taken from then on.
    public var numa: NUMAPolicy {
      get { settings.numa }
      set { settings.numa = newValue }
    }

    /// `TRICOLOR_BIND`: to which processors the collector's threads are bound. Changed while the heap is there, they follow.
    public var binding: ProcessorBinding {
      get { settings.binding }
      set { settings.binding = newValue }
    }

    /// `TRICOLOR_TUNE`: whether the heap chooses the percentage of growth itself, beginning with `gcPercent`, to hold `tuneTarget`. With
    /// `gcPercent` off there is nothing to choose: off stays off. Switched off while the heap runs, `gcPercent` is in force again.
    public var tunes: Bool {
      get { settings.tunes }
      set { settings.tunes = newValue }
    }

    /// The number in `TRICOLOR_TUNE=on:N%`: what collection is to take of the CPU that the process uses, in percent, 1...50.
    public var tuneTarget: Int {
      get { settings.tuneTarget }
      set { settings.tuneTarget = newValue }
    }

    /// `TRICOLOR_RESERVE`: bytes of address space for all heaps of the process, at least 64 MiB. The first heap's counts.
    public var reserveBytes: UInt64 {
      get { settings.reserveBytes }
      set { settings.reserveBytes = newValue }
    }

    /// `GOMAXPROCS`: processors the collector plans with at most, nil for all the process may use.
    public var maxProcessors: Int? {
      get { settings.maxProcessors }
      set { settings.maxProcessors = newValue }
    }

    /// `GODEBUG`: of its switches, the three that write lines can be changed while the heap is there.
    public var debug: DebugSettings {
      get { settings.debug }
      set { settings.debug = newValue }
    }
  }
}

extension Settings {
  /// Puts the default in the place of a node or of processors that this process may not use. A machine that cannot be read has what it is asked
  /// for.
  fileprivate mutating func dropAbsentPlaces(_ report: (SettingsError) -> Void) {
    if numa == Settings().numa && binding == Settings().binding { return }
    for _ in 0..<2 {
      do throws(HeapError) {
        _ = try PlacementPlan.current(self)
        return
      } catch {
        guard case .setting(let error) = error else { return }
        report(error)
        if error.name == PlacementPlan.numaName { numa = Settings().numa } else { binding = Settings().binding }
      }
    }
  }
}
