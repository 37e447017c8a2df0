// The input of `tricolor simulate` as JSON, and its output.
//
// A key that is not known is refused: a misspelt limit would otherwise be no limit, silently. Foundation's small half decodes;
// the argument parser links it already.

import FoundationEssentials
import Harness
import TricolorPacing
import TricolorTelemetry

/// Reads models and writes outcomes.
enum SimulationFile {
  /// The model in the file at `path`.
  ///
  /// - Throws: `UsageError` for a file that cannot be read or is not such an object.
  static func read(_ path: String) throws -> CycleModel {
    let data = Data(try InputFile.bytes(path))
    do {
      return try JSONDecoder().decode(ModelInput.self, from: data).model
    } catch let error as DecodingError {
      throw UsageError("\(path): \(sentence(error))")
    } catch let error as UnknownKey {
      throw UsageError("\(path): \(error)")
    } catch let error as NoInteger {
      throw UsageError("\(path): \(error)")
    }
  }

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

  private static func sentence(_ error: DecodingError) -> String {
    switch error {
    case .keyNotFound(let key, let context): "\(place(context))the key \"\(key.stringValue)\" is missing"
    case .valueNotFound(_, let context): "\(place(context))null is not allowed here"
    case .typeMismatch(_, let context): "\(place(context))\(context.debugDescription)"
    case .dataCorrupted(let context):
      "\(place(context))\(context.debugDescription)"
    @unknown default: "\(error)"
    }
  }

  /// "cycles[3].scanRate: ".
  private static func place(_ context: DecodingError.Context) -> String {
    if context.codingPath.isEmpty { return "" }
    let path = context.codingPath.reduce("") { path, key in
      if let index = key.intValue { return path + "[\(index)]" }
      return path + (path.isEmpty ? "" : ".") + key.stringValue
    }
    return path + ": "
  }
}

/// A key that the object does not have.
private struct UnknownKey: Error, CustomStringConvertible {
  let key: String
  let allowed: [String]

  var description: String { "there is no key \"\(key)\"; use \(allowed.joined(separator: ", "))" }

  /// Refuses keys of the object being decoded that are not `Keys`.
  static func check<Keys: CodingKey & CaseIterable>(_ decoder: any Decoder, _ keys: Keys.Type) throws {
    let known = Keys.allCases.map(\.stringValue)
    for key in try decoder.container(keyedBy: AnyKey.self).allKeys where !known.contains(key.stringValue) {
      throw UnknownKey(key: key.stringValue, allowed: known)
    }
  }
}

/// A number with a fraction, or too large, where an integer is wanted. The decoder itself says only that the data is not JSON.
private struct NoInteger: Error, CustomStringConvertible {
  let key: String
  let value: Double

  var description: String { "\(key): \(value) is not allowed; use an integer" }
}

extension KeyedDecodingContainer {
  /// The integer behind `key`.
  fileprivate func integer<Value: FixedWidthInteger & Decodable>(_ type: Value.Type, _ key: Key) throws -> Value {
    do {
      return try decode(type, forKey: key)
    } catch let error as DecodingError {
      throw error
    } catch {
      // The decoder's own, private error: a number that does not fit the type.
      throw NoInteger(key: key.stringValue, value: try decode(Double.self, forKey: key))
    }
  }
}

private struct AnyKey: CodingKey {
  let stringValue: String
  var intValue: Int? { nil }

  init?(stringValue: String) { self.stringValue = stringValue }
  init?(intValue: Int) { return nil }
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
