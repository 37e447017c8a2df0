// Events, memory pressure, statistics by name.

// swift-format-ignore-file: AlwaysUseLowerCamelCase

import Tricolor
import TricolorInterface
import TricolorPacing

// MARK: Events

@c @implementation
public func tricolor_listener_set(
  _ heap: OpaquePointer?, _ listener: tricolor_listener?, _ data: UnsafeMutableRawPointer?
) -> CInt {
  answer { () throws(Failure) in
    let heap = try HeapTable.heap(heap)
    if heap.callbacks.isRunningHere {
      throw .state("called by a callback of the heap, which the listener's end would wait for")
    }
    // Held while the listener runs: once it is replaced here, no call of it begins.
    heap.callbacks.listener.withLock { $0 = listener.map { Callback(function: $0, data: data) } }
    if listener == nil { return heap.heap.onEvent(nil) }
    let callbacks = heap.callbacks
    heap.heap.onEvent { callbacks.tell($0) }
  }
}

extension Callbacks {
  fileprivate func tell(_ event: EmbeddedEvent) {
    var event = tricolor_event(
      kind: tricolor_event_kind(event.kind.rawValue), handshake: tricolor_handshake(event.handshake),
      cycle: UInt64(event.cycle), nanoseconds: event.nanoseconds, count: UInt64(event.count))
    run {
      listener.withLock { listener in
        if let listener { listener.function(&event, listener.data) }
      }
    }
  }
}

// MARK: Pressure

@c @implementation
public func tricolor_pressure_set(
  _ heap: OpaquePointer?, _ callback: tricolor_pressure_callback?, _ data: UnsafeMutableRawPointer?
) -> CInt {
  answer { () throws(Failure) in
    let heap = try HeapTable.heap(heap)
    heap.pressure.withLock { observation in
      observation?.cancel()
      observation = nil
    }
    guard let callback else { return }
    let listening = Callback(function: callback, data: data)
    do throws(HeapError) {
      let callbacks = heap.callbacks
      let observation = try heap.heap.onPressure { callbacks.tell($0, listening) }
      heap.pressure.withLock { $0 = observation }
    } catch {
      throw .system("\(error)")
    }
  }
}

extension Callbacks {
  fileprivate func tell(_ event: PressureEvent, _ callback: Callback<tricolor_pressure_callback>) {
    let level =
      switch event.level {
      case .normal: TRICOLOR_PRESSURE_NORMAL
      case .elevated: TRICOLOR_PRESSURE_ELEVATED
      case .critical: TRICOLOR_PRESSURE_CRITICAL
      }
    var pressure = tricolor_pressure(
      level: level, limit_bytes: event.limitBytes.map { UInt64($0) } ?? .max,
      resident_bytes: UInt64(event.residentBytes),
      live_bytes: UInt64(event.liveBytes), foreign_bytes: UInt64(event.foreignBytes))
    run { callback.function(&pressure, callback.data) }
  }
}

// MARK: Statistics

@c @implementation
public func tricolor_statistic(
  _ heap: OpaquePointer?, _ name: UnsafePointer<CChar>?, _ value: UnsafeMutablePointer<UInt64>?
) -> CInt {
  answer { () throws(Failure) in
    let heap = try HeapTable.heap(heap).heap
    let name = try requireText(name, "name")
    let place = try require(value, "value")
    guard let statistic = Statistic.all.first(where: { $0.name.matches(name) }) else {
      throw .notFound("there is no statistic \"\(name)\"; tricolor_statistic_name has the names")
    }
    if Heap.isForked { throw .state(forkMessage) }
    place.pointee = statistic.read(heap.statistics)
  }
}

@c @implementation
public func tricolor_statistic_name(_ index: Int) -> UnsafePointer<CChar>? {
  guard Statistic.all.indices.contains(index) else { return nil }
  return UnsafeRawPointer(Statistic.all[index].name.utf8Start).assumingMemoryBound(to: CChar.self)
}

extension StaticString {
  fileprivate func matches(_ text: String) -> Bool { withUTF8Buffer { $0.elementsEqual(text.utf8) } }
}

/// A counter with a name.
private struct Statistic {
  let name: StaticString
  let read: @Sendable (HeapStatistics) -> UInt64

  init(_ name: StaticString, _ read: @escaping @Sendable (HeapStatistics) -> UInt64) {
    (self.name, self.read) = (name, read)
  }

  init(_ name: StaticString, _ field: KeyPath<HeapStatistics, Int> & Sendable) {
    self.init(name) { UInt64(max(0, $0[keyPath: field])) }
  }

  /// Quantiles of durations, four names.
  private static func durations(
    _ names: (StaticString, StaticString, StaticString, StaticString),
    _ field: KeyPath<HeapStatistics, DurationDistribution> & Sendable
  ) -> [Statistic] {
    [
      Statistic(names.0) { UInt64($0[keyPath: field].count) }, Statistic(names.1) { $0[keyPath: field].p50 },
      Statistic(names.2) { $0[keyPath: field].p99 }, Statistic(names.3) { $0[keyPath: field].max },
    ]
  }

  static let all: [Statistic] =
    [
      Statistic("cycles", \.cycles), Statistic("young_cycles", \.youngCycles),
      Statistic("cycles_for_growth") { UInt64($0.cyclesByCause[.growth] ?? 0) },
      Statistic("cycles_for_limit") { UInt64($0.cyclesByCause[.limit] ?? 0) },
      Statistic("cycles_forced") { UInt64($0.cyclesByCause[.forced] ?? 0) },
      Statistic("cycles_periodic") { UInt64($0.cyclesByCause[.periodic] ?? 0) },
      Statistic("live_bytes", \.liveBytes), Statistic("marked_live_bytes", \.markedLiveBytes),
      Statistic("goal_bytes", \.goalBytes), Statistic("peak_live_bytes", \.peakLiveBytes),
      Statistic("gc_percent") { $0.gcPercent.map { UInt64($0) } ?? .max },
      Statistic("tuner_choices") { UInt64($0.growthChoice?.count ?? 0) },
      Statistic("tuner_wanted_percent") { $0.growthChoice.map { UInt64($0.wantedPercent) } ?? .max },
      Statistic("tuner_bound") { $0.growthChoice.map { UInt64($0.bound.rawValue) } ?? .max },
      Statistic("limit_bytes") { $0.limitBytes.map { UInt64($0) } ?? .max },
      Statistic("hard_limit_bytes") { $0.hardLimitBytes.map { UInt64($0) } ?? .max },
      Statistic("resident_bytes", \.residentBytes), Statistic("peak_resident_bytes", \.peakResidentBytes),
      Statistic("used_block_bytes", \.usedBlockBytes), Statistic("vacant_bytes", \.vacantBytes),
      Statistic("held_free_bytes", \.heldFreeBytes),
      Statistic("metadata_bytes", \.metadataBytes), Statistic("foreign_bytes", \.foreignBytes),
      Statistic("external_bytes", \.externalBytes), Statistic("released_bytes", \.releasedBytes),
      Statistic("allocated_bytes", \.allocatedBytes), Statistic("allocated_objects", \.allocatedObjects),
      Statistic("freed_bytes", \.freedBytes), Statistic("freed_objects", \.freedObjects),
      Statistic("marked_bytes", \.markedBytes), Statistic("marked_objects", \.markedObjects),
      Statistic("mark_nanoseconds") { $0.markNanoseconds },
      Statistic("background_nanoseconds") { $0.cpu.background }, Statistic("assist_nanoseconds") { $0.cpu.assist },
      Statistic("idle_nanoseconds") { $0.cpu.idle }, Statistic("sweep_nanoseconds") { $0.cpu.sweep },
      Statistic("scavenge_nanoseconds") { $0.cpu.scavenge }, Statistic("threads", \.mutators),
      Statistic("attached_threads", \.attachedMutators), Statistic("roots", \.roots),
      Statistic("cleanups_queued", \.queuedCleanups), Statistic("cleanups_run", \.executedCleanups),
      Statistic("slow_safepoints", \.slowSafepoints),
    ]
    + durations(("pauses", "pause_p50_nanoseconds", "pause_p99_nanoseconds", "pause_max_nanoseconds"), \.holds)
    + durations(("stalls", "stall_p50_nanoseconds", "stall_p99_nanoseconds", "stall_max_nanoseconds"), \.stalls)
    + durations(
      (
        "safepoints", "time_to_safepoint_p50_nanoseconds", "time_to_safepoint_p99_nanoseconds",
        "time_to_safepoint_max_nanoseconds"
      ), \.timeToSafepoint)
}
