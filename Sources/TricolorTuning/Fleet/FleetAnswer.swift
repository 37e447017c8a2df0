// What a simulated fleet says: the share of the limit that loses the fewest pods, and what saving memory costs in pods.

import TricolorPacing
import TricolorTelemetry

/// The combinations of a fleet, compared.
public struct FleetAnswer: Sendable, Equatable {
  /// Finished combinations, in the order of the simulation.
  public let outcomes: [FleetOutcome]
  /// Of each scale the one that kills least; of equals, the one that collects least. From the largest limits down.
  public let bestOfScale: [FleetOutcome]
  /// Whether all combinations were simulated.
  public let isComplete: Bool

  /// Compares combinations. Those that were left out because of an interruption are not in `outcomes`.
  public init(_ outcomes: [FleetOutcome], of model: FleetModel) {
    self.outcomes = outcomes
    isComplete = outcomes.count == model.limitScales.count * model.limitPercents.count
    var best: [FleetOutcome] = []
    for scale in Set(model.limitScales).sorted(by: >) {
      let own = outcomes.filter { $0.limitScale == scale }
      if let least = own.min(by: { ($0.kills, $0.gcCPUFraction) < ($1.kills, $1.gcCPUFraction) }) { best.append(least) }
    }
    bestOfScale = best
  }

  /// Memory saved against the largest limits, in GiB; negative for larger ones.
  public func savedGiB(_ outcome: FleetOutcome) -> Double {
    guard let largest = bestOfScale.first else { return 0 }
    return Double(largest.limitBytes - outcome.limitBytes) / 1_073_741_824
  }

  /// Kills more than at the largest limits with their best share, for each GiB saved; nil where nothing is.
  public func killsPerGiBSaved(_ outcome: FleetOutcome) -> Double? {
    guard let largest = bestOfScale.first else { return nil }
    let saved = savedGiB(outcome)
    return saved > 0 ? Double(outcome.kills - largest.kills) / saved : nil
  }

  /// The combination with smaller limits that kills the fewest pods more for each GiB saved; nil when one scale was simulated. Of equals the one that
  /// saves more.
  public var cheapest: FleetOutcome? {
    bestOfScale.dropFirst().min { one, other in
      let (price, otherPrice) = (killsPerGiBSaved(one) ?? .infinity, killsPerGiBSaved(other) ?? .infinity)
      return (price, one.limitBytes) < (otherPrice, other.limitBytes)
    }
  }
}

extension FleetAnswer {
  /// A table and the answer in a sentence.
  public var text: String {
    let heading = [
      "limits", "GOMEMLIMIT", "kills", "pods killed", "/1000 pod-h", "GC CPU", "lost CPU", "GiB saved", "kills/GiB",
    ]
    let rows = outcomes.map { each in
      [
        "\(Figures.bytes(each.limitBytes))", "\(each.limitPercent) %", Figures.count(each.kills),
        Figures.count(each.podsKilled), Figures.fixed(each.killsPerThousandHours, 2),
        Figures.percent(each.gcCPUFraction),
        Figures.percent(each.lostFraction), Figures.fixed(savedGiB(each), 1),
        killsPerGiBSaved(each).map { Figures.fixed($0, 2) } ?? "-",
      ]
    }
    let table = ([heading] + rows).map { row in row.map { Figures.padded($0, 13) }.joined() + "\n" }.joined()
    return table + (isComplete ? "" : "interrupted: combinations that were not finished are left out\n") + sentence
  }

  private var sentence: String {
    var lines = bestOfScale.map { each in
      "with limits × \(each.limitScale): GOMEMLIMIT at \(each.limitPercent) % of the limit loses the fewest pods (\(Figures.count(each.kills)) kills)\n"
    }.joined()
    if let cheapest, let price = killsPerGiBSaved(cheapest) {
      lines +=
        "the cheapest saving: limits × \(cheapest.limitScale) with GOMEMLIMIT at \(cheapest.limitPercent) %, "
        + "\(Figures.fixed(savedGiB(cheapest), 1)) GiB for \(Figures.fixed(price, 2)) kills per GiB\n"
    }
    return lines
  }

  /// The object of `--json`.
  public var json: JSONValue {
    [
      "isComplete": .bool(isComplete), "combinations": .array(outcomes.map(json)),
      "best": .array(bestOfScale.map(json)), "cheapest": cheapest.map(json) ?? .null,
    ]
  }

  private func json(_ each: FleetOutcome) -> JSONValue {
    [
      "limitScale": .float(each.limitScale), "limitPercent": .integer(each.limitPercent),
      "limitBytes": .integer(each.limitBytes), "kills": .integer(each.kills), "podsKilled": .integer(each.podsKilled),
      "podHours": .float(each.podHours), "cycles": .integer(each.cycles), "gcCPUFraction": .float(each.gcCPUFraction),
      "lostCPUFraction": .float(each.lostFraction), "savedGiB": .float(savedGiB(each)),
      "killsPerGiBSaved": killsPerGiBSaved(each).map { .float($0) } ?? .null,
    ]
  }
}
