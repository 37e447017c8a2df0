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

  /// What was refused, with the value or the system call, and what is allowed.
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

  /// A heap configured by `configuration`, by default from the environment (`GOGC`, `GOMEMLIMIT` and the others).
  ///
  /// A variable with a value that is not allowed is reported on standard error and keeps its default.
  ///
  /// - Throws: `.setting` for a value of `configuration` that is not allowed; `.platform` when the system refuses memory or threads.
  public convenience init(configuration: Configuration = .environment) throws(HeapError) {
    try self.init(configuration: configuration) { () throws(PlatformError) in try LimitSource() }
  }

  /// A heap whose limit is watched where `limitSource` says, on made-up NUMA nodes if a number of them is given.
  init(
    configuration: Configuration, simulatedNodes: Int? = nil, limitSource: () throws(PlatformError) -> LimitSource
  ) throws(HeapError) {
    let plan: PlacementPlan
    do throws(SettingsError) {
      try configuration.settings.validate()
      plan = try Heap.plan(configuration.settings, simulatedNodes)
    } catch {
      throw .setting(error)
    }
    do throws(PlatformError) {
      (core, services) = try Heap.makeParts(
        configuration.settings, plan, isSimulated: simulatedNodes != nil, limitSource)
    } catch {
      throw .platform(error)
    }
    core.state.pointee.services = Unmanaged.passUnretained(services).toOpaque()
    core.state.pointee.object = Unmanaged.passUnretained(self).toOpaque()
    services.applySettings()
    services.limitSource.heaps.add(core)
    do throws(PlatformError) {
      try services.startThreads()
    } catch {
      throw .platform(error)
    }
  }

  /// The plan for this machine; for one whose nodes cannot be read, which is said, as for one node.
  private static func plan(_ settings: Settings, _ simulatedNodes: Int?) throws(SettingsError) -> PlacementPlan {
    var topology = Topology.ring(simulatedNodes ?? 1, memoryBytes: .max)
    if simulatedNodes == nil {
      do throws(PlatformError) {
        topology = try Topology.current()
      } catch {
        StandardError.write("tricolor: one NUMA node is assumed: \(error)\n")
      }
    }
    return try PlacementPlan(
      settings: settings, topology: topology, allowed: simulatedNodes == nil ? ProcessorSet.allowed() : nil)
  }

  private static func makeParts(
    _ settings: Settings, _ plan: PlacementPlan, isSimulated: Bool,
    _ limitSource: () throws(PlatformError) -> LimitSource
  ) throws(PlatformError) -> (HeapCore, HeapServices) {
    try ForkedChild.prepare()
    try ThreadExit.prepare()
    try Reservation.prepare(bytes: Int(clamping: settings.reserveBytes))
    LayoutTable.prepare()
    let core = try makeCore(settings, plan, isSimulated)
    do throws(PlatformError) {
      return (core, HeapServices(core: core, settings: settings, plan: plan, limitSource: try limitSource()))
    } catch {
      core.deallocate()
      throw error
    }
  }

  private static func makeCore(
    _ settings: Settings, _ plan: PlacementPlan, _ isSimulated: Bool
  ) throws(PlatformError) -> HeapCore {
    let processors = try Processors.current().available
    let nodes = try NodeTable(plan, isSimulated: isSimulated)
    let grey = try GreyPool(nodes: plan.nodes.count)
    if let wanted = settings.maxProcessors, Double(wanted) > processors {
      StandardError.write(
        "tricolor: GOMAXPROCS=\(wanted) is more than this process may use; it plans with \(processors)\n")
    }
    let state = UnsafeMutablePointer<HeapState>.allocate(capacity: 1)
    state.initialize(
      to: HeapState(
        settings: settings, processors: HeapServices.planned(settings, available: processors),
        mostArenas: Int(clamping: settings.reserveBytes) / Geometry.arenaBytes, nodes: nodes, grey: grey))
    return HeapCore(state: state)
  }

  deinit {
    if ForkedChild.isThisProcess { return }
    let state = core.state
    state.pointee.stopping.store(true, ordering: .releasing)
    state.pointee.wakeCollector.signalAll()
    state.pointee.workersWanted.signalAll()
    state.pointee.grey.changed.signalAll()
    // Parked: the collector may be waiting for another heap's hold, which may be waiting for this thread.
    ThreadRecords.whileParked { services.joinThreads() }
    services.finish()
    services.cleanups.finish(core)
    ThreadRecords.whileParked { core.releaseMutators() }
    do {
      try state.pointee.blocks.close()
    } catch {
      StandardError.write("tricolor: returning a heap's memory: \(error)\n")
    }
    services.limitSource.heaps.remove(core)
    core.deallocate()
  }

  // MARK: Entering

  /// Runs `body` with a mutator of this heap: the only place where references exist.
  ///
  /// Attaches the thread on its first call; entering again costs two atomic exchanges. `body` runs synchronously; nothing it holds
  /// of the heap may leave it, except through a `Root`. May be nested.
  ///
  /// Inside, references may be in local variables, in payloads and in managed collections. They are not found, and so keep nothing alive, in
  /// memory of `malloc`: Swift arrays and dictionaries, class instances, closures that escape.
  ///
  /// In a task it runs on the task's thread and keeps it; a cancelled task runs it to its end as any other, and `body` may ask
  /// `Task.isCancelled`. A thread of the pool that waits inside for others must say so by `Mutator.blocking`.
  @inlinable @inline(__always)
  public func withMutator<R: Sendable, E: Error>(_ body: sending (Mutator) throws(E) -> R) throws(E) -> R {
    let mutator = enter()
    defer { Heap.leave(mutator) }
    return try body(mutator)
  }

  @usableFromInline @inline(never)
  func enter() -> Mutator {
    let mutator = ThreadRecords.record(for: core) ?? attachOrEnd()
    mutator.state.pointee.depth &+= 1
    if mutator.state.pointee.depth == 1 {
      mutator.resume(from: MutatorStatus.outside)
    } else {
      guard mutator.isRunning else { fatalError("tricolor: withMutator in a blocking region of the same heap") }
    }
    return Mutator(mutator)
  }

  private func attachOrEnd() -> MutatorCore {
    do throws(PlatformError) {
      return try core.attach()
    } catch {
      fatalError("tricolor: a thread cannot enter the heap: \(error); Heap.attachThread throws this instead")
    }
  }

  /// Attaches the calling thread, as its first `withMutator` does, which has no way to fail and ends the program when the system
  /// refuses. Does nothing in a thread that is attached. The thread detaches when it ends.
  ///
  /// - Throws: when there is no memory for the thread's record (232 KiB of addresses), or the system does not tell where the
  ///   thread's stack is.
  public func attachThread() throws(HeapError) {
    if ThreadRecords.record(for: core) != nil { return }
    do throws(PlatformError) {
      _ = try core.attach()
    } catch {
      throw .platform(error)
    }
  }

  @usableFromInline @inline(never)
  static func leave(_ mutator: Mutator) {
    let state = mutator.core.state
    state.pointee.depth &-= 1
    if state.pointee.depth == 0 { mutator.core.suspend(to: MutatorStatus.outside) }
  }

  // MARK: Collecting

  /// Runs a cycle that begins after this call and returns when it has ended and been swept: garbage of before the call is gone.
  public func collect() {
    ForkedChild.refuse()
    ThreadRecords.whileParked { core.collectAndWait() }
  }

  /// Runs a cycle that begins after this call and waits for its end at most until `deadline`, and no longer than a tenth of a second
  /// after the current task is cancelled. The cycle goes on in any case: only the waiting ends.
  ///
  /// Blocks its thread meanwhile. From any thread or task, inside `withMutator` or not.
  ///
  /// - Returns: whether the cycle has ended and been swept: garbage of before the call is gone.
  @discardableResult
  public func collect(deadline: ContinuousClock.Instant) -> Bool {
    ForkedChild.refuse()
    var hasEnded = false
    ThreadRecords.whileParked {
      hasEnded = core.collectAndWait(until: deadline) { !Task.isCancelled }
    }
    return hasEnded
  }

  /// Collects, and returns the pages of all free memory of the heap to the system, as Go's `debug.FreeOSMemory` does.
  ///
  /// - Returns: the bytes returned.
  @discardableResult
  public func releaseFreeMemory() -> Int {
    collect()
    let released = core.release(.max, .forced)
    core.state.pointee.statistics.tracedEager.wrappingAdd(released, ordering: .relaxed)
    if core.traces(.scavenger) { core.traceScavenger(isForced: true) }
    return released
  }

  /// Examines the whole heap with all its mutators stopped, and answers what is wrong with it: nothing, when the collector works
  /// and nobody has written where it must not.
  ///
  /// For those who debug a collector or a program that corrupts memory. From any thread, inside `withMutator` or not. Threads that are
  /// inside wait meanwhile, so one that waits there for another without `blocking` makes this wait for ever. A running cycle ends
  /// first. Cost: every block, and every object that is reachable.
  ///
  /// It also counts what it reaches by layout, with a path to an object of each: who looks for a leak compares two of these.
  public func verify() -> HeapVerification {
    core.runBetweenCycles { $0.verify(withCensus: true) }
  }

  // MARK: Settings

  /// The settings in force. Any thread.
  ///
  /// Setting applies them at once, in the middle of a cycle too. The size of the reservation and the switches of `GODEBUG` that check the
  /// heap are fixed when it is made. Settings with a value that is not allowed are reported on standard error and change nothing.
  public var configuration: Configuration {
    get {
      ForkedChild.refuse()
      return Configuration(settings: services.settings.withLock { $0 })
    }
    set {
      ForkedChild.refuse()
      do throws(SettingsError) {
        try newValue.settings.validate()
        try services.replan(newValue.settings)
      } catch {
        return StandardError.write("tricolor: \(error); the old settings stay\n")
      }
      services.settings.withLock { $0 = newValue.settings }
      services.applySettings()
      services.followProcessors()
    }
  }

  // MARK: Observing

  /// Every cycle that ends from now on.
  public var events: AsyncStream<CycleEvent> { services.makeEventStream() }

  /// A reading of the heap's counters. Costs some microseconds.
  public var statistics: HeapStatistics {
    ForkedChild.refuse()
    return core.readStatistics(services)
  }

  /// The heap that `core` belongs to. Only for threads inside `withMutator`, for which it is alive.
  static func object(of core: HeapCore) -> Heap {
    Unmanaged<Heap>.fromOpaque(core.state.pointee.object!).takeUnretainedValue()
  }
}
