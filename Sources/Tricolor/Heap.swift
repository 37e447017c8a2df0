// A managed heap: the object that programs make, enter and ask.
//
// The class is a thin owner of `HeapState`, which is raw memory so that no hot path touches a reference count. It owns the
// collector thread and the marking workers, and ends them when the last user lets go of it.

import CTricolorShims
import Synchronization
import TricolorPacing
import TricolorPlatform

/// A heap could not be made or configured.
public enum HeapError: Error, CustomStringConvertible, Sendable {
  /// The system refused something the heap cannot do without.
  case platform(PlatformError)
  /// A setting has a value that is not allowed.
  case setting(SettingsError)

  public var description: String {
    switch self {
    case .platform(let error): return "\(error)"
    case .setting(let error): return "\(error)"
    }
  }
}

/// A managed heap with its own collector. Thread-safe; several may live in one process and share the reserved address range.
public final class Heap: Sendable {
  let core: HeapCore
  let services: HeapServices
  private let threads = Mutex<[NativeThread]>([])

  /// A heap configured by `configuration`, by default from the environment (`GOGC`, `GOMEMLIMIT` and the others).
  ///
  /// A variable with a value that is not allowed is reported on standard error and keeps its default.
  public init(configuration: Configuration = .environment) throws(HeapError) {
    do throws(PlatformError) {
      core = try Heap.makeCore(configuration.settings)
      services = try HeapServices(core: core, settings: configuration.settings)
    } catch {
      throw .platform(error)
    }
    core.state.pointee.services = Unmanaged.passUnretained(services).toOpaque()
    core.state.pointee.object = Unmanaged.passUnretained(self).toOpaque()
    services.applySettings()
    for name in configuration.settings.withoutEffect {
      StandardError.write("tricolor: \(name) has no effect in this version\n")
    }
    do throws(PlatformError) {
      try startThreads()
    } catch {
      throw .platform(error)
    }
  }

  private static func makeCore(_ settings: Settings) throws(PlatformError) -> HeapCore {
    try Reservation.prepare(bytes: Int(clamping: settings.reserveBytes))
    let processors = try Processors.current().available
    let state = UnsafeMutablePointer<HeapState>.allocate(capacity: 1)
    state.initialize(
      to: HeapState(
        settings: settings, processors: settings.maxProcessors.map { min(Double($0), processors) } ?? processors,
        mostArenas: Int(clamping: settings.reserveBytes) / Geometry.arenaBytes))
    return HeapCore(state: state)
  }

  private func startThreads() throws(PlatformError) {
    let core = self.core
    let collector = try NativeThread.start(name: "tricolor-gc", priority: .normal) { core.runCollector() }
    threads.withLock { $0.append(collector) }
    let workers = max(1, Int(core.state.pointee.processors.rounded(.up)) - 1)
    for index in 1...workers {
      let worker = try NativeThread.start(name: "tricolor-mark-\(index)", priority: .normal) { core.runWorker(index) }
      threads.withLock { $0.append(worker) }
    }
  }

  deinit {
    let state = core.state
    state.pointee.stopping.store(true, ordering: .releasing)
    state.pointee.wakeCollector.signalAll()
    state.pointee.workersWanted.signalAll()
    state.pointee.grey.changed.signalAll()
    // Parked: the collector may be waiting for another heap's hold, which may be waiting for this thread.
    ThreadRecords.whileParked { for thread in threads.withLock({ $0 }) { thread.join() } }
    services.finish()
    services.cleanups.finish(core)
    ThreadRecords.whileParked { core.releaseMutators() }
    do {
      try state.pointee.blocks.close()
    } catch {
      StandardError.write("tricolor: returning a heap's memory: \(error)\n")
    }
    state.deinitialize(count: 1)
    state.deallocate()
  }

  // MARK: Entering

  /// Runs `body` with a mutator of this heap: the only place where references exist.
  ///
  /// Attaches the thread on its first call; entering again costs two atomic exchanges. `body` runs synchronously; nothing it holds
  /// of the heap may leave it, except through a `Root`. May be nested.
  @inlinable @inline(__always)
  public func withMutator<R: Sendable, E: Error>(_ body: sending (Mutator) throws(E) -> R) throws(E) -> R {
    let mutator = enter()
    defer { leave(mutator) }
    return try body(mutator)
  }

  @usableFromInline @inline(never)
  func enter() -> Mutator {
    let mutator = ThreadRecords.record(for: core) ?? core.attach()
    mutator.state.pointee.depth += 1
    if mutator.state.pointee.depth == 1 {
      mutator.resume(from: MutatorStatus.outside)
    } else {
      guard mutator.isRunning else { fatalError("tricolor: withMutator in a blocking region of the same heap") }
    }
    return Mutator(mutator)
  }

  @usableFromInline @inline(never)
  func leave(_ mutator: Mutator) {
    let state = mutator.core.state
    state.pointee.depth -= 1
    if state.pointee.depth == 0 { mutator.core.suspend(to: MutatorStatus.outside) }
  }

  // MARK: Collecting

  /// Runs a cycle that begins after this call and returns when it has ended and been swept: garbage of before the call is gone.
  public func collect() {
    ThreadRecords.whileParked { core.collectAndWait() }
  }

  /// Examines the whole heap with all its mutators stopped, and answers what is wrong with it: nothing, when the collector works
  /// and nobody has written where it must not.
  ///
  /// For those who debug a collector or a program that corrupts memory. From any thread, inside `withMutator` or not. Threads that are
  /// inside wait meanwhile, so one that waits there for another without `blocking` makes this wait for ever. A running cycle ends
  /// first. Cost: every block, and every object that is reachable.
  public func verify() -> HeapVerification {
    let request = VerificationRequest()
    services.verifications.withLock { $0.append(request) }
    core.state.pointee.wakeCollector.signalAll()
    ThreadRecords.whileParked { request.wait() }
    return request.result
  }

  // MARK: Settings

  /// The settings in force. Setting applies them at once; size of the reservation and debug switches are fixed at the start.
  public var configuration: Configuration {
    get { Configuration(settings: services.settings.withLock { $0 }) }
    set {
      services.settings.withLock { $0 = newValue.settings }
      services.applySettings()
    }
  }

  // MARK: Observing

  /// Every cycle that ends from now on.
  public var events: AsyncStream<CycleEvent> { services.makeEventStream() }

  /// A reading of the heap's counters. Costs some microseconds.
  public var statistics: HeapStatistics { core.readStatistics(services) }

  /// The heap that `core` belongs to. Only for threads inside `withMutator`, for which it is alive.
  static func object(of core: HeapCore) -> Heap {
    Unmanaged<Heap>.fromOpaque(core.state.pointee.object!).takeUnretainedValue()
  }
}
