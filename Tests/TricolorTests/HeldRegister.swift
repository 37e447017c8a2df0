// Runs code while one word is in exactly one callee-saved register and nowhere else: the hardest place for a conservative scan.

import CTricolorShims
import Glibc
@_spi(Testing) import Tricolor

/// The ways in which a thread that is inside `withMutator` lets a cycle pass.
enum CycleWay: CaseIterable, Sendable {
  /// It polls while another thread collects.
  case polling
  /// It collects by itself.
  case collecting
  /// It is in a blocking region while another thread collects.
  case blocking
  /// It polls, and every poll collects (`GODEBUG=gcstress=1`).
  case stress
  /// It wants to leave a blocking region while the collector is about to scan its stack, and waits.
  case leaving

  /// A heap for it that overwrites what it frees.
  func makeHeap() throws -> Heap {
    var configuration = Heap.Configuration()
    configuration.gcPercent = nil
    configuration.settings.debug.clobberFree = true
    configuration.settings.debug.gcStress = self == .stress
    return try Heap(configuration: configuration)
  }
}

/// Lets one whole cycle pass on the calling thread's mutator while `word` is in callee-saved register `register` (0 to 5) and, as
/// far as that can be arranged, nowhere else.
@inline(never) func passCycle(
  _ way: CycleWay, _ heap: Heap, _ mutator: Mutator, holding word: HiddenAddress, in register: Int
) {
  var passage = Passage(way: way, heap: heap, mutator: mutator)
  scrubStack()
  withUnsafeMutablePointer(to: &passage) { passage in
    tricolor_call_with_hidden_register(Int32(register), word.masked, HiddenAddress.key, passCycleCallback, passage)
  }
}

private struct Passage {
  let way: CycleWay
  let heap: Heap
  let mutator: Mutator

  func run() {
    let done = Shared(false)
    let heap = self.heap
    switch way {
    case .collecting: heap.collect()
    case .stress: mutator.poll()
    case .polling:
      let other = RunningThread {
        heap.collect()
        done.withLock { $0 = true }
      }
      while !done.withLock({ $0 }) { mutator.poll() }
      mutator.blocking { other.wait() }
    case .blocking:
      // Deep frames, so that what the region's own frame saved on the way in is overwritten before the stack is scanned.
      mutator.blocking { collectDeep(heap, 20) }
    case .leaving: leave()
    }
  }
}

extension Passage {
  /// The collector holds this thread at the roots handshake until the thread has had the time to reach its wait.
  fileprivate func leave() {
    let isHeld = Shared(false)
    heap.onCycleStep { step in
      guard step == .holding(.roots), !isHeld.withLock({ $0 }) else { return }
      isHeld.withLock { $0 = true }
      usleep(20_000)
    }
    let heap = self.heap
    let other = RunningThread { heap.collect() }
    mutator.blocking { while !isHeld.withLock({ $0 }) { usleep(50) } }
    heap.onCycleStep(nil)
    mutator.blocking { other.wait() }
  }
}

@inline(never) private func collectDeep(_ heap: Heap, _ depth: Int) {
  var words = InlineArray<64, UInt>(repeating: 0)
  withUnsafeMutableBytes(of: &words) { tricolor_keep(UInt(bitPattern: $0.baseAddress!)) }
  if depth > 0 { collectDeep(heap, depth - 1) } else { RunningThread { heap.collect() }.wait() }
  tricolor_keep(words[0])
}

private func passCycleCallback(_ context: UnsafeMutableRawPointer?) {
  context!.assumingMemoryBound(to: Passage.self).pointee.run()
}
