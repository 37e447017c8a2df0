// The phases of a run and how time or operations are shared out among them.

/// A phase; loading comes once, the others again and again.
public enum WorkPhase: Int, CaseIterable, Sendable {
  case load, steady, listStorm, compaction, watchBurst, snapshot, limitShrink, leak, restart

  /// Those that are repeated unless somebody chooses others, in order.
  static let usual: [WorkPhase] = [.steady, .listStorm, .compaction, .watchBurst]

  var name: String {
    switch self {
    case .load: return "load"
    case .steady: return "steady"
    case .listStorm: return "list storm"
    case .compaction: return "compaction"
    case .watchBurst: return "watch burst"
    case .snapshot: return "snapshot"
    case .limitShrink: return "limit shrink"
    case .leak: return "leak"
    case .restart: return "restart"
    }
  }

  /// As typed: list-storm.
  var optionName: String { String(name.map { $0 == " " ? "-" : $0 }) }

  /// Its part of a round's time, relative to the other phases of the round.
  var timeShare: Int {
    switch self {
    case .load: return 0
    case .steady: return 35
    case .listStorm: return 15
    case .compaction, .snapshot, .restart: return 5
    case .watchBurst, .limitShrink, .leak: return 20
    }
  }

  /// Its part of a round's operations: a page or a large put costs many times a renewal.
  var operationShare: Int {
    switch self {
    case .load: return 0
    case .steady: return 80
    case .listStorm, .compaction, .snapshot, .restart: return 6
    case .watchBurst: return 8
    case .limitShrink, .leak: return 20
    }
  }
}

/// How long a phase lasts.
enum PhaseExtent: Sendable {
  /// Until this time on the monotonic clock.
  case until(UInt64)
  /// This many operations over all clients.
  case operations(Int)

  /// How many operations client `id` does.
  func operations(of id: Int) -> Int {
    guard case .operations(let all) = self else { return .max }
    return all / Partition.count + (id < all % Partition.count ? 1 : 0)
  }

  func isOver(at now: UInt64) -> Bool {
    guard case .until(let end) = self else { return false }
    return now >= end
  }
}

/// The rounds of a run.
enum RoundPlan {
  static let operations = 400_000

  /// When each of a round's `phases` ends that starts at `now`, the run ending at `end` and rounds taking `round`
  /// nanoseconds. The last round takes what is left.
  static func times(
    of phases: [WorkPhase], from now: UInt64, end: UInt64, round: UInt64
  ) -> [PhaseExtent] {
    let left = end > now ? end - now : 0
    let length = left < round * 3 / 2 ? left : round
    let all = UInt64(phases.reduce(0) { $0 + $1.timeShare })
    var parts: UInt64 = 0
    return phases.map { phase in
      parts += UInt64(phase.timeShare)
      return .until(now + length * parts / all)
    }
  }

  /// The operations of each of a round's `phases`, `left` being left to do. All of a round's are handed out.
  static func counts(of phases: [WorkPhase], left: Int) -> [PhaseExtent] {
    let round = left < operations * 3 / 2 ? left : operations
    let all = phases.reduce(0) { $0 + $1.operationShare }
    var given = 0
    var parts = 0
    return phases.map { phase in
      parts += phase.operationShare
      let end = round * parts / all
      defer { given = end }
      return .operations(end - given)
    }
  }
}
