// A value of any type with its tag beside it, on the stack: what an evaluator that is not generic passes around when it need not
// allocate. Between it and boxes lies the heap, between it and generics the dispatch on tags.

import Harness
import Tricolor

/// A value of any type. Lives on the stack only.
enum Datum {
  case null
  case truth(Bool)
  case integer(Int64)
  case real(Double)
  case decimal(Decimal)
  case text(Reference<Bytes>)

  var hash: UInt64 {
    switch self {
    case .null: ValueHash.of(truth: nil)
    case .truth(let value): ValueHash.of(truth: value)
    case .integer(let value): ValueHash.of(number: value)
    case .real(let value): ValueHash.of(number: value)
    case .decimal(let value): ValueHash.of(number: value)
    case .text(let value): ValueHash.of(text: value)
    }
  }

  /// Whether it is true, which nil is not.
  var isTrue: Bool { if case .truth(true) = self { true } else { false } }
  var isFalse: Bool { if case .truth(false) = self { true } else { false } }
  var isNull: Bool { if case .null = self { true } else { false } }
}

/// What operations mean, for values that carry their types.
enum DatumOperations {
  static func column(_ node: Reference<Expression>, _ row: Row) -> Datum {
    switch node.type {
    case .integer: row.number(node.column, Int64.self).map { .integer($0) } ?? .null
    case .real: row.number(node.column, Double.self).map { .real($0) } ?? .null
    case .decimal: row.number(node.column, Decimal.self).map { .decimal($0) } ?? .null
    case .text: row.text(node.column).map { .text($0) } ?? .null
    case .truth: preconditionFailure("there are no columns of truth values")
    }
  }

  static func constant(_ node: Reference<Expression>) -> Datum {
    switch node.type {
    case .integer: .integer(Int64(low: node.low, high: node.high))
    case .real: .real(Double(low: node.low, high: node.high))
    case .decimal: .decimal(Decimal(low: node.low, high: node.high))
    case .text: .text(node.text.unsafelyUnwrapped)
    case .truth: preconditionFailure("there are no constant truth values")
    }
  }

  static func arithmetic(_ operation: Operation, _ left: Datum, _ right: Datum) -> Datum {
    switch (left, right) {
    case (.integer(let left), .integer(let right)): Int64.apply(operation, left, right).map { .integer($0) } ?? .null
    case (.real(let left), .real(let right)): Double.apply(operation, left, right).map { .real($0) } ?? .null
    case (.decimal(let left), .decimal(let right)):
      Decimal.apply(operation, left, right).map { .decimal($0) } ?? .null
    default: .null
    }
  }

  static func comparison(_ operation: Operation, _ left: Datum, _ right: Datum) -> Datum {
    switch (left, right) {
    case (.integer(let left), .integer(let right)): .truth(Int64.compare(operation, left, right))
    case (.real(let left), .real(let right)): .truth(Double.compare(operation, left, right))
    case (.decimal(let left), .decimal(let right)): .truth(Decimal.compare(operation, left, right))
    case (.text(let left), .text(let right)): .truth(TextOrder.compare(operation, left, right))
    default: .null
    }
  }

  static func function(_ operation: Operation, _ value: Datum) -> Datum {
    switch value {
    case .integer(let value): .integer(Int64.apply(operation, value))
    case .real(let value): .real(Double.apply(operation, value))
    case .decimal(let value): .decimal(Decimal.apply(operation, value))
    case .text(let value): .integer(Int64(value.count))
    case .null, .truth: .null
    }
  }

  static func cast(_ value: Datum, to type: ValueType) -> Datum {
    switch value {
    case .integer(let value): cast(type, Int64(casting: value), Double(casting: value), Decimal(casting: value))
    case .real(let value): cast(type, Int64(casting: value), Double(casting: value), Decimal(casting: value))
    case .decimal(let value): cast(type, Int64(casting: value), Double(casting: value), Decimal(casting: value))
    case .null, .truth, .text: .null
    }
  }

  @inline(__always)
  private static func cast(
    _ type: ValueType, _ integer: @autoclosure () -> Int64, _ real: @autoclosure () -> Double,
    _ decimal: @autoclosure () -> Decimal
  ) -> Datum {
    switch type {
    case .integer: .integer(integer())
    case .real: .real(real())
    case .decimal: .decimal(decimal())
    case .text, .truth: preconditionFailure("numbers are not cast to \(type)")
    }
  }

  /// And, or, not, once the first operand has not decided.
  static func logic(_ operation: Operation, _ left: Datum, _ right: Datum) -> Datum {
    switch operation {
    case .and: right.isFalse ? .truth(false) : left.isNull || right.isNull ? .null : .truth(true)
    default: right.isTrue ? .truth(true) : left.isNull || right.isNull ? .null : .truth(false)
    }
  }
}
