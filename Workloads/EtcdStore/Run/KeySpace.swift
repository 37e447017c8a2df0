// The keys a run works on, by number: made up in the manner of Kubernetes, or those of a dump.
//
// Made-up keys are written out of their number when they are needed, so they cost no memory outside the store; a dump's
// keys are kept once, end to end. Sizes follow the mix of a cluster: pods and nodes of some kilobytes, node leases of
// some hundred bytes, config maps with a long tail; StoreProfile has the tables.

import Glibc
import Harness

/// Numbered keys. Immutable once made; any thread may read it.
final class KeySpace: Sendable {
  static let eventDirectory: StaticString = "/registry/events/ns-"
  static let burstDirectory: StaticString = "/registry/bursts/ns-"
  /// No key this makes is longer.
  static let mostKeyBytes = 96

  let count: Int
  /// Keys of a dump end to end, with where each begins; nil for made-up keys.
  private let dumped: DumpedKeys?
  private let meanValueBytes: Int
  private let profile: StoreProfile
  private let kinds: [ResourceKind]
  /// The shares of all kinds.
  private let shares: Int

  /// Made-up keys.
  init(count: Int, meanValueBytes: Int, profile: StoreProfile = .mixed) {
    self.count = count
    self.meanValueBytes = meanValueBytes
    self.profile = profile
    kinds = profile.kinds
    shares = kinds.reduce(0) { $0 + $1.share }
    dumped = nil
  }

  /// A dump's keys.
  init(_ dumped: DumpedKeys) {
    count = dumped.count
    profile = .mixed
    meanValueBytes = profile.meanValueBytes
    kinds = []
    shares = 0
    self.dumped = dumped
  }

  var isMadeUp: Bool { dumped == nil }

  private func kind(of number: Int) -> ResourceKind {
    var place = number % shares
    for kind in kinds {
      if place < kind.share { return kind }
      place -= kind.share
    }
    return kinds[0]
  }

  func role(of number: Int) -> ResourceRole {
    if isMadeUp { return kind(of: number).role }
    return number % 5 == 0 ? .heartbeat : number % 5 < 4 ? .status : .settled
  }

  /// The bytes of key `number`: in the dump, or written into `scratch`.
  func key(_ number: Int, _ scratch: UnsafeMutableRawBufferPointer) -> UnsafeRawBufferPointer {
    if let dumped { return dumped[number] }
    let kind = self.kind(of: number)
    var writer = KeyWriter(scratch)
    writer.append(kind.directory)
    writer.append(decimal: number / shares % 97, digits: 3)
    writer.append(kind.prefix)
    writer.append(decimal: number, digits: 7)
    return writer.bytes
  }

  static func eventKey(
    partition: Int, number: Int, _ scratch: UnsafeMutableRawBufferPointer
  ) -> UnsafeRawBufferPointer {
    var writer = KeyWriter(scratch)
    writer.append(eventDirectory)
    writer.append(decimal: partition, digits: 3)
    writer.append("/event-")
    writer.append(decimal: number, digits: 10)
    return writer.bytes
  }

  static func burstKey(partition: Int, _ scratch: UnsafeMutableRawBufferPointer) -> UnsafeRawBufferPointer {
    var writer = KeyWriter(scratch)
    writer.append(burstDirectory)
    writer.append(decimal: partition, digits: 3)
    writer.append("/config")
    return writer.bytes
  }

  /// How large a made-up value of key `number` is; `draw` picks one size out of the kind's spread.
  func valueBytes(_ number: Int, draw: UInt64) -> Int {
    let kind = self.kind(of: number)
    return self.draw(mean: Double(meanValueBytes) * kind.size, spread: kind.spread, draw)
  }

  var eventBytes: Int { profile.eventBytes(mean: meanValueBytes) }

  /// A lognormal size; the normal deviate is the sum of four uniform ones.
  private func draw(mean: Double, spread: Double, _ draw: UInt64) -> Int {
    var sum = 0.0
    var word = Checksum.mix(draw)
    for _ in 0..<4 {
      sum += Double(word & 0xFFFF) / 65_536
      word >>= 16
    }
    let normal = (sum - 2) * 3.0.squareRoot()
    return min(profile.mostValueBytes, max(16, Int(mean * exp(spread * normal - spread * spread / 2))))
  }
}

/// Writes a key.
private struct KeyWriter {
  private let target: UnsafeMutableRawBufferPointer
  private var count = 0

  init(_ target: UnsafeMutableRawBufferPointer) { self.target = target }

  var bytes: UnsafeRawBufferPointer { UnsafeRawBufferPointer(rebasing: target[..<count]) }

  mutating func append(_ text: StaticString) {
    let source = UnsafeRawBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount)
    UnsafeMutableRawBufferPointer(rebasing: target[count..<count + source.count]).copyMemory(from: source)
    count += source.count
  }

  /// A number of at least `digits` digits.
  mutating func append(decimal number: Int, digits: Int) {
    var length = digits
    var rest = number
    for _ in 0..<digits { rest /= 10 }
    while rest > 0 {
      length += 1
      rest /= 10
    }
    rest = number
    for place in stride(from: count + length - 1, through: count, by: -1) {
      target[place] = UInt8(ascii: "0") + UInt8(rest % 10)
      rest /= 10
    }
    count += length
  }
}

/// The keys of a dump, end to end. Filled by one thread, then only read.
final class DumpedKeys: Sendable {
  nonisolated(unsafe) private var bytes = GrowingBytes(capacity: 1 << 20)
  nonisolated(unsafe) private var ends: [UInt32] = []

  var count: Int { ends.count }

  /// Adds a key and answers its number.
  func append(_ key: UnsafeRawBufferPointer) -> Int {
    bytes.append(key)
    ends.append(UInt32(bytes.count))
    return ends.count - 1
  }

  subscript(number: Int) -> UnsafeRawBufferPointer {
    let start = number == 0 ? 0 : Int(ends[number - 1])
    return UnsafeRawBufferPointer(rebasing: bytes.bytes[start..<Int(ends[number])])
  }
}
