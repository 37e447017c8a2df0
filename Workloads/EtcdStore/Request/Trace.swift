// The trace that every request of etcd carries: small objects for steps and their fields, looked at only when the
// request was slow.

import Tricolor

struct TraceStep: Managed {
  static let slot = TypeSlot()
  var nanoseconds: UInt64
  var message: Int
  var fields: Reference<Bytes>?
  var next: Reference<TraceStep>?
}

struct Trace: Managed {
  static let slot = TypeSlot()
  /// Steps are written into a slow request's trace by the reader; this many nanoseconds make it slow.
  static let slowNanoseconds: UInt64 = 100_000_000
  var operation: Int
  var began: UInt64
  var steps: Reference<TraceStep>?
  var stepCount: Int
}

/// What a step of a trace says.
enum TraceMessage: Int {
  case decoded, proposed, waitedForLock, prepared, committed, notified, responded, searched, collected, marshalled
}

extension Trace {
  static func begin(operation: Int, at now: UInt64, _ m: Mutator) throws(OutOfMemory) -> Reference<Trace> {
    try m.make(Trace(operation: operation, began: now, steps: nil, stepCount: 0))
  }
}

extension Reference where Target == Trace {
  /// Notes that a step has ended, with `field` (a revision, a count) as its field.
  func step(_ message: TraceMessage, field: Int, at now: UInt64, _ m: Mutator) throws(OutOfMemory) {
    let fields = try m.makeBytes(count: 24) { buffer in
      buffer.storeBytes(of: message.rawValue, as: Int.self)
      buffer.storeBytes(of: field, toByteOffset: 8, as: Int.self)
      buffer.storeBytes(of: self.stepCount, toByteOffset: 16, as: Int.self)
    }
    self.steps = try m.make(TraceStep(nanoseconds: now, message: message.rawValue, fields: fields, next: self.steps))
    self.stepCount += 1
  }

  func isSlow(at now: UInt64) -> Bool { now &- self.began >= Trace.slowNanoseconds }
}
