// Evaluation by boxes: every node yields a reference to an object that holds its value, as evaluators over interfaces or `Any` do. Nil
// is no object. The operations are those of tagged values; what is added is the object: made, filled, read again, and garbage at once.

import Harness
import Tricolor

/// A value on the managed heap.
struct Box: Managed {
  static let slot = TypeSlot()
  var type: ValueType
  var low: UInt64
  var high: UInt64 = 0
  var text: Reference<Bytes>? = nil

  static func make(_ value: Datum, _ mutator: Mutator) throws(OutOfMemory) -> Reference<Box>? {
    switch value {
    case .null: nil
    case .truth(let value): try mutator.make(Box(type: .truth, low: value ? 1 : 0))
    case .integer(let value): try mutator.make(Box(type: .integer, low: value.low))
    case .real(let value): try mutator.make(Box(type: .real, low: value.low))
    case .decimal(let value): try mutator.make(Box(type: .decimal, low: value.low, high: value.high))
    case .text(let value): try mutator.make(Box(type: .text, low: 0, text: value))
    }
  }
}

extension Optional where Wrapped == Reference<Box> {
  /// The value in the box.
  var value: Datum {
    guard let box = self else { return .null }
    switch box.type {
    case .truth: return .truth(box.low == 1)
    case .integer: return .integer(Int64(low: box.low, high: 0))
    case .real: return .real(Double(low: box.low, high: 0))
    case .decimal: return .decimal(Decimal(low: box.low, high: box.high))
    case .text: return .text(box.text.unsafelyUnwrapped)
    }
  }
}

/// Evaluates expressions with boxed values.
enum BoxedEvaluation {
  static func checksum(
    _ expression: Reference<Expression>, _ chunk: RowChunk, rows: Int, _ mutator: Mutator
  ) throws(OutOfMemory) -> UInt64 {
    var state: UInt64 = 0
    for row in 0..<rows {
      mutator.poll()
      state = Checksum.combine(state, try value(expression, Row(chunk: chunk, index: row), mutator).value.hash)
    }
    return state
  }

  static func value(
    _ node: Reference<Expression>, _ row: Row, _ mutator: Mutator
  ) throws(OutOfMemory) -> Reference<Box>? {
    switch node.kind {
    case .column: return try Box.make(DatumOperations.column(node, row), mutator)
    case .constant: return try Box.make(DatumOperations.constant(node), mutator)
    case .arithmetic, .comparison:
      let left = try value(node.child(0), row, mutator)
      if left == nil { return nil }
      let right = try value(node.child(1), row, mutator)
      let result =
        node.kind == .arithmetic
        ? DatumOperations.arithmetic(node.operation, left.value, right.value)
        : DatumOperations.comparison(node.operation, left.value, right.value)
      return try Box.make(result, mutator)
    case .logic: return try logic(node, row, mutator)
    case .cast:
      return try Box.make(DatumOperations.cast(try value(node.child(0), row, mutator).value, to: node.type), mutator)
    case .function:
      return try Box.make(
        DatumOperations.function(node.operation, try value(node.child(0), row, mutator).value), mutator)
    case .choice:
      let isTrue = try value(node.child(0), row, mutator).value.isTrue
      return try value(node.child(isTrue ? 1 : 2), row, mutator)
    }
  }

  private static func logic(
    _ node: Reference<Expression>, _ row: Row, _ mutator: Mutator
  ) throws(OutOfMemory) -> Reference<Box>? {
    let left = try value(node.child(0), row, mutator)
    switch node.operation {
    case .not: return try Box.make(left == nil ? .null : .truth(left.value.isFalse), mutator)
    case .and: if left.value.isFalse { return left }
    default: if left.value.isTrue { return left }
    }
    let right = try value(node.child(1), row, mutator)
    return try Box.make(DatumOperations.logic(node.operation, left.value, right.value), mutator)
  }
}
