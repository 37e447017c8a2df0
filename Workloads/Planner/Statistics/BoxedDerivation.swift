// Statistics by boxes: the same method written once over values of any type, each an object on the managed heap, with every comparison
// and conversion looking at the boxes' types. What a planner does that has one `Datum` for all types and no generics.

import Harness
import Tricolor

/// Derives statistics through boxes.
enum BoxedDerivation {
  /// Throws `OutOfMemory` only; sorting hides the type.
  static func derive(
    _ column: Reference<Column>, rows: Int, _ mutator: Mutator
  ) throws -> Reference<ColumnStatistics> {
    var nulls = 0
    var sum = 0.0
    var least: Reference<Box>? = nil
    var largest: Reference<Box>? = nil
    let sample = try mutator.makeArray(of: Box.self, count: 2 * StatisticsMethod.sampleSize)
    var sampled = 0
    let map = try mutator.makeBytes(count: StatisticsMethod.mapBits / 8)
    for row in 0..<rows {
      mutator.poll()
      guard let box = try value(column, row, mutator) else {
        nulls += 1
        continue
      }
      sum += approximate(box)
      if try least.map({ try isLess(box, $0, mutator) }) ?? true { least = box }
      if try largest.map({ try isLess($0, box, mutator) }) ?? true { largest = box }
      let bit = StatisticsMethod.bit(Optional(box).value.hash)
      map[bit >> 3] |= 1 << UInt8(bit & 7)
      if StatisticsMethod.isSampled(row, rows: rows) {
        sample[sampled] = box
        sampled += 1
      }
    }
    let order = try (0..<sampled).sorted { try isLess(sample[$0], sample[$1], mutator) }
    let bounds = try mutator.makeBounds(sampled: sampled) { approximate(sample[order[$0]]!) }
    return try mutator.make(
      ColumnStatistics(
        rows: rows, nulls: nulls, least: least.map(approximate) ?? 0, largest: largest.map(approximate) ?? 0,
        mean: rows == nulls ? 0 : sum / Double(rows - nulls), distinct: StatisticsMethod.distinct(zeros: map.zeroBits),
        bounds: bounds))
  }

  private static func value(
    _ column: Reference<Column>, _ row: Int, _ mutator: Mutator
  ) throws(OutOfMemory) -> Reference<Box>? {
    if column.nulls![row] != 0 { return nil }
    let values = column.values!.bytes
    switch column.type {
    case .integer:
      return try Box.make(.integer(values.loadUnaligned(fromByteOffset: row * 8, as: Int64.self)), mutator)
    case .real: return try Box.make(.real(values.loadUnaligned(fromByteOffset: row * 8, as: Double.self)), mutator)
    case .decimal:
      return try Box.make(.decimal(values.loadUnaligned(fromByteOffset: row * 16, as: Decimal.self)), mutator)
    case .text, .truth: preconditionFailure("statistics are of numeric columns")
    }
  }

  /// A comparison whose result is a box too, as of any other operation.
  private static func isLess(
    _ left: Reference<Box>?, _ right: Reference<Box>?, _ mutator: Mutator
  ) throws(OutOfMemory) -> Bool {
    try Box.make(DatumOperations.comparison(.less, left.value, right.value), mutator).value.isTrue
  }

  private static func approximate(_ box: Reference<Box>) -> Double {
    switch Optional(box).value {
    case .integer(let value): value.approximate
    case .real(let value): value
    case .decimal(let value): value.approximate
    case .null, .truth, .text: 0
    }
  }
}
