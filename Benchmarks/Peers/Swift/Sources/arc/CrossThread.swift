// cross-thread: allocated here, dropped there. Threads form pairs: a maker builds parcels, linked lists of messages with a payload each,
// and a taker walks them, keeps the last few and drops the oldest, with all messages and payloads. Numbers and payloads follow from a
// message's place in its pair's stream, so the taker knows that it got every parcel, whole and in order. The time of an
// operation is the maker's, of building a parcel.

final class Message {
  fileprivate(set) var next: Message?
  let number: UInt64
  let payload: [UInt8]

  init(_ next: consuming Message?, _ number: UInt64, bytes: Int) {
    self.next = next
    self.number = number
    var payload = [UInt8](repeating: 0, count: bytes)
    payload.withUnsafeMutableBytes {
      $0.storeBytes(of: SplitMix64.mix(number).littleEndian, as: UInt64.self)
    }
    self.payload = payload
  }

  /// What the payload begins with.
  var hash: UInt64 { payload.withUnsafeBytes { UInt64(littleEndian: $0.loadUnaligned(as: UInt64.self)) } }
}

/// A list of messages that owns them, and frees them one by one instead of recursively.
final class Parcel {
  private var head: Message?

  /// Messages with the numbers from `first` on, the first at the head.
  init(from first: UInt64, count: Int, bytes: Int) {
    for number in (first..<first + UInt64(count)).reversed() { head = Message(head.take(), number, bytes: bytes) }
  }

  deinit {
    while isKnownUniquelyReferenced(&head) { head = head!.next.take() }
  }

  /// Whether these are the messages that `init` makes, and the sum of the hashes in their payloads.
  func walk(from first: UInt64, count: Int, bytes: Int) -> (isWhole: Bool, sum: UInt64) {
    var isWhole = true
    var sum: UInt64 = 0
    var number = first
    var rest = head
    while let message = rest {
      let hash = message.hash
      isWhole =
        isWhole && message.number == number && hash == SplitMix64.mix(number) && message.payload.count == bytes
      sum &+= hash
      number += 1
      rest = message.next
    }
    return (isWhole && number == first + UInt64(count), sum)
  }
}

enum CrossThread: Workload {
  static let name = "cross-thread"
  static let summary = "lists built on one thread, checked and dropped on another"
  static let options = [
    Option("parcels", 1...1 << 30, default: 2000, help: "parcels built by each pair of threads"),
    Option("messages", 1...1 << 24, default: 1000, help: "messages in a parcel"),
    Option("bytes", 8...1 << 20, default: 64, help: "bytes of a message's payload"),
  ]
  static let threadGroup = 2
  private static let keptParcels = 4

  private struct Sizes: Sendable {
    let parcels: Int
    let messages: Int
    let bytes: Int

    /// Each pair numbers its messages in order of making, from where the pair before ends.
    func firstNumber(pair: Int, parcel: Int) -> UInt64 {
      UInt64(pair * parcels + parcel) * UInt64(messages)
    }

    func walk(_ parcel: Parcel, pair: Int, number: Int) -> (isWhole: Bool, sum: UInt64) {
      parcel.walk(from: firstNumber(pair: pair, parcel: number), count: messages, bytes: bytes)
    }
  }

  /// What a thread leaves: a maker its durations, a taker the rest.
  private struct Part {
    var durations = Histogram()
    var kept = [Parcel?](repeating: nil, count: keptParcels)
    var isIntact = true
    var check: UInt64 = 0
  }

  static func perform(_ run: Run, _ report: Report) throws(Ending) {
    let sizes = Sizes(parcels: run["parcels"], messages: run["messages"], bytes: run["bytes"])
    let pairs = run.threads / threadGroup
    let queues = (0..<pairs).map { _ in ParcelQueue() }
    let parts = try Clients.run(run.threads) { index in
      let pair = index / threadGroup
      return index % threadGroup == 0 ? make(sizes, pair, queues[pair]) : take(sizes, pair, queues[pair])
    }
    report.endMeasuring()
    let takers = (0..<pairs).map { parts[threadGroup * $0 + 1] }
    report.operations = sizes.parcels * pairs
    report.durations = (0..<pairs).reduce(into: Histogram()) { $0.add(parts[threadGroup * $1].durations) }
    report.verified = (0..<pairs).allSatisfy { takers[$0].isIntact && areKeptIntact(takers[$0], sizes, $0) }
    report.result = [
      ("parcels", .integer(report.operations)), ("messages", .integer(sizes.messages)),
      ("bytes", .integer(sizes.bytes)), ("check", .unsigned(takers.reduce(0) { $0 &+ $1.check })),
    ]
  }

  private static func make(_ sizes: Sizes, _ pair: Int, _ queue: ParcelQueue) -> Part {
    var part = Part()
    for number in 0..<sizes.parcels {
      let began = Clock.monotonic()
      let first = sizes.firstNumber(pair: pair, parcel: number)
      let parcel = Parcel(from: first, count: sizes.messages, bytes: sizes.bytes)
      part.durations.record(Clock.monotonic() - began)
      queue.put(parcel)
    }
    return part
  }

  private static func take(_ sizes: Sizes, _ pair: Int, _ queue: ParcelQueue) -> Part {
    var part = Part()
    for number in 0..<sizes.parcels {
      let parcel = queue.take()
      let seen = sizes.walk(parcel, pair: pair, number: number)
      part.isIntact = part.isIntact && seen.isWhole
      part.check &+= seen.sum
      part.kept[number % keptParcels] = parcel
    }
    return part
  }

  /// Whether the parcels that a taker still keeps are whole.
  private static func areKeptIntact(_ taker: Part, _ sizes: Sizes, _ pair: Int) -> Bool {
    (max(0, sizes.parcels - keptParcels)..<sizes.parcels).allSatisfy { number in
      sizes.walk(taker.kept[number % keptParcels]!, pair: pair, number: number).isWhole
    }
  }
}
