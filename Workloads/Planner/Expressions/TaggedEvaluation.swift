// Evaluation by tags: every node yields a value of any type on the stack, and every operation looks at the tags of its operands. As
// dynamic as boxes, without the heap: the difference between the two is what boxes cost.

import Harness
import Tricolor

/// Evaluates expressions with tagged values.
enum TaggedEvaluation {
  static func checksum(_ expression: Reference<Expression>, _ chunk: RowChunk, rows: Int, _ mutator: Mutator) -> UInt64
  {
    var state: UInt64 = 0
    for row in 0..<rows {
      mutator.poll()
      state = Checksum.combine(state, value(expression, Row(chunk: chunk, index: row)).hash)
    }
    return state
  }

  static func value(_ node: Reference<Expression>, _ row: Row) -> Datum {
    switch node.kind {
    case .column: return DatumOperations.column(node, row)
    case .constant: return DatumOperations.constant(node)
    case .arithmetic:
      let left = value(node.child(0), row)
      if left.isNull { return .null }
      return DatumOperations.arithmetic(node.operation, left, value(node.child(1), row))
    case .comparison:
      let left = value(node.child(0), row)
      if left.isNull { return .null }
      return DatumOperations.comparison(node.operation, left, value(node.child(1), row))
    case .logic: return logic(node, row)
    case .cast: return DatumOperations.cast(value(node.child(0), row), to: node.type)
    case .function: return DatumOperations.function(node.operation, value(node.child(0), row))
    case .choice: return value(node.child(value(node.child(0), row).isTrue ? 1 : 2), row)
    }
  }

  private static func logic(_ node: Reference<Expression>, _ row: Row) -> Datum {
    let left = value(node.child(0), row)
    switch node.operation {
    case .not: return left.isNull ? .null : .truth(left.isFalse)
    case .and: if left.isFalse { return left }
    default: if left.isTrue { return left }
    }
    return DatumOperations.logic(node.operation, left, value(node.child(1), row))
  }
}
