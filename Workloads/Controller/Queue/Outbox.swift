// Messages from the controller to a site's API server, in a ring: what is sent arrives after the way there, and so many arrive in a tick
// at the most. A full ring refuses, and the sender tries again later.
//
// Invariant: the `count` slots from `first` on hold messages in the order of sending, the others nil.

import Tricolor

enum MessageKind: UInt8 {
  case policy, createPod, deletePod
}

struct Message: Managed {
  static let slot = TypeSlot()
  var kind: MessageKind
  /// Of the node or pod.
  var number: UInt32
  /// The policy, or the node a pod is put on.
  var detail: UInt32
  /// When it arrives, in ticks.
  var arrival: Int
  var body: Reference<Bytes>?
}

struct Outbox: Managed {
  static let slot = TypeSlot()
  private static let capacity = 256
  var first = 0
  var count = 0
  var ring: Reference<ReferenceArray<Message>>?

  static func make(_ mutator: Mutator) throws(OutOfMemory) -> Reference<Outbox> {
    try mutator.make(Outbox(ring: try mutator.makeArray(of: Message.self, count: capacity)))
  }
}

extension Reference where Target == Outbox {
  var isFull: Bool { self.count == self.ring!.count }

  /// Adds a message to a ring that is not full.
  func send(_ message: Reference<Message>) {
    let ring = self.ring!
    ring[(self.first + self.count) % ring.count] = message
    self.count += 1
  }

  /// The oldest message, if it has arrived at `now`.
  func receive(at now: Int) -> Reference<Message>? {
    let ring = self.ring!
    guard self.count > 0, let message = ring[self.first], message.arrival <= now else { return nil }
    ring[self.first] = nil
    self.first = (self.first + 1) % ring.count
    self.count -= 1
    return message
  }
}
