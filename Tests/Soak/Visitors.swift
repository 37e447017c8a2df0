// Threads that come for a moment: each makes a chain that only its stack refers to, is parked while cycles pass, looks
// whether the chain is still what it was, and ends, some of them after having been outside for a while. So threads
// attach, park and end at every step of a cycle.

import Glibc
import Harness
import Synchronization
import Tricolor
import TricolorPlatform

/// A link of a visitor's chain.
private struct Bead: Managed {
  static let slot = TypeSlot()
  var number: Int
  var next: Reference<Bead>?
}

/// Sends visitors into a heap until told to stop.
final class Visitors: Sendable {
  private static let mostAtOnce = 8
  private static let longestChain = 2_000
  private static let mostMicroseconds = 20_000

  private let heap: Heap
  private let seed: UInt64
  private let isStopping = Atomic<Bool>(false)
  private let visited = Atomic<Int>(0)
  private let broken = Atomic<Int>(0)
  private let failed = Mutex<(any Error)?>(nil)

  init(_ heap: Heap, seed: UInt64) {
    self.heap = heap
    self.seed = seed
  }

  /// Visits that have ended.
  var visits: Int { visited.load(ordering: .relaxed) }
  /// Visitors whose chain was not what they had made.
  var brokenChains: Int { broken.load(ordering: .relaxed) }
  /// What ended the visits early: no room for a thread, or for a chain.
  var error: (any Error)? { failed.withLock { $0 } }

  func stop() { isStopping.store(true, ordering: .relaxed) }

  /// Groups of visitors, one after the other, until `stop` or an error.
  func run() {
    var random = SplitMix64(seed: seed)
    while !isStopping.load(ordering: .relaxed) && error == nil {
      var group: [NativeThread] = []
      for _ in 0..<1 + random.below(Visitors.mostAtOnce) {
        let seed = random.next()
        do {
          group.append(try NativeThread.start(name: "visitor") { self.visit(seed) })
        } catch {
          failed.withLock { $0 = error }
        }
      }
      for visitor in group { visitor.join() }
      visited.wrappingAdd(group.count, ordering: .relaxed)
    }
  }

  private func visit(_ seed: UInt64) {
    var random = SplitMix64(seed: seed)
    let count = 1 + random.below(Visitors.longestChain)
    let parkedMicroseconds = random.below(Visitors.mostMicroseconds)
    do {
      let isIntact = try heap.withMutator { m in
        let chain = try Visitors.makeChain(count, m)
        m.blocking { _ = usleep(UInt32(parkedMicroseconds)) }
        return Visitors.isChain(chain, of: count)
      }
      if !isIntact { broken.wrappingAdd(1, ordering: .relaxed) }
    } catch {
      failed.withLock { $0 = error }
    }
    if random.next() & 1 == 0 { usleep(UInt32(random.below(Visitors.mostMicroseconds))) }
  }

  private static func makeChain(_ count: Int, _ m: Mutator) throws(OutOfMemory) -> Reference<Bead> {
    var first = try m.make(Bead(number: 0, next: nil))
    for number in 1..<max(1, count) { first = try m.make(Bead(number: number, next: first)) }
    return first
  }

  private static func isChain(_ first: Reference<Bead>, of count: Int) -> Bool {
    var expected = count - 1
    var bead: Reference<Bead>? = first
    while let this = bead {
      if this.number != expected { return false }
      expected -= 1
      bead = this.next
    }
    return expected == -1
  }
}
