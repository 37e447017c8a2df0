// All pods of a fleet under all combinations of limits, on all processors.
//
// A combination's pods are dealt out in pieces of 64; threads take the next piece from a counter. What a piece sums up to depends on its pods alone, and
// the pieces are added in their order, so the answer does not depend on how many threads there were.

import Synchronization
import TricolorPacing
import TricolorPlatform

/// What one combination does to the fleet.
public struct FleetOutcome: Sendable, Equatable {
  /// `GOMEMLIMIT` in percent of the pod's limit, and what the limits were multiplied with.
  public let limitPercent: Int
  public let limitScale: Double
  /// Limits of all pods together, in bytes.
  public let limitBytes: Int
  /// Times a pod was killed at its limit, and pods that this happened to.
  public let kills: Int
  public let podsKilled: Int
  /// Hours that pods ran, without those in which they waited to be started again.
  public let podHours: Double
  public let cycles: Int
  /// Of all processor time, the part collection took; and the part that programs needed and did not get because of it.
  public let gcCPUFraction: Double
  public let lostFraction: Double

  /// Kills in a thousand hours of pods.
  public var killsPerThousandHours: Double { podHours > 0 ? Double(kills) / podHours * 1000 : 0 }
}

/// Runs a fleet's model.
public struct FleetSimulation: Sendable {
  private let model: FleetModel
  private let pieces: [Piece]

  /// - Throws: `SettingsError` that names the key whose value makes no sense.
  public init(_ model: FleetModel) throws(SettingsError) {
    try model.validate()
    self.model = model
    pieces = FleetSimulation.pieces(model)
  }

  /// Simulates every combination.
  ///
  /// - Parameters:
  ///   - threads: threads to run on, positive; the answer does not depend on it.
  ///   - isCancelled: asked often and from many threads; true ends the simulation.
  ///   - progress: told the part that is done, 0...1, by one thread at a time, after each piece.
  /// - Returns: the combinations that were finished, in the file's order: scales, and for each the percentages.
  public func run(
    threads: Int, isCancelled: @escaping @Sendable () -> Bool = { false },
    progress: @escaping @Sendable (Double) -> Void = { _ in }
  ) throws(PlatformError) -> [FleetOutcome] {
    let cells = model.limitScales.flatMap { scale in model.limitPercents.map { (scale, $0) } }
    let work = SharedWork(count: cells.count * pieces.count)
    let simulation = self
    var running: [NativeThread] = []
    for index in 0..<max(1, threads) {
      running.append(
        try NativeThread.start(name: "fleet-\(index)") {
          while let next = work.take(), !isCancelled() {
            let (scale, percent) = cells[next / simulation.pieces.count]
            let piece = simulation.pieces[next % simulation.pieces.count]
            let outcome = simulation.live(piece, scale, percent, isCancelled)
            if isCancelled() { return }
            work.finish(next, outcome, progress)
          }
        })
    }
    for thread in running { thread.join() }
    let outcomes = work.outcomes
    return cells.indices.compactMap { cell in
      let parts = outcomes[cell * pieces.count..<(cell + 1) * pieces.count]
      return parts.contains { $0 == nil } ? nil : sum(cells[cell], parts.compactMap { $0 })
    }
  }

  private func live(_ piece: Piece, _ scale: Double, _ percent: Int, _ isCancelled: () -> Bool) -> PodOutcome {
    var sum = PodOutcome()
    for index in piece.pods {
      var pod = PodModel(
        model.groups[piece.group], index: piece.firstPod + index, seed: model.seed, scale: scale, percent: percent,
        hours: model.hours)
      sum += pod.run(isCancelled: isCancelled)
    }
    return sum
  }

  private func sum(_ cell: (scale: Double, percent: Int), _ parts: [PodOutcome]) -> FleetOutcome {
    var sum = PodOutcome()
    for part in parts { sum += part }
    let limits = model.groups.reduce(0) { $0 + Int(Double($1.limitBytes) * cell.scale) * $1.pods }
    let available = max(sum.processorSeconds, 1)
    return FleetOutcome(
      limitPercent: cell.percent, limitScale: cell.scale, limitBytes: limits, kills: sum.kills,
      podsKilled: sum.podsKilled, podHours: sum.seconds / 3600, cycles: sum.cycles,
      gcCPUFraction: sum.collectorSeconds / available, lostFraction: sum.lostSeconds / available)
  }
}

extension FleetSimulation {
  /// Pods of one group.
  private struct Piece {
    let group: Int
    /// The number in the fleet of the group's first pod.
    let firstPod: Int
    let pods: Range<Int>
  }

  private static let pieceSize = 64

  private static func pieces(_ model: FleetModel) -> [Piece] {
    var pieces: [Piece] = []
    var firstPod = 0
    for (number, group) in model.groups.enumerated() {
      for begin in stride(from: 0, to: group.pods, by: pieceSize) {
        pieces.append(Piece(group: number, firstPod: firstPod, pods: begin..<min(begin + pieceSize, group.pods)))
      }
      firstPod += group.pods
    }
    return pieces
  }
}

/// Numbers to take, and a place for what came of each.
private final class SharedWork: Sendable {
  private let count: Int
  private let next = Atomic<Int>(0)
  private let results: Mutex<(outcomes: [PodOutcome?], done: Int)>

  init(count: Int) {
    self.count = count
    results = Mutex((Array(repeating: nil, count: count), 0))
  }

  func take() -> Int? {
    let taken = next.wrappingAdd(1, ordering: .relaxed).oldValue
    return taken < count ? taken : nil
  }

  func finish(_ number: Int, _ outcome: PodOutcome, _ progress: (Double) -> Void) {
    results.withLock {
      $0.outcomes[number] = outcome
      $0.done += 1
      progress(Double($0.done) / Double(count))
    }
  }

  var outcomes: [PodOutcome?] { results.withLock { $0.outcomes } }
}
