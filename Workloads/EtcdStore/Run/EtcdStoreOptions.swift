// The workload's own options, each with its bounds: what is outside them is refused with the option's name, value and
// bounds.

import Harness
import TricolorPlatform

/// What an `etcd` run works with beside the options every workload has.
public struct EtcdStoreOptions: Sendable {
  /// What the store holds; the numbers below are the default profile's.
  public var profile = StoreProfile.mixed
  /// What is done after loading, in order, again and again.
  public var phases = WorkPhase.usual
  /// Keys made at the start, when no dump is loaded.
  public var keys = 36_000
  /// The mean size of their values, in bytes.
  public var valueBytes = 1_000
  public var watchers = 40
  /// Of a hundred watch streams, how many have a client that takes 20 ms over an event.
  public var slowStreams = 10
  /// Entries of the replicated log kept in memory.
  public var raftRetain = 1_000
  /// Bytes of old revisions that make a compaction due.
  public var historyBytes = 8 << 20
  /// Keys and bytes of a list's page.
  public var pageKeys = 500
  public var pageBytes = 1 << 20
  /// How a list storm asks for everything.
  public var lists = ListStyle.pages
  /// The size of the values that a watch burst writes.
  public var burstValueBytes = 8 << 10
  /// Whether load is shed while memory is short: lists are refused, and less of the log is kept.
  public var sheds = true
  /// Where the file of the store's records is made; nil for a store that is in memory only.
  public var backingFolder: String? = nil
  /// Bytes a second that a leak keeps.
  public var leakRate = 5 << 20
  /// A dump to load instead of making keys.
  public var dumpPath: String? = nil
  /// How long the phases take once through, where a run is given a time.
  public var roundNanoseconds: UInt64 = 10_000_000_000
  /// Whether a client thread works for one turn of its clients only and a new thread takes over, as where each request
  /// has a thread of its own.
  public var relays = false

  public init() {}
}

/// `--lists`.
public enum ListStyle: String, CaseIterable, Sendable {
  /// A page at a time, which is one operation.
  case pages
  /// Everything in one response.
  case unary
  /// Everything as a stream of messages of 1.5 MB.
  case stream
}

/// `--backing`.
enum BackingChoice: String, CaseIterable, Sendable {
  case none, mmap
}

/// `--shed`.
enum ShedChoice: String, CaseIterable, Sendable {
  case on, off
}

extension EtcdStoreOptions {
  private static let defaults = EtcdStoreOptions()

  static let profileOption = WorkloadOption.choice(
    "profile", default: defaults.profile, help: "what the store holds; one other than mixed brings its own numbers")
  static let phasesOption = WorkloadOption(
    "phases", placeholder: "LIST",
    help: "what is done after loading, with commas, again and again; all for all of "
      + WorkPhase.allCases.map(\.optionName).joined(separator: ","),
    allowed: "all, or some of \(WorkPhase.allCases.map(\.optionName).joined(separator: ", ")), each once, with commas",
    default: defaults.phases, defaultText: defaults.phases.map(\.optionName).joined(separator: ","),
    parse: parsePhases)
  static let keysOption = WorkloadOption.integer(
    "keys", 1...20_000_000, default: defaults.keys, help: "keys made at the start")
  static let valueOption = size(
    "value-size", 16...65_536, default: defaults.valueBytes, help: "mean size of a value")
  static let watchersOption = WorkloadOption.integer(
    "watchers", 0...100_000, default: defaults.watchers, help: "watchers, ten to a stream")
  static let slowOption = WorkloadOption.integer(
    "slow-streams", 0...100, default: defaults.slowStreams, help: "percent of the watch streams that are slow")
  static let raftOption = WorkloadOption.integer(
    "raft-retain", 1...1_000_000, default: defaults.raftRetain, help: "entries of the replicated log kept in memory")
  static let historyOption = size(
    "history", 65_536...1 << 40, default: defaults.historyBytes,
    help: "old revisions of this size make a compaction due")
  static let pageKeysOption = WorkloadOption.integer(
    "page-keys", 1...1_000_000, default: defaults.pageKeys, help: "most keys in a page of a list")
  static let pageBytesOption = size(
    "page-size", 1...1 << 30, default: defaults.pageBytes, help: "most keys and values in a page of a list")
  static let listsOption = WorkloadOption.choice(
    "lists", default: defaults.lists, help: "how a list storm asks: by pages, all at once, or as a stream")
  static let burstOption = size(
    "burst-value-size", 16...1_500_000, default: defaults.burstValueBytes,
    help: "size of the values written in a watch burst")
  static let shedOption = WorkloadOption.choice(
    "shed", default: ShedChoice.on, help: "refuse lists and cut the log while memory is short")
  static let backingOption = WorkloadOption.choice(
    "backing", default: BackingChoice.none,
    help: "also keep the records in a mapped file, which restart reads; on where restart is among the phases")
  static let backingFolderOption = WorkloadOption.file(
    "backing-folder", help: "where the mapped file is made; it has no name there (default: $TMPDIR, else /tmp)")
  static let leakOption = size(
    "leak-rate", 4_096...1 << 34, default: defaults.leakRate, help: "what a leak keeps in a second")
  static let loadOption = WorkloadOption.file(
    "load", help: "a dump to load instead: etcdctl get \"\" --prefix -w json > FILE")

  /// `--name SIZE` within `range` bytes.
  private static func size(
    _ name: String, _ range: ClosedRange<Int>, default fallback: Int, help: String
  ) -> WorkloadOption<Int> {
    let any = WorkloadOption.size(name, default: fallback, help: help)
    return WorkloadOption(
      name, placeholder: any.placeholder, help: help,
      allowed: "\(any.allowed), from \(range.lowerBound) to \(range.upperBound) bytes", default: fallback,
      defaultText: any.fallbackText
    ) { text in
      any.parse(text).flatMap { range.contains($0) ? $0 : nil }
    }
  }

  /// A list of phases as typed, without `load`, which is always done; nil for one that is not allowed.
  @Sendable private static func parsePhases(_ text: String) -> [WorkPhase]? {
    if text == "all" { return Array(WorkPhase.allCases.dropFirst()) }
    var phases: [WorkPhase] = []
    for name in text.split(separator: ",", omittingEmptySubsequences: false) {
      guard let phase = WorkPhase.allCases.first(where: { $0.optionName == name }), !phases.contains(phase) else {
        return nil
      }
      phases.append(phase)
    }
    return phases.filter { $0 != .load }
  }

  static let table: [any AnyWorkloadOption] = [
    profileOption, phasesOption, keysOption, valueOption, watchersOption, slowOption, raftOption, historyOption,
    listsOption, pageKeysOption, pageBytesOption, burstOption, shedOption, backingOption, backingFolderOption,
    leakOption, loadOption,
  ]

  /// The options as typed.
  ///
  /// - Throws: for a value out of bounds, or options that exclude each other.
  public init(_ values: OptionValues) throws(UsageError) {
    profile = try values.value(of: EtcdStoreOptions.profileOption)
    phases = try values.value(of: EtcdStoreOptions.phasesOption)
    let typedKeys = try values.value(of: EtcdStoreOptions.keysOption)
    keys = values.has(EtcdStoreOptions.keysOption) ? typedKeys : profile.keys
    let typedBytes = try values.value(of: EtcdStoreOptions.valueOption)
    valueBytes = values.has(EtcdStoreOptions.valueOption) ? typedBytes : profile.meanValueBytes
    watchers = try values.value(of: EtcdStoreOptions.watchersOption)
    slowStreams = try values.value(of: EtcdStoreOptions.slowOption)
    raftRetain = try values.value(of: EtcdStoreOptions.raftOption)
    historyBytes = try values.value(of: EtcdStoreOptions.historyOption)
    pageKeys = try values.value(of: EtcdStoreOptions.pageKeysOption)
    pageBytes = try values.value(of: EtcdStoreOptions.pageBytesOption)
    lists = try values.value(of: EtcdStoreOptions.listsOption)
    burstValueBytes = try values.value(of: EtcdStoreOptions.burstOption)
    leakRate = try values.value(of: EtcdStoreOptions.leakOption)
    backingFolder = try EtcdStoreOptions.backingFolder(values, phases)
    sheds = try values.value(of: EtcdStoreOptions.shedOption) == .on
    dumpPath = try values.value(of: EtcdStoreOptions.loadOption)
    if dumpPath != nil {
      let excluded: [any AnyWorkloadOption] = [
        EtcdStoreOptions.keysOption, EtcdStoreOptions.valueOption, EtcdStoreOptions.profileOption,
      ]
      for option in excluded where values.has(option) {
        throw UsageError("--\(option.name) is not allowed with --load; use one of them, a dump brings its own keys")
      }
    }
  }

  /// Where the mapped file goes, nil when there is to be none.
  private static func backingFolder(_ values: OptionValues, _ phases: [WorkPhase]) throws(UsageError) -> String? {
    let choice = try values.value(of: backingOption)
    let folder = try values.value(of: backingFolderOption)
    let restarts = phases.contains(.restart)
    if choice == .none && values.has(backingOption) && restarts {
      throw UsageError("--backing none is not allowed with --phases restart; a restart reads the file: use mmap")
    }
    guard choice == .mmap || restarts else {
      if folder != nil { throw UsageError("--backing-folder is not allowed without --backing mmap; give both") }
      return nil
    }
    return folder ?? CurrentProcess.environment("TMPDIR").flatMap { $0.isEmpty ? nil : $0 } ?? "/tmp"
  }

  var pageLimit: PageLimit { PageLimit(keys: pageKeys, bytes: pageBytes) }

  /// The store that these options describe.
  var storeConfiguration: StoreConfiguration {
    var configuration = StoreConfiguration()
    configuration.raftRetain = raftRetain
    configuration.sessions = Partition.count
    configuration.watchers = watchers
    configuration.streams = max(1, (watchers + 9) / 10)
    configuration.slowStreams = (configuration.streams * slowStreams + 50) / 100
    configuration.historyBytes = historyBytes
    return configuration
  }
}
