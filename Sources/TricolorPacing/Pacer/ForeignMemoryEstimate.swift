// How much of the process's memory is not ours: malloc, ARC, mapped files, other libraries' heaps.
//
// The limit counts it, and no allocator reports it, so it is what the resident set holds beyond our own pages. A sample
// that rises is believed at once: the kernel will not wait. One that falls is believed slowly, over 30 s, because
// memory that other allocators gave back is often taken again, and because the goal reacts to it twice (through the
// room and through the overage): following every dip would make the heap swing. Falling uses dt / (30 s + dt), the
// implicit step of exponential decay: it needs no exponential, never undershoots, and is right for steps of any length.
//
// Pure and trivially copyable; not synchronised.

/// A smoothed estimate of memory of the process that is not the heap's.
public struct ForeignMemoryEstimate: Sendable, BitwiseCopyable {
  /// Time constant of falling, in nanoseconds.
  public static let decayNanoseconds = 30_000_000_000.0

  private var estimate = 0.0
  private var lastUpdate: UInt64 = 0

  public init() {}

  /// The estimate, in bytes.
  public var bytes: Int64 { Int64(saturating: estimate.rounded()) }

  /// Takes a sample in.
  ///
  /// - Parameters:
  ///   - residentBytes: what the process holds, as the limit counts it. Read it before `ownBytes`, or growth of the
  ///     heap in between looks like foreign memory.
  ///   - ownBytes: what of that is the heap's.
  ///   - now: a monotonic clock's nanoseconds; time that goes backwards counts as no time.
  /// - Returns: the new estimate, in bytes, never negative.
  @discardableResult
  public mutating func update(residentBytes: Int64, ownBytes: Int64, now: UInt64) -> Int64 {
    let sample = Double(max(0, residentBytes.subtractingSaturated(ownBytes)))
    let elapsed = Double(now.subtractingSaturated(lastUpdate))
    lastUpdate = max(now, lastUpdate)
    if sample >= estimate {
      estimate = sample
    } else {
      estimate -= (estimate - sample) * elapsed / (ForeignMemoryEstimate.decayNanoseconds + elapsed)
    }
    return bytes
  }
}
