// large-objects: buffers of up to some MiB that come and go, as a server makes them for whole responses. They own their blocks, so
// this is about finding, zeroing and giving back block runs, and about the limit: few objects, many bytes.
//
// Every page of a buffer is written, so that resident memory is what the buffers are; the check reads the stamp of each page.

import Harness
import Tricolor
import TricolorPlatform

/// `tricolor run large-objects`.
public struct LargeObjects: Workload {
  public static let name = "large-objects"
  public static let summary = "buffers of up to some MiB that come and go"
  public static let kinds = ["buffer"]
  public static let options: [any AnyWorkloadOption] = [keepOption, buffersOption, bytesOption]
  private static let keepOption = WorkloadOption.integer(
    "keep", 1...1 << 20, default: 16, help: "buffers that each thread keeps")
  private static let buffersOption = WorkloadOption.integer(
    "buffers", 1...1 << 40, default: 4000, help: "buffers made by each thread")
  private static let bytesOption = WorkloadOption.integer(
    "bytes", 1...1 << 31, default: 4 << 20, help: "the largest buffer; sizes are uniform from 1")
  private static let page = 4096

  private let keep: Int
  private let buffers: Int
  private let bytes: Int

  public init(options: OptionValues) throws(UsageError) {
    keep = try options.value(of: Self.keepOption)
    buffers = try options.value(of: Self.buffersOption)
    bytes = try options.value(of: Self.bytesOption)
  }

  public func run(_ context: RunContext) throws -> WorkloadResult {
    context.phase("buffers")
    let parts = try context.runClients { client, mutator in
      let kept = try mutator.makeArray(of: Bytes.self, count: keep)
      var stamps = [Int](repeating: 0, count: keep)
      var intact = true
      while client.operations < buffers && !client.shouldStop {
        let began = Clock.monotonic()
        let number = client.operations
        let place = number % keep
        intact = intact && isIntact(kept[place], stamp: stamps[place])
        kept[place] = try makeBuffer(stamp: number, bytes: 1 + client.random.below(bytes), mutator)
        stamps[place] = number
        client.record(kind: 0, nanoseconds: Clock.monotonic() - began)
      }
      client.endMeasuring(mutator)
      for place in 0..<keep { intact = intact && isIntact(kept[place], stamp: stamps[place]) }
      return intact
    }
    return WorkloadResult(
      verified: parts.allSatisfy { $0 }, figures: ["keep": .integer(keep), "largestBytes": .integer(bytes)])
  }

  private func makeBuffer(stamp: Int, bytes: Int, _ mutator: Mutator) throws(OutOfMemory) -> Reference<Bytes> {
    let buffer = try mutator.makeBytes(count: bytes)
    let byte = UInt8(truncatingIfNeeded: stamp)
    for offset in stride(from: 0, to: bytes, by: Self.page) { buffer[offset] = byte }
    return buffer
  }

  /// Whether each page begins with the stamp and everything behind it is still zero at the page's end.
  private func isIntact(_ buffer: Reference<Bytes>?, stamp: Int) -> Bool {
    guard let buffer else { return true }
    let byte = UInt8(truncatingIfNeeded: stamp)
    for offset in stride(from: 0, to: buffer.count, by: Self.page) {
      let end = min(offset + Self.page, buffer.count) - 1
      if buffer[offset] != byte || (end > offset && buffer[end] != 0) { return false }
    }
    return true
  }
}
