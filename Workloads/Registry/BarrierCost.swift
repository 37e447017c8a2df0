// What the write barrier costs, by itself: one thread reads and writes references in a table of users in random order, first with an idle
// heap, then while another thread reads the same users all the time, then while cycles run one after the other.
//
// A read has no barrier, so what it loses while cycles run is the company of a marker on the caches and the processor; the second
// condition shows how much of that any other thread takes. What writes lose beyond reads is the barrier.

import Glibc
import Harness
import Synchronization
import Tricolor
import TricolorPlatform

/// What else happens meanwhile.
enum BarrierCondition: String, CaseIterable, Sendable {
  case idle, readByAnother, collecting
}

/// CPU nanoseconds of one thread for reads and writes under one condition.
struct BarrierFigures: Sendable {
  var operations = 0
  var readNanoseconds: UInt64 = 0
  var writeNanoseconds: UInt64 = 0
  var cycles = 0

  var json: JSONValue {
    .object([
      .init("readNanoseconds", .ratio(Double(readNanoseconds), Double(operations))),
      .init("writeNanoseconds", .ratio(Double(writeNanoseconds), Double(operations))),
      .init("operations", .integer(operations)), .init("cycles", .integer(cycles)),
    ])
  }
}

/// Measures the barrier on one thread.
struct BarrierCost {
  private static let batch = 1 << 16

  let context: RunContext
  let users: Int
  let operations: Int
  private let board: Root<ReferenceArray<User>>
  private let all: Root<ReferenceArray<User>>
  /// Which user each place of the board holds.
  private var plain: [Int32]
  private(set) var figures: [BarrierCondition: BarrierFigures] = [:]
  private(set) var wrong = 0

  /// A table of so many users; nil when the user interrupts meanwhile.
  init?(_ context: RunContext, users: Int, operations: Int) throws {
    self.context = context
    self.users = users
    self.operations = operations
    let tables = try context.heap.withMutator {
      (mutator) -> (Root<ReferenceArray<User>>, Root<ReferenceArray<User>>)? in
      let all = try mutator.makeArray(of: User.self, count: users)
      let board = try mutator.makeArray(of: User.self, count: users)
      let organisations = try User.makeOrganisations(mutator)
      for id in 0..<users {
        if context.isInterrupted { return nil }
        all[id] = try User.make(id: id, version: 1, organisations, mutator)
        board[id] = all[id]
      }
      return (mutator.root(all), mutator.root(board))
    }
    guard let tables else { return nil }
    (all, board) = tables
    plain = (0..<users).map { Int32($0) }
  }

  /// Measures under one condition, after what has been measured under it before.
  mutating func measure(_ condition: BarrierCondition, seed: UInt64) throws {
    context.phase("barrier, \(condition.rawValue)")
    let cycles = context.heap.statistics.cycles
    let company = try Company(condition, context.heap, all)
    var random = SplitMix64(seed: seed)
    var result = figures[condition] ?? BarrierFigures()
    var done = 0
    while done < operations && !context.shouldStop {
      let count = min(BarrierCost.batch, operations - done)
      let batch = context.heap.withMutator { mutator in
        Batch(count: count, random: random, board: board.get(mutator)!, all: all.get(mutator)!, mutator)
      }
      note(batch, count, &random)
      result.readNanoseconds += batch.readNanoseconds
      result.writeNanoseconds += batch.writeNanoseconds
      done += count
      context.add(2 * count)
    }
    // At least one cycle has run when whoever collects has left.
    company.leave()
    result.operations += done
    result.cycles += context.heap.statistics.cycles - cycles
    figures[condition] = result
  }

  /// Does to the plain table what the batch has done, and compares what it read.
  private mutating func note(_ batch: Batch, _ count: Int, _ random: inout SplitMix64) {
    var sum = 0
    for _ in 0..<count { sum &+= Int(plain[random.below(users)]) }
    for _ in 0..<count { plain[random.below(users)] = Int32(random.below(users)) }
    if sum != batch.sum { wrong += 1 }
  }

  /// Places of the board that do not hold the user they should.
  func misplaced() -> Int {
    context.heap.withMutator { mutator in
      let board = self.board.get(mutator)!
      var count = 0
      for place in 0..<users {
        mutator.poll()
        let id = Int(plain[place])
        if board[place]?.isWhole(id: id) != true { count += 1 }
      }
      return count
    }
  }

  var json: JSONValue {
    .object(BarrierCondition.allCases.map { .init($0.rawValue, (figures[$0] ?? BarrierFigures()).json) })
  }
}

/// So many reads, then so many writes, timed.
private struct Batch: Sendable {
  var sum = 0
  let readNanoseconds: UInt64
  let writeNanoseconds: UInt64

  init(
    count: Int, random: SplitMix64, board: Reference<ReferenceArray<User>>, all: Reference<ReferenceArray<User>>,
    _ mutator: Mutator
  ) {
    var random = random
    let users = board.count
    let began = Clock.threadCPU()
    for _ in 0..<count {
      mutator.poll()
      sum &+= board[random.below(users)].unsafelyUnwrapped.id
    }
    let between = Clock.threadCPU()
    for _ in 0..<count {
      mutator.poll()
      let place = random.below(users)
      board[place] = all[random.below(users)]
    }
    readNanoseconds = between - began
    writeNanoseconds = Clock.threadCPU() - between
  }
}

/// A thread that does something else meanwhile.
private final class Company: Sendable {
  private let leaves = Atomic<Bool>(false)
  private let arrived = Atomic<Bool>(false)
  nonisolated(unsafe) private var thread: NativeThread? = nil

  init(_ condition: BarrierCondition, _ heap: Heap, _ users: Root<ReferenceArray<User>>) throws {
    switch condition {
    case .idle: return
    case .readByAnother: thread = try NativeThread.start(name: "reader") { self.read(heap, users) }
    case .collecting: thread = try NativeThread.start(name: "collect") { self.collect(heap) }
    }
    while !arrived.load(ordering: .acquiring) { sched_yield() }
  }

  func leave() {
    leaves.store(true, ordering: .relaxed)
    thread?.join()
  }

  private func collect(_ heap: Heap) {
    while !leaves.load(ordering: .relaxed) {
      arrived.store(true, ordering: .releasing)
      heap.collect()
    }
  }

  private func read(_ heap: Heap, _ users: Root<ReferenceArray<User>>) {
    let isWhole = heap.withMutator { mutator in
      let users = users.get(mutator)!
      var isWhole = true
      var id = 0
      while !leaves.load(ordering: .relaxed) {
        mutator.poll()
        arrived.store(true, ordering: .releasing)
        isWhole = isWhole && users[id]!.isWhole(id: id)
        id = (id + 1) % users.count
      }
      return isWhole
    }
    precondition(isWhole, "a user that nobody changes is not what was made")
  }
}
