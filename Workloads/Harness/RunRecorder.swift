// Records a run for its report, and writes the files that are to be read while it goes on: samples, cycles, and the journal, from which the
// parent of a run in a control group makes the report of one that the kernel killed.
//
// A file that can no longer be written is given up with a word on standard error, and the run goes on: its report says more than an early end.

import Histogram
import Tricolor
import TricolorPlatform
import TricolorTelemetry

/// Files written line by line while a run goes on.
public struct RunStreams: Sendable {
  /// A line for every cycle, as JSON.
  public var events: OutputFile?
  /// A line for every sample, as CSV.
  public var samples: OutputFile?
  /// What was added to the timeline since the line before, as `Timeline.members` writes it.
  public var journal: OutputFile?

  /// No files.
  public init() {}
}

/// The recording of one run. Used by one thread at a time.
final class RunRecorder {
  private let context: RunContext
  private let history: RunHistory
  private var streams: RunStreams
  private var cycles: [CycleEvent] = []
  private var utilisation = MutatorUtilisation()
  /// What the journal has of the timeline.
  private var journalled = 0
  /// Why a file was given up; nil while all are written.
  private(set) var failure: PlatformError?

  /// Begins to listen.
  init(_ context: RunContext, _ streams: RunStreams) throws(PlatformError) {
    self.context = context
    self.streams = streams
    context.heap.keepStalls()
    history = try RunHistory(context)
    write(TimelineSample.csvHeading, to: \.samples)
  }

  /// Adds what has happened since the last call.
  func record() {
    let (cycles, sample) = history.sample()
    self.cycles += cycles
    let (stalls, lost) = context.heap.takeStalls()
    utilisation.add(stalls, lost: lost)
    write(sample.csvLine, to: \.samples)
    for cycle in cycles { write(cycle.jsonLine, to: \.events) }
    if streams.journal != nil {
      write(JSONValue.object(history.timeline.members(after: journalled)).text(indented: false) + "\n", to: \.journal)
      journalled = history.timeline.last
    }
  }

  private func write(_ text: String, to stream: WritableKeyPath<RunStreams, OutputFile?>) {
    guard let file = streams[keyPath: stream] else { return }
    do throws(PlatformError) {
      try file.write(text)
    } catch {
      OutputFile.writeToStandardError("tricolor: \(error)\n")
      streams[keyPath: stream] = nil
      failure = failure ?? error
    }
  }

  /// The recording, when the run is over.
  ///
  /// - Parameters:
  ///   - latencies: what clients timed, by kind.
  ///   - settings: those the run began with.
  func finish(latencies: [Histogram<UInt64>], settings: [JSONValue.Member]) -> RunRecording {
    history.awaitCycles()
    record()
    let statistics = context.heap.statistics
    let histograms: JSONValue = [
      "operation": DurationCounts(latencies).bars, "stall": statistics.stallCounts.bars,
      "hold": statistics.holdCounts.bars, "safepoint": statistics.timeToSafepointCounts.bars,
    ]
    return RunRecording(
      history.timeline, cycles: cycles,
      more: [
        .init("mutatorUtilisation", utilisation.json(elapsed: statistics.elapsedNanoseconds)),
        .init("histograms", histograms), .init("settings", .object(settings)),
      ])
  }
}

extension DurationCounts {
  /// All durations of `histograms`, each by the largest that it may have been.
  fileprivate init(_ histograms: [Histogram<UInt64>]) {
    var counts = [Int](repeating: 0, count: DurationCounts.bucketCount)
    var total: UInt64 = 0
    for histogram in histograms {
      for step in histogram.recordedValues() {
        counts[DurationCounts.bucket(of: step.value)] += Int(step.count)
        total &+= step.value &* step.count
      }
    }
    self.init(totalNanoseconds: total) { counts[$0] }
  }
}
