// What the store does while memory is short: it refuses lists, which need the most memory at a time and which a client can ask for again,
// and keeps less of the replicated log, which lagging followers then get as a snapshot. etcd itself has no such signal: Go gives it none.
//
// A list in one response is as large as the store, so waiting for a level to rise would be too late: whether it fits is reckoned before.
//
// The heap tells the level on a thread of its own; that only notes it. The sender's thread, which looks at everything between two messages, does
// the cutting.

import Harness
import Synchronization
import Tricolor
import TricolorPacing

/// Sheds load by the heap's pressure levels.
final class LoadShedding: Sendable {
  /// Of its entries the log keeps one in so many, by level.
  private static let logShares = [1, 4, 16]

  private let isOn: Bool
  private let level = Atomic<UInt8>(PressureLevel.normal.rawValue)
  private let applied = Atomic<UInt8>(PressureLevel.normal.rawValue)
  private let cutCount = Atomic<Int>(0)
  /// Bytes that lists under way may come to.
  private let listed = Atomic<Int>(0)
  private let changes = Mutex<[PressureLevel: Int]>([:])

  init(isOn: Bool) { self.isOn = isOn }

  /// Listens to `heap`, and counts the levels also if nothing is to be shed.
  func observe(_ heap: Heap) throws(HeapError) -> PressureObservation {
    try heap.onPressure { [self] event in
      changes.withLock { $0[event.level, default: 0] += 1 }
      if isOn { level.store(event.level.rawValue, ordering: .relaxed) }
    }
  }

  /// Whether a list is to be turned away.
  var refusesLists: Bool { level.load(ordering: .relaxed) >= PressureLevel.elevated.rawValue }

  /// Whether memory is all but used up.
  var isCritical: Bool { level.load(ordering: .relaxed) >= PressureLevel.critical.rawValue }

  /// Runs `body`, which makes a response of `bytes`, unless that and the other responses under way do not fit beside what is
  /// alive; false when it was not run.
  func admitting(_ bytes: Int, _ heap: Heap, _ body: () throws -> Void) rethrows -> Bool {
    guard isOn else {
      try body()
      return true
    }
    let asked = listed.wrappingAdd(bytes, ordering: .relaxed).newValue
    defer { listed.wrappingSubtract(bytes, ordering: .relaxed) }
    let statistics = heap.statistics
    if let limit = statistics.limitBytes {
      // Of the lists under way the heap may have counted some already.
      let kept = statistics.markedLiveBytes + statistics.foreignBytes + statistics.metadataBytes
      if kept + asked > limit { return false }
    }
    try body()
    return true
  }

  /// Makes the log as long as the level allows, if the level has changed. Called by one thread.
  func apply(to store: EtcdStore, _ m: Mutator) {
    let level = self.level.load(ordering: .relaxed)
    guard level != applied.load(ordering: .relaxed) else { return }
    applied.store(level, ordering: .relaxed)
    store.lock.writing(m) { store.state(m).entries.keep(oneIn: LoadShedding.logShares[Int(level)]) }
    if level > PressureLevel.normal.rawValue { cutCount.wrappingAdd(1, ordering: .relaxed) }
  }

  /// How often the log was cut.
  var cuts: Int { cutCount.load(ordering: .relaxed) }

  /// How often each level was entered.
  var figures: JSONValue {
    let counts = changes.withLock { $0 }
    return .object(
      PressureLevel.allCases.map { .init("\($0)", .integer(counts[$0] ?? 0)) })
  }
}
