// Interleavings that always happen: the collector is held at steps of its cycle, and threads wait for steps and for each other.
//
// A script is a set of things that have happened: steps the collector has passed, and words that threads have said. Waiting looks
// again every 50 µs; a wait of 20 seconds means that the script cannot go on, and ends the process with the name of what is missing.

import Glibc
import Synchronization
@_spi(Testing) import Tricolor

/// One scripted cycle of one heap.
final class Script: Sendable {
  private struct Progress {
    var steps: Set<CycleStep> = []
    var words: Set<String> = []
    var holds: Set<CycleStep> = []
  }
  private let progress = Shared(Progress())

  /// Listens to `heap`; the collector stops at each of `holds` until it is released.
  init(_ heap: Heap, holdingAt holds: CycleStep...) {
    progress.withLock { $0.holds = Set(holds) }
    heap.onCycleStep { step in self.pass(step) }
  }

  private func pass(_ step: CycleStep) {
    progress.withLock { _ = $0.steps.insert(step) }
    wait("release of \(step)") { self.progress.withLock { !$0.holds.contains(step) } }
  }

  /// Lets the collector go on from `step`.
  func release(_ step: CycleStep) { progress.withLock { _ = $0.holds.remove(step) } }

  func say(_ word: String) { progress.withLock { _ = $0.words.insert(word) } }

  func hasPassed(_ step: CycleStep) -> Bool { progress.withLock { $0.steps.contains(step) } }
  func hasHeard(_ word: String) -> Bool { progress.withLock { $0.words.contains(word) } }

  /// Waits for a step; a mutator given polls meanwhile, so that it answers every handshake up to there.
  func wait(for step: CycleStep, polling mutator: Mutator? = nil) {
    wait("\(step)", polling: mutator) { self.hasPassed(step) }
  }
  func wait(for word: String, polling mutator: Mutator? = nil) {
    wait("\"\(word)\"", polling: mutator) { self.hasHeard(word) }
  }

  func wait(_ what: String, polling mutator: Mutator? = nil, until condition: () -> Bool) {
    let end = ContinuousClock.now + .seconds(60)
    while ContinuousClock.now < end {
      if condition() { return }
      mutator?.poll()
      usleep(50)
    }
    fatalError("the script waited in vain for \(what)")
  }
}

/// An object with a slot of every kind.
struct Holder: Managed {
  static let slot = TypeSlot()
  var number: Int
  var field: Reference<Link>?
  var slots: InlineArray<3, Reference<Link>?>
  var array: Reference<ReferenceArray<Link>>?
  var elements: Reference<ElementArray<Link>>?
}

extension Reference where Target == Link {
  var leftSlot: UnsafeMutableRawPointer { address + MemoryLayout<Link>.offset(of: \.left)! }
}
