// The cache's cell for a node or a pod: the only thing in it that stays when the object is replaced, so queues and indexes refer to it.

import Harness
import Tricolor

struct CacheEntry: Managed {
  static let slot = TypeSlot()
  /// Of its name.
  var nameHash: UInt64
  /// The next entry in the same bucket.
  var next: Reference<CacheEntry>? = nil
  var name: Reference<Bytes>?
  /// One of the two; neither once it has left the cache.
  var node: Reference<NodeObject>? = nil
  var pod: Reference<PodStub>? = nil
  /// What the controller knows of a node beyond the object.
  var state: Reference<NodeState>? = nil
  /// Where it stands in the lists of its two indexes: a node by pool; a pod by node and by namespace.
  var places: InlineArray<2, Int32> = [0, 0]
}

/// What the controller remembers of a node between events.
struct NodeState: Managed {
  static let slot = TypeSlot()
  /// The newest policy sent to it.
  var sentPolicy: UInt32 = 0
  /// Reconciliations that failed one after the other.
  var failures: UInt32 = 0
  var isQueued = false
  /// The last samples of its CPU, a byte each, as a ring, and what they add up to.
  var window: Reference<Bytes>?
  var samples = 0
  var sum = 0
  /// The pods on it.
  var pods: Reference<EntryList>?
}

extension Reference where Target == NodeState {
  /// Whether the window holds five minutes.
  var isFull: Bool { self.samples >= Shape.window }

  /// Adds a sample; what it changes in the sum of all full windows, and whether this one has just become full.
  func add(_ cpu: UInt8) -> (change: Int, filled: Bool) {
    let window = self.window!
    let place = self.samples % Shape.window
    let wasFull = isFull
    let change = Int(cpu) - Int(window[place])
    window[place] = cpu
    self.samples += 1
    self.sum += change
    return wasFull ? (change, false) : isFull ? (self.sum, true) : (0, false)
  }
}
