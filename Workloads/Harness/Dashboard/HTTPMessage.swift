// Requests and responses of HTTP/1.1, as far as a page that is read needs them: GET and HEAD, no bodies in requests, every response with its
// length. Anything else is answered by the status that says so. Source: RFC 9110 and 9112.

/// A request whose head has come.
struct HTTPRequest: Sendable, Equatable {
  /// The most bytes a head may have.
  static let longestHead = 8 << 10

  var method: String
  /// The target before its question mark.
  var path: String
  /// What follows the question mark, by name. Names and values are as sent.
  var query: [String: String]
  /// Whether the connection may be used again after the response.
  var keepsAlive: Bool

  /// The request at the beginning of `bytes` and how many bytes it has; nil while its head is incomplete.
  ///
  /// - Throws: the response to a head that is too long or no request.
  static func parse(_ bytes: [UInt8]) throws(HTTPResponse) -> (request: HTTPRequest, length: Int)? {
    guard let end = headEnd(bytes) else {
      if bytes.count > longestHead { throw HTTPResponse(.headTooLong) }
      return nil
    }
    guard end <= longestHead else { throw HTTPResponse(.headTooLong) }
    let lines = String(decoding: bytes[..<(end - 4)], as: UTF8.self).split(
      separator: "\r\n", omittingEmptySubsequences: false)
    let words = lines[0].split(separator: " ", omittingEmptySubsequences: false)
    guard words.count == 3, words[2].hasPrefix("HTTP/1."), words[1].hasPrefix("/"), !words[0].isEmpty else {
      throw HTTPResponse(.badRequest)
    }
    let headers = lines.dropFirst().map { $0.lowercased() }
    // A body would be taken for the next request.
    let hasBody = headers.contains { $0.hasPrefix("content-length:") || $0.hasPrefix("transfer-encoding:") }
    let asksToClose = headers.contains { $0.hasPrefix("connection:") && $0.contains("close") }
    let target = words[1].split(separator: "?", maxSplits: 1, omittingEmptySubsequences: false)
    let request = HTTPRequest(
      method: String(words[0]), path: String(target[0]), query: pairs(target.count > 1 ? target[1] : ""),
      keepsAlive: !hasBody && !asksToClose && words[2] == "HTTP/1.1")
    return (request, end)
  }

  /// Where the empty line after the head ends.
  private static func headEnd(_ bytes: [UInt8]) -> Int? {
    guard bytes.count >= 4 else { return nil }
    let end: [UInt8] = [13, 10, 13, 10]
    return (4...bytes.count).first { bytes[($0 - 4)..<$0].elementsEqual(end) }
  }

  private static func pairs(_ text: Substring) -> [String: String] {
    var result: [String: String] = [:]
    for pair in text.split(separator: "&") {
      let parts = pair.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
      result[String(parts[0])] = parts.count > 1 ? String(parts[1]) : ""
    }
    return result
  }
}

/// A response; also what is thrown where there is no request to answer.
struct HTTPResponse: Error, Sendable, Equatable {
  enum Status: Int, Sendable {
    case ok = 200
    case badRequest = 400
    case notFound = 404
    case methodNotAllowed = 405
    case headTooLong = 431

    var phrase: String {
      switch self {
      case .ok: "OK"
      case .badRequest: "Bad Request"
      case .notFound: "Not Found"
      case .methodNotAllowed: "Method Not Allowed"
      case .headTooLong: "Request Header Fields Too Large"
      }
    }
  }

  var status: Status
  var type: String
  var body: String

  init(_ status: Status, type: String, body: String) {
    self.status = status
    self.type = type
    self.body = body
  }

  /// A status in its own words.
  init(_ status: Status) {
    self.init(status, type: "text/plain; charset=utf-8", body: "\(status.rawValue) \(status.phrase)\n")
  }

  /// The bytes to send. A page may load nothing but what stands in it and what this server answers.
  func bytes(isHead: Bool, keepsAlive: Bool) -> [UInt8] {
    let content = Array(body.utf8)
    var head =
      "HTTP/1.1 \(status.rawValue) \(status.phrase)\r\nContent-Type: \(type)\r\nContent-Length: \(content.count)\r\n"
    head += "Cache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\n"
    head += "Content-Security-Policy: default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; "
    head += "connect-src 'self'; img-src data:; frame-ancestors 'none'\r\n"
    if status == .methodNotAllowed { head += "Allow: GET, HEAD\r\n" }
    head += "Connection: \(keepsAlive ? "keep-alive" : "close")\r\n\r\n"
    return Array(head.utf8) + (isHead ? [] : content)
  }
}
