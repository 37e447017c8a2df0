// Which cycle is to be a young one, and whether it is worth it to remember stores at all.
//
// A full cycle costs the work of scanning all that lives, a young one a fraction; but what dies old stays, and takes away from the
// room in which the program allocates until the next cycle. So after each cycle a young one is priced: as much work as the last one,
// for the bytes that could be allocated after it. While that is less than what collection costs a byte since the last full cycle,
// that one counted in, young cycles lower the average; then a full one is due. It is the rule for replacing a machine that wears
// out (the marginal cost reaches the average), and needs no constant. Where a memory limit sets the goal, what young cycles have left
// there may not exceed the room that is left: what died old counts against the limit as anything else does, and is not in the price.
//
// Stores are remembered, and young cycles possible, once three full cycles in a row have found that most of what they marked had been
// there the time before. They end when again and again a single young cycle was followed by a full one, for ever longer until they
// are tried again.
//
// Pure, as the pacer is.

/// Decides between young and full cycles. All sizes are bytes.
public struct GenerationPolicy: Sendable, BitwiseCopyable {
  /// What one cycle did.
  public struct Cycle: Sendable {
    public var isYoung: Bool
    /// What marking cost, in any unit that is the same for all cycles.
    public var work: UInt64
    /// Bytes allocated since the cycle before.
    public var allocated: UInt64
    /// Bytes alive afterwards, as far as anybody knows.
    public var marked: UInt64
    /// Whether it was this policy that chose a full cycle, and not somebody who asked for one.
    public var isChosen: Bool

    public init(isYoung: Bool, work: UInt64, allocated: UInt64, marked: UInt64, isChosen: Bool = true) {
      self.isYoung = isYoung
      self.isChosen = isChosen
      self.work = work
      self.allocated = allocated
      self.marked = marked
    }
  }

  /// Heaps with less alive are collected whole: young cycles would save microseconds.
  public static let leastMarked: UInt64 = 4 << 20
  /// The share of old objects from which on young cycles are tried.
  public static let leastSurvivors = 0.5
  static let patience = 3
  static let longestPause = 64
  private static let youngInAlways = 3

  public let mode: YoungCycles
  /// Whether mutators should remember stores from the next cycle on.
  public private(set) var remembers: Bool
  /// What the last full cycle left alive: the size that growth is measured from.
  public private(set) var fullMarked: UInt64 = 0
  /// Young cycles since the last full one.
  public private(set) var youngCount = 0
  private var work: UInt64 = 0
  private var allocated: UInt64 = 0
  private var lastYoungWork: UInt64 = 0
  /// What the last cycle left alive, and by how much a young one raised that.
  private var lastMarked: UInt64 = 0
  private var promoted: UInt64 = 0
  /// Full cycles in a row that speak for a change of mind; full cycles until young ones are tried again; how many the next time.
  private var signs = 0
  private var pause = 0
  private var nextPause = 8

  public init(mode: YoungCycles) {
    self.mode = mode
    remembers = mode == .always
  }

  /// A cycle has marked. To be called before `nextIsYoung`.
  public mutating func note(_ cycle: Cycle) {
    allocated = allocated.addingSaturated(cycle.allocated)
    work = work.addingSaturated(cycle.work)
    if cycle.isYoung {
      youngCount += 1
      lastYoungWork = cycle.work
      promoted = cycle.marked.subtractingSaturated(lastMarked)
      lastMarked = cycle.marked
      return
    }
    if remembers && cycle.isChosen { noteRunOfYoungCycles() }
    youngCount = 0
    fullMarked = cycle.marked
    lastMarked = cycle.marked
    work = cycle.work
    allocated = 0
  }

  /// A full cycle was reached after some young ones, or none.
  private mutating func noteRunOfYoungCycles() {
    guard mode == .automatic else { return }
    // None at all: young cycles have just come on, or somebody needed every cycle to be a full one.
    if youngCount == 0 { return }
    signs = youngCount == 1 ? signs + 1 : 0
    if signs < GenerationPolicy.patience { return }
    remembers = false
    signs = 0
    pause = nextPause
    nextPause = min(2 * nextPause, GenerationPolicy.longestPause)
  }

  /// A full cycle's garbage is swept: `survivors` of the bytes it marked were there at the cycle before, as a share.
  public mutating func noteSurvivors(_ survivors: Double) {
    guard mode == .automatic, !remembers else { return }
    if pause > 0 {
      pause -= 1
      return
    }
    let isWorthIt = survivors >= GenerationPolicy.leastSurvivors && fullMarked >= GenerationPolicy.leastMarked
    signs = isWorthIt ? signs + 1 : 0
    if signs < GenerationPolicy.patience { return }
    remembers = true
    signs = 0
  }

  /// Whether the next cycle may be a young one, if stores were remembered since before this one.
  ///
  /// - Parameters:
  ///   - marked: bytes alive now.
  ///   - goal: the heap at which the next cycle should end.
  ///   - isLimited: whether it is a memory limit that sets the goal.
  public func nextIsYoung(marked: UInt64, goal: UInt64, isLimited: Bool = false) -> Bool {
    switch mode {
    case .off: return false
    case .always: return youngCount < GenerationPolicy.youngInAlways
    case .automatic: break
    }
    guard remembers, goal > marked else { return false }
    if youngCount == 0 { return true }
    let room = goal - marked
    if isLimited && marked.subtractingSaturated(fullMarked) > room { return false }
    let roomAfterwards = room.subtractingSaturated(promoted)
    return Double(lastYoungWork) * Double(allocated.addingSaturated(room)) <= Double(work) * Double(roomAfterwards)
  }
}
