// write-heavy: a program that does little but store references. Every thread has a table of nodes with four slots each; a write lets
// a random slot of a random node refer to another one, and every eighth replaces a node by a new one with the old one's slots. The
// allocation keeps the collector running, so much of the time the stores meet an active barrier.
//
// A replaced node lives on for as long as slots refer to it, and keeps the slots it had; so what lives grows with the writes.
// Slots and nodes are chosen by the seed alone: the sum over table and slots at the end is the same in every language.

import Harness
import Tricolor
import TricolorPlatform

struct WriteNode: Managed {
  static let slot = TypeSlot()
  var slots: InlineArray<4, Reference<WriteNode>?>
  var number: UInt64
  var complement: UInt64

  init(slots: InlineArray<4, Reference<WriteNode>?>, number: Int) {
    self.slots = slots
    self.number = UInt64(number)
    complement = ~self.number
  }
}

typealias WriteTable = Reference<ReferenceArray<WriteNode>>

/// `tricolor run write-heavy`.
public struct WriteHeavy: Workload {
  public static let name = "write-heavy"
  public static let summary = "references stored at random into a table of nodes: the barrier"
  public static let kinds = ["batch"]
  public static let options: [any AnyWorkloadOption] = [nodesOption, writesOption]
  private static let nodesOption = WorkloadOption.integer(
    "nodes", 1...1 << 30, default: 500_000, help: "nodes of 48 bytes in the tables of all threads")
  private static let writesOption = WorkloadOption.integer(
    "writes", 1...1 << 40, default: 20_000_000, help: "stores, over all threads")
  /// Writes in an operation: one takes less time than a look at the clock.
  private static let batch = 1000

  private let nodes: Int
  private let writes: Int

  public init(options: OptionValues) throws(UsageError) {
    nodes = try options.value(of: Self.nodesOption)
    writes = try options.value(of: Self.writesOption)
  }

  private struct Part: Sendable {
    var writes = 0
    var isIntact = true
    var check: UInt64 = 0
  }

  public func run(_ context: RunContext) throws -> WorkloadResult {
    let share = max(1, nodes / context.threads)
    context.phase("build")
    let tables = try context.runClients { _, mutator in try makeTable(count: share, context, mutator) }
    context.phase("write")
    let parts = try context.runClients { client, mutator in
      var part = Part()
      // Without a table where the user interrupted the building.
      guard let table = tables[client.index].get(mutator) else { return part }
      part.writes = try write(table, client, threads: context.threads, mutator)
      client.endMeasuring(mutator)
      (part.isIntact, part.check) = check(table, mutator)
      return part
    }
    return WorkloadResult(
      verified: parts.allSatisfy(\.isIntact),
      figures: [
        "nodes": .integer(share * context.threads), "writes": .integer(parts.reduce(0) { $0 + $1.writes }),
        "check": .unsigned(parts.reduce(0) { $0 &+ $1.check }),
      ])
  }

  /// A thread's nodes, linked as every peer does; nothing when the user interrupts.
  private func makeTable(
    count: Int, _ context: RunContext, _ mutator: Mutator
  ) throws(OutOfMemory) -> Root<ReferenceArray<WriteNode>> {
    let table = try mutator.makeArray(of: WriteNode.self, count: count)
    for number in 0..<count {
      if context.isInterrupted { return mutator.root(nil) }
      table[number] = try mutator.make(WriteNode(slots: .init(repeating: nil), number: number))
    }
    for number in 0..<count {
      if context.isInterrupted { return mutator.root(nil) }
      mutator.poll()
      let slots = table[number]!.slots
      for slot in slots.indices { slots[slot] = table[(number * 4 + slot + 1) % count] }
    }
    return mutator.root(table)
  }

  /// Does this client's share of the writes, in batches; how many it did.
  private func write(
    _ table: WriteTable, _ client: Client, threads: Int, _ mutator: Mutator
  ) throws(OutOfMemory) -> Int {
    let share = writes * (client.index + 1) / threads - writes * client.index / threads
    var random = client.random
    var done = 0
    while done < share && !client.shouldStop {
      let end = min(done + Self.batch, share)
      let began = Clock.monotonic()
      for number in done..<end { try write(number, to: table, &random, mutator) }
      client.record(kind: 0, nanoseconds: Clock.monotonic() - began)
      done = end
    }
    return done
  }

  @inline(__always)
  private func write(
    _ number: Int, to table: WriteTable, _ random: inout SplitMix64, _ mutator: Mutator
  ) throws(OutOfMemory) {
    mutator.poll()
    let place = random.below(table.count)
    let other = random.below(table.count)
    if number % 8 == 7 {
      let old = table[place]!.slots
      table[place] = try mutator.make(
        WriteNode(slots: [old[0], old[1], old[2], old[3]], number: table.count + number))
    } else {
      table[place]!.slots[number & 3] = table[other]
    }
  }

  /// Whether every node of the table, and every node that one refers to, holds what it was made with; and the sum over all.
  private func check(_ table: WriteTable, _ mutator: Mutator) -> (isIntact: Bool, sum: UInt64) {
    var isIntact = true
    var sum: UInt64 = 0
    for place in 0..<table.count {
      mutator.poll()
      let node = table[place]!
      isIntact = isIntact && node.complement == ~node.number
      sum &+= node.number &* 31
      for slot in node.slots.indices {
        let other = node.slots[slot]!
        isIntact = isIntact && other.complement == ~other.number
        sum &+= other.number
      }
    }
    return (isIntact, sum)
  }
}
