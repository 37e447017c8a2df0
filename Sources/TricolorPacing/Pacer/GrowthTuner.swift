// Chooses `GOGC` while the program runs (`TRICOLOR_TUNE=on`): as little memory as keeps the collector at its share of the CPU that the
// process uses.
//
// A heap that allocates g bytes a second and whose cycles take K of CPU each has a collector that takes g·K/E of a processor where it may
// allocate E bytes from one cycle to the next. One price of memory for all times spends a given amount of it best: E = sqrt(g·K / price),
// the square-root rule (Kirisame, Shenoy and Panchekha, "Optimal heap limits for reducing browser memory use", OOPSLA 2022). There the
// price is a constant with a unit, to be calibrated. Here it follows from a target that an operator can name, as in ZGC (Tavakolisomeh,
// Shimchenko, Österlund, Bruno, Ferreira and Wrigstad, "Heap size adjustment with CPU control", MPLR 2023): the price at which the
// collector would have had its share t of the CPU u used over the last seconds,
//     1 / sqrt(price) = Σ sqrt(g·K)·T / (t·Σ u·T),
// sums over stretches of time T in which the past fades. Under a steady load that is E = g·K/(t·u), the target met. When the load changes,
// E follows the root at once, and through the price the rest within `memory`. What is measured depends on the percentage in force only as
// far as a cycle costs more after more allocation, which is little: there is hardly a loop that could swing.
//
// Sweeping and returning pages cost what was allocated, not what lives: growth cannot change them. They are taken off the target, at most
// half of it.
//
// A young cycle costs a fraction of a full one and leaves less room for the next. So a stretch ends with a full cycle, and counts the young
// ones before it: K is what a cycle costs on the average, and E is corrected by what of the room granted was used.
//
// Hysteresis: a stretch is at least 200 ms long; a percentage that is off by less than a tenth stays; of what it is off by, half is
// corrected (on a logarithmic scale). Bounds hold at once.
//
// Pure and trivially copyable; not synchronised. Invariant: the percentage in force lies within the bounds of the last decision.

/// What bounds the percentage that a tuner chose.
public enum GrowthBound: UInt8, Sendable, BitwiseCopyable, CaseIterable {
  /// Nothing: it is on its way to the one wanted.
  case target
  /// It was close enough to the one wanted, and stayed.
  case steady
  /// The least percentage: the target could be held with less memory.
  case least
  /// The largest percentage.
  case most
  /// What the memory limit leaves.
  case limit
  /// The share of the machine's memory that a heap without a limit may grow to.
  case machine
}

/// What a tuner chose last, and why.
public struct GrowthChoice: Sendable, Equatable, BitwiseCopyable {
  /// The percentage of growth in force.
  public var percent: Int
  /// What the target asks for, without bounds and hysteresis.
  public var wantedPercent: Int
  /// Why the one in force is another.
  public var bound: GrowthBound
  /// The collector's share of the CPU that the process used lately, 0...1.
  public var collectorShare = 0.0
  /// Bytes allocated a second, in the stretch of time it was chosen from.
  public var allocationRate = 0.0
  /// CPU time that a cycle took there, the mean of young and full ones, sweeping left out.
  public var cycleNanoseconds = 0.0
  /// How many choices there have been.
  public var count = 0

  /// The percentage to begin with, before there is anything to choose from.
  public init(startPercent: Int) {
    percent = startPercent
    wantedPercent = startPercent
    bound = .steady
  }
}

/// Chooses a percentage of growth from what cycles cost. Sizes are bytes, times nanoseconds.
public struct GrowthTuner: Sendable, BitwiseCopyable {
  /// How a heap is to be tuned.
  public struct Setting: Sendable, Equatable, BitwiseCopyable {
    /// `GOGC` as the program set it. One outside of the bounds moves them.
    public var startPercent: Int
    /// Percent of the CPU used that collection is to take, 1...100.
    public var targetPercent: Int

    public init(startPercent: Int, targetPercent: Int = Settings.standardTuneTarget) {
      self.startPercent = max(startPercent, 0)
      self.targetPercent = min(max(targetPercent, 1), 100)
    }
  }

  /// A cycle that has ended marking.
  public struct Cycle: Sendable {
    public var isYoung: Bool
    /// Whether growth began it: then all the room that was granted has been used.
    public var isGrowth: Bool
    /// CPU time it took, sweeping left out.
    public var nanoseconds: UInt64
    /// Bytes allocated since the cycle before.
    public var allocated: UInt64
    /// What growth is measured from, as the pacer knows it now.
    public var growth: GrowthTerms
    /// CPU time since an arbitrary start: of the process, and of sweeping and returning pages.
    public var process: UInt64
    public var sweeping: UInt64
    /// When it ended, by a monotonic clock.
    public var time: UInt64

    public init(
      isYoung: Bool, isGrowth: Bool, nanoseconds: UInt64, allocated: UInt64, growth: GrowthTerms,
      process: UInt64, sweeping: UInt64, time: UInt64
    ) {
      self.isYoung = isYoung
      self.isGrowth = isGrowth
      self.nanoseconds = nanoseconds
      self.allocated = allocated
      self.growth = growth
      self.process = process
      self.sweeping = sweeping
      self.time = time
    }
  }

  /// The bounds of the percentage. Below 25 there is hardly memory left to save, and a heap is marked four times for each time its size is
  /// allocated; above 1000 there is hardly CPU left to save: a tenth of what cycles take at 100.
  public static let leastPercent = 25
  public static let mostPercent = 1000
  /// How far back the price of memory looks: the time in which the past fades to about a third.
  public static let memory = 10_000_000_000.0
  /// The shortest stretch of time that is judged.
  static let shortestStretch = 200_000_000.0
  /// By what factor the percentage may be off.
  static let tolerance = 1.1
  /// Without a limit, growth ends at this part of the memory that the process may use, or at the percentage it began with.
  static let machineParts: UInt64 = 4

  public let setting: Setting
  /// What the process may use of the machine's memory, by its control groups; `UInt64.max` where nobody knows.
  public var memoryBytes = UInt64.max
  /// What was chosen last.
  public private(set) var choice: GrowthChoice
  private var stretch = Stretch()
  /// What growth has granted the heap since the last full cycle.
  private var granted = 0.0
  /// Readings at the end of the last stretch; none before the first cycle, with which the first stretch begins.
  private var hasBegun = false
  private var time: UInt64 = 0
  private var process: UInt64 = 0
  private var sweeping: UInt64 = 0
  // Sums in which the past fades.
  private var roots = 0.0
  private var used = 0.0
  private var collected = 0.0
  private var swept = 0.0
  /// What part of the room granted was used, in the last stretch that tells.
  private var usedPart = 1.0

  /// A tuner that begins with the next cycle, and with the percentage that is set.
  public init(_ setting: Setting) {
    self.setting = setting
    choice = GrowthChoice(startPercent: setting.startPercent)
  }

  /// What is counted from one decision to the next.
  private struct Stretch: BitwiseCopyable {
    var cycles = 0.0
    var nanoseconds = 0.0
    var allocated = 0.0
    /// Of cycles that growth began: what was allocated, and what had been granted.
    var used = 0.0
    var granted = 0.0
  }
}

extension GrowthTuner {
  /// Takes a cycle in; whether that led to a choice, of another percentage or of the same.
  @discardableResult
  public mutating func note(_ cycle: Cycle) -> Bool {
    defer { granted = cycle.growth.extra(atPercent: Double(choice.percent)) }
    if !hasBegun {
      begin(after: cycle)
      return false
    }
    stretch.cycles += 1
    stretch.nanoseconds += Double(cycle.nanoseconds)
    stretch.allocated += Double(cycle.allocated)
    if cycle.isGrowth {
      stretch.used += Double(cycle.allocated)
      stretch.granted += granted
    }
    let elapsed = Double(cycle.time.subtractingSaturated(time))
    if cycle.isYoung || elapsed < GrowthTuner.shortestStretch { return false }
    let cost = judge(cycle, elapsed)
    choose(cycle.growth, wantedBytes: wantedBytes(cost))
    begin(after: cycle)
    return true
  }

  private mutating func begin(after cycle: Cycle) {
    hasBegun = true
    stretch = Stretch()
    (time, process, sweeping) = (cycle.time, cycle.process, cycle.sweeping)
  }

  /// Takes the stretch into the sums; the root of g·K in it.
  private mutating func judge(_ cycle: Cycle, _ elapsed: Double) -> Double {
    if stretch.granted > 0 { usedPart = min(max(stretch.used / stretch.granted, 0.1), 1) }
    let ofCycle = stretch.nanoseconds / stretch.cycles
    let root = (stretch.allocated / elapsed * ofCycle / usedPart).squareRoot()
    let sweeping = Double(cycle.sweeping.subtractingSaturated(self.sweeping))
    let ofProcess = max(Double(cycle.process.subtractingSaturated(process)), stretch.nanoseconds + sweeping)
    let kept = GrowthTuner.memory / (GrowthTuner.memory + elapsed)
    roots = kept * roots + root * elapsed
    used = kept * used + ofProcess
    collected = kept * collected + stretch.nanoseconds
    swept = kept * swept + sweeping
    choice.allocationRate = stretch.allocated / elapsed * 1e9
    choice.cycleNanoseconds = ofCycle
    choice.collectorShare = used > 0 ? (collected + swept) / used : 0
    return root
  }

  /// Bytes to allocate from one cycle to the next, for a stretch whose root of g·K is `root`.
  private func wantedBytes(_ root: Double) -> Double {
    let target = Double(setting.targetPercent) / 100 * used
    let forCycles = max(target - swept, target / 2)
    return forCycles > 0 ? root * roots / forCycles : 0
  }

  private mutating func choose(_ growth: GrowthTerms, wantedBytes: Double) {
    let wanted = growth.percent(forExtra: wantedBytes)
    let (most, bound) = mostAllowed(growth)
    let allowed = min(max(wanted, least), most)
    let now = max(Double(choice.percent), 1)
    let isClose = allowed < now * GrowthTuner.tolerance && now < allowed * GrowthTuner.tolerance
    let next = isClose ? now : (now * allowed).squareRoot()
    choice.percent = Int(Int64(saturating: min(next.rounded(), most)))
    choice.wantedPercent = Int(Int64(saturating: wanted.rounded()))
    choice.bound = isClose ? .steady : .target
    if wanted < least { choice.bound = .least }
    if wanted > most { choice.bound = bound }
    choice.count += 1
  }

  private var least: Double { Double(min(GrowthTuner.leastPercent, setting.startPercent)) }

  /// The largest percentage now, and what makes it that.
  private func mostAllowed(_ growth: GrowthTerms) -> (percent: Double, bound: GrowthBound) {
    let start = Double(setting.startPercent)
    let most = max(Double(GrowthTuner.mostPercent), start)
    let goal = growth.limitGoal ?? memoryBytes / GrowthTuner.machineParts
    let room = growth.percent(forExtra: Double(goal.subtractingSaturated(growth.grownFrom))).rounded(.down)
    if room >= most { return (most, .most) }
    return growth.limitGoal == nil ? (max(room, start, least), .machine) : (max(room, least), .limit)
  }
}

/// What turns a percentage of growth into bytes, and back. Bytes.
public struct GrowthTerms: Sendable, Equatable, BitwiseCopyable {
  /// The part of what is alive that growth is measured from.
  public var grownFrom: UInt64
  /// What the percentage is of: that, and roots.
  public var base: UInt64
  /// The smallest goal of growth; nil is 4 MiB at 100 percent, and in proportion.
  public var minimum: UInt64?
  /// The heap that the memory limit leaves room for; nil without one.
  public var limitGoal: UInt64?

  public init(grownFrom: UInt64, base: UInt64, minimum: UInt64? = nil, limitGoal: UInt64? = nil) {
    self.grownFrom = grownFrom
    self.base = base
    self.minimum = minimum
    self.limitGoal = limitGoal
  }

  /// The percentage at which a heap may grow by `bytes`.
  func percent(forExtra bytes: Double) -> Double {
    let ofBase = 100 * bytes / Double(max(base, 1))
    if minimum != nil { return ofBase }
    return min(ofBase, 100 * (bytes + Double(grownFrom)) / Double(PacerConstants.defaultHeapMinimum))
  }

  /// By how many bytes a heap may grow at `percent`.
  func extra(atPercent percent: Double) -> Double {
    let least = minimum.map { Double($0) } ?? Double(PacerConstants.defaultHeapMinimum) * percent / 100
    return max(Double(base) * percent / 100, least - Double(grownFrom))
  }
}
