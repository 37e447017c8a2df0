// How heaps that live under one limit divide it.
//
// A heap with L bytes alive that allocates g bytes a second and marks s bytes a second collects g/E times a second where it has E bytes beyond
// what lives, and each cycle costs L/s: its collector takes g·L/(s·E) of a processor. Divide what the limit leaves so that the last byte saves every
// heap the same, and E is proportional to sqrt(L·g/s): the square-root rule (Kirisame, Shenoy and Panchekha, "Optimal heap limits for reducing
// browser memory use", OOPSLA 2022). There a constant turns the root into bytes; here the sum is given, so the constant follows from it.
//
// Two bounds. A heap that hardly allocates has a share near nothing, and would run cycle after cycle once it allocates again: it keeps a least one.
// And a heap that growth (`GOGC`) lets have less than its share leaves the rest to the others.
//
// Pure; the measurements are trivially copyable. Not synchronised.

/// What one heap puts forward when the limit is divided.
public struct LimitClaim: Sendable, Equatable, BitwiseCopyable {
  /// Bytes that no collection frees: live objects, tables, half of the holes.
  public var unavoidableBytes: UInt64
  /// The root of L·g/s: bytes, up to a factor that is the same for all heaps.
  public var weight: Double
  /// Bytes beyond the unavoidable ones that the heap can use at most.
  public var mostExtra: UInt64

  public init(unavoidableBytes: UInt64, weight: Double, mostExtra: UInt64 = .max) {
    self.unavoidableBytes = unavoidableBytes
    self.weight = weight
    self.mostExtra = mostExtra
  }

  /// The least that keeps the heap from running one cycle after the other: 4 MiB, as for the smallest heap alone, or a 32nd of what lives.
  var leastExtra: UInt64 { max(PacerConstants.defaultHeapMinimum, unavoidableBytes / 32) }
}

/// The division of a limit.
public enum LimitShares {
  /// What each heap may hold, in the order of the claims: what it cannot avoid, and its part of the rest.
  ///
  /// The sum is at most `bytes`, unless unavoidable memory alone is more: then nobody has any beyond that. Where no heap allocates, the parts are
  /// equal. Costs n² in the worst case.
  ///
  /// - Parameters:
  ///   - bytes: what the limit leaves for all of them together.
  ///   - claims: one for each heap.
  public static func divide(_ bytes: UInt64, among claims: [LimitClaim]) -> [UInt64] {
    let unavoidable = claims.reduce(UInt64(0)) { $0.addingSaturated($1.unavoidableBytes) }
    let extras = LimitShares.extras(bytes.subtractingSaturated(unavoidable), claims)
    return zip(claims, extras).map { $0.unavoidableBytes.addingSaturated($1) }
  }

  /// `room` in proportion to the weights, within bounds. Each round gives the heaps that are not settled their part of what is left, and settles those
  /// at the bound that more is off by; the last round, in which nothing is out of bounds, settles all.
  private static func extras(_ room: UInt64, _ claims: [LimitClaim]) -> [UInt64] {
    let equal = room / UInt64(max(1, claims.count))
    let most = claims.map { Double(min(room, $0.mostExtra)) }
    let least = zip(claims, most).map { min($1, Double(min(equal, $0.leastExtra))) }
    let nobodyAllocates = !claims.contains { $0.weight > 0 }
    let weights = claims.map { nobodyAllocates ? 1 : max(0, $0.weight) }
    var extras = least
    var open = Array(claims.indices)
    var left = Double(room)
    while !open.isEmpty {
      let total = open.reduce(0) { $0 + weights[$1] }
      for i in open { extras[i] = total > 0 ? left * (weights[i] / total) : 0 }
      let missing = open.reduce(0) { $0 + max(0, least[$1] - extras[$1]) }
      let surplus = open.reduce(0) { $0 + max(0, extras[$1] - most[$1]) }
      let settled = open.filter { missing >= surplus ? extras[$0] <= least[$0] : extras[$0] >= most[$0] }
      if missing == 0 && surplus == 0 || settled.isEmpty { break }
      for i in settled {
        extras[i] = missing >= surplus ? least[i] : most[i]
        left = max(0, left - extras[i])
      }
      open.removeAll { settled.contains($0) }
    }
    return extras.map { UInt64(saturating: $0) }
  }
}

/// What a heap measures of itself for its claim: how fast it allocates, and how fast a cycle gets through what lives.
///
/// Both are quotients of sums in which the past fades, numerator and denominator apart, so that a long measurement counts for more than a short
/// one. As in the paper, 5 % of the allocation rate are new each second, and half of the marking speed each cycle.
public struct CollectionCost: Sendable, BitwiseCopyable {
  /// What remains of the past: after a second for allocation, after a cycle for marking.
  static let keptOfAllocation = 0.95
  static let keptOfMarking = 0.5
  static let heartbeat = 1_000_000_000.0
  /// What a cycle costs that finds nothing alive, in bytes marked: handshakes, stacks and roots.
  static let bytesOfAnyCycle = 262_144.0

  private var allocated = 0.0
  private var allocationTime = 0.0
  /// The heartbeat that has begun, and where it began.
  private var newlyAllocated = 0.0
  private var newTime = 0.0
  private var lastTotal: UInt64 = 0
  private var lastTime: UInt64?
  /// 2 GiB a second before the first cycle.
  private var marked = 2_097_152.0
  private var markingTime = 1e9 / 1024

  public init() {}

  /// Bytes a second, 0 before there are two readings.
  public var allocationRate: Double {
    let new = 1 - CollectionCost.keptOfAllocation
    let time = allocationTime + new * newTime
    return time > 0 ? (allocated + new * newlyAllocated) / time * 1e9 : 0
  }

  /// Live bytes that a second of collection disposes of.
  public var markingSpeed: Double { marked / markingTime * 1e9 }

  /// The root of L·g/s for `liveBytes` alive.
  public func weight(liveBytes: UInt64) -> Double {
    ((Double(liveBytes) + CollectionCost.bytesOfAnyCycle) * allocationRate / markingSpeed).squareRoot()
  }

  /// Takes a reading of all bytes ever allocated.
  ///
  /// - Parameter now: a monotonic clock's nanoseconds.
  public mutating func noteAllocation(total: UInt64, now: UInt64) {
    defer {
      lastTotal = total
      lastTime = now
    }
    guard let lastTime else { return }
    newlyAllocated += Double(total.subtractingSaturated(lastTotal))
    newTime += Double(now.subtractingSaturated(lastTime))
    if newTime < CollectionCost.heartbeat { return }
    let kept = CollectionCost.keptOfAllocation
    allocated = kept * allocated + (1 - kept) * newlyAllocated
    allocationTime = kept * allocationTime + (1 - kept) * newTime
    (newlyAllocated, newTime) = (0, 0)
  }

  /// A cycle has ended. One without a duration is not counted.
  ///
  /// - Parameters:
  ///   - liveBytes: what it left alive, all of it: a young cycle disposes of as much for less.
  ///   - nanoseconds: CPU time that it took, sweeping left out, which costs the same for a byte of garbage however many cycles there are.
  public mutating func noteCycle(liveBytes: UInt64, nanoseconds: UInt64) {
    if nanoseconds == 0 { return }
    let kept = CollectionCost.keptOfMarking
    marked = kept * marked + (1 - kept) * (Double(liveBytes) + CollectionCost.bytesOfAnyCycle)
    markingTime = kept * markingTime + (1 - kept) * Double(nanoseconds)
  }
}
