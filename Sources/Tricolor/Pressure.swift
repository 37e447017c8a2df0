// How a program is told that memory runs short, so that it can shed load before the limit or the kernel does it: a closure or a stream.
//
// Closures run on a thread of their own, one after the other and every change in order, never on the collector's: what they do may take long
// and may allocate on the heap. The thread starts with the first closure. Streams are fed by the collector thread itself.
//
// The gauge is TricolorPacing/Limit/PressureGauge.swift; what feeds it is Collector/LimitWatch.swift.

import Synchronization
public import TricolorPacing
import TricolorPlatform

/// The level of memory pressure has changed. Bytes.
public struct PressureEvent: Sendable, Equatable {
  /// The new level.
  public let level: PressureLevel
  /// The smaller of the limits in force, nil when there is none any more.
  public let limitBytes: Int?
  /// What the limit counts: the process's resident set, or its cgroup's usage.
  public let residentBytes: Int
  /// What of that no collection frees.
  public let unavoidableBytes: Int
  /// What the last cycle left alive.
  public let liveBytes: Int
  /// Memory of the process that is not the heap's.
  public let foreignBytes: Int
  /// Where the heap is to end, the largest integer for nowhere.
  public let goalBytes: Int
  /// Percent of the last ten seconds in which tasks waited for memory, nil where the kernel does not tell.
  public let stalledPercent: Double?
  /// Whether collection for the limit has used up its share of the CPU.
  public let collectorIsLimited: Bool
}

/// Keeps a closure informed of pressure, until it is cancelled or the heap ends.
public struct PressureObservation: Sendable {
  let number: Int
  let listeners: PressureListeners

  /// No call begins after this returns. One that is running may still run, unless this is called by it. Any thread.
  public func cancel() { listeners.remove(number) }
}

/// Who listens, and the thread that calls them.
final class PressureListeners: Sendable {
  private struct State {
    var last = 0
    var closures: [Int: @Sendable (PressureEvent) -> Void] = [:]
    var streams: [Int: AsyncStream<PressureEvent>.Continuation] = [:]
    /// Changes nobody has been told of, the oldest first.
    var pending: [PressureEvent] = []
    /// The last change, for those who come later; nil at the normal level.
    var current: PressureEvent?
    var thread: NativeThread?
    var isEnding = false
  }

  private let state = Mutex(State())
  private let changed = FutexEvent()

  var level: PressureLevel { state.withLock { $0.current?.level ?? .normal } }

  func add(_ body: @escaping @Sendable (PressureEvent) -> Void) throws(PlatformError) -> PressureObservation {
    let (number, current) = try state.withLock { (state) throws(PlatformError) in
      if state.thread == nil { state.thread = try NativeThread.start(name: "tricolor-press") { self.run() } }
      state.last += 1
      state.closures[state.last] = body
      return (state.last, state.current)
    }
    if let current { body(current) }
    return PressureObservation(number: number, listeners: self)
  }

  func remove(_ number: Int) { state.withLock { _ = $0.closures.removeValue(forKey: number) } }

  func makeStream() -> AsyncStream<PressureEvent> {
    AsyncStream { continuation in
      let (number, current) = state.withLock { state in
        state.last += 1
        state.streams[state.last] = continuation
        return (state.last, state.current)
      }
      if let current { continuation.yield(current) }
      continuation.onTermination = { [weak self] _ in
        self?.state.withLock { _ = $0.streams.removeValue(forKey: number) }
      }
    }
  }

  func publish(_ event: PressureEvent) {
    let streams = state.withLock { state in
      state.current = event.level == .normal ? nil : event
      if !state.closures.isEmpty { state.pending.append(event) }
      return state.streams
    }
    for stream in streams { stream.value.yield(event) }
    changed.signalAll()
  }

  private func run() {
    while true {
      let seen = changed.current()
      while let event = state.withLock({ $0.pending.isEmpty ? nil : $0.pending.removeFirst() }) { tell(event) }
      if state.withLock({ $0.isEnding }) { return }
      changed.wait(past: seen)
    }
  }

  private func tell(_ event: PressureEvent) {
    for number in state.withLock({ $0.closures.keys.sorted() }) {
      if let body = state.withLock({ $0.closures[number] }) { body(event) }
    }
  }

  /// Ends streams and the thread. The collector thread has ended.
  func finish() {
    let ended = state.withLock { state in
      defer { state.closures = [:] }
      state.isEnding = true
      state.pending = []
      return state
    }
    changed.signalAll()
    for stream in ended.streams { stream.value.finish() }
    ThreadRecords.whileParked { ended.thread?.join() }
  }
}

extension Heap {
  /// The level of memory pressure now: `.normal` when no limit is set. Any thread; takes a lock.
  public var pressureLevel: PressureLevel { services.pressure.level }

  /// Calls `body` whenever the level of memory pressure changes, and at once, on the calling thread, if it is not normal.
  ///
  /// Calls come on a thread of the heap, one after the other and in order; `body` may take long and may use the heap. The heap's end waits for a
  /// call that is running, unless that call holds the last reference to the heap: then the heap ends with it.
  ///
  /// - Throws: when the system has no room for that thread.
  @discardableResult
  public func onPressure(
    _ body: @escaping @Sendable (PressureEvent) -> Void
  ) throws(HeapError) -> PressureObservation {
    do throws(PlatformError) {
      return try services.pressure.add(body)
    } catch {
      throw .platform(error)
    }
  }

  /// Every change of the level of memory pressure from now on, the present one first if it is not normal. Ends with the heap.
  public var pressure: AsyncStream<PressureEvent> { services.pressure.makeStream() }
}
