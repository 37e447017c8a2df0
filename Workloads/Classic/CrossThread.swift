// cross-thread: allocated here, dropped there. Client threads form pairs: a maker builds parcels, linked lists of messages with a
// payload each, and a taker walks them, keeps the last few and lets the oldest go. Nothing dies on the thread that made it, which
// is the case that caches of free memory by thread are worst at, and the barrier sees objects that two threads know.
//
// Numbers and payloads follow from a message's place in its pair's stream, so the taker needs nothing from the maker to know
// that it got every parcel whole and in order. The time of an operation is the maker's, of building one parcel; what a full or an
// empty queue makes the two wait is not in it.

import Harness
import Tricolor
import TricolorPlatform

struct ParcelMessage: Managed {
  static let slot = TypeSlot()
  var next: Reference<ParcelMessage>?
  var number: UInt64
  var payload: Reference<Bytes>?
}

/// `tricolor run cross-thread`.
public struct CrossThread: Workload {
  public static let name = "cross-thread"
  public static let summary = "lists built on one thread, checked and dropped on another"
  public static let kinds = ["parcel"]
  public static let threadGroup = 2
  public static let options: [any AnyWorkloadOption] = [parcelsOption, messagesOption, bytesOption]
  private static let parcelsOption = WorkloadOption.integer(
    "parcels", 1...1 << 30, default: 2000, help: "parcels built by each pair of threads")
  private static let messagesOption = WorkloadOption.integer(
    "messages", 1...1 << 24, default: 1000, help: "messages in a parcel")
  private static let bytesOption = WorkloadOption.integer(
    "bytes", 8...1 << 20, default: 64, help: "bytes of a message's payload")
  /// Parcels that a taker keeps alive.
  private static let keep = 4

  private let parcels: Int
  private let messages: Int
  private let bytes: Int

  public init(options: OptionValues) throws(UsageError) {
    parcels = try options.value(of: Self.parcelsOption)
    messages = try options.value(of: Self.messagesOption)
    bytes = try options.value(of: Self.bytesOption)
  }

  /// What one thread made or took.
  private struct Part: Sendable {
    var parcels = 0
    var isIntact = true
    var check: UInt64 = 0
  }

  public func run(_ context: RunContext) throws -> WorkloadResult {
    let pairs = context.threads / Self.threadGroup
    let queues = try context.heap.withMutator { mutator in try (0..<pairs).map { _ in try ParcelQueue(mutator) } }
    context.phase("parcels")
    let parts = try context.runClients(groupsOf: Self.threadGroup) { client, mutator in
      let queue = queues[client.index / 2]
      return client.index % 2 == 0 ? try make(queue, client, mutator) : try take(queue, client, mutator)
    }
    let taken = (0..<pairs).map { parts[2 * $0 + 1] }
    let allArrived = (0..<pairs).allSatisfy { parts[2 * $0].parcels == taken[$0].parcels }
    return WorkloadResult(
      verified: allArrived && taken.allSatisfy(\.isIntact),
      figures: [
        "parcels": .integer(taken.reduce(0) { $0 + $1.parcels }), "messages": .integer(messages),
        "bytes": .integer(bytes), "check": .unsigned(taken.reduce(0) { $0 &+ $1.check }),
      ])
  }

  // MARK: The maker

  private func make(_ queue: ParcelQueue, _ client: Client, _ mutator: Mutator) throws(OutOfMemory) -> Part {
    while client.operations < parcels && !client.shouldStop {
      let began = Clock.monotonic()
      let parcel = try build(from: firstNumber(ofParcel: client.operations, client), mutator)
      let took = Clock.monotonic() - began
      guard queue.put(parcel, client, mutator) else { break }
      client.record(kind: 0, nanoseconds: took)
    }
    queue.close(mutator)
    client.endMeasuring(mutator)
    return Part(parcels: client.operations)
  }

  /// A list of messages with the numbers from `first` on, the first at its head.
  private func build(from first: UInt64, _ mutator: Mutator) throws(OutOfMemory) -> Reference<ParcelMessage> {
    var head = try makeMessage(first + UInt64(messages) - 1, before: nil, mutator)
    for message in stride(from: messages - 2, through: 0, by: -1) {
      head = try makeMessage(first + UInt64(message), before: head, mutator)
    }
    return head
  }

  private func makeMessage(
    _ number: UInt64, before next: Reference<ParcelMessage>?, _ mutator: Mutator
  ) throws(OutOfMemory) -> Reference<ParcelMessage> {
    let payload = try mutator.makeBytes(count: bytes)
    payload.withBytes { $0.storeBytes(of: Self.hash(number).littleEndian, as: UInt64.self) }
    return try mutator.make(ParcelMessage(next: next, number: number, payload: payload))
  }

  // MARK: The taker

  private func take(_ queue: ParcelQueue, _ client: Client, _ mutator: Mutator) throws(OutOfMemory) -> Part {
    let kept = try mutator.makeArray(of: ParcelMessage.self, count: Self.keep)
    var part = Part()
    while let parcel = queue.take(client, mutator) {
      let seen = walk(parcel, from: firstNumber(ofParcel: part.parcels, client), mutator)
      part.isIntact = part.isIntact && seen.isIntact
      part.check &+= seen.sum
      kept[part.parcels % Self.keep] = parcel
      part.parcels += 1
    }
    client.endMeasuring(mutator)
    for parcel in max(0, part.parcels - Self.keep)..<part.parcels {
      let seen = walk(kept[parcel % Self.keep]!, from: firstNumber(ofParcel: parcel, client), mutator)
      part.isIntact = part.isIntact && seen.isIntact
    }
    return part
  }

  /// Whether the list is what `build(from: first)` makes, and the sum of the hashes in its payloads.
  private func walk(
    _ parcel: Reference<ParcelMessage>, from first: UInt64, _ mutator: Mutator
  ) -> (isIntact: Bool, sum: UInt64) {
    var isIntact = true
    var sum: UInt64 = 0
    var number = first
    var rest: Reference<ParcelMessage>? = parcel
    while let message = rest {
      mutator.poll()
      let payload = message.payload!
      let hash = payload.withBytes { UInt64(littleEndian: $0.load(as: UInt64.self)) }
      isIntact = isIntact && message.number == number && hash == Self.hash(number) && payload.count == bytes
      sum &+= hash
      number += 1
      rest = message.next
    }
    return (isIntact && number == first + UInt64(messages), sum)
  }

  // MARK: Numbers

  /// Each pair numbers its messages in order of making, from where the pair before would end.
  private func firstNumber(ofParcel parcel: Int, _ client: Client) -> UInt64 {
    UInt64((client.index / 2 * parcels + parcel) * messages)
  }

  /// SplitMix64's first number for the seed `number`, so that every bit of it reaches every bit of the payload's word.
  private static func hash(_ number: UInt64) -> UInt64 {
    var random = SplitMix64(seed: number)
    return random.next()
  }
}
