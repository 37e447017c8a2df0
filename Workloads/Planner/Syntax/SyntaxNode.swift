// An abstract syntax tree as a parser makes it: a payload struct for each kind of node, all beginning with the same header, so that a
// reference to the header's type can be narrowed by its kind.
//
// The collector knows an object's layout by its block, not by the type of the reference it came through, so narrowing costs nothing.

import Harness
import Tricolor

enum SyntaxKind: UInt8, CaseIterable {
  case column, constant, unary, binary, function, choice, cast, list
}

/// What every node begins with.
struct SyntaxHeader: BitwiseCopyable {
  var kind: SyntaxKind
  var position: Int32
}

/// A node of any kind.
struct SyntaxNode: Managed {
  static let slot = TypeSlot()
  var header: SyntaxHeader
}

typealias Syntax = Reference<SyntaxNode>

struct ColumnSyntax: Managed {
  static let slot = TypeSlot()
  var header: SyntaxHeader
  var column = 0
}

struct ConstantSyntax: Managed {
  static let slot = TypeSlot()
  var header: SyntaxHeader
  var value = 0
}

struct UnarySyntax: Managed {
  static let slot = TypeSlot()
  var header: SyntaxHeader
  var operand: Syntax?
}

struct BinarySyntax: Managed {
  static let slot = TypeSlot()
  var header: SyntaxHeader
  var left: Syntax?
  var right: Syntax?
}

struct FunctionSyntax: Managed {
  static let slot = TypeSlot()
  var header: SyntaxHeader
  var name: Reference<Bytes>?
  var argument: Syntax?
}

struct ChoiceSyntax: Managed {
  static let slot = TypeSlot()
  var header: SyntaxHeader
  var condition: Syntax?
  var then: Syntax?
  var otherwise: Syntax?
}

struct CastSyntax: Managed {
  static let slot = TypeSlot()
  var header: SyntaxHeader
  var type = 0
  var operand: Syntax?
}

struct ListSyntax: Managed {
  static let slot = TypeSlot()
  var header: SyntaxHeader
  var first: Syntax?
  var second: Syntax?
  var third: Syntax?
}

extension Reference where Target == SyntaxNode {
  init<Node: Managed>(widening node: Reference<Node>) { self.init(unsafeAddress: node.address) }

  /// The node as what its kind says it is.
  @inline(__always) func narrowed<Node: Managed>(to: Node.Type) -> Reference<Node> {
    Reference<Node>(unsafeAddress: address)
  }
}

/// Makes a tree of so many nodes, and says outside the heap what a walk must find.
struct SyntaxMaker {
  private(set) var nodes = 0
  private(set) var checksum: UInt64 = 0
  var random: SplitMix64

  init(random: SplitMix64) { self.random = random }

  /// A tree of exactly `size` nodes, at least 1; the checksum combines positions in the order of making, which is that of a walk.
  mutating func make(size: Int, _ mutator: Mutator) throws(OutOfMemory) -> Syntax {
    let kind = chooseKind(size: size)
    let header = SyntaxHeader(kind: kind, position: Int32(nodes))
    nodes += 1
    checksum = SyntaxWalk.step(checksum, header)
    switch kind {
    case .column: return Syntax(widening: try mutator.make(ColumnSyntax(header: header, column: nodes & 7)))
    case .constant: return Syntax(widening: try mutator.make(ConstantSyntax(header: header, value: nodes)))
    case .unary:
      return Syntax(widening: try mutator.make(UnarySyntax(header: header, operand: try make(size: size - 1, mutator))))
    case .binary:
      let left = 1 + random.below(size - 2)
      let first = try make(size: left, mutator)
      let second = try make(size: size - 1 - left, mutator)
      return Syntax(widening: try mutator.make(BinarySyntax(header: header, left: first, right: second)))
    case .function:
      let name = try mutator.makeBytes(count: 8)
      let argument = try make(size: size - 1, mutator)
      return Syntax(widening: try mutator.make(FunctionSyntax(header: header, name: name, argument: argument)))
    case .choice:
      let (a, b, c) = try makeThree(size: size - 1, mutator)
      return Syntax(widening: try mutator.make(ChoiceSyntax(header: header, condition: a, then: b, otherwise: c)))
    case .cast:
      let operand = try make(size: size - 1, mutator)
      return Syntax(widening: try mutator.make(CastSyntax(header: header, type: nodes & 3, operand: operand)))
    case .list:
      let (a, b, c) = try makeThree(size: size - 1, mutator)
      return Syntax(widening: try mutator.make(ListSyntax(header: header, first: a, second: b, third: c)))
    }
  }

  private mutating func makeThree(size: Int, _ mutator: Mutator) throws(OutOfMemory) -> (Syntax, Syntax, Syntax) {
    let a = try make(size: size / 3, mutator)
    let b = try make(size: size / 3, mutator)
    return (a, b, try make(size: size - 2 * (size / 3), mutator))
  }

  private mutating func chooseKind(size: Int) -> SyntaxKind {
    switch size {
    case 1: random.below(3) == 0 ? .constant : .column
    case 2: [.unary, .function, .cast][random.below(3)]
    case 3: .binary
    default: [.binary, .binary, .binary, .choice, .list, .function, .cast, .unary][random.below(8)]
    }
  }
}
