// large-objects: buffers of up to some MiB that come and go, as a server makes them for whole responses: few objects, many bytes.
// Every page of a buffer is written, so that resident memory is what the buffers are; the check reads the stamp of each page.
// A buffer is let go when it has been checked, before the one that takes its place is made.

enum LargeObjects: Workload {
  static let name = "large-objects"
  static let summary = "buffers of up to some MiB that come and go"
  static let options = [
    Option("keep", 1...1 << 20, default: 16, help: "buffers that each thread keeps"),
    Option("buffers", 1...1 << 40, default: 4000, help: "buffers made by each thread"),
    Option("bytes", 1...1 << 31, default: 4 << 20, help: "the largest buffer; sizes are uniform from 1"),
  ]
  private static let page = 4096

  private struct Part {
    var kept: [[UInt8]]
    var stamps: [Int]
    var wasIntact = true
    var durations = Histogram()

    init(keep: Int) {
      kept = Array(repeating: [], count: keep)
      stamps = Array(repeating: 0, count: keep)
    }

    mutating func makeBuffers(_ buffers: Int, largest: Int, _ random: inout SplitMix64) {
      for number in 0..<buffers {
        let began = Clock.monotonic()
        let place = number % kept.count
        wasIntact = wasIntact && isIntact(kept[place], stamp: stamps[place])
        kept[place] = []
        kept[place] = makeBuffer(stamp: number, size: 1 + random.below(largest))
        stamps[place] = number
        durations.record(Clock.monotonic() - began)
      }
    }

    var isAllIntact: Bool {
      wasIntact && zip(kept, stamps).allSatisfy { isIntact($0, stamp: $1) }
    }

    /// A sum over places that depends on every stamp and size.
    var check: UInt64 {
      kept.indices.reduce(0) { sum, place in
        sum &+ UInt64(place + 1) &* (UInt64(stamps[place]) &* 31 &+ UInt64(kept[place].count))
      }
    }
  }

  static func perform(_ run: Run, _ report: Report) throws(Ending) {
    let keep = run["keep"]
    let buffers = run["buffers"]
    let largest = run["bytes"]
    let parts = try Clients.run(run.threads) { index in
      var random = SplitMix64(seed: run.seed, client: index)
      var part = Part(keep: keep)
      part.makeBuffers(buffers, largest: largest, &random)
      return part
    }
    report.endMeasuring()
    report.operations = buffers * run.threads
    report.durations = parts.reduce(into: Histogram()) { $0.add($1.durations) }
    report.verified = parts.allSatisfy(\.isAllIntact)
    report.result = [
      ("keep", .integer(keep)), ("largestBytes", .integer(largest)),
      ("check", .unsigned(parts.reduce(0) { $0 &+ $1.check })),
    ]
  }

  private static func makeBuffer(stamp: Int, size: Int) -> [UInt8] {
    var buffer = [UInt8](repeating: 0, count: size)
    for offset in stride(from: 0, to: size, by: page) { buffer[offset] = UInt8(truncatingIfNeeded: stamp) }
    return buffer
  }

  /// Whether each page begins with the stamp and everything behind it is still zero at the page's end.
  private static func isIntact(_ buffer: [UInt8], stamp: Int) -> Bool {
    for offset in stride(from: 0, to: buffer.count, by: page) {
      let end = min(offset + page, buffer.count) - 1
      if buffer[offset] != UInt8(truncatingIfNeeded: stamp) || (end > offset && buffer[end] != 0) { return false }
    }
    return true
  }
}
