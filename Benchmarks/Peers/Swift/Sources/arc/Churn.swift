// churn: a steady live set under constant replacement. Every client keeps a table of records; each operation makes a record of random
// size and puts it in a random place, where it remembers the one it replaces, but not that one's own predecessor, which dies here.
// At the end each record must carry its place's last stamp in every byte.

final class ChurnRecord {
  let stamp: UInt32
  let bytes: [UInt8]
  var previous: ChurnRecord?

  init(replacing previous: ChurnRecord?, stamp: UInt32, size: Int) {
    previous?.previous = nil
    self.stamp = stamp
    self.previous = previous
    bytes = [UInt8](repeating: UInt8(truncatingIfNeeded: stamp), count: size)
  }

  func isIntact(_ expected: UInt32) -> Bool {
    stamp == expected && bytes.allSatisfy { $0 == UInt8(truncatingIfNeeded: expected) }
  }
}

enum Churn: Workload {
  static let name = "churn"
  static let summary = "records of random size replaced at random: a steady live set, constant allocation"
  static let options = [
    Option("records", 1...1 << 30, default: 100_000, help: "records that live, over all threads"),
    Option("bytes", 1...1 << 20, default: 512, help: "the largest payload; sizes are uniform from 1"),
    Option("operations", 1...1 << 40, default: 5_000_000, help: "replacements, over all threads"),
  ]

  private struct Table {
    var records: [ChurnRecord?]
    var stamps: [UInt32]

    init(count: Int) {
      records = Array(repeating: nil, count: count)
      stamps = Array(repeating: 0, count: count)
    }

    mutating func replace(_ operations: Int, largest: Int, _ random: inout SplitMix64) {
      let count = records.count
      for operation in 0..<operations {
        let place = random.below(count)
        let size = 1 + random.below(largest)
        let stamp = UInt32(truncatingIfNeeded: operation)
        records[place] = ChurnRecord(replacing: records[place], stamp: stamp, size: size)
        stamps[place] = stamp
      }
    }

    /// Whether every place holds what was last put there, or nothing where nothing was.
    var isIntact: Bool {
      zip(records, stamps).allSatisfy { record, stamp in record?.isIntact(stamp) ?? (stamp == 0) }
    }

    /// A sum over places that depends on every stamp and size.
    var check: UInt64 {
      zip(1..., records).reduce(0) { sum, entry in
        guard let record = entry.1 else { return sum }
        return sum &+ UInt64(entry.0) &* (UInt64(record.stamp) &* 31 &+ UInt64(record.bytes.count))
      }
    }
  }

  static func perform(_ run: Run, _ report: Report) throws(Ending) {
    let operations = run["operations"]
    let largest = run["bytes"]
    let share = max(1, run["records"] / run.threads)
    let tables = try Clients.run(run.threads) { index in
      var random = SplitMix64(seed: run.seed, client: index)
      var table = Table(count: share)
      let quota = operations / run.threads + (index < operations % run.threads ? 1 : 0)
      table.replace(quota, largest: largest, &random)
      return table
    }
    report.endMeasuring()
    report.operations = operations
    report.verified = tables.allSatisfy(\.isIntact)
    report.result = [
      ("records", .integer(share * run.threads)), ("largestBytes", .integer(largest)),
      ("check", .unsigned(tables.reduce(0) { $0 &+ $1.check })),
    ]
  }
}
