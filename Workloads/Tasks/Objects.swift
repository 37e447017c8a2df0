// What tasks keep and send, on the managed heap.

import Harness
import Tricolor

/// A message, and then its acknowledgement. Times are nanoseconds on the monotonic clock.
struct Parcel: Managed {
  static let slot = TypeSlot()
  let number: Int
  /// Follows from number and seed: what came is what was sent.
  let word: UInt64
  let sentAt: UInt64
  var receivedAt: UInt64 = 0

  /// The word of a number.
  static func word(_ number: Int, seed: UInt64) -> UInt64 { Checksum.mix(UInt64(bitPattern: Int64(number)) ^ seed) }
}

/// What a task knows: how much it received, and the last of it.
struct TaskState: Managed {
  static let slot = TypeSlot()
  static let kept = 8

  var received = 0
  var sum: UInt64 = 0
  /// The last messages in a ring: they live as long as they are in it.
  var recent: Reference<ReferenceArray<Parcel>>?

  static func make(_ mutator: Mutator) throws(OutOfMemory) -> Reference<TaskState> {
    try mutator.make(TaskState(recent: mutator.makeArray(of: Parcel.self, count: kept)))
  }
}

extension Reference<TaskState> {
  /// Notes a message.
  func note(_ parcel: Reference<Parcel>) {
    self.recent.unsafelyUnwrapped[self.received % TaskState.kept] = parcel
    self.received += 1
    self.sum &+= parcel.word
  }
}
