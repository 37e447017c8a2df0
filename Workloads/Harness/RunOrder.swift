// What a run under way can be told: another rate, another memory limit, another growth. A scenario's player writes orders, a line each, to the
// standard input of its pods.

import Glibc
import Tricolor
import TricolorPacing

/// One order, checked.
public struct RunOrder: Sendable, Equatable {
  /// What orders are called, in scenarios and on the line.
  public static let names = ["rate", "memory-limit", "gogc"]

  private enum Change: Equatable {
    case rate(Int?)
    case memoryLimit(MemoryLimit)
    case growth(Int?)
  }

  /// As it is written: "rate 500".
  public let line: String
  private let change: Change

  /// - Parameters:
  ///   - name: one of `names`.
  ///   - place: what the value is called where it is not allowed.
  /// - Throws: `SettingsError` for a value that is not allowed, or a name there is not.
  public init(_ name: String, _ value: String, at place: String) throws(SettingsError) {
    switch name {
    case "rate": change = .rate(try RunRequest.rate(value, name: place))
    case "memory-limit": change = .memoryLimit(try MemoryLimit.parse(value, name: place))
    case "gogc": change = .growth(try GCPercent.parse(value, name: place))
    default: throw SettingsError(name: place, value: name, allowed: RunOrder.names.joined(separator: ", "))
    }
    line = "\(name) \(value)"
  }

  /// The order in a line as it is written.
  init(line: Substring) throws(SettingsError) {
    let parts = line.split(separator: " ", maxSplits: 1)
    try self.init(String(parts.first ?? ""), String(parts.last ?? ""), at: "an order")
  }

  /// Does it.
  func apply(to context: RunContext) {
    switch change {
    case .rate(let rate): context.setRate(rate)
    case .memoryLimit(let limit): context.heap.configuration.memoryLimit = limit
    case .growth(let percent): context.heap.configuration.gcPercent = percent
    }
  }
}

/// Orders that come in on standard input, which is a socket. Used by one thread.
struct OrderReader {
  private var unread = ""
  private var isOpen = true

  /// Does what has come since the last time; never waits.
  mutating func obey(_ context: RunContext) {
    var chunk = [UInt8](repeating: 0, count: 512)
    while isOpen {
      let got = recv(0, &chunk, chunk.count, Int32(MSG_DONTWAIT))
      if got < 0 && errno == EINTR { continue }
      if got < 0 && errno == EAGAIN { break }
      isOpen = got > 0
      if got > 0 { unread += String(decoding: chunk[..<got], as: UTF8.self) }
    }
    while let end = unread.firstIndex(of: "\n") {
      do {
        try RunOrder(line: unread[..<end]).apply(to: context)
      } catch {
        OutputFile.writeToStandardError("tricolor: \(error)\n")
      }
      unread = String(unread[unread.index(after: end)...])
    }
  }
}
