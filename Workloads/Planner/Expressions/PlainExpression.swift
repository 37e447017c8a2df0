// The shadow of an expression: the same tree as an enumeration outside the managed heap, made from the same random numbers. It says
// what every evaluation must yield, and how many nodes it visits.

import Harness
import Tricolor

/// An expression outside the managed heap.
indirect enum PlainExpression: Sendable {
  case column(Int, ValueType)
  case number(low: UInt64, high: UInt64, ValueType)
  case text([UInt8])
  case arithmetic(Operation, PlainExpression, PlainExpression)
  case comparison(Operation, PlainExpression, PlainExpression)
  case and(PlainExpression, PlainExpression)
  case or(PlainExpression, PlainExpression)
  case not(PlainExpression)
  case cast(PlainExpression, ValueType)
  case function(Operation, PlainExpression)
  case choice(PlainExpression, PlainExpression, PlainExpression)

  /// A random expression of `type`, at most `depth` levels below its root.
  static func make(_ type: ValueType, depth: Int, _ random: inout SplitMix64) -> PlainExpression {
    func child(_ type: ValueType) -> PlainExpression { make(type, depth: depth - 1, &random) }
    if type == .truth { return makeTruth(depth: depth, &random) }
    if depth == 0 || random.below(8) == 0 { return makeLeaf(type, &random) }
    if random.below(8) == 0 || type == .text && random.below(2) == 0 {
      return .choice(child(.truth), child(type), child(type))
    }
    if type == .text { return makeLeaf(type, &random) }
    switch random.below(8) {
    case 0: return .cast(child(numeric(&random)), type)
    case 1: return .function(random.below(2) == 0 ? .negate : .magnitude, child(type))
    case 2 where type == .integer: return .function(.length, child(.text))
    default:
      let operations: [Operation] = [.add, .subtract, .multiply]
      return .arithmetic(operations[random.below(3)], child(type), child(type))
    }
  }

  private static func makeTruth(depth: Int, _ random: inout SplitMix64) -> PlainExpression {
    func child(_ type: ValueType) -> PlainExpression { make(type, depth: max(0, depth - 1), &random) }
    switch depth > 1 ? random.below(8) : 7 {
    case 0: return .and(child(.truth), child(.truth))
    case 1: return .or(child(.truth), child(.truth))
    case 2: return .not(child(.truth))
    case 3: return .choice(child(.truth), child(.truth), child(.truth))
    default:
      let type = random.below(4) == 0 ? .text : numeric(&random)
      return .comparison(random.below(4) == 0 ? .equal : .less, child(type), child(type))
    }
  }

  private static func makeLeaf(_ type: ValueType, _ random: inout SplitMix64) -> PlainExpression {
    if random.below(3) > 0 {
      let first = PlainColumns.types.firstIndex(of: type)!
      return .column(first + random.below(2), type)
    }
    let number = random.below(200) - 100
    switch type {
    case .integer: return .number(low: Int64(number).low, high: 0, type)
    case .real: return .number(low: (Double(number) / 8).low, high: 0, type)
    case .decimal:
      let value = Decimal(units: Int128(number) * 1234)
      return .number(low: value.low, high: value.high, type)
    case .text, .truth: return .text(PlainColumns.text(&random))
    }
  }

  private static func numeric(_ random: inout SplitMix64) -> ValueType { [.integer, .real, .decimal][random.below(3)] }

  var type: ValueType {
    switch self {
    case .column(_, let type), .number(_, _, let type), .cast(_, let type): type
    case .text: .text
    case .arithmetic(_, let left, _): left.type
    case .comparison, .and, .or, .not: .truth
    case .function(let operation, let operand): operation == .length ? .integer : operand.type
    case .choice(_, let value, _): value.type
    }
  }

  /// The same on the managed heap.
  func make(_ mutator: Mutator) throws(OutOfMemory) -> Reference<Expression> {
    switch self {
    case .column(let column, let type):
      return try mutator.make(Expression(kind: .column, type: type, column: Int32(column)))
    case .number(let low, let high, let type):
      return try mutator.make(Expression(kind: .constant, type: type, low: low, high: high))
    case .text(let text):
      return try mutator.make(Expression(kind: .constant, type: .text, text: try mutator.makeText(text)))
    case .arithmetic(let operation, let left, let right):
      return try node(.arithmetic, operation, [left, right], mutator)
    case .comparison(let operation, let left, let right):
      return try node(.comparison, operation, [left, right], mutator)
    case .and(let left, let right): return try node(.logic, .and, [left, right], mutator)
    case .or(let left, let right): return try node(.logic, .or, [left, right], mutator)
    case .not(let operand): return try node(.logic, .not, [operand], mutator)
    case .cast(let operand, _): return try node(.cast, .none, [operand], mutator)
    case .function(let operation, let operand): return try node(.function, operation, [operand], mutator)
    case .choice(let condition, let first, let second):
      return try node(.choice, .none, [condition, first, second], mutator)
    }
  }

  private func node(
    _ kind: ExpressionKind, _ operation: Operation, _ children: [PlainExpression], _ mutator: Mutator
  ) throws(OutOfMemory) -> Reference<Expression> {
    let node = try mutator.make(Expression(kind: kind, type: type, operation: operation))
    for (index, child) in children.enumerated() { node.children[index] = try child.make(mutator) }
    return node
  }
}

/// What evaluating an expression over all rows must yield.
struct PlainOutcome: Sendable {
  /// As `TypedEvaluation.checksum`.
  let checksum: UInt64
  /// Nodes visited; an operand that cannot change the result is not.
  let nodes: Int

  init(_ expression: PlainExpression, _ columns: PlainColumns) {
    var evaluation = PlainEvaluation(columns: columns)
    var state: UInt64 = 0
    for row in 0..<columns.rows { state = Checksum.combine(state, evaluation.value(expression, row).hash) }
    checksum = state
    nodes = evaluation.nodes
  }
}

/// A value outside the managed heap; nil where the expression yields none.
private enum PlainValue {
  case null
  case truth(Bool)
  case integer(Int64)
  case real(Double)
  case decimal(Decimal)
  case text([UInt8])

  var hash: UInt64 {
    switch self {
    case .null: ValueHash.of(truth: nil)
    case .truth(let value): ValueHash.of(truth: value)
    case .integer(let value): ValueHash.of(number: value)
    case .real(let value): ValueHash.of(number: value)
    case .decimal(let value): ValueHash.of(number: value)
    case .text(let value): value.withUnsafeBytes { Checksum.hash($0) }
    }
  }
}

private struct PlainEvaluation {
  let columns: PlainColumns
  var nodes = 0

  mutating func value(_ expression: PlainExpression, _ row: Int) -> PlainValue {
    nodes += 1
    switch expression {
    case .column(let column, _): return cell(columns.columns[column], row)
    case .number(let low, let high, let type):
      switch type {
      case .integer: return .integer(Int64(low: low, high: high))
      case .real: return .real(Double(low: low, high: high))
      default: return .decimal(Decimal(low: low, high: high))
      }
    case .text(let text): return .text(text)
    case .arithmetic(let operation, let left, let right):
      return arithmetic(operation, value(left, row)) { $0.value(right, row) }
    case .comparison(let operation, let left, let right):
      return comparison(operation, value(left, row)) { $0.value(right, row) }
    case .and(let left, let right): return connect(left, right, row, decidedBy: false)
    case .or(let left, let right): return connect(left, right, row, decidedBy: true)
    case .not(let operand):
      if case .truth(let value) = value(operand, row) { return .truth(!value) }
      return .null
    case .cast(let operand, let type): return cast(value(operand, row), type)
    case .function(let operation, let operand): return function(operation, value(operand, row))
    case .choice(let condition, let first, let second):
      if case .truth(true) = value(condition, row) { return value(first, row) }
      return value(second, row)
    }
  }

  private func cell(_ values: PlainColumns.Values, _ row: Int) -> PlainValue {
    switch values {
    case .integers(let values): values[row].map { .integer($0) } ?? .null
    case .reals(let values): values[row].map { .real($0) } ?? .null
    case .decimals(let values): values[row].map { .decimal($0) } ?? .null
    case .texts(let values): values[row].map { .text($0) } ?? .null
    }
  }

  private mutating func arithmetic(
    _ operation: Operation, _ left: PlainValue, _ right: (inout PlainEvaluation) -> PlainValue
  ) -> PlainValue {
    if case .null = left { return .null }
    switch (left, right(&self)) {
    case (.integer(let a), .integer(let b)):
      return .integer(operation == .add ? a &+ b : operation == .subtract ? a &- b : a &* b)
    case (.real(let a), .real(let b)):
      let result = operation == .add ? a + b : operation == .subtract ? a - b : a * b
      return result.isFinite ? .real(result) : .null
    case (.decimal(let a), .decimal(let b)): return Decimal.apply(operation, a, b).map { .decimal($0) } ?? .null
    default: return .null
    }
  }

  private mutating func comparison(
    _ operation: Operation, _ left: PlainValue, _ right: (inout PlainEvaluation) -> PlainValue
  ) -> PlainValue {
    if case .null = left { return .null }
    switch (left, right(&self)) {
    case (.integer(let a), .integer(let b)): return .truth(operation == .less ? a < b : a == b)
    case (.real(let a), .real(let b)): return .truth(operation == .less ? a < b : a == b)
    case (.decimal(let a), .decimal(let b)): return .truth(operation == .less ? a < b : a == b)
    case (.text(let a), .text(let b)): return .truth(operation == .less ? a.lexicographicallyPrecedes(b) : a == b)
    default: return .null
    }
  }

  /// And is decided by false, or by true; nil decides nothing.
  private mutating func connect(
    _ left: PlainExpression, _ right: PlainExpression, _ row: Int, decidedBy decisive: Bool
  ) -> PlainValue {
    let first = value(left, row)
    if case .truth(decisive) = first { return first }
    let second = value(right, row)
    if case .truth(decisive) = second { return second }
    if case .truth = first, case .truth = second { return .truth(!decisive) }
    return .null
  }

  private func cast(_ value: PlainValue, _ type: ValueType) -> PlainValue {
    switch (value, type) {
    case (.integer(let value), .integer): .integer(value)
    case (.integer(let value), .real): .real(Double(value))
    case (.integer(let value), .decimal): .decimal(Decimal(casting: value))
    case (.real(let value), .integer): .integer(Int64(casting: value))
    case (.real(let value), .real): .real(value)
    case (.real(let value), .decimal): .decimal(Decimal(casting: value))
    case (.decimal(let value), .integer): .integer(Int64(casting: value))
    case (.decimal(let value), .real): .real(value.approximate)
    case (.decimal(let value), .decimal): .decimal(value)
    default: .null
    }
  }

  private func function(_ operation: Operation, _ value: PlainValue) -> PlainValue {
    switch value {
    case .integer(let value): .integer(operation == .negate ? 0 &- value : Int64(truncatingIfNeeded: value.magnitude))
    case .real(let value): .real(operation == .negate ? -value : Swift.abs(value))
    case .decimal(let value): .decimal(Decimal.apply(operation, value))
    case .text(let value): .integer(Int64(value.count))
    case .null, .truth: .null
    }
  }
}
