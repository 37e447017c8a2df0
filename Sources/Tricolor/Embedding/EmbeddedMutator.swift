// A thread's access to a heap for programs in other languages: what `withMutator` does for Swift in a scope, as separate calls.
//
// The handle is the address of the mutator's record, whose first page tricolor.h knows: its runs, its poll flag and its
// frames of handles. Whether an address is such a handle of the calling thread is decided by a look through the thread's records, of which
// there is one for each heap; so a wrong one is refused and never followed.
//
// `package`: for TricolorC, which checks arguments and words messages. Nothing here ends the program.

import CTricolorShims
import Synchronization
import TricolorPlatform

/// A thread's access to a heap, as a value.
package struct EmbeddedMutator {
  let core: MutatorCore

  /// Why an address is no handle that may be used now.
  package enum Refusal: Error {
    /// It is no mutator of the calling thread.
    case unknown
    /// The thread is in a blocking region.
    case isBlocking
    /// The process is a fork of one that had the heap.
    case isForked
  }

  package var heap: Heap { Heap.object(of: core.heap) }
  package var address: UnsafeMutableRawPointer { core.base }

  /// The calling thread's mutator at `address`, which is running.
  package init(_ address: UnsafeMutableRawPointer) throws(Refusal) {
    let core = try EmbeddedMutator.find(address)
    guard core.isRunning else { throw .isBlocking }
    self.core = core
  }

  /// The same, which is running or in a blocking region.
  package init(runningOrBlocking address: UnsafeMutableRawPointer) throws(Refusal) {
    core = try EmbeddedMutator.find(address)
  }

  private static func find(_ address: UnsafeMutableRawPointer) throws(Refusal) -> MutatorCore {
    if ForkedChild.isThisProcess { throw .isForked }
    var next = ThreadRecords.first
    while let mutator = next {
      if mutator.base == address && !mutator.isOrphan && mutator.state.pointee.depth > 0 { return mutator }
      next = mutator.state.pointee.nextInThread
    }
    throw .unknown
  }

  private init(core: MutatorCore) { self.core = core }

  package var isBlocking: Bool { !core.isRunning }
  package var hasFrames: Bool { core.state.pointee.frames != 0 }
  /// How often the thread has to leave.
  package var depth: Int { core.state.pointee.depth }
  /// The newest frame of handles.
  package var newestFrame: UInt { core.state.pointee.frames }
  package func setNewestFrame(_ frame: UInt) { core.state.pointee.frames = frame }

  // MARK: Coming and going

  /// The calling thread's mutator of `heap`, if it is inside.
  package static func current(of heap: Heap) -> EmbeddedMutator? {
    guard !ForkedChild.isThisProcess, let core = ThreadRecords.record(for: heap.core), core.state.pointee.depth > 0
    else { return nil }
    return EmbeddedMutator(core: core)
  }

  /// Enters `heap`, attaching the thread if it is not.
  package static func enter(_ heap: Heap) throws(HeapError) -> EmbeddedMutator {
    do throws(PlatformError) {
      if ThreadRecords.record(for: heap.core) == nil { _ = try heap.core.attach() }
      let core = ThreadRecords.record(for: heap.core)!
      core.state.pointee.depth &+= 1
      if core.state.pointee.depth == 1 { core.resume(from: MutatorStatus.outside) }
      return EmbeddedMutator(core: core)
    } catch {
      throw .platform(error)
    }
  }

  /// Leaves once; with the last time the thread detaches, and the handle is none any more. Not in a blocking region.
  package func leave() {
    core.state.pointee.depth &-= 1
    if core.state.pointee.depth > 0 { return }
    core.suspend(to: MutatorStatus.outside)
    ThreadRecords.detachCurrent(core)
  }

  /// Has `function` report roots of this thread beside its stack and frames; nil for none.
  package func setRootTracer(_ function: RootTraceFunction?, _ data: UnsafeMutableRawPointer?) {
    core.state.pointee.rootTracer = function.map { RootTracer(function: $0, data: data) }
  }

  // MARK: Blocking and polling

  package func beginBlocking() { core.parkWithCopy() }

  package func endBlocking() { core.unpark() }

  /// Runs `body` in a blocking region.
  package func blocking<R>(_ body: () -> R) -> R { Mutator(core).blocking(body) }

  package func poll() { core.safepoint() }

  /// Searches the stack that ends at `base` from now on; nil for the thread's own.
  package func setStack(_ base: UInt?) { core.state.pointee.stackBase = base ?? tricolor_stack_base() }
}

extension ThreadRecords {
  /// Detaches the calling thread from the heap of `mutator`, which it has left.
  fileprivate static func detachCurrent(_ mutator: MutatorCore) {
    // Another heap's hold may keep the lock, and wait for this thread.
    whileParked {
      LiveHeaps.lock.withLock { _ in
        unlink(mutator)
        mutator.heap.detach(mutator)
      }
    }
    var mode: UInt8 = 0
    forEachRecord { if $0.isRunning { mode |= $0.state.pointee.barrierMode } }
    tricolor_set_barrier(mode)
  }

  private static func unlink(_ mutator: MutatorCore) {
    var kept: MutatorCore? = nil
    var next = first
    while let record = next {
      next = record.state.pointee.nextInThread
      if record == mutator { continue }
      record.state.pointee.nextInThread = kept
      kept = record
    }
    first = kept
  }
}

extension Heap {
  /// Threads that are inside.
  package var threadsInside: Int {
    core.state.pointee.registryLock.lock()
    defer { core.state.pointee.registryLock.unlock() }
    var inside = 0
    core.forEachMutator { if $0.state.pointee.depth > 0 { inside += 1 } }
    return inside
  }

  /// Whether threads' stacks are searched. Before the first thread enters.
  package func searchStacks(_ isOn: Bool) { core.state.pointee.scansStacks.store(isOn, ordering: .relaxed) }

  /// When cycles stop the program. Waits for the end of a cycle that has begun.
  package func setStopMode(_ mode: StopMode) {
    core.state.pointee.stopMode.store(mode.rawValue, ordering: .sequentiallyConsistent)
    ThreadRecords.whileParked { core.awaitStopMode() }
  }
  package var stopMode: StopMode { core.stopMode }

  /// Whether this process is a fork of one that had heaps.
  package static var isForked: Bool { ForkedChild.isThisProcess }
}
