// Statistics by generics: one function, compiled for each numeric type, that reads values where they lie.

import Harness
import Tricolor

/// Derives statistics of numeric columns.
enum TypedDerivation {
  static func derive(
    _ column: Reference<Column>, rows: Int, _ mutator: Mutator
  ) throws(OutOfMemory) -> Reference<ColumnStatistics> {
    switch column.type {
    case .integer: try derive(column, Int64.self, rows, mutator)
    case .real: try derive(column, Double.self, rows, mutator)
    case .decimal: try derive(column, Decimal.self, rows, mutator)
    case .text, .truth: preconditionFailure("statistics are of numeric columns")
    }
  }

  private static func derive<Value: PlanNumber>(
    _ column: Reference<Column>, _: Value.Type, _ rows: Int, _ mutator: Mutator
  ) throws(OutOfMemory) -> Reference<ColumnStatistics> {
    var nulls = 0
    var sum = 0.0
    var least: Value? = nil
    var largest: Value? = nil
    var sample: [Value] = []
    sample.reserveCapacity(2 * StatisticsMethod.sampleSize)
    let map = try mutator.makeBytes(count: StatisticsMethod.mapBits / 8)
    let flags = column.nulls!
    let values = column.values!
    for row in 0..<rows {
      mutator.poll()
      if flags[row] != 0 {
        nulls += 1
        continue
      }
      let value = values.bytes.loadUnaligned(fromByteOffset: row &* MemoryLayout<Value>.stride, as: Value.self)
      sum += value.approximate
      if least.map({ value < $0 }) ?? true { least = value }
      if largest.map({ value > $0 }) ?? true { largest = value }
      let bit = StatisticsMethod.bit(ValueHash.of(number: value))
      map[bit >> 3] |= 1 << UInt8(bit & 7)
      if StatisticsMethod.isSampled(row, rows: rows) { sample.append(value) }
    }
    sample.sort()
    let bounds = try mutator.makeBounds(sampled: sample.count) { sample[$0].approximate }
    return try mutator.make(
      ColumnStatistics(
        rows: rows, nulls: nulls, least: least?.approximate ?? 0, largest: largest?.approximate ?? 0,
        mean: rows == nulls ? 0 : sum / Double(rows - nulls), distinct: StatisticsMethod.distinct(zeros: map.zeroBits),
        bounds: bounds))
  }
}

extension Mutator {
  /// The bounds of a histogram over a sorted sample.
  func makeBounds(sampled count: Int, _ value: (Int) -> Double) throws(OutOfMemory) -> Reference<Bytes> {
    try makeBytes(count: StatisticsMethod.buckets * 8) { bytes in
      for bucket in 0..<StatisticsMethod.buckets {
        let bound = count == 0 ? 0 : value(max(0, StatisticsMethod.place(of: bucket, count: count)))
        bytes.storeBytes(of: bound, toByteOffset: bucket * 8, as: Double.self)
      }
    }
  }
}

extension Reference where Target == Bytes {
  var zeroBits: Int { withBytes { $0.reduce(0) { $0 + (~$1).nonzeroBitCount } } }
}
