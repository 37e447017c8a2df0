// The history of a run within bounds: samples, cycles and decisions, each with a number, so that whoever has seen some asks for the rest.
//
// However long the run, at most `mostSamples` samples are kept: when they are full, neighbours among the old ones are merged, in the long run to
// samples of one span; the newest stay as they came. Cycles are halved by dropping every other one, which keeps their distribution; the
// oldest decisions are dropped. What was dropped is counted and said.
//
// Used by one thread.

import Tricolor

/// An item and its place in the order in which all items came.
private struct Numbered<Item: Sendable>: Sendable {
  var number: Int
  var item: Item
}

/// What a run has shown so far.
public struct Timeline: Sendable {
  /// How many are kept.
  static let mostSamples = 1800
  static let mostCycles = 3000
  static let mostDecisions = 300
  /// So many of the newest samples are never merged.
  static let unmergedSamples = 450

  private var samples: [Numbered<TimelineSample>] = []
  private var cycles: [Numbered<CycleEvent>] = []
  private var decisions: [Numbered<Decision>] = []
  /// The longest time that a merged sample spans, in nanoseconds; 0 before any was merged.
  private var span: UInt64 = 0
  private var droppedDecisions = 0
  private var addedCycles = 0
  /// The number of what was added last; 0 for an empty history.
  public private(set) var last = 0

  /// An empty history.
  public init() {}

  /// Adds a sample later than all others.
  public mutating func add(_ sample: TimelineSample) {
    samples.append(numbered(sample))
    if samples.count > Timeline.mostSamples { thinSamples() }
  }

  /// Adds a cycle that has ended.
  public mutating func add(_ cycle: CycleEvent) {
    cycles.append(numbered(cycle))
    addedCycles += 1
    if cycles.count > Timeline.mostCycles {
      cycles = cycles.enumerated().filter { !$0.offset.isMultiple(of: 2) }.map(\.element)
    }
  }

  /// Adds a decision.
  public mutating func add(_ decision: Decision) {
    decisions.append(numbered(decision))
    if decisions.count > Timeline.mostDecisions {
      decisions.removeFirst()
      droppedDecisions += 1
    }
  }

  private mutating func numbered<Item>(_ item: Item) -> Numbered<Item> {
    last += 1
    return Numbered(number: last, item: item)
  }

  /// Merges neighbours up to the span so far, and to twice that as often as it takes to be rid of a quarter of the old ones.
  private mutating func thinSamples() {
    let old = samples.dropLast(Timeline.unmergedSamples)
    guard let first = old.first, let newest = old.last else { return }
    span = max(span, (newest.item.time - first.item.time) / UInt64(old.count), 1)
    var thinned = merged(old)
    while thinned.count > old.count * 3 / 4 {
      span *= 2
      thinned = merged(old)
    }
    samples = thinned + samples.suffix(Timeline.unmergedSamples)
  }

  private func merged(_ old: ArraySlice<Numbered<TimelineSample>>) -> [Numbered<TimelineSample>] {
    var result: [Numbered<TimelineSample>] = []
    // When the last of the result begins: the first with the run.
    var begin: UInt64 = 0
    for sample in old {
      if let last = result.last, sample.item.time - begin <= span {
        result[result.count - 1] = Numbered(number: sample.number, item: last.item.merged(with: sample.item))
      } else {
        begin = result.last?.item.time ?? begin
        result.append(sample)
      }
    }
    return result
  }

  /// All samples kept, the oldest first.
  var kept: [TimelineSample] { samples.map(\.item) }

  /// All decisions kept, the oldest first.
  var keptDecisions: [Decision] { decisions.map(\.item) }

  /// What was added after `number`, as `TimelinePage` reads it: `last`, names of columns, rows, cycles, decisions, and how many cycles and
  /// decisions there were of which it has only some.
  public func members(after number: Int) -> [JSONValue.Member] {
    [
      .init("last", .integer(last)), .init("columns", .array(TimelineSample.columns.map { .string($0) })),
      .init("samples", .array(samples.suffix(after: number).map(\.item.row))),
      .init("cycles", .array(cycles.suffix(after: number).map(\.item.mark))),
      .init("decisions", .array(decisions.suffix(after: number).map(\.item.json))),
      .init("cyclesSeen", .integer(addedCycles)), .init("droppedDecisions", .integer(droppedDecisions)),
    ]
  }
}

extension Array {
  /// The items numbered above `number`; numbers rise.
  fileprivate func suffix<Item>(after number: Int) -> ArraySlice<Element> where Element == Numbered<Item> {
    let first = lastIndex { $0.number <= number }.map { $0 + 1 } ?? 0
    return self[first...]
  }
}

extension CycleEvent {
  /// What a picture needs of a cycle: number, start, duration, cause, what lay on the heap at its start and end, and what it left alive.
  fileprivate var mark: JSONValue {
    [
      .integer(number), .unsigned(startedAt), .unsigned(durationNanoseconds), .string(cause.label),
      .integer(liveAtStart), .integer(liveAtEnd), .integer(markedBytes),
    ]
  }
}
