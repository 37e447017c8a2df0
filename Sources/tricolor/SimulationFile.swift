// The input of `tricolor simulate` as JSON, and its output.

import Harness
import TricolorPacing
import TricolorTelemetry

/// Reads models and writes outcomes.
enum SimulationFile {
  /// The model in the file at `path`.
  ///
  /// - Throws: `UsageError` for a file that cannot be read or is not such an object.
  static func read(_ path: String) throws -> CycleModel { try StrictJSON.read(ModelInput.self, path).model }

  /// The object of `--json`.
  static func json(_ outcomes: [CycleOutcome]) -> JSONValue { ["cycles": .array(outcomes.map(json))] }

  /// A line a cycle.
  static func text(_ outcomes: [CycleOutcome]) -> String {
    let rows = outcomes.enumerated().map { number, cycle in
      [
        "\(number + 1)", Figures.bytes(Int(clamping: cycle.heapLiveBytes)),
        Figures.bytes(Int(clamping: cycle.triggerBytes)), Figures.bytes(Int(clamping: cycle.peakBytes)),
        Figures.bytes(Int(clamping: cycle.goalBytes)), Figures.percent(cycle.gcUtilization),
        Figures.duration(UInt64(clamping: cycle.durationNanoseconds)),
      ]
    }
    let heading = ["cycle", "live", "trigger", "peak", "goal", "GC CPU", "duration"]
    return ([heading] + rows).map { row in row.map { Figures.padded($0, 11) }.joined() + "\n" }.joined()
  }

  private static func json(_ cycle: CycleOutcome) -> JSONValue {
    [
      "heapLiveBytes": .unsigned(cycle.heapLiveBytes), "triggerBytes": .unsigned(cycle.triggerBytes),
      "peakBytes": .unsigned(cycle.peakBytes), "goalBytes": .unsigned(cycle.goalBytes),
      "gcUtilization": .float(cycle.gcUtilization), "assistNanoseconds": .integer(Int(cycle.assistNanoseconds)),
      "durationNanoseconds": .integer(Int(cycle.durationNanoseconds)),
      "nextHeapMarkedBytes": .unsigned(cycle.nextHeapMarkedBytes),
      "allocatedBlackBytes": .unsigned(cycle.allocatedBlackBytes),
    ]
  }
}

/// The object as it is written. `gcPercent` null is off; a key left out has the model's default.
private struct ModelInput: Decodable {
  enum CodingKeys: String, CodingKey, CaseIterable {
    case gcPercent, memoryLimitBytes, globalsBytes, processors, cycles
  }

  let model: CycleModel

  init(from decoder: any Decoder) throws {
    try UnknownKey.check(decoder, CodingKeys.self)
    let object = try decoder.container(keyedBy: CodingKeys.self)
    var model = CycleModel(cycles: try object.decode([DrawInput].self, forKey: .cycles).map(\.draw))
    if object.contains(.gcPercent) {
      model.gcPercent = try object.decodeNil(forKey: .gcPercent) ? nil : object.integer(Int.self, .gcPercent)
    }
    if object.contains(.memoryLimitBytes), try !object.decodeNil(forKey: .memoryLimitBytes) {
      model.memoryLimitBytes = try object.integer(Int64.self, .memoryLimitBytes)
    }
    if object.contains(.globalsBytes) { model.globalsBytes = try object.integer(UInt64.self, .globalsBytes) }
    if object.contains(.processors) { model.processors = try object.integer(Int.self, .processors) }
    self.model = model
  }
}

private struct DrawInput: Decodable {
  enum CodingKeys: String, CodingKey, CaseIterable {
    case allocationRate, scanRate, growthRate, scannableFraction, stackBytes
  }

  let draw: CycleDraw

  init(from decoder: any Decoder) throws {
    try UnknownKey.check(decoder, CodingKeys.self)
    let object = try decoder.container(keyedBy: CodingKeys.self)
    draw = CycleDraw(
      allocationRate: try object.decode(Double.self, forKey: .allocationRate),
      scanRate: try object.decode(Double.self, forKey: .scanRate),
      growthRate: try object.decode(Double.self, forKey: .growthRate),
      scannableFraction: try object.decode(Double.self, forKey: .scannableFraction),
      stackBytes: try object.integer(UInt64.self, .stackBytes))
  }
}
