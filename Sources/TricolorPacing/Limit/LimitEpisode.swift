// When the limit cannot be met, from the first sign to the last: so that it is said once, and so that a policy can count the time.
//
// It cannot be met while live objects and memory outside the heap leave no room below the limit, less its headroom: cycles follow each
// other and free too little. An episode ends when there has been room for a second; shorter gaps belong to it.
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

  /// How long there must be room for an episode to end, in nanoseconds.
  static let calm: UInt64 = 1_000_000_000

  private var began: UInt64?
  private var lastUnmet: UInt64 = 0
  private var hasExpired = false

  public init() {}

  /// Whether the limit cannot be met.
  public var isOn: Bool { began != nil }

  /// Takes a look in.
  ///
  /// - Parameters:
  ///   - isUnmet: whether there is no room now.
  ///   - patience: how long the policy waits, in nanoseconds; nil for ever.
  ///   - now: a monotonic clock's nanoseconds.
  public mutating func update(isUnmet: Bool, patience: UInt64?, now: UInt64) -> Event? {
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
