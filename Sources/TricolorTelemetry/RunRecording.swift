// What a run leaves for its pictures and files: readings at regular times, the cycles as the heap announced them, decisions, and the timeline
// that reports keep.

import Tricolor

/// Readings, cycles and decisions of one run.
public struct RunRecording: Sendable {
  /// In order; neighbours are merged in a long run.
  public var samples: [TimelineSample]
  /// All of them, in the order they ended; `startedAt` counts from the heap's making, as the samples' time does.
  public var cycles: [CycleEvent]
  /// In the order they were made.
  public var decisions: [Decision]
  /// What reports keep under `timeline`; null where nothing was recorded.
  public var timeline: JSONValue

  /// A recording of nothing.
  public init() {
    samples = []
    cycles = []
    decisions = []
    timeline = .null
  }

  /// A finished run.
  ///
  /// - Parameters:
  ///   - timeline: its samples, decisions, and as many cycles as it keeps.
  ///   - cycles: all cycles.
  ///   - more: further members of the report's timeline: utilisation, histograms, settings.
  public init(_ timeline: Timeline, cycles: [CycleEvent], more: [JSONValue.Member]) {
    samples = timeline.kept
    self.cycles = cycles
    decisions = timeline.keptDecisions
    self.timeline = .object(timeline.members(after: 0) + more)
  }
}

extension CycleCause {
  /// The word for people and files.
  public var label: String {
    switch self {
    case .growth: "growth"
    case .limit: "limit"
    case .forced: "forced"
    case .periodic: "periodic"
    }
  }
}
