// Runs under several limits as a curve of what they cost, and where it bends: below the knee a little less memory costs much, above it more
// memory buys little.
//
// The knee is the point farthest below the chord from the first to the last, both axes scaled to one, as Satopää and others find it
// ("Finding a 'Kneedle' in a Haystack", 2011). Of several runs under one limit the median counts. Runs that were killed have no cost: they lie
// beside the curve.

/// Cost against limit.
public struct SweepCurve: Sendable, Equatable {
  /// The runs under one limit.
  public struct Point: Sendable, Equatable {
    /// The limit in bytes.
    public let limitBytes: Int
    /// The share of the CPU that collection took: the median of the runs that ended.
    public let cost: Double
    /// How many ended.
    public let runs: Int
  }

  /// By limit, the smallest first.
  public let points: [Point]
  /// Limits under which a run was killed or ended by its policy.
  public let lostLimits: [Int]
  /// The place of the knee in `points`; nil where there are fewer than three, or none lies below the chord.
  public let knee: Int?

  /// The curve of runs by limit and cost; a cost of nil is a run that was killed.
  public init(_ runs: [(limitBytes: Int, cost: Double?)]) {
    var costs: [Int: [Double]] = [:]
    for run in runs { if let cost = run.cost { costs[run.limitBytes, default: []].append(cost) } }
    points = costs.sorted { $0.key < $1.key }.map { limit, costs in
      Point(limitBytes: limit, cost: Self.median(costs), runs: costs.count)
    }
    lostLimits = Set(runs.filter { $0.cost == nil }.map(\.limitBytes)).sorted()
    knee = Self.knee(points)
  }

  /// The curve of runs under at least three different limits; nil for fewer.
  public init?(_ runs: [RecordedRun]) {
    let limited = runs.compactMap { run in
      run.tightestLimit.map { (limitBytes: $0, cost: run.hasEnded ? run.gcCPUFraction : nil) }
    }
    guard Set(limited.map(\.limitBytes)).count >= 3 else { return nil }
    self.init(limited)
  }

  private static func median(_ values: [Double]) -> Double {
    let sorted = values.sorted()
    let middle = sorted.count / 2
    return sorted.count.isMultiple(of: 2) ? (sorted[middle - 1] + sorted[middle]) / 2 : sorted[middle]
  }

  private static func knee(_ points: [Point]) -> Int? {
    guard points.count >= 3, let first = points.first, let last = points.last else { return nil }
    let lowest = points.map(\.cost).min() ?? 0
    let height = (points.map(\.cost).max() ?? 0) - lowest
    let width = Double(last.limitBytes - first.limitBytes)
    if height <= 0 { return nil }
    func scaled(_ point: Point) -> (x: Double, y: Double) {
      (Double(point.limitBytes - first.limitBytes) / width, (point.cost - lowest) / height)
    }
    let (from, to) = (scaled(first).y, scaled(last).y)
    // The chord's height above the curve; the distance from the chord is this times a constant.
    let heights = points.map { point in from + (to - from) * scaled(point).x - scaled(point).y }
    guard let best = heights.indices.max(by: { heights[$0] < heights[$1] }), heights[best] > 1e-9 else { return nil }
    return best
  }

  /// The knee in a sentence.
  public var sentence: String {
    guard let knee else { return "The curve has no knee." }
    let point = points[knee]
    let less = knee > 0 ? points[knee - 1] : point
    var text =
      "The knee lies at \(Figures.bytes(point.limitBytes)), where collection takes \(Figures.percent(point.cost)) of the CPU; "
    text += "at \(Figures.bytes(less.limitBytes)) it takes \(Figures.percent(less.cost))"
    if let last = points.last { text += ", at \(Figures.bytes(last.limitBytes)) \(Figures.percent(last.cost))" }
    return text + "."
  }

  var json: JSONValue {
    [
      "points": .array(points.map { [.integer($0.limitBytes), .float($0.cost), .integer($0.runs)] }),
      "lostLimits": .array(lostLimits.map { .integer($0) }), "knee": .optional(knee), "sentence": .string(sentence),
    ]
  }
}

extension RecordedRun {
  /// Whether it ended by itself or was interrupted: its figures are of a whole run.
  var hasEnded: Bool { !isKilled && json["result"]?["endedByLimitPolicy"] != .bool(true) }
}
