// A tree of tasks that is ended from above: a parent, branches with deadlines of their own, and leaves that send and receive through one small
// channel until they are cancelled. Half of the trees are cancelled, half run into the parent's deadline.
//
// What must hold: every leaf ends, none before it is told to; what a leaf was told is sent is in the channel or was received, once. A send that was
// cancelled put nothing in, a receive that was cancelled took nothing out. Leaves count for themselves, outside the managed heap; numbers are
// compared as sums of their hashes, which tell multisets apart.

import Harness
import Histogram
import Synchronization
import Tricolor
import TricolorPlatform

/// One tree.
final class TaskTree: Sendable {
  /// What trees came to.
  struct Counts: Sendable {
    var trees = 0
    var leaves = 0
    var ended = 0
    var early = 0
    var sent = 0
    var received = 0
    var left = 0
    var unequal = 0
    var deadlines = 0
    /// From the moment leaves were told to end until the last of a tree had, the longest.
    var longestNanoseconds: UInt64 = 0

    /// What did not hold.
    var faults: Int { leaves - ended + early + unequal + (sent == received + left ? 0 : 1) }
  }

  private static let branches = 10
  private static let capacity = 16
  private static let life: UInt64 = 20_000_000

  /// What one leaf did. Written by it alone, read when the tree is over.
  private struct Leaf {
    var sent = 0
    var received = 0
    var sums: (sent: UInt64, received: UInt64) = (0, 0)
    var endedAt: UInt64 = 0
  }

  private let context: RunContext
  private let channel: ManagedChannel<Reference<Parcel>>
  private let leaves: Mutex<[Leaf]>
  private let seed: UInt64

  init(_ context: RunContext, leaves: Int, number: Int) throws {
    self.context = context
    self.leaves = Mutex([Leaf](repeating: Leaf(), count: leaves))
    seed = context.seed &+ UInt64(number)
    channel = try context.heap.withMutator { mutator in try ManagedChannel(capacity: TaskTree.capacity, mutator) }
  }

  /// Grows the tree, ends it, and adds what came of it to `counts`.
  ///
  /// - Parameter byDeadline: whether the parent's deadline ends it, and not a cancellation.
  func live(byDeadline: Bool, _ counts: inout Counts) async throws {
    let count = leaves.withLock { $0.count }
    var random = SplitMix64(seed: seed)
    // In this order, and the cancellation's time is taken before it, so that nobody can seem to end early who does not.
    let beganAt = Clock.monotonic()
    let began = ContinuousClock.now
    let parentLife = TaskTree.life
    // Some before the parent's, some after.
    let lives = (0..<TaskTree.branches).map { _ in TaskTree.life / 2 + UInt64(random.below(Int(TaskTree.life))) }
    let parent = Task { [self] in
      try await withDeadline(began + .nanoseconds(Int64(byDeadline ? parentLife : parentLife * 1000))) {
        try await self.grow(count, began, lives)
      }
    }
    if !byDeadline { try await Task.sleep(nanoseconds: parentLife) }
    let cancelledAt = byDeadline ? beganAt + parentLife : Clock.monotonic()
    if !byDeadline { parent.cancel() }
    do {
      try await parent.value
    } catch is DeadlineExceeded {
      counts.deadlines += 1
    } catch is CancellationError {
      // As it was told to.
    }
    try await settle(beganAt, cancelledAt, lives, &counts)
  }

  private func grow(_ count: Int, _ began: ContinuousClock.Instant, _ lives: [UInt64]) async throws {
    try await withThrowingTaskGroup(of: Void.self) { group in
      for (branch, life) in lives.enumerated() {
        group.addTask { [self] in
          do {
            try await withDeadline(began + .nanoseconds(Int64(life))) {
              try await self.growBranch(branch, count)
            }
          } catch is DeadlineExceeded {
            // The others go on until the parent ends.
          }
        }
      }
      try await group.waitForAll()
    }
  }

  private func growBranch(_ branch: Int, _ count: Int) async throws {
    try await withThrowingTaskGroup(of: Void.self) { group in
      for leaf in stride(from: branch, to: count, by: TaskTree.branches) {
        group.addTask { [self] in try await self.liveAsLeaf(leaf) }
      }
      try await group.waitForAll()
    }
  }

  /// Sends, or receives, until it is cancelled.
  private func liveAsLeaf(_ leaf: Int) async throws {
    var own = Leaf()
    defer {
      own.endedAt = Clock.monotonic()
      leaves.withLock { [own] in $0[leaf] = own }
    }
    // Two in three send, so that most of those wait.
    while true {
      if leaf % 3 == 0 {
        let received = try await channel.receive { _, parcel in parcel.word }
        guard let received else { return }
        own.received += 1
        own.sums.received &+= received
      } else {
        let number = leaf << 32 | own.sent
        let word = Parcel.word(number, seed: seed)
        try await channel.send { mutator in try mutator.make(Parcel(number: number, word: word, sentAt: 0)) }
        own.sent += 1
        own.sums.sent &+= word
      }
    }
  }

  /// Counts what is left in the channel, and what leaves did.
  private func settle(
    _ beganAt: UInt64, _ cancelledAt: UInt64, _ lives: [UInt64], _ counts: inout Counts
  ) async throws {
    channel.close()
    var left = 0
    var sum: UInt64 = 0
    while let word = try await channel.receive({ _, parcel in parcel.word }) {
      left += 1
      sum &+= word
    }
    var latencies = TasksWorkload.kinds.map { _ in Latencies.empty() }
    var sent: UInt64 = 0
    for (index, leaf) in leaves.withLock({ $0 }).enumerated() {
      counts.sent += leaf.sent
      counts.received += leaf.received
      sent &+= leaf.sums.sent
      sum &+= leaf.sums.received
      counts.leaves += 1
      guard leaf.endedAt > 0 else { continue }
      counts.ended += 1
      let told = min(cancelledAt, beganAt + lives[index % TaskTree.branches])
      if leaf.endedAt < told { counts.early += 1 }
      let late = leaf.endedAt < told ? 0 : leaf.endedAt - told
      latencies[TasksKind.ending.rawValue].record(min(late, Latencies.largest))
      counts.longestNanoseconds = max(counts.longestNanoseconds, late)
    }
    if sent != sum { counts.unequal += 1 }
    counts.left += left
    counts.trees += 1
    context.add(latencies)
  }
}
