// A run as asked for on the command line, checked: whatever is in a request may be run.

import Tricolor
import TricolorPacing
import TricolorPlatform

/// What to run, and how.
public struct RunRequest: Sendable {
  /// Which workload.
  public let workload: any Workload.Type
  /// Its own options, checked.
  public let own: OptionValues
  /// Client threads, at least 1.
  public let threads: Int
  /// What random numbers begin with.
  public let seed: UInt64
  /// When to stop.
  public let extent: Extent
  /// Operations a second at most, nil for as many as can be.
  public let rate: Int?
  /// Whether orders are read from standard input.
  public let obeysOrders: Bool
  /// The environment's settings, with those of the command line in their place.
  public let settings: Settings
  /// Whether progress goes to standard error.
  public let showsProgress: Bool
  /// Whether the run is recorded.
  public let records: Bool
  /// Whether the report keeps what was recorded.
  public let keepsTimeline: Bool
  /// Whether allocations are sampled.
  public let profiles: Bool
  /// Where the run is to be seen while it goes on; nil for nowhere.
  public let dashboard: DashboardAddress?

  /// The command line's texts, nil where an option was not given.
  public struct Texts: Sendable {
    /// --memory-limit.
    public var memoryLimit: String?
    /// --gogc.
    public var gogc: String?
    /// --threads.
    public var threads: Int?
    /// --seed.
    public var seed: UInt64?
    /// --duration.
    public var duration: String?
    /// --operations.
    public var operations: Int?
    /// --rate.
    public var rate: String?
    /// Whether standard input brings orders.
    public var obeysOrders = false
    /// What the command does not know: the workload's own.
    public var own: [String] = []
    /// --quiet.
    public var isQuiet = false
    /// --dashboard.
    public var dashboard: String?
    /// Whether any file is asked for that tells the run's course: --report, --timeline, --trace, --events or --csv.
    public var records = false
    /// Whether --report or --timeline was given.
    public var keepsTimeline = false
    /// Whether --profile-heap was given.
    public var profiles = false

    /// Nothing given.
    public init() {}
  }

  /// What randomness begins with unless --seed is given.
  public static let defaultSeed: UInt64 = 20_261_123

  /// Checks everything that can be wrong before the run.
  ///
  /// - Parameters:
  ///   - cgroupLimit: the memory limit the run will have around it, nil for none.
  /// - Throws: `UsageError` or `SettingsError` for the first value that is not allowed.
  public init(
    workload: any Workload.Type, _ texts: Texts, settings: Settings, environmentHasLimit: Bool, cgroupLimit: Int64?
  ) throws {
    self.workload = workload
    own = try OptionValues(texts.own, of: workload.name, table: workload.options)
    _ = try workload.init(options: own)
    threads = try RunRequest.threads(texts.threads, workload)
    seed = texts.seed ?? RunRequest.defaultSeed
    extent = try RunRequest.extent(texts) ?? workload.defaultExtent
    rate = try texts.rate.flatMap { try RunRequest.rate($0, name: "--rate") }
    if texts.rate != nil && !workload.takesRate {
      throw UsageError(
        "--rate is not allowed with \(workload.name), which goes as fast as it can; etcd and tasks hold to a rate")
    }
    obeysOrders = texts.obeysOrders
    showsProgress = !texts.isQuiet
    records = texts.records || texts.keepsTimeline
    keepsTimeline = texts.keepsTimeline
    profiles = texts.profiles
    dashboard = try texts.dashboard.map { (text) throws(UsageError) in
      try DashboardAddress.parse(text, option: DashboardAddress.option)
    }
    var settings = settings
    if let gogc = texts.gogc { settings.gcPercent = try GCPercent.parse(gogc, name: "--gogc") }
    if let limit = texts.memoryLimit {
      settings.memoryLimit = try MemoryLimit.parse(limit, name: "--memory-limit")
    } else if !environmentHasLimit && cgroupLimit != nil {
      settings.memoryLimit = .auto
    }
    self.settings = settings
  }

  private static func threads(_ asked: Int?, _ workload: any Workload.Type) throws -> Int {
    let most = workload.mostThreads
    let group = workload.threadGroup
    guard let asked else { return group > 1 ? group : min(most, try Processors.current().planned) }
    guard (group...most).contains(asked) && asked.isMultiple(of: group) else {
      let range = most == group ? "\(most)" : "\(group) to \(most)"
      throw UsageError(
        option: "--threads", value: "\(asked)", allowed: group == 1 ? range : "a multiple of \(group), \(range)")
    }
    return asked
  }

  /// Operations a second as typed, nil for off.
  static func rate(_ text: String, name: String) throws(SettingsError) -> Int? {
    if text == "off" { return nil }
    guard let rate = Int(text), (1...mostRate).contains(rate) else {
      throw SettingsError(name: name, value: text, allowed: "off or operations a second, 1 to \(mostRate)")
    }
    return rate
  }

  private static let mostRate = 1_000_000_000

  private static func extent(_ texts: Texts) throws -> Extent? {
    if let operations = texts.operations {
      guard operations > 0 else {
        throw UsageError(option: "--operations", value: "\(operations)", allowed: "1 or more")
      }
      guard texts.duration == nil else { throw UsageError("--duration and --operations exclude each other: give one") }
      return .operations(operations)
    }
    guard let duration = texts.duration else { return nil }
    return .nanoseconds(UInt64(try DurationSetting.parse(duration, name: "--duration")))
  }
}

extension RunRequest {
  /// All settings by the names of their variables; one that has no value is an empty text.
  var settingMembers: [JSONValue.Member] {
    Settings.variableNames.map { name in
      do throws(SettingsError) {
        return JSONValue.Member(name, .string(try settings.text(of: name)))
      } catch {
        preconditionFailure("the settings do not know their own variable: \(error)")
      }
    }
  }
}
