// A run's JSON object, checked and taken apart, as pages and terminal reports need it: the same whether the run has just ended or its file was
// read years later.

/// A finished run as its JSON object tells it.
public struct RecordedRun: Sendable {
  /// The object is not what `tricolor run --json` writes.
  public struct Malformed: Error, CustomStringConvertible, Sendable, Equatable {
    /// What is wrong, and what is wanted.
    public let description: String
  }

  /// What to call it among others.
  public var name: String
  /// The whole object.
  public let json: JSONValue
  /// The recorded timeline; nil where the run kept none.
  public let timeline: RecordedTimeline?

  let workload: String
  let seconds: Double
  let operationsPerSecond: Double
  let gcCPUFraction: Double
  let peakResidentBytes: Int
  let limitBytes: Int?
  let groupLimitBytes: Int?
  let isVerified: Bool
  let isKilled: Bool

  /// Reads `json`.
  ///
  /// - Parameter name: what to call the run among others.
  /// - Throws: for the first key that is missing or of another kind than it is written with.
  public init(_ json: JSONValue, name: String) throws(Malformed) {
    guard json.members != nil else {
      throw Malformed(description: "this is no object; the file of tricolor run --json is wanted")
    }
    self.name = name
    self.json = json
    guard let workload = json["workload"]?.string else {
      throw Malformed(
        description: "the key \"workload\" is missing or no text; the file of tricolor run --json is wanted")
    }
    self.workload = workload
    seconds = try Self.number("seconds", json)
    operationsPerSecond = try Self.number("operationsPerSecond", json)
    gcCPUFraction = try Self.number("gcCPUFraction", json)
    peakResidentBytes = Int(clamping: try Self.number("peakRSSBytes", json))
    limitBytes = try Self.bytesOrNull("limitBytes", json)
    groupLimitBytes = try Self.bytesOrNull("cgroupLimitBytes", json)
    isVerified = try Self.bool("verified", json)
    isKilled = try Self.bool("oomKilled", json)
    for key in ["operationNanoseconds", "mutatorStallNanoseconds", "pauseNanoseconds"] where json[key]?.members == nil {
      throw Malformed(description: "the key \"\(key)\" is missing or no object")
    }
    timeline = try json["timeline"].flatMap { (value) throws(Malformed) in
      value == .null ? nil : try RecordedTimeline(value)
    }
  }

  private static func number(_ key: String, _ json: JSONValue) throws(Malformed) -> Double {
    guard let number = json[key]?.number else {
      throw Malformed(description: "the key \"\(key)\" is missing or no number")
    }
    return number
  }

  private static func bytesOrNull(_ key: String, _ json: JSONValue) throws(Malformed) -> Int? {
    if json[key] == .null { return nil }
    return Int(clamping: try number(key, json))
  }

  private static func bool(_ key: String, _ json: JSONValue) throws(Malformed) -> Bool {
    guard case .bool(let value)? = json[key] else {
      throw Malformed(description: "the key \"\(key)\" is missing or neither true nor false")
    }
    return value
  }

  /// The smaller of the limits on its memory; nil for none.
  var tightestLimit: Int? { [limitBytes, groupLimitBytes].compactMap { $0 }.min() }

  /// A figure behind two keys, as "pauseNanoseconds", "max".
  func figure(_ key: String, _ part: String) -> Double? { json[key]?[part]?.number }

  /// Cycles that began for `cause`, a label of `CycleCause`.
  func cycles(by cause: String) -> Int { Int(clamping: json["result"]?["cyclesByCause"]?[cause]?.number ?? 0) }
}

extension Int {
  /// The nearest integer there is.
  init(clamping value: Double) {
    self = value.isNaN ? 0 : value >= 0x1p63 ? .max : value <= -0x1p63 ? .min : Int(value)
  }
}

/// A timeline as `Timeline.members` wrote it, its samples by column.
public struct RecordedTimeline: Sendable {
  /// A cycle, as far as pictures need it.
  struct Cycle: Sendable {
    let startedAt: Double
    let cause: String
  }

  /// Values by the name of their column; nil where there was none.
  private let columns: [String: [Double?]]
  let cycles: [Cycle]
  let decisions: [(time: Double, kind: String, text: String)]
  /// Minimum utilisation: window in nanoseconds, share; empty where it was not recorded.
  let utilisation: [(window: Double, share: Double)]

  /// Reads a report's `timeline`.
  ///
  /// - Throws: where a column is missing, a row is of another length, or a value is no number.
  init(_ json: JSONValue) throws(RecordedRun.Malformed) {
    guard let names = json["columns"]?.elements?.map({ $0.string ?? "" }) else {
      throw .init(description: "timeline.columns is missing or no array")
    }
    for name in TimelineSample.columns where !names.contains(name) {
      throw .init(description: "timeline.columns has no \"\(name)\"")
    }
    let rows = try Self.rows("samples", json, atLeast: names.count)
    var columns: [String: [Double?]] = [:]
    for (place, name) in names.enumerated() { columns[name] = rows.map { $0[place].number } }
    for name in ["time", "resident", "available"] where columns[name]?.contains(nil) == true {
      throw .init(description: "timeline.samples has a row without \"\(name)\"")
    }
    self.columns = columns
    cycles = try Self.rows("cycles", json, atLeast: 6).map {
      Cycle(startedAt: $0[1].number ?? 0, cause: $0[3].string ?? "")
    }
    decisions = try Self.rows("decisions", json, atLeast: 3).map {
      ($0[0].number ?? 0, $0[1].string ?? "", $0[2].string ?? "")
    }
    utilisation = (json["mutatorUtilisation"]?["windows"]?.elements ?? []).compactMap { point in
      guard let pair = point.elements, pair.count == 2, let window = pair[0].number, let share = pair[1].number else {
        return nil
      }
      return (window, share)
    }
  }

  private static func rows(_ key: String, _ json: JSONValue, atLeast count: Int) throws(RecordedRun.Malformed)
    -> [[JSONValue]]
  {
    guard let rows = json[key]?.elements else {
      throw .init(description: "timeline.\(key) is missing or no array")
    }
    var result: [[JSONValue]] = []
    for (place, row) in rows.enumerated() {
      guard let values = row.elements, values.count >= count else {
        throw .init(description: "timeline.\(key)[\(place)] is no array of \(count) values or more")
      }
      result.append(values)
    }
    return result
  }

  /// The values of a column that every timeline has.
  func values(_ column: String) -> [Double?] { columns[column] ?? [] }

  /// Times of the samples, in nanoseconds.
  var times: [Double] { values("time").map { $0 ?? 0 } }
}
