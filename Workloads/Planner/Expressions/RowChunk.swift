// The rows that expressions are evaluated over: a chunk of columns on the managed heap, and the same values in plain arrays outside
// it, from which the shadow computes what every evaluation must yield.

import Harness
import Tricolor

/// A column: numbers side by side in one object without references, or texts; a byte a row says whether it is nil.
struct Column: Managed {
  static let slot = TypeSlot()
  var type: ValueType
  var nulls: Reference<Bytes>?
  var values: Reference<Bytes>? = nil
  var texts: Reference<ReferenceArray<Bytes>>? = nil
}

typealias RowChunk = Reference<ReferenceArray<Column>>

/// A row of a chunk.
struct Row: ~BitwiseCopyable {
  let chunk: RowChunk
  let index: Int

  @inline(__always)
  func number<Value: PlanNumber>(_ column: Int32, _: Value.Type) -> Value? {
    let column = chunk[Int(column)].unsafelyUnwrapped
    if column.nulls.unsafelyUnwrapped[index] != 0 { return nil }
    return column.values.unsafelyUnwrapped.bytes.loadUnaligned(
      fromByteOffset: index &* MemoryLayout<Value>.stride, as: Value.self)
  }

  @inline(__always)
  func text(_ column: Int32) -> Reference<Bytes>? {
    let column = chunk[Int(column)].unsafelyUnwrapped
    if column.nulls.unsafelyUnwrapped[index] != 0 { return nil }
    return column.texts.unsafelyUnwrapped[index]
  }
}

/// The values of a chunk outside the heap.
struct PlainColumns: Sendable {
  enum Values: Sendable {
    case integers([Int64?])
    case reals([Double?])
    case decimals([Decimal?])
    case texts([[UInt8]?])
  }

  /// Two columns of each type.
  static let types: [ValueType] = [.integer, .integer, .real, .real, .decimal, .decimal, .text, .text]
  private static let nilEvery = 16

  let rows: Int
  let columns: [Values]

  init(rows: Int, _ random: inout SplitMix64) {
    self.rows = rows
    var columns: [Values] = []
    for type in PlainColumns.types {
      switch type {
      case .integer: columns.append(.integers(PlainColumns.make(rows, &random) { Int64($0.below(1000)) - 500 }))
      case .real: columns.append(.reals(PlainColumns.make(rows, &random) { Double($0.below(1 << 20)) / 1024 }))
      case .decimal:
        columns.append(
          .decimals(PlainColumns.make(rows, &random) { Decimal(units: Int128($0.below(1 << 24)) - 1 << 23) }))
      case .text, .truth: columns.append(.texts(PlainColumns.make(rows, &random) { PlainColumns.text(&$0) }))
      }
    }
    self.columns = columns
  }

  private static func make<Value>(
    _ rows: Int, _ random: inout SplitMix64, _ value: (inout SplitMix64) -> Value
  ) -> [Value?] {
    (0..<rows).map { _ in random.below(nilEvery) == 0 ? nil : value(&random) }
  }

  /// Four to nineteen letters of four.
  static func text(_ random: inout SplitMix64) -> [UInt8] {
    (0..<4 + random.below(16)).map { _ in UInt8(ascii: "a") + UInt8(random.below(4)) }
  }

  /// The same on the managed heap.
  func makeChunk(_ mutator: Mutator) throws(OutOfMemory) -> RowChunk {
    let chunk = try mutator.makeArray(of: Column.self, count: columns.count)
    for (index, values) in columns.enumerated() {
      switch values {
      case .integers(let values): chunk[index] = try makeColumn(values, mutator)
      case .reals(let values): chunk[index] = try makeColumn(values, mutator)
      case .decimals(let values): chunk[index] = try makeColumn(values, mutator)
      case .texts(let values): chunk[index] = try makeTextColumn(values, mutator)
      }
    }
    return chunk
  }

  private func makeTextColumn(_ values: [[UInt8]?], _ mutator: Mutator) throws(OutOfMemory) -> Reference<Column> {
    let texts = try mutator.makeArray(of: Bytes.self, count: rows)
    for (row, value) in values.enumerated() {
      if let value { texts[row] = try mutator.makeText(value) }
    }
    return try mutator.make(Column(type: .text, nulls: try mutator.makeNulls(values), texts: texts))
  }
}

/// A column of numbers on the managed heap.
func makeColumn<Value: PlanNumber>(_ values: [Value?], _ mutator: Mutator) throws(OutOfMemory) -> Reference<Column> {
  let stride = MemoryLayout<Value>.stride
  let nulls = try mutator.makeNulls(values)
  let bytes = try mutator.makeBytes(count: values.count * stride)
  for (row, value) in values.enumerated() {
    if let value { bytes.bytes.storeBytes(of: value, toByteOffset: row * stride, as: Value.self) }
  }
  return try mutator.make(Column(type: Value.type, nulls: nulls, values: bytes))
}

extension Mutator {
  func makeText(_ text: [UInt8]) throws(OutOfMemory) -> Reference<Bytes> {
    try makeBytes(count: text.count) { $0.copyBytes(from: text) }
  }

  fileprivate func makeNulls<Value>(_ values: [Value?]) throws(OutOfMemory) -> Reference<Bytes> {
    try makeBytes(count: values.count) { bytes in
      for (row, value) in values.enumerated() { bytes[row] = value == nil ? 1 : 0 }
    }
  }
}
