// A cycle that stays in its marking phase for as long as a measurement needs it.

import CTricolorShims
import Glibc
import Synchronization
@_spi(Testing) import Tricolor
import TricolorPlatform

/// Begins cycles of a heap and holds each before its first round of `finish`. Used inside `withMutator`.
final class HeldCycle {
  private let heap: Heap
  private let mutator: Mutator
  private let gate = Gate()
  private var waiter: NativeThread?
  private var batches = 0
  private var batchesWithBarrier = 0

  /// What the collector thread waits at.
  private final class Gate: Sendable {
    let isHolding = Atomic(false)
    let isOpen = Atomic(true)
    let changed = FutexEvent()

    func pass() {
      if isOpen.load(ordering: .acquiring) { return }
      isHolding.store(true, ordering: .releasing)
      while true {
        let seen = changed.current()
        if isOpen.load(ordering: .acquiring) { return }
        changed.wait(past: seen)
      }
    }
  }

  init(_ heap: Heap, _ mutator: Mutator) {
    self.heap = heap
    self.mutator = mutator
    let gate = self.gate
    heap.onCycleStep { if $0 == .round { gate.pass() } }
  }

  /// Begins a cycle, unless one is held, and returns when everything that lives is marked.
  func begin() throws {
    if waiter != nil { return }
    gate.isHolding.store(false, ordering: .releasing)
    gate.isOpen.store(false, ordering: .releasing)
    let heap = self.heap
    waiter = try NativeThread.start(name: "micro-cycle") { heap.collect() }
    while !gate.isHolding.load(ordering: .acquiring) {
      mutator.poll()
      sched_yield()
    }
    mutator.poll()
  }

  /// Lets the held cycle end, if there is one.
  func end() {
    guard let waiter else { return }
    gate.isOpen.store(true, ordering: .releasing)
    gate.changed.signalAll()
    mutator.blocking { waiter.join() }
    self.waiter = nil
  }

  /// Notes whether this thread's barrier is on while the cycle is held, as it was at every moment since `begin`.
  func noteBarrier() -> Bool {
    batches += 1
    let isOn = waiter != nil && tricolor_barrier() != 0
    if isOn { batchesWithBarrier += 1 }
    return isOn
  }

  /// In how many batches the barrier was on.
  var share: String { "\(batchesWithBarrier) of \(batches) batches" }
}
