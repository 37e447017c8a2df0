// Evaluation by type: a function for each type of value, generic over the numeric ones, that yields the value itself. Nothing is
// allocated: a nil is a flag beside the value, in a register.

import Harness
import Tricolor

/// Evaluates expressions without boxes.
enum TypedEvaluation {
  /// The hash of what `expression` yields for every row of `chunk`.
  static func checksum(_ expression: Reference<Expression>, _ chunk: RowChunk, rows: Int, _ mutator: Mutator) -> UInt64
  {
    switch expression.type {
    case .integer: numbers(expression, Int64.self, chunk, rows, mutator)
    case .real: numbers(expression, Double.self, chunk, rows, mutator)
    case .decimal: numbers(expression, Decimal.self, chunk, rows, mutator)
    case .text: each(rows, mutator) { ValueHash.of(text: text(expression, Row(chunk: chunk, index: $0))) }
    case .truth: each(rows, mutator) { ValueHash.of(truth: truth(expression, Row(chunk: chunk, index: $0))) }
    }
  }

  private static func numbers<Value: PlanNumber>(
    _ expression: Reference<Expression>, _: Value.Type, _ chunk: RowChunk, _ rows: Int, _ mutator: Mutator
  ) -> UInt64 {
    each(rows, mutator) { ValueHash.of(number: number(expression, Value.self, Row(chunk: chunk, index: $0))) }
  }

  @inline(__always)
  private static func each(_ rows: Int, _ mutator: Mutator, _ hash: (Int) -> UInt64) -> UInt64 {
    var state: UInt64 = 0
    for row in 0..<rows {
      mutator.poll()
      state = Checksum.combine(state, hash(row))
    }
    return state
  }

  static func number<Value: PlanNumber>(_ node: Reference<Expression>, _: Value.Type, _ row: Row) -> Value? {
    switch node.kind {
    case .column: return row.number(node.column, Value.self)
    case .constant: return Value(low: node.low, high: node.high)
    case .arithmetic:
      guard let left = number(node.child(0), Value.self, row), let right = number(node.child(1), Value.self, row)
      else { return nil }
      return Value.apply(node.operation, left, right)
    case .function: return function(node, row)
    case .cast: return cast(node.child(0), row)
    case .choice:
      let isTrue = truth(node.child(0), row) == true
      return number(node.child(isTrue ? 1 : 2), Value.self, row)
    case .comparison, .logic: preconditionFailure("a \(node.kind) yields no number")
    }
  }

  private static func function<Value: PlanNumber>(_ node: Reference<Expression>, _ row: Row) -> Value? {
    if node.operation == .length { return text(node.child(0), row).map { Value(casting: Int64($0.count)) } }
    return number(node.child(0), Value.self, row).map { Value.apply(node.operation, $0) }
  }

  private static func cast<Value: PlanNumber>(_ node: Reference<Expression>, _ row: Row) -> Value? {
    switch node.type {
    case .integer: return number(node, Int64.self, row).map { Value(casting: $0) }
    case .real: return number(node, Double.self, row).map { Value(casting: $0) }
    case .decimal: return number(node, Decimal.self, row).map { Value(casting: $0) }
    case .text, .truth: preconditionFailure("\(node.type) is not cast to a number")
    }
  }

  static func text(_ node: Reference<Expression>, _ row: Row) -> Reference<Bytes>? {
    switch node.kind {
    case .column: return row.text(node.column)
    case .constant: return node.text
    case .choice: return text(node.child(truth(node.child(0), row) == true ? 1 : 2), row)
    default: preconditionFailure("a \(node.kind) yields no text")
    }
  }

  static func truth(_ node: Reference<Expression>, _ row: Row) -> Bool? {
    switch node.kind {
    case .comparison:
      switch node.child(0).type {
      case .integer: return compare(node, Int64.self, row)
      case .real: return compare(node, Double.self, row)
      case .decimal: return compare(node, Decimal.self, row)
      case .text:
        guard let left = text(node.child(0), row), let right = text(node.child(1), row) else { return nil }
        return TextOrder.compare(node.operation, left, right)
      case .truth: preconditionFailure("truth values are not compared")
      }
    case .logic: return logic(node, row)
    case .choice: return truth(node.child(truth(node.child(0), row) == true ? 1 : 2), row)
    case .column, .constant, .arithmetic, .cast, .function: preconditionFailure("a \(node.kind) yields no truth value")
    }
  }

  private static func compare<Value: PlanNumber>(
    _ node: Reference<Expression>, _: Value.Type, _ row: Row
  ) -> Bool? {
    guard let left = number(node.child(0), Value.self, row), let right = number(node.child(1), Value.self, row)
    else { return nil }
    return Value.compare(node.operation, left, right)
  }

  private static func logic(_ node: Reference<Expression>, _ row: Row) -> Bool? {
    let left = truth(node.child(0), row)
    switch node.operation {
    case .not: return left.map { !$0 }
    case .and:
      if left == false { return false }
      let right = truth(node.child(1), row)
      return right == false ? false : left == nil || right == nil ? nil : true
    default:
      if left == true { return true }
      let right = truth(node.child(1), row)
      return right == true ? true : left == nil || right == nil ? nil : false
    }
  }
}

/// The order of texts: by bytes, a prefix before what it begins.
enum TextOrder {
  @inline(__always)
  static func compare(_ operation: Operation, _ left: Reference<Bytes>, _ right: Reference<Bytes>) -> Bool {
    let shared = min(left.count, right.count)
    for index in 0..<shared {
      let (a, b) = (left[index], right[index])
      if a != b { return operation == .less && a < b }
    }
    return operation == .less ? left.count < right.count : left.count == right.count
  }
}

/// One word for each value of any type, for checksums.
enum ValueHash {
  private static let ofNil: UInt64 = 0x6E69_6C21

  @inline(__always) static func of<Value: PlanNumber>(number: Value?) -> UInt64 {
    guard let number else { return ofNil }
    return number.low ^ number.high &* 0x9E37_79B9_7F4A_7C15
  }

  @inline(__always) static func of(text: Reference<Bytes>?) -> UInt64 {
    text.map { $0.withBytes { Checksum.hash(UnsafeRawBufferPointer($0)) } } ?? ofNil
  }

  @inline(__always) static func of(truth: Bool?) -> UInt64 { truth.map { $0 ? 1 : 2 } ?? ofNil }
}
