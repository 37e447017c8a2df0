// What the pacer, the limit and the kernel's pressure decided, in words: found by comparing each reading of the heap's counters with the one
// before, so that the heap itself needs to tell nothing that its statistics do not.
//
// What begins cycles may alternate from one to the next near the limit; a change is told when three cycles in a row agree. Threads that let
// the collector wait are told of every five seconds at the most: on a busy machine there are many. Operations
// that were turned away are told of every second at the most.

import Tricolor

/// A change that somebody or something decided.
public struct Decision: Sendable, Equatable {
  /// What it is about.
  public enum Kind: String, Sendable {
    /// The workload entered another phase.
    case phase
    /// Somebody changed a setting, or the limit around the process.
    case setting
    /// Cycles begin for another reason.
    case pacer
    /// The limit cannot be met, or can again.
    case limit
    /// The level of memory pressure changed.
    case pressure
    /// The kernel's signs of shortage move the goal.
    case kernel
    /// Collection used up its share of the CPU.
    case limiter
    /// A thread let the collector wait.
    case thread
    /// The workload turned operations away for want of memory.
    case shed
    /// The kernel killed the run.
    case killed
  }

  /// Nanoseconds since the run began.
  public var time: UInt64
  /// What it is about.
  public var kind: Kind
  /// What was decided, with its figures.
  public var text: String

  /// A decision in these words.
  public init(time: UInt64, kind: Kind, text: String) {
    self.time = time
    self.kind = kind
    self.text = text
  }

  /// The decision behind a change of the level of pressure.
  public init(time: UInt64, pressure event: PressureEvent) {
    let limit = event.limitBytes.map { "the limit of \(Figures.bytes($0))" } ?? "no limit"
    var text = "memory pressure is \(event.level): \(Figures.bytes(event.unavoidableBytes)) that no collection frees"
    text += " (live \(Figures.bytes(event.liveBytes)), foreign \(Figures.bytes(event.foreignBytes))) under \(limit)"
    if event.collectorIsLimited { text += "; collection has used up its share of the CPU" }
    if let stalled = event.stalledPercent, stalled > 0 {
      text += "; tasks waited for memory \(Figures.fixed(stalled, 1)) % of the last ten seconds"
    }
    self.init(time: time, kind: .pressure, text: text)
  }

  var json: JSONValue { [.unsigned(time), .string(kind.rawValue), .string(text)] }
}

/// Finds decisions in successive readings.
public struct DecisionFinder: Sendable {
  /// What is compared.
  public struct Reading: Sendable {
    /// The heap's counters.
    public var statistics: HeapStatistics
    /// The hard limit of the control groups around the process; nil for none.
    public var groupLimitBytes: Int?
    /// The workload's phase; empty for none.
    public var phase: String
    /// Operations that the workload has turned away so far.
    public var shedOperations: Int

    /// A reading of all of it at one moment.
    public init(statistics: HeapStatistics, groupLimitBytes: Int?, phase: String, shedOperations: Int = 0) {
      self.statistics = statistics
      self.groupLimitBytes = groupLimitBytes
      self.phase = phase
      self.shedOperations = shedOperations
    }
  }

  /// Cycles that must agree before another cause is told.
  private static let agreement = 3

  private var before: Reading?
  private var cause: CycleCause?
  private var disagreeing = 0
  /// When slow threads were last told of, and how often there had been one.
  private var toldSlow: (time: UInt64, count: Int)?
  /// The growth that was told last where the heap chooses it.
  private var toldChoice: Int?
  private static let slowInterval: UInt64 = 5_000_000_000
  /// When operations that were turned away were last told of, and how many there had been.
  private var toldShed: (time: UInt64, count: Int)?
  private static let shedInterval: UInt64 = 1_000_000_000

  /// Has seen nothing.
  public init() {}

  /// What has changed since the last call. The first call tells the settings that the run begins with.
  public mutating func decisions(at time: UInt64, _ now: Reading) -> [Decision] {
    defer { before = now }
    guard let before else { return [beginning(now), phase(nil, now)].compactMap { $0?.at(time) } }
    let found = [phase(before, now), limitChange(before, now), growthChange(before, now), groupChange(before, now)]
    let signs = [causeChange(before, now), unmet(before, now), tightening(before, now), limiter(before, now)]
    return (found + signs + [slowThread(at: time, now), shed(at: time, now)]).compactMap { $0?.at(time) }
  }

  private struct Words {
    let kind: Decision.Kind
    let text: String

    func at(_ time: UInt64) -> Decision { Decision(time: time, kind: kind, text: text) }
  }

  private func beginning(_ now: Reading) -> Words? {
    let group = now.groupLimitBytes.map { " in a control group of \(Figures.bytes($0))" } ?? ""
    return Words(
      kind: .setting,
      text: "the run begins with GOGC=\(growth(now)) and \(limit(now.statistics.limitBytes))\(group)")
  }

  private func phase(_ before: Reading?, _ now: Reading) -> Words? {
    if now.phase.isEmpty || now.phase == before?.phase { return nil }
    return Words(kind: .phase, text: now.phase)
  }

  private func limitChange(_ before: Reading, _ now: Reading) -> Words? {
    let (old, new) = (before.statistics.limitBytes, now.statistics.limitBytes)
    return old == new ? nil : Words(kind: .setting, text: "\(limit(old)) becomes \(limit(new))")
  }

  private mutating func growthChange(_ before: Reading, _ now: Reading) -> Words? {
    if before.statistics.growthChoice != nil && now.statistics.growthChoice != nil { return growthChoice(before, now) }
    toldChoice = nil
    if before.statistics.gcPercent == now.statistics.gcPercent { return nil }
    return Words(kind: .setting, text: "GOGC=\(growth(before)) becomes GOGC=\(growth(now))")
  }

  /// The heap's own choice of growth. Small steps are told when they have come to a quarter.
  private mutating func growthChoice(_ before: Reading, _ now: Reading) -> Words? {
    guard let choice = now.statistics.growthChoice else { return nil }
    let told = toldChoice ?? before.statistics.gcPercent ?? choice.percent
    toldChoice = told
    if 4 * abs(choice.percent - told) < told { return nil }
    toldChoice = choice.percent
    let why =
      switch choice.bound {
      case .target, .steady: ""
      case .least: ", the least"
      case .most: ", the most"
      case .limit: ", what the memory limit leaves"
      case .machine: ", for a quarter of the machine's memory"
      }
    return Words(
      kind: .pacer,
      text: "the heap takes GOGC from \(told) to \(choice.percent)\(why): collection has taken "
        + "\(Figures.fixed(choice.collectorShare * 100, 1)) % of the CPU that was used")
  }

  private func groupChange(_ before: Reading, _ now: Reading) -> Words? {
    if before.groupLimitBytes == now.groupLimitBytes { return nil }
    let (old, new) = (before.groupLimitBytes, now.groupLimitBytes)
    return Words(
      kind: .setting,
      text: "the control group's limit of \(old.map { Figures.bytes($0) } ?? "nothing") becomes "
        + (new.map { Figures.bytes($0) } ?? "nothing"))
  }

  private mutating func causeChange(_ before: Reading, _ now: Reading) -> Words? {
    let byGrowth = cycles(.growth, before, now)
    let byLimit = cycles(.limit, before, now)
    if byGrowth + byLimit == 0 { return nil }
    let seen: CycleCause = byLimit >= byGrowth ? .limit : .growth
    disagreeing = seen == cause ? 0 : disagreeing + max(byGrowth, byLimit)
    guard cause == nil || disagreeing >= DecisionFinder.agreement else { return nil }
    if seen == cause { return nil }
    cause = seen
    disagreeing = 0
    let goal = Figures.bytes(now.statistics.goalBytes)
    return seen == .limit
      ? Words(kind: .pacer, text: "cycles begin for the memory limit: it sets the goal, \(goal), below what GOGC would")
      : Words(kind: .pacer, text: "cycles begin for growth: GOGC=\(growth(now)) sets the goal, \(goal)")
  }

  private func cycles(_ cause: CycleCause, _ before: Reading, _ now: Reading) -> Int {
    (now.statistics.cyclesByCause[cause] ?? 0) - (before.statistics.cyclesByCause[cause] ?? 0)
  }

  private func unmet(_ before: Reading, _ now: Reading) -> Words? {
    if before.statistics.limitIsUnmet == now.statistics.limitIsUnmet { return nil }
    if !now.statistics.limitIsUnmet { return Words(kind: .limit, text: "the memory limit can be met again") }
    let live = Figures.bytes(now.statistics.markedLiveBytes)
    let foreign = Figures.bytes(now.statistics.foreignBytes)
    return Words(
      kind: .limit,
      text: "\(limit(now.statistics.limitBytes)) cannot be met: \(live) live on the heap, \(foreign) outside it")
  }

  private func tightening(_ before: Reading, _ now: Reading) -> Words? {
    let (old, new) = (before.statistics.tightenedPercent, now.statistics.tightenedPercent)
    if old == new { return nil }
    return Words(
      kind: .kernel,
      text: new == 0
        ? "the kernel reports no shortage any more: the goal follows the whole limit"
        : "the kernel reports a shortage of memory: the goal stays \(new) % below the limit's")
  }

  private func limiter(_ before: Reading, _ now: Reading) -> Words? {
    let cycle = now.statistics.limiterLastCycle
    // Told once for cycles in a row: one that follows the last limited one is the same episode.
    if cycle <= before.statistics.limiterLastCycle { return nil }
    if before.statistics.limiterLastCycle > 0 && before.statistics.limiterLastCycle >= before.statistics.cycles {
      return nil
    }
    return Words(
      kind: .limiter, text: "collection has used up its share of the CPU in cycle \(cycle): memory may exceed the goal")
  }

  private mutating func slowThread(at time: UInt64, _ now: Reading) -> Words? {
    let times = now.statistics.slowSafepoints - (toldSlow?.count ?? 0)
    if times <= 0 { return nil }
    if let toldSlow, time < toldSlow.time + DecisionFinder.slowInterval { return nil }
    toldSlow = (time, now.statistics.slowSafepoints)
    return Words(
      kind: .thread,
      text: "thread \(now.statistics.slowSafepointThread) took longer than 10 ms to reach its safepoint"
        + (times > 1 ? ", the last of \(times) times" : ""))
  }

  private mutating func shed(at time: UInt64, _ now: Reading) -> Words? {
    let operations = now.shedOperations - (toldShed?.count ?? 0)
    if operations <= 0 { return nil }
    if let toldShed, time < toldShed.time + DecisionFinder.shedInterval { return nil }
    toldShed = (time, now.shedOperations)
    return Words(
      kind: .shed,
      text:
        "\(Figures.count(operations)) operation\(operations == 1 ? " was" : "s were") turned away for want of memory")
  }

  private func growth(_ reading: Reading) -> String { reading.statistics.gcPercent.map { "\($0)" } ?? "off" }

  private func limit(_ bytes: Int?) -> String {
    bytes.map { "a memory limit of \(Figures.bytes($0))" } ?? "no memory limit"
  }
}
