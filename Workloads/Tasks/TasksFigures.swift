// The tasks workload's own figures, and what a task takes of memory: what the resident set and the live heap rise by while ten thousand of them come
// to stand.

import Harness
import Synchronization
import Tricolor

/// Memory before and after. Bytes.
struct StandingMemory: Sendable {
  private var before: (resident: Int, live: Int)?
  private var after: (resident: Int, live: Int)?

  mutating func begin(_ heap: Heap) { before = StandingMemory.read(heap) }
  mutating func end(_ heap: Heap) { after = StandingMemory.read(heap) }

  /// After a cycle, so that only what lives counts.
  private static func read(_ heap: Heap) -> (resident: Int, live: Int) {
    heap.collect()
    let statistics = heap.statistics
    return (statistics.residentBytes, statistics.markedLiveBytes)
  }

  func json(tasks: Int) -> JSONValue {
    guard let before, let after else { return .null }
    let (resident, live) = (after.resident - before.resident, after.live - before.live)
    return [
      "tasks": .integer(tasks), "rssBytes": .integer(resident), "heapBytes": .integer(live),
      "rssBytesPerTask": .ratio(Double(resident), Double(tasks)),
      "heapBytesPerTask": .ratio(Double(live), Double(tasks)),
      "articleBytesPerGoroutine": .integer(2_400),
    ]
  }
}

/// What a run found; filled by the task that drives it.
final class TasksFigures: Sendable {
  private struct State {
    var memory = StandingMemory()
    var hops = Hops()
    var trees = TaskTree.Counts()
  }

  private let state = Mutex(State())
  private let settings: TasksOptions

  init(_ settings: TasksOptions) { self.settings = settings }

  var memory: StandingMemory {
    get { state.withLock { $0.memory } }
    set { state.withLock { $0.memory = newValue } }
  }
  var hops: Hops {
    get { state.withLock { $0.hops } }
    set { state.withLock { $0.hops = newValue } }
  }
  var trees: TaskTree.Counts {
    get { state.withLock { $0.trees } }
    set { state.withLock { $0.trees = newValue } }
  }

  /// How much is wrong.
  ///
  /// - Parameter isKnown: whether the workers' states say the same as the shadow.
  func faults(_ counts: MessageShadow.Counts, isKnown: Bool) -> Int {
    counts.faults + trees.faults + (hops.isRight ? 0 : 1) + (isKnown ? 0 : 1)
  }

  func json(_ counts: MessageShadow.Counts, isKnown: Bool) -> JSONValue {
    [
      "memory": memory.json(tasks: settings.tasks), "switch": hops.json,
      "messages": [
        "sent": .integer(counts.sent), "received": .integer(counts.received), "lost": .integer(counts.lost),
        "doubled": .integer(counts.doubled), "wrong": .integer(counts.wrong), "statesAgree": .bool(isKnown),
      ],
      "trees": trees.json, "faults": .integer(faults(counts, isKnown: isKnown)),
    ]
  }
}

extension TaskTree.Counts {
  var json: JSONValue {
    [
      "trees": .integer(trees), "deadlines": .integer(deadlines), "leaves": .integer(leaves), "ended": .integer(ended),
      "endedEarly": .integer(early), "sent": .integer(sent), "received": .integer(received), "left": .integer(left),
      "unequal": .integer(unequal), "longestEndNanoseconds": .unsigned(longestNanoseconds),
    ]
  }
}
