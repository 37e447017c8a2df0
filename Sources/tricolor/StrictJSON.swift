// JSON files that people write for the command, read strictly.
//
// A key that is not known is refused: a misspelt limit would otherwise be no limit, silently. Foundation's small half decodes;
// the argument parser links it already.

import FoundationEssentials
import Harness

/// Reads JSON files.
enum StrictJSON {
  /// The value in the file at `path`.
  ///
  /// - Throws: `UsageError` for a file that cannot be read or is not such a value.
  static func read<Value: Decodable>(_ type: Value.Type, _ path: String) throws -> Value {
    let data = Data(try InputFile.bytes(path))
    do {
      return try JSONDecoder().decode(type, from: data)
    } catch let error as DecodingError {
      throw UsageError("\(path): \(sentence(error))")
    } catch let error as UnknownKey {
      throw UsageError("\(path): \(error)")
    } catch let error as NoInteger {
      throw UsageError("\(path): \(error)")
    }
  }

  private static func sentence(_ error: DecodingError) -> String {
    switch error {
    case .keyNotFound(let key, let context): "\(place(context))the key \"\(key.stringValue)\" is missing"
    case .valueNotFound(_, let context): "\(place(context))null is not allowed here"
    case .typeMismatch(_, let context): "\(place(context))\(context.debugDescription)"
    case .dataCorrupted(let context):
      "\(place(context))\(context.debugDescription)"
    @unknown default: "\(error)"
    }
  }

  /// "cycles[3].scanRate: ".
  private static func place(_ context: DecodingError.Context) -> String {
    if context.codingPath.isEmpty { return "" }
    let path = context.codingPath.reduce("") { path, key in
      if let index = key.intValue { return path + "[\(index)]" }
      return path + (path.isEmpty ? "" : ".") + key.stringValue
    }
    return path + ": "
  }
}

/// A key that the object does not have.
struct UnknownKey: Error, CustomStringConvertible {
  let key: String
  let allowed: [String]

  var description: String { "there is no key \"\(key)\"; use \(allowed.joined(separator: ", "))" }

  /// Refuses keys of the object being decoded that are not `Keys`.
  static func check<Keys: CodingKey & CaseIterable>(_ decoder: any Decoder, _ keys: Keys.Type) throws {
    let known = Keys.allCases.map(\.stringValue)
    for key in try decoder.container(keyedBy: AnyKey.self).allKeys where !known.contains(key.stringValue) {
      throw UnknownKey(key: key.stringValue, allowed: known)
    }
  }
}

/// A number with a fraction, or too large, where an integer is wanted. The decoder itself says only that the data is not JSON.
private struct NoInteger: Error, CustomStringConvertible {
  let key: String
  let value: Double

  var description: String { "\(key): \(value) is not allowed; use an integer" }
}

extension KeyedDecodingContainer {
  /// The integer behind `key`.
  func integer<Value: FixedWidthInteger & Decodable>(_ type: Value.Type, _ key: Key) throws -> Value {
    do {
      return try decode(type, forKey: key)
    } catch let error as DecodingError {
      throw error
    } catch {
      // The decoder's own, private error: a number that does not fit the type.
      throw NoInteger(key: key.stringValue, value: try decode(Double.self, forKey: key))
    }
  }
}

private struct AnyKey: CodingKey {
  let stringValue: String
  var intValue: Int? { nil }

  init?(stringValue: String) { self.stringValue = stringValue }
  init?(intValue: Int) { return nil }
}
