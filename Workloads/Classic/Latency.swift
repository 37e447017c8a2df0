// latency: what a collector does to the slowest operations of a program that does nothing unusual. A map holds a window of
// messages; each insert makes a message, fills it byte by byte, puts it under its number, and removes the one that left
// the window. Every insert is timed, from before the allocation to after the removal.

import Harness
import Tricolor
import TricolorPlatform

/// `tricolor run latency`.
public struct Latency: Workload {
  public static let name = "latency"
  public static let summary = "a map with a sliding window of messages; every insert is timed"
  public static let kinds = ["insert"]
  public static let mostThreads = 1
  public static let options: [any AnyWorkloadOption] = [windowOption, insertsOption, bytesOption]
  private static let windowOption = WorkloadOption.integer(
    "window", 1...1 << 32, default: 200_000, help: "messages that are kept")
  private static let insertsOption = WorkloadOption.integer(
    "inserts", 1...1 << 40, default: 2_000_000, help: "messages made")
  private static let bytesOption = WorkloadOption.integer(
    "bytes", 1...1 << 30, default: 1024, help: "bytes in a message")

  private let window: Int
  private let inserts: Int
  private let bytes: Int

  public init(options: OptionValues) throws(UsageError) {
    window = try options.value(of: Self.windowOption)
    inserts = try options.value(of: Self.insertsOption)
    bytes = try options.value(of: Self.bytesOption)
  }

  public func run(_ context: RunContext) throws -> WorkloadResult {
    context.phase("insert")
    let parts = try context.runClients { client, mutator in
      let messages = try MessageMap(mutator)
      var number = 0
      while number < inserts && !client.shouldStop {
        let began = Clock.monotonic()
        try insert(number, into: messages, mutator)
        client.record(kind: 0, nanoseconds: Clock.monotonic() - began)
        number += 1
      }
      client.endMeasuring(mutator)
      return isIntact(messages, inserts: number, mutator)
    }
    return WorkloadResult(
      verified: parts[0], figures: ["window": .integer(window), "bytes": .integer(bytes)])
  }

  private func insert(_ number: Int, into messages: borrowing MessageMap, _ mutator: Mutator) throws(OutOfMemory) {
    let message = try mutator.makeBytes(count: bytes) { bytes in
      for index in bytes.indices { bytes[index] = UInt8(truncatingIfNeeded: number) }
    }
    try messages.set(number, message, mutator)
    if number >= window { messages.remove(number - window) }
  }

  /// Whether the map holds exactly the last messages and all their bytes.
  private func isIntact(_ messages: borrowing MessageMap, inserts: Int, _ mutator: Mutator) -> Bool {
    let first = max(inserts - window, 0)
    guard messages.count == inserts - first else { return false }
    for number in first..<inserts {
      mutator.poll()
      guard let message = messages.get(number), message.count == bytes else { return false }
      let expected = UInt8(truncatingIfNeeded: number)
      guard message.withBytes({ $0.allSatisfy { $0 == expected } }) else { return false }
    }
    return true
  }
}
