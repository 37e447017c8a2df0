// latency: the slowest operations of a program that does nothing unusual. A map holds a window of messages; each insert makes a message,
// fills it byte by byte, puts it under its number, and removes the one that left the window, which is freed at once. Every insert
// is timed, from before the allocation to after the removal.
//
// The map is the standard library's, made large enough for the window at once: it would otherwise move all entries now and
// then, which the maps of the other programs never do.

enum Latency: Workload {
  static let name = "latency"
  static let summary = "a map with a sliding window of messages; every insert is timed"
  static let options = [
    Option("window", 1...1 << 32, default: 200_000, help: "messages that are kept"),
    Option("inserts", 1...1 << 40, default: 2_000_000, help: "messages made"),
    Option("bytes", 1...1 << 30, default: 1024, help: "bytes in a message"),
  ]
  static let mostThreads = 1

  static func perform(_ run: Run, _ report: Report) {
    let window = run["window"]
    let inserts = run["inserts"]
    let bytes = run["bytes"]
    var messages: [Int: [UInt8]] = [:]
    messages.reserveCapacity(min(window, inserts) + 1)
    var durations = Histogram()
    for number in 0..<inserts {
      let began = Clock.monotonic()
      messages[number] = makeMessage(number, bytes)
      if number >= window { messages[number - window] = nil }
      durations.record(Clock.monotonic() - began)
    }
    report.endMeasuring()
    report.operations = inserts
    report.durations = durations
    report.verified = isIntact(messages, inserts, window, bytes)
    report.result = [("window", .integer(window)), ("bytes", .integer(bytes))]
  }

  private static func makeMessage(_ number: Int, _ count: Int) -> [UInt8] {
    [UInt8](unsafeUninitializedCapacity: count) { bytes, initialized in
      for index in 0..<count { bytes[index] = UInt8(truncatingIfNeeded: number) }
      initialized = count
    }
  }

  /// Whether the map holds exactly the last messages and all their bytes.
  private static func isIntact(_ messages: [Int: [UInt8]], _ inserts: Int, _ window: Int, _ bytes: Int) -> Bool {
    let first = max(inserts - window, 0)
    return messages.count == inserts - first
      && (first..<inserts).allSatisfy { number in
        guard let message = messages[number], message.count == bytes else { return false }
        return message.allSatisfy { $0 == UInt8(truncatingIfNeeded: number) }
      }
  }
}
