// JSON texts as trees. Foundation's small half decodes; the argument parser links it already.

import FoundationEssentials
import Harness
import TricolorTelemetry

extension JSONValue {
  /// The value in a text.
  ///
  /// - Parameter name: what the text is called where it is not JSON.
  /// - Throws: `UsageError` for a text that is not JSON.
  init(text: some Sequence<UInt8>, name: String) throws(UsageError) {
    do {
      self = try JSONDecoder().decode(DecodedValue.self, from: Data(text)).value
    } catch {
      throw UsageError("\(name): this is no JSON: \(error.reason)")
    }
  }
}

extension Error {
  /// What a decoder says, without the names of its types.
  fileprivate var reason: String {
    guard case .dataCorrupted(let context)? = self as? DecodingError else { return "\(self)" }
    return context.debugDescription
  }
}

/// Any JSON value. Keys lose their order.
private struct DecodedValue: Decodable {
  let value: JSONValue

  private struct Key: CodingKey {
    let stringValue: String
    var intValue: Int? { nil }

    init(stringValue: String) { self.stringValue = stringValue }
    init?(intValue: Int) { return nil }
  }

  init(from decoder: any Decoder) throws {
    if let object = try? decoder.container(keyedBy: Key.self) {
      value = .object(
        try object.allKeys.map { .init($0.stringValue, try object.decode(DecodedValue.self, forKey: $0).value) })
      return
    }
    if var array = try? decoder.unkeyedContainer() {
      var elements: [JSONValue] = []
      while !array.isAtEnd { elements.append(try array.decode(DecodedValue.self).value) }
      value = .array(elements)
      return
    }
    value = try DecodedValue.scalar(try decoder.singleValueContainer())
  }

  /// The first kind that the value is. A decoder tells what a value is only by refusing what it is not.
  private static func scalar(_ container: any SingleValueDecodingContainer) throws -> JSONValue {
    if container.decodeNil() { return .null }
    if let integer = try? container.decode(Int.self) { return .integer(integer) }
    if let unsigned = try? container.decode(UInt64.self) { return .unsigned(unsigned) }
    if let float = try? container.decode(Double.self) { return .float(float) }
    if let bool = try? container.decode(Bool.self) { return .bool(bool) }
    return .string(try container.decode(String.self))
  }
}
