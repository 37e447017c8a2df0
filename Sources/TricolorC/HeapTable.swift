// The heaps that C programs have made, by their handles. A handle is looked up before anything is done with it, so that one that is none, or no
// longer one, is refused.

import Synchronization
import Tricolor
import TricolorInterface
import TricolorPlatform

/// A heap, and who listens to it.
final class EmbeddedHeap: Sendable {
  let heap: Heap
  /// Threads on their way in, and whether the heap is being destroyed, which refuses both.
  private let entering = Atomic<Int>(0)
  private let isEnding = Atomic<Bool>(false)
  let callbacks = Callbacks()
  let pressure = Mutex<PressureObservation?>(nil)

  init(_ heap: Heap) { self.heap = heap }

  /// Makes the calling thread enter.
  func enter() throws(Failure) -> EmbeddedMutator {
    if Heap.isForked { throw .state(forkMessage) }
    entering.wrappingAdd(1, ordering: .sequentiallyConsistent)
    defer { entering.wrappingSubtract(1, ordering: .sequentiallyConsistent) }
    if isEnding.load(ordering: .sequentiallyConsistent) { throw .state("the heap is being destroyed") }
    do throws(HeapError) {
      return try EmbeddedMutator.enter(heap)
    } catch {
      throw .system("\(error)")
    }
  }

  /// Lets no thread enter any more, if none is inside.
  func end() throws(Failure) {
    if callbacks.isRunningHere { throw .state("called by a callback of the heap") }
    isEnding.store(true, ordering: .sequentiallyConsistent)
    let inside = heap.threadsInside + entering.load(ordering: .sequentiallyConsistent)
    if inside == 0 { return }
    isEnding.store(false, ordering: .sequentiallyConsistent)
    throw .state("threads attached to the heap: \(inside); all must detach first")
  }
}

/// The program's functions that a heap calls, apart from the heap: its threads hold this, and must not hold what they would end with.
final class Callbacks: Sendable {
  /// Threads that run one.
  private let running = Mutex<[Int32]>([])
  let listener = Mutex<Callback<tricolor_listener>?>(nil)

  /// Whether the calling thread runs one.
  var isRunningHere: Bool { running.withLock { $0.contains(NativeThread.currentID) } }

  /// Runs a callback.
  func run(_ body: () -> Void) {
    let thread = NativeThread.currentID
    running.withLock { $0.append(thread) }
    body()
    running.withLock { _ = $0.remove(at: $0.lastIndex(of: thread)!) }
  }
}

/// A C function and the data it was registered with. What it does in other threads is the program's responsibility.
struct Callback<Function>: @unchecked Sendable {
  let function: Function
  let data: UnsafeMutableRawPointer?
}

/// All of them.
enum HeapTable {
  private static let heaps = Mutex<[UInt: EmbeddedHeap]>([:])

  static func add(_ heap: EmbeddedHeap) -> OpaquePointer {
    let handle = Unmanaged.passUnretained(heap).toOpaque()
    heaps.withLock { $0[UInt(bitPattern: handle)] = heap }
    return OpaquePointer(handle)
  }

  /// The heap of a handle.
  static func heap(_ handle: OpaquePointer?) throws(Failure) -> EmbeddedHeap {
    let handle = UnsafeRawPointer(try require(handle, "heap"))
    guard let heap = heaps.withLock({ $0[UInt(bitPattern: handle)] }) else {
      throw .argument(
        "heap", is: hexadecimal(handle), allowed: "it must be one that tricolor_heap_create made and nobody destroyed")
    }
    return heap
  }

  /// The callbacks of a heap that is not destroyed. Linear in the number of heaps.
  static func callbacks(of heap: Heap) -> Callbacks {
    heaps.withLock { $0.values.first { $0.heap === heap }! }.callbacks
  }

  static func remove(_ handle: OpaquePointer) {
    heaps.withLock { $0[UInt(bitPattern: UnsafeRawPointer(handle))] = nil }
  }
}
