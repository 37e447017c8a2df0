// Text to values.

import Tricolor

extension Interpreter {
  /// All expressions of a program, as a list.
  func read(_ program: String) throws -> Value {
    let spaced = program.split(separator: "\n").map { $0.prefix { $0 != ";" } }.joined(separator: "\n")
    var words = spaced.replacing("(", with: " ( ").replacing(")", with: " ) ").split { $0.isWhitespace }[...]
    let all = try readList(&words)
    if !words.isEmpty { throw LispError(description: "a ) without its (") }
    return all
  }

  /// Expressions up to a closing parenthesis, which stays, or the end.
  private func readList(_ words: inout ArraySlice<Substring>) throws -> Value {
    guard let word = words.first, word != ")" else { return empty }
    let first = try readExpression(&words)
    return try pair(first, readList(&words))
  }

  private func readExpression(_ words: inout ArraySlice<Substring>) throws -> Value {
    let word = words.removeFirst()
    if word != "(" { return try Int(word).map { try number($0) } ?? symbol(String(word)) }
    let list = try readList(&words)
    if words.popFirst() != ")" { throw LispError(description: "a ( without its )") }
    return list
  }
}
