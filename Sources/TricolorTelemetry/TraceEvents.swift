// The cycles of a run as a trace-event file, which ui.perfetto.dev and chrome://tracing open without a server.
//
// Format: Google's "Trace Event Format": complete events ("X") with microseconds, counters ("C"), and metadata ("M") that names the
// tracks, instants ("i") for decisions. One track for cycles, so that a limit-driven one stands out by its name and colour; counters for
// memory and operations.

import Tricolor

/// Writes trace-event JSON.
public enum TraceEvents {
  private static let process = 1
  private static let cycleTrack = 1

  /// The file's text.
  ///
  /// - Parameter title: names the process in the viewer.
  public static func text(_ recording: RunRecording, title: String) -> String {
    let events =
      metadata(title) + recording.cycles.map(slice) + recording.samples.flatMap { counters($0) }
      + recording.decisions.map(instant)
    return JSONValue.object([
      .init("displayTimeUnit", "ms"), .init("traceEvents", .array(events)),
    ]).text(indented: false) + "\n"
  }

  private static func metadata(_ title: String) -> [JSONValue] {
    [
      ["name": "process_name", "ph": "M", "pid": .integer(process), "args": ["name": .string("tricolor: \(title)")]],
      [
        "name": "thread_name", "ph": "M", "pid": .integer(process), "tid": .integer(cycleTrack),
        "args": ["name": "collector cycles"],
      ],
    ]
  }

  private static func slice(_ cycle: CycleEvent) -> JSONValue {
    [
      "name": .string("cycle \(cycle.number) (\(cycle.cause.label))"), "cat": "gc", "ph": "X",
      "ts": microseconds(cycle.startedAt), "dur": microseconds(cycle.durationNanoseconds), "pid": .integer(process),
      "tid": .integer(cycleTrack), "cname": .string(colour(cycle.cause)),
      "args": [
        "cause": .string(cycle.cause.label), "liveAtStartBytes": .integer(cycle.liveAtStart),
        "liveAtEndBytes": .integer(cycle.liveAtEnd), "markedBytes": .integer(cycle.markedBytes),
        "goalBytes": .integer(cycle.goalBytes), "limitBytes": .optional(cycle.limitBytes),
        "residentBytes": .integer(cycle.residentBytes), "assistNanoseconds": .unsigned(cycle.assistNanoseconds),
        "backgroundNanoseconds": .unsigned(cycle.backgroundNanoseconds),
        "idleNanoseconds": .unsigned(cycle.idleNanoseconds), "rounds": .integer(cycle.rounds),
      ],
    ]
  }

  private static func instant(_ decision: Decision) -> JSONValue {
    [
      "name": .string("\(decision.kind.rawValue): \(decision.text)"), "cat": .string(decision.kind.rawValue), "ph": "i",
      "s": "p", "ts": microseconds(decision.time), "pid": .integer(process), "tid": .integer(cycleTrack),
    ]
  }

  private static func counters(_ sample: TimelineSample) -> [JSONValue] {
    var memory: [JSONValue.Member] = [.init("live", .integer(sample.liveBytes + sample.newBytes))]
    if let goal = sample.goalBytes { memory.append(.init("goal", .integer(goal))) }
    var resident: [JSONValue.Member] = [.init("RSS", .integer(sample.residentBytes))]
    if let limit = sample.limitBytes { resident.append(.init("limit", .integer(limit))) }
    return [
      counter("heap bytes", sample, memory), counter("resident bytes", sample, resident),
      counter("operations", sample, [.init("done", .integer(sample.operations))]),
    ]
  }

  private static func counter(_ name: String, _ sample: TimelineSample, _ values: [JSONValue.Member]) -> JSONValue {
    [
      "name": .string(name), "ph": "C", "ts": microseconds(sample.time), "pid": .integer(process),
      "args": .object(values),
    ]
  }

  private static func microseconds(_ nanoseconds: UInt64) -> JSONValue { .float(Double(nanoseconds) / 1000) }

  /// Names of the viewer's own palette.
  private static func colour(_ cause: CycleCause) -> String {
    switch cause {
    case .growth: "good"
    case .limit: "terrible"
    case .forced: "grey"
    case .periodic: "generic_work"
    }
  }
}
