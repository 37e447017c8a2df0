// The evaluator: special forms, functions with lexical scope, and tail calls without a growing stack.
//
// References live in local variables and in cells, where the collector finds them. Arguments of a call are a list on the managed heap,
// never a Swift array, whose memory the collector does not look into.

import Tricolor

/// A Lisp with its own symbols and global variables, for one call of `withMutator`.
struct Interpreter {
  let mutator: Mutator
  let symbols: ManagedDictionary<ManagedString, Value>
  let empty: Value
  let truth: Value
  let globals: Reference<Scope>

  init(_ mutator: Mutator) throws {
    self.mutator = mutator
    symbols = try ManagedDictionary(mutator)
    empty = try mutator.make(Cell(kind: .empty, number: 0, name: nil, first: nil, second: nil, scope: nil))
    truth = try mutator.make(Cell(kind: .truth, number: 0, name: nil, first: nil, second: nil, scope: nil))
    globals = try mutator.make(Scope(variables: ManagedDictionary(mutator), outer: nil))
    for builtin in Builtin.allCases {
      let cell = Cell(kind: .builtin, number: builtin.rawValue, name: nil, first: nil, second: nil, scope: nil)
      try globals.variables.updateValue(mutator.make(cell), forKey: symbol(builtin.name).name!)
    }
  }

  /// Runs a program; the value of its last expression.
  func run(_ program: String) throws -> Value {
    var last = empty
    for expression in try read(program).elements { last = try evaluate(expression, globals) }
    return last
  }

  // MARK: Evaluating

  func evaluate(_ expression: Value, _ scope: Reference<Scope>) throws -> Value {
    var (expression, scope) = (expression, scope)
    while true {
      mutator.poll()
      switch expression.kind {
      case .symbol: return try lookUp(expression, scope)
      case .pair: break
      default: return expression
      }
      let (head, rest) = (expression.first!, expression.second!)
      if head.kind == .symbol {
        switch head.name!.description {
        case "quote": return try argument(rest, 0)
        case "if":
          let isTrue = try evaluate(argument(rest, 0), scope) != empty
          expression = try argument(rest, isTrue ? 1 : 2)
          continue
        case "define":
          let value = try evaluate(argument(rest, 1), scope)
          try scope.variables.updateValue(value, forKey: name(argument(rest, 0)))
          return value
        case "set!": return try assign(rest, scope)
        case "lambda": return try function(argument(rest, 0), argument(rest, 1), scope)
        case "begin":
          if !rest.isPair { return empty }
          var left = rest
          while left.second!.isPair {
            _ = try evaluate(left.first!, scope)
            left = left.second!
          }
          expression = left.first!
          continue
        default: break
        }
      }
      let called = try evaluate(head, scope)
      let arguments = try evaluateAll(rest, scope)
      if called.kind == .builtin { return try apply(Builtin(rawValue: called.number)!, arguments) }
      guard called.kind == .function else { throw LispError(description: "\(called.text) is no function") }
      scope = try bind(called, arguments)
      expression = called.second!
    }
  }

  private func evaluateAll(_ list: Value, _ scope: Reference<Scope>) throws -> Value {
    if !list.isPair { return empty }
    let first = try evaluate(list.first!, scope)
    return try pair(first, evaluateAll(list.second!, scope))
  }

  /// A scope with the parameters of a function set to its arguments.
  private func bind(_ function: Value, _ arguments: Value) throws -> Reference<Scope> {
    let scope = try scope(inside: function.scope)
    var (parameters, arguments) = (function.first!, arguments)
    while parameters.isPair {
      guard arguments.isPair else { throw LispError(description: "too few arguments for \(function.first!.text)") }
      try scope.variables.updateValue(arguments.first!, forKey: name(parameters.first!))
      (parameters, arguments) = (parameters.second!, arguments.second!)
    }
    if arguments.isPair { throw LispError(description: "too many arguments for \(function.first!.text)") }
    return scope
  }

  private func lookUp(_ symbol: Value, _ scope: Reference<Scope>) throws -> Value {
    var next: Reference<Scope>? = scope
    while let scope = next {
      if let value = scope.variables[symbol.name!] { return value }
      next = scope.outer
    }
    throw LispError(description: "\(symbol.text) is not defined")
  }

  private func assign(_ rest: Value, _ scope: Reference<Scope>) throws -> Value {
    let (name, value) = (try name(argument(rest, 0)), try evaluate(argument(rest, 1), scope))
    var next: Reference<Scope>? = scope
    while let scope = next {
      if scope.variables[name] != nil {
        try scope.variables.updateValue(value, forKey: name)
        return value
      }
      next = scope.outer
    }
    throw LispError(description: "\(name) is not defined")
  }

  func argument(_ list: Value, _ index: Int) throws -> Value {
    var left = list
    for _ in 0..<index where left.isPair { left = left.second! }
    guard left.isPair else { throw LispError(description: "too few arguments") }
    return left.first!
  }

  private func name(_ symbol: Value) throws -> ManagedString {
    guard let name = symbol.name else { throw LispError(description: "\(symbol.text) is no symbol") }
    return name
  }
}

/// Functions that are not written in Lisp.
enum Builtin: Int, CaseIterable {
  case plus, minus, times, less, equal, cons, car, cdr, list, isEmpty

  var name: String {
    switch self {
    case .plus: "+"
    case .minus: "-"
    case .times: "*"
    case .less: "<"
    case .equal: "="
    case .cons: "cons"
    case .car: "car"
    case .cdr: "cdr"
    case .list: "list"
    case .isEmpty: "empty?"
    }
  }
}

extension Interpreter {
  func apply(_ builtin: Builtin, _ arguments: Value) throws -> Value {
    func operand(_ index: Int) throws -> Int {
      let value = try argument(arguments, index)
      guard value.kind == .number else { throw LispError(description: "\(value.text) is no number") }
      return value.number
    }
    func listArgument() throws -> Value {
      let value = try argument(arguments, 0)
      guard value.isPair else { throw LispError(description: "\(value.text) is no pair") }
      return value
    }
    switch builtin {
    case .plus: return try number(operand(0) &+ operand(1))
    case .minus: return try number(operand(0) &- operand(1))
    case .times: return try number(operand(0) &* operand(1))
    case .less: return try operand(0) < operand(1) ? truth : empty
    case .equal: return try operand(0) == operand(1) ? truth : empty
    case .cons: return try pair(argument(arguments, 0), argument(arguments, 1))
    case .car: return try listArgument().first!
    case .cdr: return try listArgument().second!
    case .list: return arguments
    case .isEmpty: return try argument(arguments, 0) == empty ? truth : empty
    }
  }
}
