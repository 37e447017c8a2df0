// Tasks that stand at a bounded channel, each with state on the managed heap, and messages that go to whoever is next and come back acknowledged.
//
// One task sends and one collects, so what they know needs no lock. A round ends with a marker that says how many messages it had: its
// acknowledgements may be overtaken by it, for workers are many.

import Harness
import Histogram
import Synchronization
import Tricolor
import TricolorPlatform

/// The channels and the tasks between them.
final class Pipeline: Sendable {
  /// What a worker's state said at its end.
  struct WorkerEnd: Sendable {
    let received: Int
    let sum: UInt64
  }

  private static let batch = 64

  private let context: RunContext
  private let jobs: ManagedChannel<Reference<Parcel>>
  private let acknowledgements: ManagedChannel<Reference<Parcel>>
  private let standing = Atomic<Int>(0)

  init(_ context: RunContext, capacity: Int) throws {
    self.context = context
    (jobs, acknowledgements) = try context.heap.withMutator { mutator in
      (try ManagedChannel(capacity: capacity, mutator), try ManagedChannel(capacity: capacity, mutator))
    }
  }

  /// Tasks that have their state and are about to wait, or beyond.
  var standingTasks: Int { standing.load(ordering: .relaxed) }

  /// A worker: takes messages until the channel is closed, and acknowledges each.
  func work() async throws -> WorkerEnd {
    // Where another failed, the rest need not try.
    try Task.checkCancellation()
    let heap = context.heap
    let state = try heap.withMutator { mutator in mutator.root(try TaskState.make(mutator)) }
    standing.wrappingAdd(1, ordering: .relaxed)
    while let root = try await jobs.receive({ mutator, parcel in
      parcel.receivedAt = Clock.monotonic()
      state.get(mutator).unsafelyUnwrapped.note(parcel)
      return mutator.root(parcel)
    }) {
      try await acknowledgements.send(root)
    }
    return heap.withMutator { mutator in
      let state = state.get(mutator).unsafelyUnwrapped
      return WorkerEnd(received: state.received, sum: state.sum)
    }
  }

  /// Sends `count` messages numbered from `first` on, or fewer when the run is to end, and collects all that was sent.
  func round(_ count: Int, from first: Int, into shadow: MessageShadow) async throws {
    shadow.begin(count, from: first)
    async let collecting: Void = collect(into: shadow)
    try await send(count, from: first, into: shadow)
    try await collecting
    shadow.end()
  }

  /// Workers end once they have taken what is left.
  func close() { jobs.close() }

  private func send(_ count: Int, from first: Int, into shadow: MessageShadow) async throws {
    var throttle = Throttle(context, parts: 1)
    var sent = 0
    while sent < count, sent % Pipeline.batch != 0 || !context.shouldStop {
      try await send(first + sent)
      sent += 1
      throttle.count(1)
      while let wait = throttle.nanosecondsAhead(at: Clock.monotonic()), !context.shouldStop {
        try await Task.sleep(nanoseconds: wait)
      }
    }
    shadow.endSending(sent)
    let total = sent
    try await acknowledgements.send { mutator in
      try mutator.make(Parcel(number: -1 - total, word: 0, sentAt: 0))
    }
  }

  private func send(_ number: Int) async throws {
    let word = Parcel.word(number, seed: context.seed)
    try await jobs.send { mutator in
      try mutator.make(Parcel(number: number, word: word, sentAt: Clock.monotonic()))
    }
  }

  private struct Received: Sendable {
    let number: Int
    let word: UInt64
    let sentAt: UInt64
    let receivedAt: UInt64
  }

  private func collect(into shadow: MessageShadow) async throws {
    var latencies = TasksWorkload.kinds.map { _ in Latencies.empty() }
    var all: Int? = nil
    var received = 0
    while received != all {
      guard
        let parcel = try await acknowledgements.receive({ _, parcel in
          Received(number: parcel.number, word: parcel.word, sentAt: parcel.sentAt, receivedAt: parcel.receivedAt)
        })
      else { break }
      if parcel.number < 0 {
        all = -1 - parcel.number
        continue
      }
      received += 1
      shadow.received(parcel.number, parcel.word)
      latencies[TasksKind.delivery.rawValue].record(parcel.receivedAt - parcel.sentAt)
      latencies[TasksKind.acknowledgement.rawValue].record(Clock.monotonic() - parcel.receivedAt)
      if received % Pipeline.batch == 0 { context.add(Pipeline.batch) }
    }
    context.add(received % Pipeline.batch)
    context.add(latencies)
  }
}
