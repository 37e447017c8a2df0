// When the limit cannot be met, from the first sign to the last: so that it is said once, and so that a policy can count the time.
//
// It cannot be met while live objects and memory outside the heap leave no room below the limit, less its headroom. Holes between live
// objects may use up the room as well, and cycles follow each other then too; but one moment without room is nothing, for holes are filled
// again, so that counts when it has lasted a second. An episode ends when there has been room for a second; shorter gaps belong to it.
//
// Pure and trivially copyable; not synchronised.

/// Follows whether the limit can be met.
public struct LimitEpisode: Sendable, BitwiseCopyable {
  /// What has just happened.
  public enum Event: Sendable, Equatable {
    /// The limit could not be met any more.
    case began
    /// It can be met again, after this long.
    case ended(nanoseconds: UInt64)
    /// It could not be met for as long as the policy waits. Once in an episode.
    case expired(nanoseconds: UInt64)
  }

  /// How long there must be room for an episode to end, and how long it must be used up by holes for one to begin, in nanoseconds.
  static let calm: UInt64 = 1_000_000_000
  static let starving: UInt64 = 1_000_000_000
  /// What stays free below the limit, in percent and at least in bytes: the pacer's headroom.
  private static let headroom = (percent: PacerConstants.headroomPercent, least: PacerConstants.leastHeadroom)

  private var began: UInt64?
  private var starvedSince: UInt64?
  private var lastUnmet: UInt64 = 0
  private var hasExpired = false

  public init() {}

  /// Whether the limit cannot be met.
  public var isOn: Bool { began != nil }

  /// Whether memory that no collection frees leaves no room below `limit`.
  public static func isUnmet(unavoidableBytes: UInt64, limit: UInt64) -> Bool {
    unavoidableBytes.addingSaturated(max(limit.percent(headroom.percent), headroom.least)) >= limit
  }

  /// Takes a look in.
  ///
  /// - Parameters:
  ///   - isUnmet: whether live objects and memory outside the heap leave no room.
  ///   - isStarved: whether there is none, holes counted.
  ///   - patience: how long the policy waits, in nanoseconds; nil for ever.
  ///   - now: a monotonic clock's nanoseconds.
  public mutating func update(isUnmet: Bool, isStarved: Bool = false, patience: UInt64?, now: UInt64) -> Event? {
    starvedSince = isStarved ? starvedSince ?? now : nil
    let isUnmet = isUnmet || starvedSince.map { now >= $0 + LimitEpisode.starving } ?? false
    if isUnmet { lastUnmet = now }
    guard let start = began else {
      if isUnmet { began = now }
      return isUnmet ? .began : nil
    }
    if now >= lastUnmet + LimitEpisode.calm {
      self = LimitEpisode()
      return .ended(nanoseconds: now - start)
    }
    guard let patience, !hasExpired, isUnmet, now >= start + patience else { return nil }
    hasExpired = true
    return .expired(nanoseconds: now - start)
  }
}
