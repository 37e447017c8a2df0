// write-heavy: a program that does little but store references. Every thread has a table of nodes with four slots each; a write lets a
// random slot of a random node refer to another one, and every eighth replaces a node by a new one with the old one's slots. A
// replaced node lives on for as long as slots refer to it, and keeps the slots it had.
//
// The nodes form cycles, so most replaced ones never die: counting cannot know that nobody reaches them. The report says
// `leaks`.

final class WriteNode {
  var slots: InlineArray<4, WriteNode?>
  let number: UInt64
  let complement: UInt64

  init(_ number: Int, slots: InlineArray<4, WriteNode?>) {
    self.slots = slots
    self.number = UInt64(number)
    complement = ~self.number
  }

  var holdsItsNumber: Bool { complement == ~number }
}

enum WriteHeavy: Workload {
  static let name = "write-heavy"
  static let summary = "references stored at random into a table of nodes"
  static let options = [
    Option("nodes", 1...1 << 30, default: 500_000, help: "nodes in the tables of all threads"),
    Option("writes", 1...1 << 40, default: 20_000_000, help: "stores, over all threads"),
  ]
  private static let batch = 1000

  private struct Part {
    var table: [WriteNode]
    var durations = Histogram()

    init(count: Int) {
      table = (0..<count).map { WriteNode($0, slots: .init(repeating: nil)) }
      for number in 0..<count {
        for slot in 0..<4 { table[number].slots[slot] = table[(number * 4 + slot + 1) % count] }
      }
    }

    mutating func write(_ writes: Int, _ random: inout SplitMix64) {
      for first in stride(from: 0, to: writes, by: batch) {
        let began = Clock.monotonic()
        writeBatch(first..<min(first + batch, writes), &random)
        durations.record(Clock.monotonic() - began)
      }
    }

    private mutating func writeBatch(_ numbers: Range<Int>, _ random: inout SplitMix64) {
      let count = table.count
      for number in numbers {
        let place = random.below(count)
        let other = random.below(count)
        if number % 8 == 7 {
          table[place] = WriteNode(count + number, slots: table[place].slots)
        } else {
          table[place].slots[number & 3] = table[other]
        }
      }
    }

    /// Whether every node of the table, and every node that one refers to, holds what it was made with; and the sum over all.
    func check() -> (isIntact: Bool, sum: UInt64) {
      var isIntact = true
      var sum: UInt64 = 0
      for node in table {
        isIntact = isIntact && node.holdsItsNumber
        sum &+= node.number &* 31
        for slot in node.slots.indices {
          let other = node.slots[slot]!
          isIntact = isIntact && other.holdsItsNumber
          sum &+= other.number
        }
      }
      return (isIntact, sum)
    }
  }

  static func perform(_ run: Run, _ report: Report) throws(Ending) {
    let writes = run["writes"]
    let share = max(1, run["nodes"] / run.threads)
    let parts = try Clients.run(run.threads) { index in
      var random = SplitMix64(seed: run.seed, client: index)
      var part = Part(count: share)
      part.write(Clients.share(of: writes, index, run.threads), &random)
      return part
    }
    report.endMeasuring()
    let checks = parts.map { $0.check() }
    report.durations = parts.reduce(into: Histogram()) { $0.add($1.durations) }
    report.operations = Int(report.durations!.total)
    report.verified = checks.allSatisfy(\.isIntact)
    report.result = [
      ("nodes", .integer(share * run.threads)), ("writes", .integer(writes)),
      ("check", .unsigned(checks.reduce(0) { $0 &+ $1.sum })), ("leaks", .bool(true)),
    ]
  }
}
