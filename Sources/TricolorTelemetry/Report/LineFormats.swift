// A run as lines that other programs read while it goes on: samples as CSV (RFC 4180), cycles as JSON lines (an object a line). Each line is whole
// by itself, so a file that ends with a killed run is good to its last line.

import Tricolor

extension TimelineSample {
  /// The first line of a CSV file: the names of the values, without a unit where they are counts; bytes and nanoseconds otherwise.
  public static let csvHeading = columns.joined(separator: ",") + "\n"

  /// The sample as a line of CSV; what there is none of is empty.
  public var csvLine: String {
    let values = (row.elements ?? []).map { $0 == .null ? "" : $0.text(indented: false) }
    return values.joined(separator: ",") + "\n"
  }
}

extension CycleEvent {
  /// The cycle as an object on a line of its own.
  public var jsonLine: String {
    let value: JSONValue = [
      "cycle": .integer(number), "cause": .string(cause.label), "isYoung": .bool(isYoung),
      "startedAtNanoseconds": .unsigned(startedAt), "durationNanoseconds": .unsigned(durationNanoseconds),
      "liveAtStartBytes": .integer(liveAtStart), "liveAtEndBytes": .integer(liveAtEnd),
      "markedBytes": .integer(markedBytes),
      "goalBytes": goalBytes < 1 << 60 ? .integer(goalBytes) : .null, "limitBytes": .optional(limitBytes),
      "residentBytes": .integer(residentBytes), "assistNanoseconds": .unsigned(assistNanoseconds),
      "backgroundNanoseconds": .unsigned(backgroundNanoseconds), "idleNanoseconds": .unsigned(idleNanoseconds),
      "rounds": .integer(rounds),
    ]
    return value.text(indented: false) + "\n"
  }
}
