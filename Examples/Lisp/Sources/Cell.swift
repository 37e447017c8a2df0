// The objects of the interpreter: every value of a Lisp program is a cell on the managed heap, and so are its environments.
//
// A function refers to the environment it was made in, which refers to the function by its name: cycles, all over the place. The heap
// takes care of them, so the interpreter does not mention memory at all.

import Tricolor

/// A value.
struct Cell: Managed {
  enum Kind: UInt8 {
    case empty, truth, number, symbol, pair, function, builtin
  }
  static let slot = TypeSlot()
  let kind: Kind
  /// The number, or which builtin it is.
  let number: Int
  /// The symbol's name.
  let name: ManagedString?
  /// Head and tail of a pair; parameters and body of a function.
  var first: Reference<Cell>?
  var second: Reference<Cell>?
  /// The environment of a function.
  var scope: Reference<Scope>?
}

/// The variables of one call, and where the others are.
struct Scope: Managed {
  static let slot = TypeSlot()
  let variables: ManagedDictionary<ManagedString, Reference<Cell>>
  let outer: Reference<Scope>?
}

typealias Value = Reference<Cell>

/// What a program got wrong.
struct LispError: Error, CustomStringConvertible {
  let description: String
}

extension Interpreter {
  func number(_ number: Int) throws -> Value {
    try mutator.make(Cell(kind: .number, number: number, name: nil, first: nil, second: nil, scope: nil))
  }

  func pair(_ first: Value, _ second: Value) throws -> Value {
    try mutator.make(Cell(kind: .pair, number: 0, name: nil, first: first, second: second, scope: nil))
  }

  func function(_ parameters: Value, _ body: Value, _ scope: Reference<Scope>) throws -> Value {
    try mutator.make(Cell(kind: .function, number: 0, name: nil, first: parameters, second: body, scope: scope))
  }

  /// The symbol of that name: there is one for each.
  func symbol(_ name: String) throws -> Value {
    if let known = symbols[name] { return known }
    let text = try ManagedString(name, mutator)
    let symbol = try mutator.make(Cell(kind: .symbol, number: 0, name: text, first: nil, second: nil, scope: nil))
    try symbols.updateValue(symbol, forKey: text)
    return symbol
  }

  func scope(inside outer: Reference<Scope>?) throws -> Reference<Scope> {
    try mutator.make(Scope(variables: ManagedDictionary(mutator), outer: outer))
  }
}

extension Reference where Target == Cell {
  var isPair: Bool { self.kind == .pair }

  /// The elements of a list, one after the other.
  var elements: some Sequence<Value> {
    sequence(state: self) { list in
      guard list.isPair else { return nil }
      defer { list = list.second! }
      return list.first
    }
  }

  /// The value as a program would write it.
  var text: String {
    switch self.kind {
    case .empty: "()"
    case .truth: "#t"
    case .number: "\(self.number)"
    case .symbol: self.name!.description
    case .builtin: "#<builtin>"
    case .function: "#<function>"
    case .pair: "(" + elements.map(\.text).joined(separator: " ") + ")"
    }
  }
}
