// What is known of a run while it goes on: samples of its memory, CPU and latency, the cycles that the heap announces, and what was decided.
// The dashboard shows it, and reports keep it.

import Glibc
import Synchronization
import Tricolor
import TricolorPlatform
import TricolorTelemetry

/// The history of one run. Used by one thread at a time.
final class RunHistory {
  private let context: RunContext
  private let resident: ResidentSetReader
  private let group: MemoryGroup?
  private let news: HeapNews
  private var sampler = TimelineSampler()
  private var finder = DecisionFinder()
  private(set) var timeline = Timeline()

  /// Listens to the run's heap from now on.
  init(_ context: RunContext) throws(PlatformError) {
    self.context = context
    resident = try ResidentSetReader()
    group = try MemoryGroup.current()
    news = HeapNews(context.heap)
  }

  /// Adds a sample of this moment, and what came since the last call.
  ///
  /// - Returns: the cycles that came, and the sample.
  @discardableResult
  func sample() -> (cycles: [CycleEvent], sample: TimelineSample) {
    let reading = self.reading()
    let (cycles, decisions) = news.take()
    for cycle in cycles { timeline.add(cycle) }
    for decision in decisions { timeline.add(decision) }
    let state = DecisionFinder.Reading(
      statistics: reading.statistics, groupLimitBytes: reading.groupLimitBytes, phase: context.phaseName,
      shedOperations: context.shedOperations)
    for decision in finder.decisions(at: reading.statistics.elapsedNanoseconds, state) { timeline.add(decision) }
    let sample = sampler.sample(reading)
    timeline.add(sample)
    return (cycles, sample)
  }

  /// The run's counters at this moment.
  func reading() -> TimelineSampler.Reading {
    TimelineSampler.Reading(
      statistics: context.heap.statistics, capPercent: context.heap.configuration.settings.gcCPULimit,
      mappedBytes: resident.mappedBytes(),
      groupLimitBytes: group?.hardLimit().map { Int(clamping: $0) }, operations: context.operations,
      operationCounts: context.liveLatencies)
  }

  /// Waits until all cycles that have ended are announced, a fifth of a second at the most: they come by a task of its own.
  func awaitCycles() {
    let ended = context.heap.statistics.cycles
    let deadline = Clock.monotonic() + 200_000_000
    while news.cycles < ended, Clock.monotonic() < deadline { usleep(500) }
  }
}

/// What a heap tells, until somebody takes it.
private final class HeapNews: Sendable {
  private struct Content {
    var cycles: [CycleEvent] = []
    var decisions: [Decision] = []
    /// How many cycles have come since the beginning.
    var cycleCount = 0
  }

  private let content = Mutex(Content())
  private let heapMade: UInt64

  /// Collects what `heap` tells from now on.
  init(_ heap: Heap) {
    heapMade = Clock.monotonic() - heap.statistics.elapsedNanoseconds
    let (events, pressure) = (heap.events, heap.pressure)
    Task.detached { [self] in
      for await event in events { note(event) }
    }
    Task.detached { [self] in
      for await event in pressure { note(event) }
    }
  }

  private func note(_ event: CycleEvent) {
    content.withLock { content in
      content.cycles.append(event)
      content.cycleCount += 1
    }
  }

  private func note(_ event: PressureEvent) {
    let decision = Decision(time: Clock.monotonic() - heapMade, pressure: event)
    content.withLock { $0.decisions.append(decision) }
  }

  var cycles: Int { content.withLock { $0.cycleCount } }

  /// What has come since the last call.
  func take() -> (cycles: [CycleEvent], decisions: [Decision]) {
    content.withLock { content in
      defer {
        content.cycles = []
        content.decisions = []
      }
      return (content.cycles, content.decisions)
    }
  }
}
