// Operators: what a placement driver has decided to do to a region, step by step, as five or six small objects that live for a second or two of
// simulated time. An operator whose region has changed meanwhile in another way than by its own steps is dropped.
//
// Invariant: `first` to `last` by `next` are `count` operators in the order they were added.

import Tricolor

enum StepKind: UInt8 {
  case transferLeader, addPeer, removePeer, split, merge
}

struct OperatorStep: Managed {
  static let slot = TypeSlot()
  var kind: StepKind
  /// Of the peer or the new leader.
  var store: Int32
}

struct Operator: Managed {
  static let slot = TypeSlot()
  var region: UInt32
  /// The region's, when the next step is to be done.
  var epoch: UInt32
  var configuration: UInt32
  var stepsDone: UInt32 = 0
  /// The tick of the next step.
  var due: Int
  var steps: Reference<ReferenceArray<OperatorStep>>?
  /// What it would be called in a log.
  var reason: Reference<Bytes>?
  var next: Reference<Operator>? = nil
}

struct OperatorQueue: Managed {
  static let slot = TypeSlot()
  var count = 0
  var first: Reference<Operator>? = nil
  var last: Reference<Operator>? = nil
}

/// A step, before it is an object.
struct PlannedStep {
  let kind: StepKind
  var store = 0
}

extension Operator {
  private static let reasonBytes = 32

  static func make(
    _ steps: [PlannedStep], for region: Reference<Region>, due: Int, _ mutator: Mutator
  ) throws(OutOfMemory) -> Reference<Operator> {
    let list = try mutator.makeArray(of: OperatorStep.self, count: steps.count)
    for place in 0..<steps.count {
      list[place] = try mutator.make(OperatorStep(kind: steps[place].kind, store: Int32(steps[place].store)))
    }
    let reason = try mutator.makeBytes(count: reasonBytes) { bytes in
      for place in 0..<bytes.count { bytes[place] = steps[place % steps.count].kind.rawValue + 97 }
    }
    return try mutator.make(
      Operator(
        region: region.number, epoch: region.epoch, configuration: region.configuration, due: due, steps: list,
        reason: reason))
  }
}

extension Reference where Target == OperatorQueue {
  func add(_ op: Reference<Operator>) {
    op.next = nil
    if let last = self.last { last.next = op } else { self.first = op }
    self.last = op
    self.count += 1
  }

  /// The first, if it is due at `now`.
  func take(at now: Int) -> Reference<Operator>? {
    guard let first = self.first, first.due <= now else { return nil }
    self.first = first.next
    if self.first == nil { self.last = nil }
    self.count -= 1
    return first
  }
}
