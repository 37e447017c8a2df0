// What was sent and what came, outside the managed heap: every message of a round is counted by its number.

import Synchronization

/// The shadow of the pipeline's messages. Safe from any task.
final class MessageShadow: Sendable {
  /// What all rounds came to.
  struct Counts: Sendable {
    var sent = 0
    var received = 0
    var lost = 0
    var doubled = 0
    var wrong = 0
    /// Of the words of all that was received.
    var sum: UInt64 = 0

    var faults: Int { lost + doubled + wrong }
  }

  private struct State {
    var counts = Counts()
    var first = 0
    var sent = 0
    /// How often each number of the round came, up to 255.
    var times: [UInt8] = []
  }

  private let state = Mutex(State())
  private let seed: UInt64

  init(seed: UInt64) { self.seed = seed }

  var counts: Counts { state.withLock { $0.counts } }

  /// A round of `count` messages at most begins, numbered from `first` on.
  func begin(_ count: Int, from first: Int) {
    state.withLock { state in
      state.first = first
      state.sent = 0
      state.times = [UInt8](repeating: 0, count: count)
    }
  }

  /// The round's first `count` messages were sent.
  func endSending(_ count: Int) { state.withLock { $0.sent = count } }

  /// A message came.
  func received(_ number: Int, _ word: UInt64) {
    let isRight = word == Parcel.word(number, seed: seed)
    state.withLock { state in
      state.counts.received += 1
      state.counts.sum &+= word
      let place = number - state.first
      guard isRight, state.times.indices.contains(place) else {
        state.counts.wrong += 1
        return
      }
      if state.times[place] > 0 { state.counts.doubled += 1 }
      state.times[place] = state.times[place] &+ 1
    }
  }

  /// The round is over: what was sent and did not come is lost, what came and was not sent is wrong.
  func end() {
    state.withLock { state in
      state.counts.sent += state.sent
      for (place, times) in state.times.enumerated() {
        if place < state.sent && times == 0 { state.counts.lost += 1 }
        if place >= state.sent && times > 0 { state.counts.wrong += 1 }
      }
    }
  }
}
