// The shadow of statistics: columns outside the managed heap, and what must be found of them, computed the obvious way.

import Harness
import Tricolor

/// A numeric column outside the managed heap, and the checksum of its statistics.
struct PlainStatistics: Sendable {
  let values: PlainColumns.Values
  let rows: Int
  let checksum: UInt64

  init<Value: PlanNumber>(
    rows: Int, _ random: inout SplitMix64, as wrap: ([Value?]) -> PlainColumns.Values,
    _ make: (inout SplitMix64) -> Value
  ) {
    let column: [Value?] = (0..<rows).map { _ in random.below(20) == 0 ? nil : make(&random) }
    values = wrap(column)
    self.rows = rows
    let present = column.compactMap(\.self)
    var bits = Set<Int>()
    for value in present { bits.insert(StatisticsMethod.bit(ValueHash.of(number: value))) }
    let sample = column.indices.filter { StatisticsMethod.isSampled($0, rows: rows) }.compactMap { column[$0] }.sorted()
    let bounds = (0..<StatisticsMethod.buckets).map { bucket in
      sample.isEmpty ? 0 : sample[max(0, StatisticsMethod.place(of: bucket, count: sample.count))].approximate
    }
    let mean = present.isEmpty ? 0 : present.reduce(0.0) { $0 + $1.approximate } / Double(present.count)
    let distinct = StatisticsMethod.distinct(zeros: StatisticsMethod.mapBits - bits.count)
    var state = Checksum.combine(UInt64(rows), UInt64(rows - present.count))
    for value in [present.min()?.approximate ?? 0, present.max()?.approximate ?? 0, mean, distinct] {
      state = Checksum.combine(state, value.bitPattern)
    }
    checksum = Checksum.combine(state, bounds.withUnsafeBytes { Checksum.hash($0) })
  }

  /// One column of each numeric type: few different integers, many reals, decimals in between.
  static func makeAll(rows: Int, _ random: inout SplitMix64) -> [PlainStatistics] {
    [
      PlainStatistics(rows: rows, &random, as: PlainColumns.Values.integers) { Int64($0.below(5000)) },
      PlainStatistics(rows: rows, &random, as: PlainColumns.Values.reals) { Double($0.below(1 << 30)) / 4096 },
      PlainStatistics(rows: rows, &random, as: PlainColumns.Values.decimals) {
        Decimal(units: Int128($0.below(20_000) * 25))
      },
    ]
  }

  /// The same on the managed heap.
  func makeColumn(_ mutator: Mutator) throws(OutOfMemory) -> Reference<Column> {
    switch values {
    case .integers(let values): try Planner.makeColumn(values, mutator)
    case .reals(let values): try Planner.makeColumn(values, mutator)
    case .decimals(let values): try Planner.makeColumn(values, mutator)
    case .texts: preconditionFailure("statistics are of numeric columns")
    }
  }
}
