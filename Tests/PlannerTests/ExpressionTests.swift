// Expressions: the three evaluators and the shadow agree, on random expressions and on what SQL says of nil.

import Harness
import Testing
import Tricolor

@testable import Planner

/// A heap that collects often and overwrites what it frees.
func testHeap() throws -> Heap {
  var configuration = Heap.Configuration()
  configuration.settings.debug.clobberFree = true
  configuration.settings.minimumHeap = 256 << 10
  return try Heap(configuration: configuration)
}

@Suite("Expressions")
struct ExpressionTests {
  /// The checksums of all evaluators over the rows of `columns`, the shadow's first.
  private func checksums(
    _ expression: PlainExpression, _ columns: PlainColumns, _ mutator: Mutator
  ) throws -> [UInt64] {
    let chunk = try columns.makeChunk(mutator)
    let tree = try expression.make(mutator)
    return [
      PlainOutcome(expression, columns).checksum,
      TypedEvaluation.checksum(tree, chunk, rows: columns.rows, mutator),
      TaggedEvaluation.checksum(tree, chunk, rows: columns.rows, mutator),
      try BoxedEvaluation.checksum(tree, chunk, rows: columns.rows, mutator),
    ]
  }

  @Test("boxed, tagged and typed evaluation yield what the shadow does", arguments: 0..<8)
  func evaluatorsAgree(_ part: Int) throws {
    try testHeap().withMutator { mutator in
      var random = SplitMix64(seed: UInt64(part))
      let columns = PlainColumns(rows: 50, &random)
      for number in 0..<60 {
        let type: ValueType = number % 2 == 0 ? .truth : PlainColumns.types[number / 2 % PlainColumns.types.count]
        let expression = PlainExpression.make(type, depth: 1 + number % 6, &random)
        #expect(expression.type == type)
        let found = try checksums(expression, columns, mutator)
        #expect(Set(found).count == 1, "seed \(part), expression \(number): \(expression)")
      }
    }
  }

  @Test("a value that changes in the heap changes what every evaluator yields")
  func changedValueShows() throws {
    try testHeap().withMutator { mutator in
      var random = SplitMix64(seed: 1)
      let columns = PlainColumns(rows: 20, &random)
      let chunk = try columns.makeChunk(mutator)
      let tree = try PlainExpression.column(0, .integer).make(mutator)
      let expected = PlainOutcome(.column(0, .integer), columns).checksum
      #expect(TypedEvaluation.checksum(tree, chunk, rows: 20, mutator) == expected)
      let row = (0..<20).first { chunk[0]!.nulls![$0] == 0 }!
      chunk[0]!.values![8 * row] ^= 1
      #expect(TypedEvaluation.checksum(tree, chunk, rows: 20, mutator) != expected)
      #expect(TaggedEvaluation.checksum(tree, chunk, rows: 20, mutator) != expected)
      #expect(try BoxedEvaluation.checksum(tree, chunk, rows: 20, mutator) != expected)
    }
  }

  private static let null = PlainExpression.comparison(
    .less, .arithmetic(.add, .column(0, .integer), .column(0, .integer)), .number(low: 0, high: 0, .integer))
  private static let yes = PlainExpression.comparison(
    .less, .number(low: 1, high: 0, .integer), .number(low: 2, high: 0, .integer))
  private static let no = PlainExpression.not(yes)

  /// An expression and what it yields where column 0 is nil.
  static let logic: [(PlainExpression, Bool?)] = [
    (null, nil), (yes, true), (no, false), (.not(null), nil),
    (.and(null, no), false), (.and(no, null), false), (.and(null, yes), nil), (.and(yes, null), nil),
    (.and(yes, yes), true), (.or(null, yes), true), (.or(yes, null), true), (.or(null, no), nil), (.or(no, null), nil),
    (.or(no, no), false), (.choice(null, yes, no), false), (.choice(yes, no, yes), false),
  ]

  @Test("nil is neither true nor false, and and and or know when it does not matter")
  func nilIsThirdValue() throws {
    try testHeap().withMutator { mutator in
      var random = SplitMix64(seed: 3)
      let columns = PlainColumns(rows: 200, &random)
      let chunk = try columns.makeChunk(mutator)
      let row = Row(chunk: chunk, index: (0..<200).first { chunk[0]!.nulls![$0] == 1 }!)
      for (expression, expected) in ExpressionTests.logic {
        let tree = try expression.make(mutator)
        #expect(TypedEvaluation.truth(tree, row) == expected, "\(expression)")
        #expect(TaggedEvaluation.value(tree, row).hash == ValueHash.of(truth: expected), "\(expression)")
        #expect(try BoxedEvaluation.value(tree, row, mutator).value.hash == ValueHash.of(truth: expected))
      }
    }
  }

  @Test("only boxes allocate")
  func onlyBoxesAllocate() throws {
    let heap = try testHeap()
    var random = SplitMix64(seed: 5)
    let columns = PlainColumns(rows: 20_000, &random)
    let expression = PlainExpression.arithmetic(.add, .column(0, .integer), .column(1, .integer))
    let (chunk, tree) = try heap.withMutator { mutator in
      (mutator.root(try columns.makeChunk(mutator)), mutator.root(try expression.make(mutator)))
    }
    func allocations(_ body: @Sendable (Reference<Expression>, RowChunk, Mutator) throws -> UInt64) throws -> Int {
      // Cycles give cells back and hand them out again: none may be under way.
      heap.collect()
      var interval = HeapInterval()
      try interval.measure(heap) {
        _ = try heap.withMutator { mutator in try body(tree.get(mutator)!, chunk.get(mutator)!, mutator) }
      }
      return interval.allocatedObjects
    }
    let boxed = try allocations { try BoxedEvaluation.checksum($0, $1, rows: 20_000, $2) }
    #expect(try allocations { TypedEvaluation.checksum($0, $1, rows: 20_000, $2) } == 0)
    #expect(try allocations { TaggedEvaluation.checksum($0, $1, rows: 20_000, $2) } == 0)
    // Two operands and a sum for a row, less where a nil is.
    #expect((45_000...65_000).contains(boxed), "\(boxed)")
  }

  @Test("decimals keep four places, wrap and convert")
  func decimalsCompute() {
    let a = Decimal(casting: Int64(3))
    let b = Decimal(units: -12_345)
    #expect(Decimal.adding(a, b) == Decimal(units: 17_655))
    #expect(Decimal.multiplying(a, b) == Decimal(units: -37_035))
    #expect(Decimal(low: b.low, high: b.high) == b)
    #expect(b.approximate == -1.2345)
    #expect(Int64(casting: b) == -1)
    #expect(Decimal(units: Int128.max).approximate > 1e34)
    #expect(Double.multiplying(.greatestFiniteMagnitude, 2) == nil)
    #expect(Int64.adding(.max, 1) == .min)
  }
}
