// `fork` in a process with a heap. The parent does not notice. The child has a copy of the heap's memory and none of its threads, and
// locks may be held by threads that do not exist there: so the child must not use the heap, and is told so instead of hanging.
//
// The handler that runs in the child changes what its one thread would look at next, so that nothing on a path of the parent has to
// ask: the thread forgets its records, so that entering attaches, which refuses; and the poll flag of the heaps it is inside of
// is raised, so that a poll or the next refill refuses. Barriers are off: what the child still holds it may read and write, run
// its bodies to their end, call exec or _exit, or exit. Only making the first heap installs the handler.
//
// Invariant: the handler touches memory of its own thread only. It may run in the middle of anything other threads were doing.

import CTricolorShims
import Glibc
import Synchronization
import TricolorPlatform

/// Whether this process is a fork of one that had a heap.
enum ForkedChild {
  private static let isOne = Atomic<Bool>(false)

  /// 0, or why the handler could not be installed. Installed once in a process.
  private static let installed: Int32 = {
    isOne.store(false, ordering: .relaxed)
    return pthread_atfork(nil, nil, { ForkedChild.begin() })
  }()

  /// Makes sure that a child of this process will know what it is.
  ///
  /// - Throws: where there is no memory for the handler, or in such a child.
  static func prepare() throws(PlatformError) {
    guard installed == 0 else { throw PlatformError(call: "pthread_atfork", code: installed) }
    guard !isThisProcess else { throw PlatformError(call: "making a heap", code: 0, detail: refusal) }
  }

  static var isThisProcess: Bool { isOne.load(ordering: .relaxed) }

  /// Ends the program if it is such a child. Asked on paths that wait or take locks, never by the barrier or the bump.
  static func refuse() {
    if isThisProcess { fatalError("tricolor: \(refusal)") }
  }

  private static var refusal: String {
    "this process is a fork of one that had a heap: it may call exec or _exit, but not use heaps"
  }

  private static func begin() {
    isOne.store(true, ordering: .relaxed)
    ThreadRecords.forEachRecord { mutator in
      mutator.state.pointee.barrierMode = BarrierMode.off
      mutator.state.pointee.poll.store(1, ordering: .relaxed)
    }
    tricolor_set_barrier(0)
    ThreadRecords.first = nil
  }
}
