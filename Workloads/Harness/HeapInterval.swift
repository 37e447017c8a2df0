// What a part of a run cost the heap: the difference of two readings of its counters.
//
// Allocations are counted when a thread is handed the cells, and a cycle that spans two parts is divided between them as its
// CPU time was spent; both even out over parts of tens of milliseconds.

import Tricolor
import TricolorPlatform
import TricolorTelemetry

/// Counters of a heap over the parts of a run that were measured with it. Bytes and nanoseconds.
public struct HeapInterval: Sendable {
  /// Wall time.
  public private(set) var seconds = 0.0
  public private(set) var allocatedBytes = 0
  public private(set) var allocatedObjects = 0
  /// Cycles that ended.
  public private(set) var cycles = 0
  /// CPU time of the collector's own threads: marking and returning pages.
  public private(set) var collectorNanoseconds: UInt64 = 0
  /// CPU time that allocating threads gave to the collector: assists and sweeping.
  public private(set) var assistNanoseconds: UInt64 = 0

  /// Nothing.
  public init() {}

  /// Adds what `body` costs. From one thread at a time; other threads that use the heap count too.
  public mutating func measure<R>(_ heap: Heap, _ body: () throws -> R) rethrows -> R {
    let before = heap.statistics
    let began = Clock.monotonic()
    defer { add(from: before, to: heap.statistics, nanoseconds: Clock.monotonic() - began) }
    return try body()
  }

  private mutating func add(from before: HeapStatistics, to after: HeapStatistics, nanoseconds: UInt64) {
    seconds += Double(nanoseconds) / 1e9
    allocatedBytes += after.allocatedBytes - before.allocatedBytes
    allocatedObjects += after.allocatedObjects - before.allocatedObjects
    cycles += after.cycles - before.cycles
    collectorNanoseconds +=
      after.cpu.background - before.cpu.background + after.cpu.idle - before.cpu.idle + after.cpu.scavenge
      - before.cpu.scavenge
    assistNanoseconds += after.cpu.assist - before.cpu.assist + after.cpu.sweep - before.cpu.sweep
  }
}

extension JSONValue {
  /// `total` over `count`; null for a count of nothing.
  public static func ratio(_ total: Double, _ count: Double) -> JSONValue { count == 0 ? .null : .float(total / count) }
}
