// A JSON tree that keeps the order of its keys and tells integers from floats, and its writer.
//
// Not Codable: encoders sort or hash keys, and write 1.0 as 1; scripts and people read these files, so order and number
// types are part of what is promised.

/// A JSON value. Objects keep the order of their keys.
public enum JSONValue: Sendable, Equatable {
  case null
  case bool(Bool)
  case integer(Int)
  case unsigned(UInt64)
  /// Written with a fraction or an exponent always; what JSON cannot say (infinite, not a number) is written as null.
  case float(Double)
  case string(String)
  case array([JSONValue])
  case object([Member])

  /// A key and its value.
  public struct Member: Sendable, Equatable {
    public let key: String
    public let value: JSONValue

    public init(_ key: String, _ value: JSONValue) {
      self.key = key
      self.value = value
    }
  }
}

extension JSONValue {
  /// The value, or null for nil.
  public static func optional(_ value: Int?) -> JSONValue { value.map { .integer($0) } ?? .null }

  /// A number of whatever kind; nil for what is none.
  public var number: Double? {
    switch self {
    case .integer(let value): Double(value)
    case .unsigned(let value): Double(value)
    case .float(let value): value
    default: nil
    }
  }

  /// The text of a string; nil for what is none.
  public var string: String? {
    guard case .string(let text) = self else { return nil }
    return text
  }

  /// The values of an array; nil for what is none.
  public var elements: [JSONValue]? {
    guard case .array(let values) = self else { return nil }
    return values
  }

  /// The members of an object; nil for what is none.
  public var members: [Member]? {
    guard case .object(let members) = self else { return nil }
    return members
  }

  /// The value behind `key`; nil where this is no object or has no such key.
  public subscript(key: String) -> JSONValue? {
    guard case .object(let members) = self else { return nil }
    return members.first { $0.key == key }?.value
  }
}

extension JSONValue: ExpressibleByBooleanLiteral, ExpressibleByIntegerLiteral, ExpressibleByFloatLiteral,
  ExpressibleByStringLiteral, ExpressibleByArrayLiteral, ExpressibleByDictionaryLiteral, ExpressibleByNilLiteral
{
  public init(booleanLiteral value: Bool) { self = .bool(value) }
  public init(integerLiteral value: Int) { self = .integer(value) }
  public init(floatLiteral value: Double) { self = .float(value) }
  public init(stringLiteral value: String) { self = .string(value) }
  public init(arrayLiteral elements: JSONValue...) { self = .array(elements) }
  public init(dictionaryLiteral elements: (String, JSONValue)...) {
    self = .object(elements.map { Member($0.0, $0.1) })
  }
  public init(nilLiteral: ()) { self = .null }
}

extension JSONValue {
  /// The text, indented by two spaces a level; on one line where `indented` is false.
  public func text(indented: Bool = true) -> String {
    var output = ""
    write(to: &output, indent: indented ? 0 : nil)
    return output
  }

  private func write(to output: inout String, indent: Int?) {
    switch self {
    case .null: output += "null"
    case .bool(let value): output += value ? "true" : "false"
    case .integer(let value): output += "\(value)"
    case .unsigned(let value): output += "\(value)"
    case .float(let value): output += value.isFinite ? "\(value)" : "null"
    case .string(let value): JSONValue.write(value, to: &output)
    case .array(let values):
      JSONValue.write(values, between: "[", "]", to: &output, indent: indent) { value, output, indent in
        value.write(to: &output, indent: indent)
      }
    case .object(let members):
      JSONValue.write(members, between: "{", "}", to: &output, indent: indent) { member, output, indent in
        JSONValue.write(member.key, to: &output)
        output += indent == nil ? ":" : ": "
        member.value.write(to: &output, indent: indent)
      }
    }
  }

  private static func write<Item>(
    _ items: [Item], between open: String, _ close: String, to output: inout String, indent: Int?,
    _ writeItem: (Item, inout String, Int?) -> Void
  ) {
    output += open
    for (index, item) in items.enumerated() {
      if index > 0 { output += "," }
      if let indent { output += "\n" + String(repeating: " ", count: indent + 2) }
      writeItem(item, &output, indent.map { $0 + 2 })
    }
    if let indent, !items.isEmpty { output += "\n" + String(repeating: " ", count: indent) }
    output += close
  }

  private static func write(_ text: String, to output: inout String) {
    output += "\""
    for scalar in text.unicodeScalars {
      switch scalar {
      case "\"": output += "\\\""
      case "\\": output += "\\\\"
      case "\n": output += "\\n"
      case "\t": output += "\\t"
      case "\r": output += "\\r"
      case _ where scalar.value < 0x20:
        let digits = String(scalar.value, radix: 16)
        output += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
      default: output.unicodeScalars.append(scalar)
      }
    }
    output += "\""
  }
}
