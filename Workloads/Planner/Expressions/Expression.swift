// A typed expression as a planner holds it: a tree of nodes on the managed heap, each with the type of what it yields.
//
// One payload for all kinds, as parsers make them: what a kind does not use stays zero. Three-valued logic throughout; nil is SQL's
// NULL. Arithmetic never traps: integers and decimals wrap, a real number that is not finite is nil.

import Tricolor

/// What an expression yields.
enum ValueType: UInt8 {
  case integer, real, decimal, text, truth
}

/// What a node does with its children.
enum ExpressionKind: UInt8 {
  /// A column of the row.
  case column
  case constant
  /// `operation` on two children of its own type.
  case arithmetic
  /// `operation` on two children of one type, which yields a truth value.
  case comparison
  /// And, or, not.
  case logic
  /// Its child's value in another numeric type.
  case cast
  /// `operation` on one child.
  case function
  /// When the first child is true the second one's value, else the third's.
  case choice
}

enum Operation: UInt8 {
  case none
  case add, subtract, multiply
  case less, equal
  case and, or, not
  case negate, magnitude, length
}

struct Expression: Managed {
  static let slot = TypeSlot()
  var kind: ExpressionKind
  var type: ValueType
  var operation = Operation.none
  var column: Int32 = 0
  /// A constant's bits.
  var low: UInt64 = 0
  var high: UInt64 = 0
  /// A constant text.
  var text: Reference<Bytes>? = nil
  var children = InlineArray<3, Reference<Expression>?>(repeating: nil)
}

extension Reference where Target == Expression {
  /// Child `index`, which this kind of node has.
  @inline(__always) func child(_ index: Int) -> Reference<Expression> { self.children[index].unsafelyUnwrapped }
}
